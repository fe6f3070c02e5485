"""The judge of a separator: which products are things of their own, and in which order."""

import numpy as np
import pytest
import torch
from judge import KINDS, Verdict, compare, draw, main, pieces

from layerctl_model.things import Things


def scene():
    """Two products that overlap, the second in front: what shows, and all of them."""
    whole = torch.zeros(2, 16, 16)
    whole[0, 2:10, 2:10] = whole[1, 6:14, 6:14] = 1
    seen = whole.clone()
    seen[0] *= 1 - seen[1]
    return seen, whole


def things(*shares):
    kinds = torch.stack([torch.zeros(16, 16), torch.ones(16, 16), torch.zeros(16, 16)])
    stacked = torch.stack(shares)
    return Things(stacked, stacked, kinds)


def test_the_truth_is_found_and_in_order():
    seen, whole = scene()
    assert compare(things(*seen), seen, whole) == Verdict(2, 2, 2, 1, 1)


def test_things_in_the_wrong_order_are_found_all_the_same():
    seen, whole = scene()
    assert compare(things(seen[1], seen[0]), seen, whole) == Verdict(2, 2, 2, 1, 0)


def test_two_products_in_one_thing_are_not_both_found():
    seen, whole = scene()
    verdict = compare(things(seen.sum(dim=0)), seen, whole)
    assert verdict.found < verdict.products == 2


def test_more_things_than_products_are_counted():
    seen, whole = scene()
    left = seen[0] * (torch.arange(16) < 6)
    verdict = compare(things(left, seen[0] - left, seen[1]), seen, whole)
    assert (verdict.things, verdict.products) == (3, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_have_as_many_products_as_wanted_and_are_the_same_again(kind):
    first, again = (list(draw(2, kind)) for _ in range(2))
    assert [len(seen) > 1 for _, seen, _ in first] == [kind in ("crowded", "stacked")] * 2
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_a_large_product_fills_more_of_the_frame_than_others_do():
    single, large = (
        np.mean([float(seen.mean()) for _, seen, _ in draw(12, kind)])
        for kind in ("single", "large")
    )
    assert large > single


def least_shown(kind):
    scenes = draw(12, kind)
    return [
        float((seen.sum(dim=(1, 2)) / whole.sum(dim=(1, 2))).min()) for _, seen, whole in scenes
    ]


def test_of_what_is_stacked_less_shows_than_of_what_is_placed_at_random():
    assert np.mean(least_shown("stacked")) < np.mean(least_shown("crowded"))


def test_a_product_is_in_as_many_pieces_as_show_more_than_a_speck_of_it():
    seen, _ = scene()
    left = seen[:1] * (torch.arange(16) < 6)
    apart, speck = torch.zeros(1, 16, 16), torch.zeros(1, 16, 16)
    apart[0, 14:, :4] = speck[0, 2, 2] = 1
    assert pieces(things(seen[0], apart[0]), seen[:1]) == 1
    assert pieces(things(left[0], (seen[:1] - left)[0]), seen[:1]) == 2
    assert pieces(things(seen[0], speck[0]), seen[:1]) == 1


def test_a_folder_that_is_not_there_is_named(monkeypatch, tmp_path, capsys):
    missing = str(tmp_path / "missing")
    monkeypatch.setattr(
        "sys.argv", ["judge", "mini", "--cutouts", str(tmp_path), "--backdrops", missing]
    )
    with pytest.raises(SystemExit, match="2"):
        main()
    assert f"{missing} is no folder" in capsys.readouterr().err
