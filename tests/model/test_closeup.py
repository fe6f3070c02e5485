"""Things looked at from near: what was one is several, and what is one stays as it was."""

from dataclasses import replace

import pytest
import torch

from layerctl_model.closeup import (
    MARGINS,
    NEAREST,
    Crop,
    detailed,
    find_all,
    isolate,
    look_closer,
    look_with,
)
from layerctl_model.separator import Separator, SeparatorSizes
from layerctl_model.things import find_things
from tests.model.tiny import fields_of

SIDE = 80
"""Rows and columns of masks and fields; as many as a percent of a side are not quite one."""


def labels(*rectangles, under=0):
    """A picture of labelled things: each (label, left, top, right, bottom) in shares."""
    drawn = torch.full((SIDE, SIDE), under)
    for label, *edges in rectangles:
        left, top, right, bottom = (round(edge * SIDE) for edge in edges)
        drawn[top:bottom, left:right] = label
    return drawn.tolist()


SMALL = SeparatorSizes(widths=(16, 24, 32), num_res_blocks=1, num_attentions=1)

ONE = labels((1, 0.4, 0.4, 0.6, 0.6))
LARGE = labels((1, 0.2, 0.2, 0.8, 0.8))
TWO = labels((1, 0.2, 0.2, 0.5, 0.8), (2, 0.5, 0.2, 0.8, 0.8))


def seen(rows, order=(1, 2)):
    return find_things(fields_of(rows, order), (SIDE, SIDE))


class Eyes:
    """Sees the same from near wherever it looks, and remembers where that was."""

    def __init__(self, rows, order=(1, 2)):
        self.fields, self.crops = fields_of(rows, order), []

    def __call__(self, crop, _mask):
        self.crops.append(crop)
        return self.fields


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_what_is_two_things_from_near_is_two_the_nearer_one_in_front(order):
    things = look_closer(seen(ONE), Eyes(TWO, order))
    assert things.shares.shape == things.whole.shape == (2, SIDE, SIDE)
    left, right = (0, 1) if order == (1, 2) else (1, 0)
    rows = slice(33, 47)
    for masks in (things.shares, things.whole):
        assert masks[left, rows, 33:39].min() > 0.9
        assert masks[right, rows, 41:47].min() > 0.9
        assert masks[left, rows, 41:47].max() < 0.1
    torch.testing.assert_close(things.shares.sum(dim=0), torch.ones(SIDE, SIDE))
    assert things.whole[:, :20].max() == 0


def test_what_is_one_thing_from_near_too_stays_as_it_was():
    things, eyes = seen(ONE), Eyes(LARGE)
    again = look_closer(things, eyes)
    assert len(eyes.crops) == 1
    for name in ("shares", "whole", "kinds"):
        assert torch.equal(getattr(again, name), getattr(things, name))


def test_what_is_several_at_one_look_and_one_at_another_stays_one():
    looks = [fields_of(TWO, (1, 2)), fields_of(ONE, (1,))]
    assert len(look_closer(seen(ONE), lambda *_: looks.pop(0)).shares) == 1
    assert looks == []


BESIDE = labels((1, 0.3, 0.4, 0.5, 0.6), (2, 0.5, 0.4, 0.65, 0.6))


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_two_that_touch_and_are_one_thing_from_near_are_one(order):
    whole = labels((1, 0.1, 0.1, 0.9, 0.9))
    things = look_closer(seen(BESIDE, order), Eyes(whole, (1,)))
    assert things.shares.shape == things.whole.shape == (1, SIDE, SIDE)
    assert things.whole[0, 33:47, 25:51].min() > 0.9
    torch.testing.assert_close(things.shares[0], torch.ones(SIDE, SIDE))


def test_two_that_touch_and_are_two_from_near_stay_as_they_were():
    together, each, things = Eyes(TWO), Eyes(labels((1, 0.1, 0.1, 0.9, 0.9))), seen(BESIDE)
    again = look_closer(
        things, lambda crop, mask: (together if crop.right - crop.left > 0.4 else each)(crop, mask)
    )
    assert (len(together.crops), len(each.crops)) == (1, 2)
    assert torch.equal(again.shares, things.shares)


def test_two_that_do_not_touch_are_not_looked_at_together():
    apart = labels((1, 0.2, 0.4, 0.4, 0.6), (2, 0.5, 0.4, 0.7, 0.6))
    eyes = Eyes(labels((1, 0.1, 0.1, 0.9, 0.9)))
    assert len(look_closer(seen(apart), eyes).shares) == 2
    assert all(crop.right - crop.left < 0.4 for crop in eyes.crops)


