"""What a layer is told by how it looks."""

from dataclasses import replace

import numpy as np

from layerctl.document import Document
from layerctl.lift import lift
from layerctl.roles import assemble, read_guess
from layerctl.things import Things

NAMES = {"background": "Hintergrund", "shadow": "影", "product": "product", "text": "text"}


def layer(colour, alpha):
    pixels = np.empty((64, 64, 4), np.float32)
    pixels[..., :3] = colour
    pixels[..., 3] = alpha
    return pixels


def disc(radius, row=32, column=32, softness=1.0):
    rows, columns = np.mgrid[:64, :64]
    return np.clip((radius - np.hypot(rows - row, columns - column)) / softness + 0.5, 0, 1)


def strokes():
    mask = np.zeros((64, 64))
    mask[10:12, 8:56] = 1
    mask[20:22, 8:40] = 1
    return mask


BACKDROP = layer(0.8, 1.0)
SHADOW = layer(0.02, 0.5 * disc(14, row=50, softness=12))
SHOE = layer((0.8, 0.2, 0.1), disc(15))
BAG = layer((0.1, 0.3, 0.9), disc(10, row=20, column=20))
WORDS = layer(0.9, strokes())
NOTHING = layer(0.5, 0.0)


def read(*layers, least=0.002):
    """What is made of layers that explain their picture."""
    picture = layers[0]
    for upper in layers[1:]:
        picture = layer(
            upper[..., 3:] * upper[..., :3] + (1 - upper[..., 3:]) * picture[..., :3], 1
        )
    return read_guess(np.stack(layers).astype(np.float32), picture, least)


def roles(*layers, least=0.002):
    return read(*layers, least=least).roles


def test_each_kind_of_layer_is_recognised():
    expected = ("background", "shadow", "product", "text")
    assert roles(BACKDROP, SHADOW, SHOE, WORDS) == expected


def test_a_dark_product_is_not_a_shadow():
    assert roles(BACKDROP, layer(0.02, disc(15))) == ("background", "product")


def test_empty_layers_are_dropped():
    assert roles(BACKDROP, NOTHING, SHOE, NOTHING) == ("background", "product")


def test_the_same_thing_twice_is_kept_once():
    assert roles(BACKDROP, SHOE, SHOE) == ("background", "product")


def test_a_thing_drawn_half_in_each_of_two_layers_becomes_one():
    left, right = disc(15).copy(), disc(15).copy()
    left[:, 38:], right[:, :26] = 0, 0
    guess = read(BACKDROP, layer((0.8, 0.2, 0.1), left), layer((0.8, 0.2, 0.1), right))
    assert guess.roles == ("background", "product")
    assert np.abs(guess.layers[1, ..., 3] - disc(15)).mean() < 0.01


def test_things_of_different_colours_stay_apart_where_they_overlap():
    assert roles(BACKDROP, SHOE, layer((0.1, 0.3, 0.9), disc(10))) == (
        "background",
        "product",
        "product",
    )


def test_an_empty_photo_is_its_background():
    assert roles(BACKDROP, NOTHING) == ("background",)


def built(*layers):
    guess = read(*layers)
    flat = np.zeros((64, 64, 3), np.float32)
    for one in layers:
        flat += one[..., 3:] * (one[..., :3] - flat)
    photo = np.dstack([np.rint(flat * 255), np.full((64, 64), 255)]).astype(np.uint8)
    empty = Document(64, 64, (), b"profile", (300.0, 300.0))
    return assemble(lift(photo, guess, 64), guess, NAMES, empty)


def test_names_follow_the_preset_and_are_counted():
    document = built(BACKDROP, SHADOW, SHOE, BAG)
    names = [node.name for node in document.children]
    assert names == ["Hintergrund", "影", "product", "product 2"]
    assert [node.blend for node in document.children] == ["normal", "multiply", "normal", "normal"]
    assert document.icc == b"profile"


def test_a_clear_product_raises_no_doubt_and_a_foggy_one_does():
    clear = built(BACKDROP, SHOE).at("product").quality
    foggy = built(BACKDROP, layer((0.8, 0.2, 0.1), disc(20, softness=40))).at("product").quality
    assert clear.doubts == ()
    assert any("unsure" in doubt for doubt in foggy.doubts)
    assert 0.1 < clear.coverage < 0.3


