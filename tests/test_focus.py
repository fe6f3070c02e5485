"""Outlines out of focus are told from sharp ones."""

import cv2
import numpy as np
import pytest

from layerctl.focus import soft_outlines


def draw_disc(blur, *, contrast=0.5, noise=0.004):
    """Return a picture of a disc so much out of focus, the disc cut out, and how far it is away."""
    rows, columns = np.mgrid[:320, :400].astype(np.float32)
    away = np.hypot(rows - 160, columns - 200) - 90
    alpha = np.clip(0.5 - away, 0, 1)
    if blur:
        alpha = cv2.GaussianBlur(alpha, (0, 0), blur)
    grain = np.random.default_rng(0).normal(0, noise, (320, 400, 3)).astype(np.float32)
    picture = 0.8 - contrast * alpha[..., None] * np.array([0.2, 0.8, 1.0], np.float32) + grain
    return picture, (away < 0).astype(np.float32), np.abs(away)


@pytest.mark.parametrize("blur", [0, 0.7, 1.5])
def test_a_sharp_outline_is_not_soft(blur):
    picture, figure, _ = draw_disc(blur)
    assert not soft_outlines(picture, figure).any()


@pytest.mark.parametrize("blur", [2, 3, 4, 6, 8])
def test_an_outline_out_of_focus_is_soft_as_far_as_both_sides_show(blur):
    picture, figure, away = draw_disc(blur)
    soft = soft_outlines(picture, figure)
    assert soft[away < 1.5 * blur].mean() > 0.95
    assert not soft[away > 6 * blur].any()


def test_only_the_part_of_an_outline_that_is_out_of_focus_is_soft():
    (sharp, figure, away), (blurred, *_) = draw_disc(0), draw_disc(6)
    sharp[:, 240:] = blurred[:, 240:]
    soft = soft_outlines(sharp, figure)
    assert not soft[:, :180].any()
    assert soft[:, 280:][away[:, 280:] < 6].mean() > 0.9


def test_a_short_blurred_piece_of_a_sharp_outline_is_none_out_of_focus():
    (sharp, figure, _), (blurred, *_) = draw_disc(0), draw_disc(2)
    sharp[145:175, 280:300] = blurred[145:175, 280:300]
    assert not soft_outlines(sharp, figure).any()


def test_what_hardly_differs_from_what_is_behind_it_has_no_soft_outline():
    picture, figure, _ = draw_disc(6, contrast=0.05, noise=0.0)
    assert not soft_outlines(picture, figure).any()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_without_an_outline_nothing_is_soft(value):
    picture, figure, _ = draw_disc(6)
    assert not soft_outlines(picture, np.full_like(figure, value)).any()
