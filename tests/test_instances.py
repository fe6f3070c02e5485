"""One thing to a layer."""

import numpy as np
import pytest

from layerctl.instances import joined, part, united

SIDE = 100


def layer(*boxes, colour=(0.8, 0.2, 0.1), alpha=1.0):
    """A layer of boxes: left, top, right, bottom."""
    pixels = np.zeros((SIDE, SIDE, 4), np.float32)
    pixels[..., :3] = colour
    for left, top, right, bottom in boxes:
        pixels[top:bottom, left:right, 3] = alpha
    return pixels


BACKDROP = layer((0, 0, SIDE, SIDE), colour=(0.9, 0.9, 0.9))
CUP, PLATE, CRUMB = (5, 20, 35, 70), (55, 20, 95, 70), (45, 80, 48, 83)


def parted(*layers, roles=None, most=6):
    roles = roles or ("background", *["product"] * (len(layers) - 1))
    return part(layers, roles, most)


def test_things_that_stand_clear_of_each_other_get_layers_of_their_own():
    layers, roles = parted(BACKDROP, layer(CUP, PLATE))
    assert roles == ["background", "product", "product"]
    np.testing.assert_array_equal(layers[1][..., 3], layer(CUP)[..., 3])
    np.testing.assert_array_equal(layers[2][..., 3], layer(PLATE)[..., 3])


def test_nothing_is_lost_and_crumbs_stay_with_what_is_near():
    both = layer(CUP, PLATE, CRUMB)
    layers, _ = parted(BACKDROP, both)
    assert len(layers) == 3
    np.testing.assert_array_equal(layers[1][..., 3] + layers[2][..., 3], both[..., 3])


@pytest.mark.parametrize("boxes", [[CUP], [CUP, (36, 30, 60, 60)], [CRUMB]])
def test_one_thing_stays_one(boxes):
    assert len(parted(BACKDROP, layer(*boxes))[0]) == 2


def test_there_are_never_more_layers_than_asked_for():
    three = layer((2, 2, 30, 30), (40, 40, 60, 60), (70, 70, 98, 98))
    assert [len(parted(BACKDROP, three, most=most)[0]) for most in (2, 3, 4, 6)] == [2, 3, 4, 4]


def test_words_are_not_taken_apart():
    words = layer((5, 10, 40, 40), (60, 10, 95, 40))
    layers, roles = parted(BACKDROP, words, roles=("background", "text"))
    assert roles == ["background", "text"]
    assert layers[1] is words


BLUE = (0, 0, 0.9)


def joins(*layers, roles=None, parts=True):
    """What is left of things above a backdrop when parts have joined their things."""
    roles = roles or ["product"] * len(layers)
    return united([BACKDROP, *layers], ["background", *roles], parts=parts)[0][1:]


def test_twins_become_one_whatever_lies_between():
    blue = layer(PLATE, colour=BLUE)
    things = joins(layer(CUP), blue, layer(CUP, alpha=0.9))
    assert len(things) == 2
    np.testing.assert_array_equal(things[0][..., 3], layer(CUP)[..., 3])


def test_a_sure_thing_of_another_colour_stays_one_though_it_is_half_hidden():
    back, front = layer((20, 20, 60, 60)), layer((40, 30, 80, 70), colour=BLUE)
    assert len(joins(back, front)) == 2


@pytest.mark.parametrize("part", [{"alpha": 0.5}, {}], ids=["faint", "small"])
def test_what_is_faint_or_small_beside_a_thing_belongs_to_it(part):
    box = (30, 30, 50, 60) if part else (36, 40, 40, 50)
    (thing,) = joins(layer(CUP), layer(box, colour=BLUE, **part))
    assert thing[box[1], box[2] - 1, 3] == part.get("alpha", 1)


def test_what_is_faint_and_by_itself_is_nothing_and_what_is_small_is_a_thing():
    assert len(joins(layer(CUP), layer(CRUMB, alpha=0.4))) == 1
    assert len(joins(layer(CUP), layer(CRUMB))) == 2


def test_a_model_that_draws_every_thing_in_one_layer_is_taken_at_its_word():
    small, veil = layer((36, 40, 40, 50), colour=BLUE), layer((30, 30, 50, 60), alpha=0.4)
    assert len(joins(layer(CUP), small, veil, parts=False)) == 3
    assert len(joins(layer(CUP), layer(CUP), parts=False)) == 1


def test_text_may_be_small():
    assert (
        len(joins(layer(CUP), layer((10, 30, 20, 34), colour=BLUE), roles=["product", "text"])) == 2
    )


def test_order_and_roles_stay():
    shadow = layer((0, 70, 60, 80), colour=(0, 0, 0), alpha=0.3)
    layers, roles = united(
        [BACKDROP, shadow, layer(CRUMB), layer(PLATE), layer(CUP)],
        ["background", "shadow", "text", "product", "product"],
        parts=True,
    )
    assert roles == ["background", "shadow", "text", "product", "product"]
    assert layers[1] is shadow


def test_a_thing_that_is_faint_in_two_layers_is_whole_when_joined():
    whole = joined(layer(CUP, alpha=0.5), layer(CUP, alpha=0.5))
    np.testing.assert_array_equal(whole, layer(CUP) * (layer(CUP)[..., 3:] > 0))