def test_what_becomes_one_takes_the_place_of_its_largest_part():
    three = labels((1, 0.3, 0.2, 0.5, 0.25), (2, 0.0, 0.7, 1.0, 0.9), (3, 0.3, 0.25, 0.5, 0.45))
    things = look_closer(seen(three, (1, 2, 3)), Eyes(labels((1, 0, 0, 1, 1))))
    assert len(things.shares) == 2
    assert things.shares[1, 24:34, 26:38].min() > 0.9
    assert things.shares[1, 17:19, 26:38].min() > 0.9


def test_a_thing_is_looked_at_with_what_is_around_it():
    eyes = Eyes(ONE)
    look_closer(seen(labels((1, 0.3, 0.4, 0.7, 0.6))), eyes)
    for crop, margin in zip(eyes.crops, MARGINS, strict=False):
        assert crop.right - crop.left == pytest.approx(0.4 * (1 + 2 * margin), abs=2 / SIDE)
        assert crop.bottom - crop.top == pytest.approx(crop.right - crop.left)
        assert (crop.left + crop.right) / 2 == pytest.approx(0.5, abs=2 / SIDE)


def test_a_thing_at_the_edge_is_looked_at_within_the_picture():
    eyes = Eyes(ONE)
    look_closer(seen(labels((1, 0.8, 0.9, 1.0, 1.0))), eyes)
    (crop,) = eyes.crops
    assert (crop.right, crop.bottom) == (1, 1)
    assert crop.right - crop.left == pytest.approx(NEAREST, abs=2 / SIDE)


@pytest.mark.parametrize(("beyond", "looks"), [(2, 0), (-1, len(MARGINS))])
def test_things_are_looked_at_from_near_as_far_as_there_is_room_around_them(beyond, looks):
    edge = (1 - 1 / (1 + 2 * max(MARGINS))) / 2 - beyond / SIDE
    eyes = Eyes(TWO)
    look_closer(seen(labels((1, edge, 0.4, 1 - edge, 0.6))), eyes)
    assert len(eyes.crops) == looks


def test_what_is_too_small_to_be_two_things_is_not_looked_at():
    eyes = Eyes(TWO)
    assert len(look_closer(seen(labels((1, 0.45, 0.45, 0.52, 0.52))), eyes).shares) == 1
    assert eyes.crops == []


def test_other_things_in_sight_are_no_part_of_a_thing():
    around = labels((1, 0.1, 0.1, 0.9, 0.9), under=2)
    assert len(look_closer(seen(ONE), Eyes(around)).shares) == 1


def test_the_parts_of_a_thing_take_its_place_among_the_others():
    three = labels((1, 0.0, 0.0, 1, 0.2), (2, 0.4, 0.5, 0.6, 0.7), (3, 0.0, 0.8, 1, 1))
    things = look_closer(seen(three, (1, 2, 3)), Eyes(TWO))
    shown = things.shares * things.kinds[1]
    where = [int(mask.sum(dim=1).argmax()) / SIDE for mask in shown]
    assert where[0] < 0.2
    assert all(0.45 < place < 0.75 for place in where[1:3])
    assert where[3] >= 0.8


def test_where_there_are_no_things_nothing_is_looked_at():
    things = seen(labels())
    eyes = Eyes(TWO)
    assert look_closer(things, eyes) is things
    assert eyes.crops == []


def test_numbers_from_near_that_are_not_finite_change_nothing():
    eyes = Eyes(TWO)
    eyes.fields = replace(eyes.fields, queries=eyes.fields.queries * torch.nan)
    assert len(look_closer(seen(ONE), eyes).shares) == 1
    assert len(look_closer(seen(BESIDE), eyes).shares) == 2


def test_a_picture_is_seen_at_all_resolutions_and_from_near_at_the_first():
    looks = []

    def look(crop, resolution, mask):
        looks.append((crop == Crop(), resolution, mask is None))
        return fields_of(ONE if crop == Crop() else TWO, (1, 2))

    assert len(find_all(look, (320, 448), (SIDE, SIDE)).shares) == 2
    assert looks[:3] == [(True, 320, True), (True, 448, True), (True, 320, False)]
    assert looks[3:] == 2 * [(False, 320, True), (False, 320, False)]


def glancing(*looks):
    """A separator that sees this, one look after another, and what it is shown."""
    separator, pictures = Separator(SMALL), []
    separator.register_forward_pre_hook(lambda _, given: pictures.append(given[0]))
    separator.register_forward_hook(lambda *_: looks[len(pictures) - 1])
    return separator, pictures


