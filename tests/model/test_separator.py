"""The separator: its files, its fields, and the things that are read off them."""

import json
import random
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from layerctl_model import CheckpointError, load
from layerctl_model.checkpoint import has_separator, load_separator, save_separator
from layerctl_model.closeup import Crop
from layerctl_model.folder import WEIGHTS
from layerctl_model.grouping import APART, SPLIT, group_pixels
from layerctl_model.inventory import faults
from layerctl_model.plans import possible
from layerctl_model.separator import (
    KINDS,
    REDUCTION,
    Separator,
    SeparatorSizes,
    answers,
    look,
)
from layerctl_model.settings import Settings
from layerctl_model.things import back_to_front, chances, find_things, sharpen
from tests.model.defects import DEFECTS
from tests.model.tiny import fields_of, sharded_checkpoint

IN_ONE_FILE = [defect for defect in DEFECTS if "index" not in defect.__name__]
SMALL = SeparatorSizes(widths=(8, 12, 16), num_res_blocks=1, num_attentions=1, key_dim=4)


def small_separator(seed=0):
    torch.manual_seed(seed)
    return Separator(SMALL).eval().requires_grad_(requires_grad=False)


@pytest.mark.parametrize("size", [(64, 64), (32, 96), (48, 80)])
def test_there_is_a_field_entry_for_every_fourth_pixel(size):
    fields = small_separator()(torch.rand(2, 4, *size))
    for field in vars(fields).values():
        assert field.shape[2:] == tuple(side // REDUCTION for side in size)
    assert fields.kinds.shape[1] == len(KINDS)
    assert fields.queries.shape[1] == fields.seen.shape[1] == fields.whole.shape[1] == 4


def test_a_separator_comes_back_from_its_files_as_it_was(tmp_path):
    separator = small_separator()
    assert not has_separator(tmp_path)
    save_separator(separator, tmp_path)
    assert has_separator(tmp_path)
    again, picture = load_separator(tmp_path), torch.rand(1, 4, 64, 64)
    assert again.sizes == SMALL
    for one, other in zip(
        vars(separator(picture)).values(), vars(again(picture)).values(), strict=True
    ):
        assert torch.equal(one, other)


def test_a_separator_of_other_sizes_is_refused(tmp_path):
    save_separator(small_separator(), tmp_path)
    config = tmp_path / "separator" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"key_dim": 5}))
    with pytest.raises(CheckpointError, match="separator"):
        load_separator(tmp_path)


@pytest.mark.parametrize(
    "change",
    [{"num_res_blocks": 0}, {"num_attentions": 10**9}, {"widths": "wide"}, {"widths": [8, 8]}],
)
def test_what_a_config_cannot_mean_is_refused(tmp_path, change):
    save_separator(small_separator(), tmp_path)
    config = tmp_path / "separator" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_separator(tmp_path)


def test_a_missing_tensor_is_named(tmp_path):
    save_separator(small_separator(), tmp_path)
    path = tmp_path / "separator" / WEIGHTS
    save_file({k: v for k, v in load_file(path).items() if k != "conv_in.bias"}, path)
    with pytest.raises(CheckpointError, match=r"conv_in\.bias"):
        load_separator(tmp_path)


HALVES = [[0] * 12, *[[0, *[1] * 5, *[2] * 5, 0]] * 10, [0] * 12]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_pixels_that_agree_are_one_thing_and_the_nearer_one_comes_last(order):
    things = find_things(fields_of(HALVES, order), (48, 48))
    assert things.shares.shape == (2, 48, 48)
    first = slice(8, 20) if order == (1, 2) else slice(28, 40)
    assert things.shares[0, 8:40, first].min() > 0.9
    assert things.whole[0, 8:40, first].min() > 0.5
    torch.testing.assert_close(things.shares.sum(dim=0), torch.ones(48, 48))


