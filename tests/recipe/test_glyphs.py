"""Glyphs as products; Pillow's own font stands for one with emoji."""

import glyphs
import numpy as np
import pytest
import solids
from glyphs import coat, drawable, drawn, filled, fitted, glyph, grown
from PIL import ImageFont
from sprites import Light, Sprite
from staging import glyph_or_solid

LAMP = Light((0.3, -0.5, 0.8), 0.6, (1, 1, 1))
SIDE = 96


@pytest.fixture
def font(monkeypatch):
    monkeypatch.setattr(glyphs, "THINGS", "AB8\U0001f34e")
    return ImageFont.load_default(64)


def painted(make, seed, *more):
    sprite = Sprite.blank(SIDE, LAMP)
    make(np.random.default_rng(seed), sprite, *more)
    return sprite.pixels


def ring(inner, outer, side=SIDE):
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    away = np.hypot(x, y)
    return (((away > inner) & (away < outer)) * 255).astype(np.uint8)


def test_without_an_emoji_font_there_are_solids_instead(monkeypatch):
    monkeypatch.setattr(glyphs, "emoji_font", lambda: None)
    assert (painted(glyph_or_solid, 3) == painted(solids.solid, 3)).all()


def test_with_an_emoji_font_there_are_its_glyphs(monkeypatch, font):
    monkeypatch.setattr(glyphs, "emoji_font", lambda: font)
    assert (painted(glyph_or_solid, 3) == painted(glyph, 3, font)).all()


def test_fonts_that_are_missing_or_draw_none_of_the_things_are_passed_over(monkeypatch, font):
    def load(name, size):
        if (name, size) == ("missing", 9):
            raise OSError
        return font

    monkeypatch.setattr(ImageFont, "truetype", load)
    look = glyphs.emoji_font.__wrapped__
    monkeypatch.setattr(glyphs, "FONTS", (("missing", 9), ("there", 9)))
    assert look() is font
    drawable.cache_clear()
    monkeypatch.setattr(glyphs, "THINGS", "\U0001f34e")
    assert look() is None


def test_only_glyphs_that_the_font_has_are_drawn(font):
    assert drawable(font) == ("A", "B", "8")


def test_no_thing_is_listed_twice():
    assert len(set(glyphs.THINGS)) == len(glyphs.THINGS) > 150


def test_a_glyph_is_trimmed_to_its_ink(font):
    alpha = drawn(font, "B")[..., 3]
    assert all(edge.any() for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]))


def test_glyphs_are_premultiplied_fill_their_patch_and_come_out_the_same_again(font):
    for seed in range(24):
        pixels = painted(glyph, seed, font)
        assert pixels.tobytes() == painted(glyph, seed, font).tobytes()
        assert pixels.min() >= 0
        assert pixels.max() <= 1 + 1e-6
        assert (pixels[..., :3] <= pixels[..., 3:] + 1e-5).all()
        rows = np.flatnonzero((pixels[..., 3] > 0.5).any(axis=1))
        assert rows[-1] - rows[0] > 0.6 * SIDE


@pytest.mark.parametrize("size", [(20, 10), (200, 300)])
def test_a_picture_is_set_in_the_middle_of_its_patch_with_sharp_edges(size):
    patch = fitted(np.ones((*size, 4), np.float32), SIDE, 0.8)
    assert np.abs(patch - patch[::-1, ::-1]).max() < 0.02
    longest = max(patch[..., 3].sum(axis=0).max(), patch[..., 3].sum(axis=1).max())
    assert longest == pytest.approx(0.8 * SIDE, abs=1.5)
    row = patch[SIDE // 2, :, 3]
    assert ((row > 0.02) & (row < 0.98)).sum() <= 4


def test_a_drawing_in_ink_is_filled_with_a_second_colour():
    ink = np.zeros((SIDE, SIDE, 4), np.float32)
    ink[..., 3] = ring(20, 30) / 255
    mask, skin = coat(np.random.default_rng(0), ink)
    assert mask[SIDE // 2, SIDE // 2] == 255
    assert not np.allclose(skin[SIDE // 2, SIDE // 2], skin[SIDE // 2, SIDE // 2 + 25])


def test_a_coloured_glyph_keeps_its_holes_and_its_colours_though_maybe_others_way_round():
    picture = np.zeros((SIDE, SIDE, 4), np.float32)
    picture[ring(20, 30) > 0] = (0.9, 0.5, 0.1, 1)
    for seed in range(8):
        mask, skin = coat(np.random.default_rng(seed), picture)
        assert mask[SIDE // 2, SIDE // 2] == 0
        assert sorted(skin[SIDE // 2, SIDE // 2 + 25]) == pytest.approx([0.1, 0.5, 0.9])


def test_a_die_cut_sticker_is_as_wide_all_around_and_has_no_holes():
    backing = grown(filled(ring(15, 25)), 0.1)
    assert backing[SIDE // 2, SIDE // 2] == 255
    away = (backing > 127).sum(axis=1).max() / 2
    assert away == pytest.approx(25 + 0.1 * SIDE / 2, abs=1)
