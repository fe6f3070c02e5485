"""Out of sight, layers look like what is seen of them."""

import cv2
import numpy as np
import pytest

from layerctl.lift import lift
from layerctl.sketch import Guess
from tests.lifting import flatten, guess_of, overlap, scene


def test_at_a_soft_outline_a_product_has_its_own_colour_whatever_the_model_drew_there():
    _, layers = scene()
    layers[1][..., :3] = np.where(np.arange(300) // 10 % 2, 0.05, 0.25)[:, None, None]
    soft = cv2.GaussianBlur(layers[1][..., 3], (0, 0), 1.5)
    canvas = layers[0][..., :3] + soft[..., None] * (layers[1] - layers[0])[..., :3]
    photo = np.rint(np.dstack([canvas, np.ones_like(soft)]) * 255).astype(np.uint8)
    guess = guess_of(layers)
    drawn = cv2.resize(cv2.GaussianBlur(canvas, (0, 0), 6), (64, 64), interpolation=cv2.INTER_AREA)
    guess.layers[1, ..., :3] = drawn
    stack = lift(photo, guess, 420)
    rim = (stack.alphas[1] > 60) & (stack.alphas[1] < 200)
    assert np.abs(stack.colours[1] / 255 - layers[1][..., :3])[rim].mean() < 0.09
    assert overlap(stack.alphas[1] / 255, soft) > 0.98


def test_the_background_goes_on_behind_the_product():
    photo, layers = scene()
    stack = lift(photo, guess_of(layers), 420)
    hidden = layers[1][..., 3] > 0.99
    error = np.abs(stack.colours[0] / 255 - layers[0][..., :3])[hidden]
    assert error.mean() < 0.02
    assert (stack.alphas[0] == 255).all()


def test_on_a_plain_backdrop_no_ghost_of_the_model_s_is_left_behind_the_product():
    photo, layers = scene()
    ghost = layers[1][..., 3:] * 0.4
    haunted = layers[0].copy()
    haunted[..., :3] += ghost * (layers[1][..., :3] - haunted[..., :3])
    stack = lift(photo, guess_of([haunted, layers[1]]), 420)
    hidden = layers[1][..., 3] > 0.99
    assert np.abs(stack.colours[0] / 255 - layers[0][..., :3])[hidden].mean() < 0.02


def test_in_a_room_the_blurred_ghost_of_the_product_is_not_left_behind_it():
    photo, layers = scene()
    rng = np.random.default_rng(2)
    wall = cv2.resize(rng.random((10, 14), dtype=np.float32), (420, 300))
    wall = wall + rng.normal(0, 0.05, wall.shape).astype(np.float32)
    layers[0][..., :3] = np.clip((0.1, 0.3, 0.5) + 0.4 * wall[..., None], 0, 1)
    shown = layers[0][..., :3] + layers[1][..., 3:] * (layers[1][..., :3] - layers[0][..., :3])
    photo[..., :3] = np.rint(shown * 255)
    haunted = layers[0].copy()
    haunted[..., :3] += layers[1][..., 3:] * 0.3 * (layers[1][..., :3] - haunted[..., :3])
    hidden = layers[1][..., 3] > 0.99
    off = [
        (lift(photo, guess_of([ground, layers[1]]), 420).colours[0] / 255 - layers[0][..., :3])
        for ground in (layers[0], haunted)
    ]
    clean, left = (np.abs(apart[hidden].mean(axis=0)).max() for apart in off)
    assert clean < 0.05
    assert left < 0.07


def test_a_table_that_the_product_stands_on_is_its_background_at_its_edge():
    _, layers = scene()
    ground, disc = layers[0].copy(), np.roll(layers[1], 63, axis=0)
    ground[266:, :, :3] = 0.45
    canvas = ground[..., :3] + disc[..., 3:] * (disc[..., :3] - ground[..., :3])
    photo = np.rint(np.dstack([canvas, np.ones((300, 420))]) * 255).astype(np.uint8)
    stack = lift(photo, guess_of([ground, disc]), 420)
    edge = (disc[..., 3] > 0) & (disc[..., 3] < 1)
    edge[:268] = False
    assert np.abs(stack.alphas[1] / 255 - disc[..., 3])[edge].mean() < 0.05


def test_little_of_a_halo_around_the_product_is_carried_on_behind_it():
    photo, layers = scene()
    rim = cv2.dilate(layers[1][..., 3], np.ones((25, 25))) - layers[1][..., 3]
    photo[..., :3] = np.rint(photo[..., :3] * (1 - 0.05 * rim[..., None]))
    stack = lift(photo, guess_of(layers), 420)
    hidden = layers[1][..., 3] > 0.99
    assert np.abs(stack.colours[0] / 255 - layers[0][..., :3])[hidden].mean() < 0.025


def test_behind_the_product_the_ground_is_made_of_what_it_is_made_of():
    photo, layers = scene()
    rng = np.random.default_rng(3)
    grain = rng.normal(0, 0.08, (*photo.shape[:2], 1)).astype(np.float32)
    ground = layers[0][..., :3] + grain
    shown = ground + layers[1][..., 3:] * (layers[1][..., :3] - ground)
    photo[..., :3] = np.rint(np.clip(shown, 0, 1) * 255)
    stack = lift(photo, guess_of(layers), 420)
    hidden = cv2.erode((layers[1][..., 3] > 0.99).astype(np.uint8), np.ones((15, 15))) > 0
    apart = stack.colours[0] / 255 - layers[0][..., :3]
    assert abs(apart[hidden].mean()) < 0.02
    assert apart[hidden].std() == pytest.approx(0.08, rel=0.25)


def test_behind_the_product_each_ground_has_its_own_grain():
    photo, layers = scene()
    rng = np.random.default_rng(3)
    rows = np.mgrid[:300, :420][0]
    ground = np.where(rows < 150, 0.75, 0.35)[..., None] * np.ones(3)
    strength = np.where(rows < 150, 0.01, 0.08)[..., None]
    grain = strength * rng.normal(0, 1, (300, 420, 1))
    alpha = layers[1][..., 3:]
    shown = (1 - alpha) * (ground + grain) + alpha * layers[1][..., :3]
    photo[..., :3] = np.rint(np.clip(shown, 0, 1) * 255)
    layers[0][..., :3] = ground
    stack = lift(photo, guess_of(layers), 420)
    hidden = cv2.erode((alpha[..., 0] > 0.99).astype(np.uint8), np.ones((15, 15))) > 0
    apart = stack.colours[0] / 255 - ground
    assert apart[hidden & (rows < 140)].std() < 0.02
    assert 0.03 < apart[hidden & (rows > 160)].std() < 0.09


def test_in_a_room_the_seams_of_a_wall_go_on_behind_the_product():
    photo, layers = scene()
    rng = np.random.default_rng(4)
    wall = cv2.resize(rng.random((4, 5, 3), dtype=np.float32), (420, 300))
    ground = 0.3 + 0.4 * cv2.GaussianBlur(wall, (0, 0), 15)
    hidden = layers[1][..., 3] > 0.99
    middle = round(np.flatnonzero(hidden.any(axis=1)).mean())
    ground[middle - 3 : middle + 3] += 0.2
    layers[0][..., :3] = cv2.resize(cv2.resize(ground, (42, 30)), (420, 300))
    shown = ground + layers[1][..., 3:] * (layers[1][..., :3] - ground)
    photo[..., :3] = np.rint(np.clip(shown, 0, 1) * 255)
    found = lift(photo, guess_of(layers), 420).colours[0].mean(axis=-1) / 255
    seam = found[middle - 1 : middle + 1] - (found[middle - 20] + found[middle + 20]) / 2
    assert seam[:, hidden[middle]].mean() > 0.15


def test_behind_what_is_clear_itself_no_patches_are_looked_for(monkeypatch):
    photo, layers = scene()
    rng = np.random.default_rng(3)
    photo[..., :3] = np.clip(photo[..., :3] + rng.normal(0, 20, photo[..., :3].shape), 0, 255)
    photo[:20, :20, 3] = 0
    for name in ("complete", "sharpen", "continue_lines"):
        monkeypatch.setattr(f"layerctl.paint.{name}", None)
    stack = lift(photo, guess_of(layers), 420)
    assert np.abs(flatten(stack, photo).astype(int)[30:] - photo[30:]).max() <= 1


@pytest.mark.parametrize(("side", "kept"), [(600, True), (100, False)])
def test_what_a_model_draws_sharply_behind_a_product_stays_and_else_what_is_seen_goes_on(
    side, kept
):
    rows = np.mgrid[:600, :600][0]
    ground = np.ones((600, 600, 4), np.float32)
    ground[..., :3] = 0.35 + 0.4 * (rows // 30 % 2)[..., None]
    product = np.ones_like(ground)
    product[..., :3], product[..., 3] = (0.8, 0.2, 0.1), 0
    product[180:420, 180:420, 3] = 1
    photo = np.where(product[..., 3:] > 0, product, ground)
    drawn = ground.copy()
    drawn[270:330, 270:330, :3] = (0.1, 0.3, 0.9)
    small = np.stack([cv2.resize(layer, (side, side)) for layer in (drawn, product)])
    chance = np.ones((side, side), np.float32)
    guess = Guess(small, ("background", "product"), (False, True), chance)
    stack = lift(np.rint(photo * 255).astype(np.uint8), guess, 600)
    behind = stack.colours[0, 290:310, 290:310] / 255
    assert bool(np.abs(behind - drawn[290:310, 290:310, :3]).mean() < 0.1) is kept
    stripes = stack.colours[0, 200:400, 200:250] / 255
    assert np.abs(stripes - ground[200:400, 200:250, :3]).mean() < 0.05


@pytest.mark.parametrize(("side", "kept"), [(600, True), (100, False)])
def test_the_hidden_part_of_a_product_is_what_a_sharp_model_draws_and_else_of_its_own_colours(
    side, kept
):
    wall = np.ones((600, 600, 4), np.float32)
    wall[..., :3] = 0.85
    below, above = np.zeros_like(wall), np.zeros_like(wall)
    below[150:450, 100:380], above[200:400, 250:500] = (0.9, 0.3, 0.1, 1), (0.1, 0.3, 0.7, 1)
    below[..., :3] *= 0.6 + 0.4 * (np.mgrid[:600, :600][0] // 25 % 2)[..., None]
    photo = wall.copy()
    for product in (below, above):
        photo[product[..., 3] > 0] = product[product[..., 3] > 0]
    drawn = below.copy()
    drawn[200:400, 250:380, :3] = (0.3, 0.3, 0.5)
    small = np.stack([cv2.resize(layer, (side, side)) for layer in (wall, drawn, above)])
    roles = ("background", "product", "product")
    guess = Guess(small, roles, (False, True, True), np.ones((side, side), np.float32))
    stack = lift(np.rint(photo * 255).astype(np.uint8), guess, 600)
    hidden, wanted = stack.colours[1] / 255, drawn if kept else below
    inside = np.s_[225:375, 270:360, :3]
    assert np.abs(hidden[inside].mean(axis=(0, 1)) - wanted[inside].mean(axis=(0, 1))).max() < 0.1
