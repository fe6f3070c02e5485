"""One thing to a layer."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from layerctl.instances import cleared, deal, joined, united
from layerctl.things import Things

SIDE = 100
LEAST = 0.002


def mask(*boxes):
    """Boxes: left, top, right, bottom."""
    where = np.zeros((SIDE, SIDE), np.float32)
    for left, top, right, bottom in boxes:
        where[top:bottom, left:right] = 1
    return where


def layer(*boxes, colour=(0.8, 0.2, 0.1), alpha=1.0):
    pixels = np.zeros((SIDE, SIDE, 4), np.float32)
    pixels[..., :3], pixels[..., 3] = colour, alpha * mask(*boxes)
    return pixels


def things(*whole, text=None):
    """What is to be seen of things, back to front, the last in front; each one a list of boxes."""
    whole = np.stack([mask(*boxes) for boxes in whole])
    text = mask(*(text or ()))
    shares, left = np.zeros_like(whole), np.ones((SIDE, SIDE), np.float32)
    for share, one in zip(shares[::-1], whole[::-1], strict=True):
        share[:] = one * left
        left = left - share
    product = np.clip(whole.sum(axis=0), 0, 1) * (1 - text)
    return Things(shares + left / len(whole), whole, np.stack([1 - product - text, product, text]))


def seen(*layers):
    """The picture that layers make up on white."""
    shown = np.ones((SIDE, SIDE, 4), np.float32)
    for one in layers:
        shown[..., :3] += one[..., 3:] * (one[..., :3] - shown[..., :3])
    return shown


def alphas(layers):
    return [one[..., 3] for one in layers]


RED, BLUE = (0.8, 0.2, 0.1), (0, 0, 0.9)
CUP, PLATE, CRUMB = (5, 20, 35, 70), (55, 20, 95, 70), (45, 80, 47, 82)
SHOE, BOX = (10, 10, 60, 60), (40, 40, 90, 90)


def test_things_drawn_in_one_layer_get_layers_of_their_own():
    drawn = [layer(CUP, PLATE)]
    dealt, roles = deal(drawn, seen(*drawn), things([CUP], [PLATE]), LEAST, 5)
    assert roles == ["product", "product"]
    np.testing.assert_array_equal(alphas(dealt), [mask(CUP), mask(PLATE)])


def test_a_thing_drawn_in_several_layers_gets_one():
    drawn = [layer((5, 20, 20, 70)), layer((18, 20, 35, 70), alpha=0.9), layer(CUP, alpha=0.5)]
    dealt, roles = deal(drawn, seen(layer(CUP)), things([CUP]), LEAST, 5)
    assert roles == ["product"]
    assert dealt[0][..., 3][mask(CUP) > 0].min() > 0.9


def test_what_is_hidden_of_a_thing_is_in_the_colours_that_the_model_drew():
    shoe, box = layer(SHOE), layer(BOX, colour=BLUE)
    picture = seen(shoe, box)
    dealt, _ = deal([shoe, box], picture, things([SHOE], [BOX]), LEAST, 5)
    np.testing.assert_array_equal(alphas(dealt), [mask(SHOE), mask(BOX)])
    np.testing.assert_allclose(dealt[0][50, 50, :3], RED, atol=0.01)
    np.testing.assert_allclose(seen(*dealt), picture, atol=0.02)


def test_what_is_hidden_goes_on_in_the_colours_of_what_is_seen_where_nobody_drew_it():
    shown = layer(SHOE)
    shown[40:, 40:, 3] = 0
    picture = seen(shown, layer(BOX, colour=BLUE))
    both = layer(SHOE, BOX)
    both[..., :3] = picture[..., :3]
    dealt, _ = deal([both], picture, things([SHOE], [BOX]), LEAST, 5)
    np.testing.assert_allclose(dealt[0][45, 45, :3], RED, atol=0.1)


def test_text_lies_above_the_things():
    drawn = [layer(CUP), layer((10, 40, 30, 44), colour=BLUE)]
    shown = things([CUP], text=[(10, 40, 30, 44)])
    dealt, roles = deal(drawn, seen(*drawn), shown, LEAST, 5)
    assert roles == ["product", "text"]
    np.testing.assert_array_equal(alphas(dealt), [mask(CUP), mask((10, 40, 30, 44))])


def test_there_are_never_more_layers_than_there_is_room_for_and_neighbours_merge_first():
    boxes = (2, 2, 30, 30), (34, 2, 62, 30), (70, 70, 98, 98)
    drawn, shown = [layer(*boxes)], things(*([box] for box in boxes))
    for room, found in ((5, 3), (3, 3), (2, 2), (1, 1)):
        dealt, _ = deal(drawn, seen(*drawn), shown, LEAST, room)
        assert len(dealt) == found
        np.testing.assert_array_equal(sum(alphas(dealt)), mask(*boxes))
    pair, _ = deal(drawn, seen(*drawn), shown, LEAST, 2)
    np.testing.assert_array_equal(pair[0][..., 3], mask(*boxes[:2]))


def test_with_room_for_one_text_stays_with_the_things():
    drawn = [layer(CUP), layer((40, 80, 90, 86))]
    shown = things([CUP], text=[(40, 80, 90, 86)])
    dealt, roles = deal(drawn, seen(*drawn), shown, LEAST, 1)
    assert roles == ["product"]
    np.testing.assert_array_equal(dealt[0][..., 3], mask(CUP, (40, 80, 90, 86)))


def test_what_stands_clear_of_the_rest_of_its_thing_is_another_thing_from_left_to_right():
    drawn = [layer(PLATE, CUP, CRUMB)]
    dealt, _ = deal(drawn, seen(*drawn), things([PLATE, CUP, CRUMB]), LEAST, 5)
    assert len(dealt) == 2
    assert dealt[0][..., 3][mask(CUP) > 0].min() == 1
    np.testing.assert_array_equal(sum(alphas(dealt)), mask(CUP, PLATE, CRUMB))


@pytest.mark.parametrize(("likely", "layers"), [(0.35, 1), (0.1, 2)])
def test_a_stem_that_is_no_more_than_likely_keeps_a_thing_together(likely, layers):
    drawn, stem = [layer(PLATE, CUP)], mask((35, 44, 55, 46)) > 0
    shown = things([PLATE, CUP, (35, 44, 55, 46)])
    chance = np.where(stem, np.float32(likely), shown.kinds[1])
    shown = replace(shown, kinds=np.stack([1 - chance, chance, np.zeros_like(chance)]))
    assert len(deal(drawn, seen(*drawn), shown, LEAST, 5)[0]) == layers


@pytest.mark.parametrize(("label", "layers"), [((34, 40, 40, 46), 1), ((80, 40, 86, 46), 2)])
def test_what_is_small_and_touches_a_thing_is_a_part_of_it(label, layers):
    drawn = [layer(CUP), layer(label, colour=BLUE)]
    dealt, _ = deal(drawn, seen(*drawn), things([CUP], [label]), LEAST, 5)
    assert len(dealt) == layers
    np.testing.assert_array_equal(np.max(alphas(dealt), axis=0), mask(CUP, label))


def test_a_thing_of_which_only_a_little_shows_beside_what_hides_it_is_a_thing():
    hidden, front = (20, 30, 60, 60), (25, 10, 95, 90)
    drawn = [layer(hidden, colour=BLUE), layer(front)]
    dealt, _ = deal(drawn, seen(*drawn), things([hidden], [front]), LEAST, 5)
    np.testing.assert_array_equal(alphas(dealt), [mask(hidden), mask(front)])


def test_of_things_that_touch_the_smallest_is_the_first_to_merge():
    far, wide, near, small = (0, 0, 20, 20), (30, 30, 70, 70), (30, 70, 70, 99), (40, 20, 60, 30)
    boxes = far, wide, near, small
    drawn = [layer(*boxes)]
    dealt, _ = deal(drawn, seen(*drawn), things(*([box] for box in boxes)), LEAST, 3)
    wanted = [mask(far), mask(wide, small), mask(near)]
    assert sorted(map(np.ndarray.tolist, alphas(dealt))) == sorted(map(np.ndarray.tolist, wanted))


def test_things_do_not_merge_past_one_between_them_that_touches_both():
    low, middle, high = (10, 10, 40, 90), (30, 10, 70, 90), (38, 10, 60, 60)
    drawn = [layer(low), layer(middle), layer(high)]
    dealt, _ = deal(drawn, seen(*drawn), things([low], [middle], [high]), LEAST, 2)
    np.testing.assert_array_equal(alphas(dealt), [mask(low), mask(middle, high)])


def test_both_ends_of_what_something_hides_in_the_middle_are_one_thing():
    bar, post = (5, 40, 95, 60), (40, 5, 60, 95)
    drawn = [layer(bar), layer(post, colour=BLUE)]
    dealt, _ = deal(drawn, seen(*drawn), things([bar], [post]), LEAST, 5)
    np.testing.assert_array_equal(alphas(dealt), [mask(bar), mask(post)])


def unsure(these, *boxes):
    """The same things, which may be there or not, like anything else in boxes."""
    doubt = np.maximum(mask(*boxes), these.kinds[1])
    return replace(these, kinds=np.stack([1 - 0.3 * doubt, 0.3 * doubt, np.zeros_like(doubt)]))


def test_things_in_doubt_of_which_nothing_was_drawn_are_left_out():
    drawn = [layer(CUP)]
    dealt, roles = deal(drawn, seen(*drawn), unsure(things([CUP], [PLATE])), LEAST, 5)
    assert roles == ["product"]
    np.testing.assert_array_equal(dealt[0][..., 3], mask(CUP))


def test_what_was_drawn_of_no_thing_is_one():
    drawn = [layer(CUP)]
    dealt, roles = deal(drawn, seen(*drawn), unsure(things([PLATE]), CUP), LEAST, 5)
    assert roles == ["product"]
    np.testing.assert_array_equal(dealt[0][..., 3], mask(CUP))


def test_the_surer_a_thing_is_the_more_of_it_counts_though_nothing_was_drawn():
    chance = np.linspace(0, 1, SIDE, dtype=np.float32)[None].repeat(SIDE, axis=0)
    kinds = np.stack([1 - chance, chance, np.zeros_like(chance)])
    cover = replace(things([CUP]), kinds=kinds).cover([])[0]
    assert (np.diff(cover) >= 0).all()
    assert cover[:30].max() == 0
    assert cover[70] > 0.5
    assert cover[-1] == 1


def test_things_that_are_surely_there_need_no_drawing_and_leave_the_background():
    cup, plate = layer(CUP), layer(PLATE, colour=BLUE)
    picture, shown = seen(cup, plate), things([CUP], [PLATE])
    dealt, _ = deal([cup], picture, shown, LEAST, 5)
    np.testing.assert_array_equal(alphas(dealt), [mask(CUP), mask(PLATE)])
    np.testing.assert_allclose(dealt[1][40, 70, :3], BLUE, atol=0.01)
    sheet = cleared(seen(plate), [cup], shown)
    np.testing.assert_allclose(sheet[..., :3], 1, atol=0.01)


def test_what_was_drawn_where_surely_nothing_is_is_dropped():
    drawn = [layer(CUP, PLATE)]
    dealt, _ = deal(drawn, seen(*drawn), things([CUP]), LEAST, 5)
    np.testing.assert_array_equal(alphas(dealt), [mask(CUP)])


def test_a_background_that_shows_nothing_of_the_things_stays_as_it_is():
    sheet = seen()
    assert cleared(sheet, [layer(CUP)], things([CUP])) is sheet


def test_the_colour_of_a_soft_edge_is_that_of_the_thing():
    soft = layer(CUP)
    soft[..., 3] = cv2.GaussianBlur(soft[..., 3], (0, 0), 3)
    shown = replace(things([CUP]), whole=soft[None, ..., 3])
    kinds = np.stack([1 - soft[..., 3], soft[..., 3], np.zeros_like(soft[..., 3])])
    dealt, _ = deal([soft], seen(soft), replace(shown, kinds=kinds), LEAST, 5)
    edge = (dealt[0][..., 3] > 0.1) & (dealt[0][..., 3] < 0.9)
    np.testing.assert_allclose(
        dealt[0][edge][:, :3], np.broadcast_to(RED, (edge.sum(), 3)), atol=0.1
    )


@pytest.mark.parametrize("drawn", [[], [layer()]])
def test_from_nothing_nothing_is_dealt(drawn):
    assert deal(drawn, seen(), unsure(things([CUP])), LEAST, 5) == ([], [])


BACKDROP = layer((0, 0, SIDE, SIDE), colour=(0.9, 0.9, 0.9))


def unites(*layers):
    """What is left of things above a backdrop when twins are one."""
    return united([BACKDROP, *layers], ["background", *["product"] * len(layers)])[0][1:]


def test_twins_become_one_whatever_lies_between():
    found = unites(layer(CUP), layer(PLATE, colour=BLUE), layer(CUP, alpha=0.9))
    assert len(found) == 2
    np.testing.assert_array_equal(found[0][..., 3], mask(CUP))


def test_a_model_that_draws_every_thing_in_one_layer_is_taken_at_its_word():
    small, veil = layer((36, 40, 40, 50), colour=BLUE), layer((30, 30, 50, 60), alpha=0.4)
    assert len(unites(layer(CUP), small, veil)) == 3


def test_order_and_roles_stay():
    shadow = layer((0, 70, 60, 80), colour=(0, 0, 0), alpha=0.3)
    layers, roles = united(
        [BACKDROP, shadow, layer(CRUMB), layer(PLATE), layer(CUP)],
        ["background", "shadow", "text", "product", "product"],
    )
    assert roles == ["background", "shadow", "text", "product", "product"]
    assert layers[1] is shadow


def test_a_thing_that_is_faint_in_two_layers_is_whole_when_joined():
    whole = joined(layer(CUP, alpha=0.5), layer(CUP, alpha=0.5))
    np.testing.assert_array_equal(whole, layer(CUP) * (layer(CUP)[..., 3:] > 0))


def doubted(these, chance, *boxes, kind=1):
    """The same things, but in boxes something is seen only with so much of a chance."""
    kinds, where = these.kinds.copy(), mask(*boxes) > 0
    kinds[:, where] = 0
    kinds[kind, where], kinds[0, where] = chance, 1 - chance
    return replace(these, kinds=kinds)


def test_what_stands_apart_and_is_nowhere_sure_is_no_thing():
    cover = doubted(things([CUP], [PLATE]), 0.8, PLATE).cover([])
    np.testing.assert_array_equal(cover, mask(CUP))


def test_what_is_doubtful_of_something_sure_is_part_of_it():
    left, top, right, bottom = CUP
    half = left, top, (left + right) // 2, bottom
    cover = doubted(things([CUP]), 0.8, half).cover([])
    assert cover[mask(half) > 0].min() > 0.5


def test_letters_may_be_less_sure_than_things():
    cover = doubted(things([CUP], [PLATE]), 0.8, PLATE, kind=2).cover([])
    assert cover[mask(PLATE) > 0].min() > 0.5


def test_what_a_model_drew_stays_though_nothing_is_sure_of_it():
    drawn = layer(PLATE)
    cover = doubted(things([CUP], [PLATE]), 0.8, PLATE).cover([drawn])
    np.testing.assert_allclose(cover[mask(PLATE) > 0], 1)
