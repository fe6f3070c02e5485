"""Which layer lies above which."""

import numpy as np

from layerctl.depth import back_to_front, foot


def card(colour, top, left, side=24):
    pixels = np.zeros((64, 64, 4), np.float32)
    pixels[..., :3] = colour
    pixels[top : top + side, left : left + side, 3] = 1
    return pixels


def pile(*layers):
    """The picture that layers make up, lowest first."""
    shown = np.full((64, 64, 4), 0.9, np.float32)
    for layer in layers:
        shown[..., :3] += layer[..., 3:] * (layer[..., :3] - shown[..., :3])
    return shown


RED, GREEN, BLUE = card((0.8, 0, 0), 4, 4), card((0, 0.7, 0), 16, 16), card((0, 0, 0.9), 28, 28)


def test_what_the_picture_shows_of_two_is_the_upper_one():
    layers = np.stack([RED, GREEN, BLUE])
    level = (0.5, 0.5, 0.5)
    assert back_to_front(layers, pile(RED, GREEN, BLUE), level) == [0, 1, 2]
    assert back_to_front(layers, pile(BLUE, GREEN, RED), level) == [2, 1, 0]
    assert back_to_front(layers, pile(GREEN, RED, BLUE), level)[0] == 1


def test_any_order_in_gives_the_same_order_out():
    layers, shown = np.stack([RED, GREEN, BLUE]), pile(BLUE, RED, GREEN)
    expected = [2, 0, 1]
    for given in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        order = back_to_front(layers[given], shown, (0.5, 0.5, 0.5))
        assert [given[k] for k in order if given[k] != 0] == [k for k in expected if k != 0]


def test_of_two_that_do_not_meet_the_nearer_one_is_above():
    left, right = card((0.8, 0, 0), 30, 2), card((0, 0, 0.9), 10, 36)
    layers = np.stack([left, right])
    near = [foot(layer[..., 3]) for layer in layers]
    assert near == [54 / 64, 34 / 64]
    assert back_to_front(layers, pile(left, right), near) == [1, 0]


def test_evidence_beats_nearness():
    layers = np.stack([RED, GREEN])
    assert back_to_front(layers, pile(RED, GREEN), (1, 0)) == [0, 1]


def test_a_clear_layer_and_a_lone_one_have_an_order_too():
    nothing = card((0.5, 0.5, 0.5), 0, 0, side=0)
    assert foot(nothing[..., 3]) == 0
    assert sorted(back_to_front(np.stack([RED, nothing]), pile(RED), (0.5, 0))) == [0, 1]
    assert back_to_front(RED[None], pile(RED), (0.5,)) == [0]
    assert back_to_front(RED[None][:0], pile(RED), ()) == []