def test_what_goes_on_behind_another_thing_is_below_it_though_it_seems_nearer():
    back, front = torch.zeros(2, 16, 16)
    back[2:10, 2:10] = front[6:14, 6:14] = 1
    whole, seen = torch.stack([front, back]), torch.stack([front, back * (1 - front)])
    assert back_to_front(torch.tensor([0.0, 1.0]), seen, whole) == [1, 0]
    apart = torch.stack([front * (1 - back), back * (1 - front)])
    assert back_to_front(torch.tensor([0.0, 1.0]), apart, apart) == [0, 1]
    assert back_to_front(torch.zeros(0), seen[:0], whole[:0]) == []


def test_kinds_are_chances_at_the_size_of_the_picture():
    kinds = find_things(fields_of(HALVES, (1, 2)), (48, 48)).kinds
    torch.testing.assert_close(kinds.sum(dim=0), torch.ones(48, 48))
    assert kinds[1, 24, 24] > 0.9
    assert kinds[0, 1, 1] > 0.9


def test_what_a_pixel_shows_is_what_it_shows_at_all_sizes_on_average():
    fields = fields_of(HALVES, (1, 2))
    text = fields_of([[0] * 24] * 24, (1,))
    text = replace(text, kinds=text.kinds.roll(2, dims=1))
    plain = find_things(fields, (48, 48))
    things = find_things(fields, (48, 48), [text])
    torch.testing.assert_close(things.kinds[1], plain.kinds[1] / 2, atol=1e-3, rtol=0)
    assert things.kinds[2].min() > 0.49
    torch.testing.assert_close(things.shares, plain.shares)


