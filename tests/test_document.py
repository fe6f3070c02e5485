"""Numbers, names, boxes and what a document looks like."""

import numpy as np
import pytest

from layerctl.document import Document, Group, Layer, numbered, trimmed
from layerctl.errors import DocumentError


def solid(name, colour, alpha=255, size=(4, 4), **fields):
    pixels = np.empty((*size, 4), np.uint8)
    pixels[...] = (*colour, alpha)
    return Layer(name, "product", pixels, **fields)


@pytest.fixture
def nested():
    shoe = Group("shoe", (solid("sole", (0, 0, 255)), solid("lace", (0, 255, 0), size=(1, 1))))
    return Document(
        4, 4, (solid("wall", (255, 0, 0)), shoe, solid("badge", (9, 9, 9), size=(2, 2)))
    )


def test_numbers_count_from_one_at_the_bottom_groups_included(nested):
    names = {number: node.name for number, node in numbered(nested.children)}
    assert names == {"1": "wall", "2": "shoe", "2/1": "sole", "2/2": "lace", "3": "badge"}


def test_a_name_is_accepted_wherever_a_number_is(nested):
    assert nested.at("2/2") is nested.at("lace")


def test_an_unknown_address_names_what_there_is(nested):
    with pytest.raises(DocumentError, match=r"no layer '7'.*2/1"):
        nested.at("7")


def test_an_ambiguous_name_asks_for_the_number():
    twice = Document(4, 4, (solid("a", (0, 0, 0)), solid("a", (1, 1, 1))))
    with pytest.raises(DocumentError, match="give the number"):
        twice.at("a")


def test_flatten_paints_bottom_to_top(nested):
    flat = nested.flatten()
    assert tuple(flat[3, 3]) == (0, 0, 255, 255)
    assert tuple(flat[0, 0]) == (9, 9, 9, 255)


def test_hidden_layers_and_hidden_groups_do_not_show(nested):
    wall, shoe, badge = nested.children
    hidden = Group(shoe.name, shoe.children, visible=False)
    flat = Document(4, 4, (wall, hidden, badge)).flatten()
    assert tuple(flat[3, 3]) == (255, 0, 0, 255)


def test_a_half_transparent_group_is_composited_as_one_picture():
    group = Group("g", (solid("a", (255, 0, 0)), solid("b", (0, 0, 255))), opacity=0.5)
    flat = Document(4, 4, (solid("w", (255, 255, 255)), group)).flatten()
    assert np.abs(flat[0, 0].astype(int) - (128, 128, 255, 255)).max() <= 1


def test_layers_reaching_over_the_edge_are_cropped():
    flat = Document(4, 4, (solid("a", (1, 2, 3), left=-2, top=3),)).flatten()
    assert tuple(flat[3, 1]) == (1, 2, 3, 255)
    assert not flat[:3].any()
    assert not flat[3, 2:].any()


def test_trimming_keeps_every_visible_pixel_in_place():
    pixels = np.zeros((9, 9, 4), np.uint8)
    pixels[2:5, 3:8] = (1, 2, 3, 200)
    layer = trimmed(Layer("x", "product", pixels, left=10, top=20))
    assert layer.box == (13, 22, 18, 25)
    assert (layer.pixels == (1, 2, 3, 200)).all()


def test_an_empty_layer_trims_to_one_clear_pixel():
    layer = trimmed(Layer("x", "product", np.zeros((5, 5, 4), np.uint8)))
    assert layer.pixels.shape == (1, 1, 4)