def test_what_is_thin_is_seen_in_a_larger_view():
    separator, pictures = glancing(*2 * [fields_of(labels((1, 0.5, 0.2, 0.52, 0.8)), (1,))])
    blank = seen(labels(), (1,))
    things = detailed(blank, separator, lambda _: torch.rand(4, 320, 320))
    assert blank.kinds[0].min() > 0.99
    assert things.kinds[0, 20:60, 40:42].max() < 0.7
    assert torch.equal(things.shares, blank.shares)
    picture, _ = pictures
    assert picture.shape == (1, 4, 320, 320)
    assert picture.min() < -0.9


def glance(rows, nearer):
    """What is there by a look from near, and what of the picture this was shown."""
    crops = []
    separator, _ = glancing(fields_of(rows, (1,)), nearer)

    def view(crop):
        crops.append(crop)
        return torch.rand(4, 320, 320)

    return detailed(seen(rows, (1,)), separator, view), crops


def test_a_gap_that_only_a_look_from_near_sees_is_one_at_twice_the_size_of_masks():
    gap = labels((1, 0.05, 0.05, 0.95, 0.95), (0, 0.5, 0.05, 0.52, 0.95))
    things, crops = glance(ONE, fields_of(gap, (1,)))
    there = things.near
    assert crops == [Crop(), Crop(*2 * [pytest.approx(0.35, abs=0.02)], *2 * [0.65])]
    assert there.shape == (2 * SIDE, 2 * SIDE)
    assert there[70:90, 80].max() < 0.75
    assert there[70:90, 67:76].min() > 0.9
    torch.testing.assert_close(there[:50], torch.zeros_like(there[:50]), atol=0.02, rtol=0)


@pytest.mark.parametrize(("edge", "looks"), [(0.11, 1), (0.13, 2)])
def test_things_that_fill_a_picture_are_not_looked_at_from_nearer(edge, looks):
    rows = labels((1, edge, 0.4, 1 - edge, 0.6))
    things, crops = glance(rows, fields_of(rows, (1,)))
    assert len(crops) == looks
    assert (things.near is None) == (looks == 1)


def test_what_is_small_is_looked_at_with_more_around_it():
    dot = labels((1, 0.5, 0.9, 0.55, 0.95))
    _, (_, crop) = glance(dot, fields_of(dot, (1,)))
    assert crop.right - crop.left == pytest.approx(NEAREST)
    assert crop.bottom - crop.top == pytest.approx(NEAREST)
    assert crop.bottom == 1


def test_where_nothing_is_there_is_no_look_from_near():
    things, crops = glance(labels(), fields_of(labels(), (1,)))
    assert (len(crops), things.near) == (1, None)


def test_things_are_told_apart_without_what_is_around_too_but_not_what_pixels_show():
    masks = []

    def look(crop, _, mask):
        masks.append(mask)
        fields = fields_of(TWO if mask is not None else LARGE, (1, 2))
        if crop != Crop():  # from near nothing can be told
            return replace(fields, queries=fields.queries * torch.nan)
        if mask is None:
            return fields
        return replace(fields, queries=9 * fields.queries, kinds=fields.kinds.flip(1))

    things = find_all(look, (320,), (SIDE, SIDE))
    assert len(things.shares) == 2
    assert things.kinds[0, :8].min() > 0.9
    assert masks[1][20:60, 20:60].min() > 0.9
    assert masks[1][:8].max() < 0.1


def test_alone_is_a_thing_before_grey_and_as_clear_as_it_was():
    picture = torch.rand(4, 32, 32)
    mask = torch.zeros(8, 8)
    mask[:, 4:] = 1
    seen = isolate(picture, mask)
    torch.testing.assert_close(seen[:, :, 20:], picture[:, :, 20:])
    torch.testing.assert_close(seen[:3, :, :12], torch.full((3, 32, 12), 0.5))
    torch.testing.assert_close(seen[3], picture[3])


@pytest.mark.parametrize(("left", "shown"), [(0.0, 0.0), (0.5, 1.0)])
def test_of_a_mask_that_part_counts_that_is_looked_at(left, shown):
    separator, pictures = Separator(SMALL), []
    separator.register_forward_pre_hook(lambda _, given: pictures.append(given[0]))
    mask = torch.zeros(40, 40)
    mask[:, 20:] = 1
    look = look_with(separator, lambda _, side: torch.ones(4, side, side))
    with torch.inference_mode():
        look(Crop(left, 0.25, left + 0.5, 0.75), 32, mask)
    colours = torch.full((1, 3, 32, 32), shown)
    torch.testing.assert_close(pictures[0][:, :3], colours)