def stripes(width, size=240):
    """Fields of things so many entries wide, as far from each other, in the left half alone."""
    rows = [[int(x < size // 2 and x // width % 2) for x in range(size)]] * size
    return fields_of(rows, (1,))


def half(kind, size=(240, 240)):
    """Chances of a half that this kind is in the left half of a picture, and of background."""
    coarse = torch.zeros(3, *size)
    coarse[kind, :, :120] = 0.5
    coarse[0] = 1 - coarse[kind]
    return coarse


@pytest.mark.parametrize("kind", [1, 2])
def test_detail_makes_chances_of_chances(kind):
    kinds = sharpen(half(kind), stripes(2))
    torch.testing.assert_close(kinds.sum(dim=0), torch.ones(240, 240))
    assert kinds.min() >= 0


def test_detail_leaves_a_letter_a_letter():
    kinds = sharpen(half(2), stripes(2))
    assert kinds[2, 120, 20:100].max() > 0.9
    assert kinds[1].max() < 0.01


def test_a_larger_look_sees_gaps_that_are_too_fine_for_the_others():
    seen = sharpen(half(1), stripes(2))[1, 120, 20:100]
    assert seen.view(-1, 2)[1::2].min() > 0.9
    assert seen.view(-1, 2)[::2].max() < 0.1


def test_what_is_broad_stays_as_looks_from_farther_away_say():
    size = (240, 240)
    large = chances([stripes(120)], size)
    blind = sharpen(1 - large[[1, 0, 2]], fields_of([[0] * 240] * 240, (1,)))
    assert (blind[1] - (1 - large[0])).abs()[:, 130:].max() < 0.01
    assert (blind[1] - (1 - large[0])).abs()[:, :110].max() < 0.01


def test_where_nothing_is_there_are_no_things():
    things = find_things(fields_of([[0] * 12] * 12, (1,)), (48, 48))
    assert things.shares.shape == things.whole.shape == (0, 48, 48)


def test_specks_are_no_things():
    labels = [row.copy() for row in [[0] * 32] * 32]
    labels[3][3] = 2
    for row in labels[10:20]:
        row[10:20] = [1] * 10
    assert len(find_things(fields_of(labels, (1, 2)), (128, 128)).shares) == 1


def test_a_small_thing_that_surely_is_apart_from_a_large_one_is_a_thing():
    labels = [[0, *[1] * 28, *[2] * 2, 0] if 4 <= row < 28 else [0] * 32 for row in range(32)]
    assert len(find_things(fields_of(labels, (1, 2)), (128, 128)).shares) == 2


def test_a_speck_alone_is_no_thing():
    labels = [[0] * 32 for _ in range(32)]
    labels[3][3] = 1
    assert len(find_things(fields_of(labels, (1,)), (128, 128)).shares) == 0


def test_hidden_parts_end_sharply_though_the_answers_are_in_doubt():
    fields = fields_of(HALVES, (1, 2))
    whole = find_things(replace(fields, whole=fields.whole / 10), (48, 48)).whole
    assert whole[0, 12:36, 10:18].min() > 0.98
    assert whole[0, 12:36, 30:38].max() < 0.02


def test_many_pixels_are_asked_only_in_part():
    labels = [[1] * 40 + [2] * 40] * 80
    assert len(find_things(fields_of(labels, (1, 2)), (320, 320)).shares) == 2


def explained(agreement, group):
    """Pixels of a group, each as much as the group's soft IoU with what they ask for on average."""
    there = torch.zeros(len(agreement))
    there[group] = 1
    asked = agreement[group].mean(dim=0)
    both = float((asked * there).sum())
    return len(group) * both / (len(group) + float(asked.sum()) - both)


def parted(agreement):
    """Groups of the tree of average linkage that are worth most, written down as it is defined."""
    trees = [([p], explained(agreement, [p]), [[p]]) for p in range(len(agreement))]
    while len(trees) > 1:
        pairs = [(i, j) for i in range(len(trees)) for j in range(i)]
        means = [float(agreement[trees[i][0]][:, trees[j][0]].mean()) for i, j in pairs]
        if max(means) <= APART:
            break
        i, j = pairs[means.index(max(means))]
        one, other = trees.pop(i), trees.pop(j)
        pixels = one[0] + other[0]
        whole, apart = explained(agreement, pixels), one[1] + other[1] - SPLIT * len(pixels)
        best = (whole, [pixels]) if whole >= apart else (apart, one[2] + other[2])
        trees.append((pixels, *best))
    return sorted(sorted(group) for tree in trees for group in tree[2])


@pytest.mark.parametrize("seed", range(12))
def test_groups_are_those_of_average_linkage_that_explain_most(seed):
    torch.manual_seed(seed)
    centres = torch.randn(3, 8) * 2
    queries = centres[torch.randint(3, (40,))] + torch.randn(40, 8)
    keys = (queries + torch.randn(40, 8)).T
    chances = answers(queries[None], keys[None, :, None])[0, :, 0].sigmoid()
    groups = sorted(sorted(group.tolist()) for group in group_pixels(queries, keys))
    assert groups == parted((chances * chances.T).sqrt())
    assert sorted(pixel for group in groups for pixel in group) == list(range(40))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_pixels_are_one_group_at_most(count):
    queries = torch.full((count, 8), 2.3)
    assert len(group_pixels(queries, queries.T)) == min(count, 1)


@pytest.mark.parametrize("seed", range(6))
def test_pixels_that_are_nearly_certain_of_each_other_are_grouped_once_each(seed):
    torch.manual_seed(seed)
    queries = torch.full((300, 8), 2.3) + torch.randn(300, 8) / 50
    keys = (torch.full((300, 8), 2.3) + torch.randn(300, 8) / 50).T
    assert [sorted(group.tolist()) for group in group_pixels(queries, keys)] == [list(range(300))]


@pytest.mark.parametrize("damaged", ["kinds", "queries", "seen", "whole", "nearness"])
def test_of_numbers_that_are_not_finite_no_things_are_made(damaged):
    fields = fields_of(HALVES, (1, 2))
    getattr(fields, damaged)[0, 0, 3, 3] = float("nan")
    things = find_things(fields, (48, 48))
    assert len(things.shares) == 0
    assert things.kinds.isnan().all()
    assert find_things(fields_of(HALVES, (1, 2)), (48, 48), [fields]).kinds.isnan().all()


def test_an_answer_is_the_product_of_query_and_key():
    keys = torch.randn(1, 4, 3, 5)
    logits = answers(keys[:, :, 1, 2][:, None], keys)
    assert logits.shape == (1, 1, 3, 5)
    torch.testing.assert_close(logits[0, 0, 1, 2], keys[0, :, 1, 2].square().sum() / 2)


def test_two_looks_answer_with_the_mean_of_both():
    separator, picture = small_separator(), torch.rand(1, 4, 64, 96)
    one, other = separator(picture), separator(picture.flip(-1)).mirrored()
    both = look(separator, picture)
    for keys in ("seen", "whole"):
        means = [
            answers(fields.queries.flatten(2).mT, getattr(fields, keys)) for fields in (one, other)
        ]
        found = answers(both.queries.flatten(2).mT, getattr(both, keys))
        torch.testing.assert_close(found, sum(means) / 2, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(both.kinds, (one.kinds + other.kinds) / 2)


def test_a_mirror_image_is_seen_as_the_mirror_of_what_is_seen():
    separator, picture = small_separator(), torch.rand(1, 4, 64, 96)
    plain, mirrored = look(separator, picture), look(separator, picture.flip(-1)).mirrored()
    torch.testing.assert_close(plain.kinds, mirrored.kinds)
    torch.testing.assert_close(plain.nearness, mirrored.nearness)


def noise(_crop, resolution):
    return torch.rand(4, resolution, resolution + 32)


@pytest.mark.parametrize("planned", [False, True])
def test_a_checkpoint_with_a_separator_tells_the_things_in_a_picture_apart(tmp_path, planned):
    sharded_checkpoint(tmp_path, seed=2)
    plan = possible(tmp_path, Settings(resolution=64), dtype=torch.float32)[0] if planned else None
    assert load(tmp_path, plan=plan).find_things(noise, 64, (64, 96)) is None
    save_separator(small_separator(), tmp_path)
    things = load(tmp_path, plan=plan).find_things(noise, 64, (48, 72))
    assert things.kinds.shape == (3, 48, 72)
    assert things.shares.shape == things.whole.shape
    assert things.kinds.dtype == torch.float32


def test_a_picture_is_seen_at_the_sizes_that_the_checkpoint_asks_for(tmp_path):
    sharded_checkpoint(tmp_path, seed=2)
    save_separator(small_separator(), tmp_path)
    profile = '{"separator_scales": [2, 1.5], "separator_detail": 3}'
    (tmp_path / "layerctl.json").write_text(profile)
    seen = []

    def view(crop, resolution):
        seen.append((crop, resolution))
        return noise(crop, resolution)

    load(tmp_path).find_things(view, 64, (48, 72))
    # once more without what is around things, and at last for detail
    assert [resolution for crop, resolution in seen if crop == Crop()] == [128, 96, 128, 192]
    assert all(resolution == 128 for crop, resolution in seen if crop != Crop())


def test_plans_have_room_for_the_separator(tmp_path):
    sharded_checkpoint(tmp_path, seed=2)

    def needed():
        plans = possible(tmp_path, Settings(resolution=64), dtype=torch.bfloat16)
        return [plan.device_bytes for plan in plans]

    separator, without = small_separator(), needed()
    save_separator(separator, tmp_path)
    room = sum(2 * parameter.numel() for parameter in separator.parameters())
    assert needed() == [before + room for before in without]


def test_a_decomposer_keeps_channels_side_by_side_and_sees_the_same(tmp_path):
    sharded_checkpoint(tmp_path, seed=2)
    save_separator(small_separator(), tmp_path)
    separator, picture = load(tmp_path).separator, torch.rand(1, 4, 64, 48)
    assert separator.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    for one, other in zip(
        vars(separator(picture)).values(), vars(small_separator()(picture)).values(), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("defect", IN_ONE_FILE, ids=lambda defect: defect.__name__)
def test_stock_is_taken_of_a_separator_too(tmp_path, defect):
    sharded_checkpoint(tmp_path, seed=2)
    save_separator(small_separator(), tmp_path)
    assert faults(tmp_path) == []
    rng = random.Random(defect.__name__)  # noqa: S311 - no secret
    spoilt = defect(rng, tmp_path, "separator")
    found = faults(tmp_path)
    assert found
    assert all(str(tmp_path / "separator") in told and spoilt.name in told for told in found)
    with pytest.raises(CheckpointError):
        load_separator(tmp_path)