def test_a_photo_in_which_nothing_was_found_says_so():
    (background,) = built(BACKDROP, NOTHING).children
    assert background.quality.doubts == ("nothing was found in front of it",)


def test_a_product_of_the_backdrops_colour_is_doubted():
    document = built(BACKDROP, layer(0.78, disc(15)))
    assert any("hardly differs" in doubt for doubt in document.at("product").quality.doubts)


def test_layers_of_any_order_are_dealt_out_to_the_things_that_are_seen():
    stacked = (BACKDROP, SHADOW, SHOE, BAG)
    picture = BACKDROP[..., :3]
    for upper in stacked[1:]:
        picture = upper[..., 3:] * upper[..., :3] + (1 - upper[..., 3:]) * picture
    whole = np.stack([SHOE[..., 3], BAG[..., 3]])
    shown = whole * np.stack([1 - BAG[..., 3], np.ones((64, 64))])
    product = shown.sum(axis=0)
    shares = np.where(product > 0, shown / np.maximum(product, 1e-6), 0.5)
    things = Things(shares, whole, np.stack([1 - product, product, np.zeros_like(product)]))
    for order in ((0, 2, 1, 3), (0, 3, 2, 1)):
        given = np.stack([stacked[k] for k in order]).astype(np.float32)
        guess = read_guess(given, layer(picture, 1.0), 0.002, things)
        assert guess.roles == ("background", "shadow", "product", "product")
        for found, true in zip(guess.layers[1:], stacked[1:], strict=True):
            np.testing.assert_allclose(found[..., 3], true[..., 3], atol=0.05)


def test_a_shadow_that_the_picture_does_not_show_takes_no_room():
    whole = np.stack([disc(10, column=20), disc(10, column=44)]).astype(np.float32)
    product = whole.sum(axis=0)
    left = np.repeat((np.arange(64) < 32)[None], 64, axis=0).astype(np.float32)
    kinds = np.stack([1 - product, product, np.zeros_like(product)])
    things = Things(np.stack([left, 1 - left]), whole, kinds)
    both = layer((0.8, 0.2, 0.1), product)
    bare = layer(product[..., None] * both[..., :3] + (1 - product)[..., None] * 0.8, 1.0)
    dim = SHADOW[..., 3:] * (1 - product)[..., None]
    shaded = layer(bare[..., :3] * (1 - dim), 1.0)
    given = np.stack([BACKDROP, SHADOW, both]).astype(np.float32)
    assert read_guess(given, bare, 0.002, things).roles == ("background", "product", "product")
    assert read_guess(given, shaded, 0.002, things).roles == ("background", "shadow", "product")


def seen_by(mask):
    """What a model says of one thing before a backdrop."""
    shown = mask.astype(np.float32)
    kinds = np.stack([1 - shown, shown, np.zeros_like(shown)])
    return Things(np.ones_like(shown)[None], shown[None], kinds)


def test_the_chance_of_things_is_as_fine_as_it_was_seen():
    things, near = seen_by(SHOE[..., 3]), np.full((128, 128), 0.7, np.float32)
    given = np.stack([BACKDROP, SHOE]).astype(np.float32)
    picture = layer(SHOE[..., 3:] * SHOE[..., :3] + (1 - SHOE[..., 3:]) * 0.8, 1.0)
    assert read_guess(given, picture, 0.002, things).chance.shape == (64, 64)
    assert read_guess(given, picture, 0.002, replace(things, near=near)).chance is near


def test_a_shadow_may_lie_behind_its_thing_for_the_most_part():
    around = layer(0.02, 0.4 * disc(16))
    rim = around[..., 3:] * (1 - SHOE[..., 3:])
    shown = layer(SHOE[..., 3:] * SHOE[..., :3] + (1 - SHOE[..., 3:]) * 0.8 * (1 - rim), 1)
    given = np.stack([BACKDROP, around, SHOE]).astype(np.float32)
    guess = read_guess(given, shown, 0.002, seen_by(disc(15)))
    assert guess.roles == ("background", "shadow", "product")


def test_a_shadow_may_be_as_dense_as_a_thing_behind_one():
    dense = layer(0.02, np.maximum(disc(14), 0.4 * disc(20)))
    rim = dense[..., 3:] * (1 - SHOE[..., 3:])
    shown = layer(SHOE[..., 3:] * SHOE[..., :3] + (1 - SHOE[..., 3:]) * 0.8 * (1 - rim), 1)
    given = np.stack([BACKDROP, dense, SHOE]).astype(np.float32)
    guess = read_guess(given, shown, 0.002, seen_by(disc(15)))
    assert guess.roles == ("background", "shadow", "product")
    # The same for a coat that is seen as dense before the backdrop: half of it was missed.
    coat = layer(0.02, disc(20))
    given = np.stack([BACKDROP, coat, SHOE]).astype(np.float32)
    assert "shadow" not in read_guess(given, shown, 0.002, seen_by(disc(15))).roles


def test_of_two_dark_layers_the_upper_one_is_a_thing():
    coat = layer(0.05, 0.79 * disc(10, row=20, column=20))
    both = np.maximum(disc(15), coat[..., 3])
    shown = SHADOW[..., 3:] * 0.02 + (1 - SHADOW[..., 3:]) * BACKDROP[..., :3]
    for upper in (SHOE, coat):
        shown = upper[..., 3:] * upper[..., :3] + (1 - upper[..., 3:]) * shown
    given = np.stack([BACKDROP, SHADOW, SHOE, coat]).astype(np.float32)
    # Half of the coat is taken for the backdrop, by mistake.
    guess = read_guess(given, layer(shown, 1), 0.002, seen_by(both * (1 - 0.5 * coat[..., 3])))
    assert guess.roles == ("background", "shadow", "product")
    assert guess.layers[2, 20, 20, 3] > 0.7


def test_what_is_dark_and_faint_on_a_thing_is_no_shadow():
    veil = layer(0.0, 0.5 * disc(15))
    product = disc(15).astype(np.float32)
    kinds = np.stack([1 - product, product, np.zeros_like(product)])
    guess = read_guess(
        np.stack([BACKDROP, veil]).astype(np.float32),
        np.dstack([BACKDROP[..., :3], product]),
        0.002,
        Things(product[None], product[None], kinds),
    )
    assert "shadow" not in guess.roles


def test_a_thing_faint_in_two_layers_is_whole_in_one():
    half = layer((0.8, 0.2, 0.1), 0.5 * disc(15))
    guess = read(BACKDROP, half, BAG, half)
    assert guess.roles == ("background", "product", "product")
    assert guess.layers[1, 32, 32, 3] == 1


def written(letters, ink=(0.1, 0.1, 0.5)):
    """A line of letters, so many, and a shoe, as a document of the size of a photo."""
    side = 256
    sheet = np.full((side, side, 4), 1, np.float32)
    sheet[..., :3] = 0.8
    shoe, line = np.zeros((2, side, side, 4), np.float32)
    shoe[..., :3], line[..., :3] = (0.8, 0.2, 0.1), ink
    shoe[120:220, 60:200, 3] = 1
    for number in range(letters):
        left = 20 + 22 * number
        line[30:50, left : left + 3, 3] = line[30:33, left : left + 14, 3] = 1
    blurred = line.copy()
    blurred[28:52, 18 : 22 + 22 * letters, 3] = 1
    flat = sheet[..., :3]
    for one in (shoe, line):
        flat = one[..., 3:] * one[..., :3] + (1 - one[..., 3:]) * flat
    photo = np.dstack([np.rint(flat * 255), np.full((side, side), 255)]).astype(np.uint8)
    picture = np.dstack([flat, np.ones((side, side))]).astype(np.float32)
    guess = read_guess(np.stack([sheet, shoe, blurred]), picture, 0.002)
    return assemble(lift(photo, guess, side), guess, NAMES, Document(side, side, ()))


def test_what_turns_out_to_be_letters_at_the_photos_size_is_text():
    assert [layer.role for layer in written(8).children] == ["background", "product", "text"]


def test_one_thin_mark_is_no_word():
    assert [layer.role for layer in written(1).children] == ["background", "product", "product"]
