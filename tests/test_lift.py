"""Small, blurred layers become layers of the photo's size that show the photo."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from layerctl import compositing
from layerctl.compositing import weights
from layerctl.lift import lift
from tests.lifting import flatten, guess_as, guess_of, overlap, scene


@pytest.mark.parametrize("edges", [True, False])
@pytest.mark.parametrize("shadow", [True, False])
def test_the_lifted_layers_show_the_photo_within_one_level(edges, shadow):
    photo, layers = scene(shadow=shadow)
    stack = lift(photo, guess_of(layers, shadow=shadow), 256, edges=edges)
    assert np.abs(flatten(stack, photo).astype(int) - photo).max() <= 1


def test_a_photo_with_alpha_is_given_back_with_its_alpha():
    photo, layers = scene()
    photo[..., 3] = np.rint(layers[1][..., 3] * 255)
    photo[:40, :40, 3] = 100
    flat = flatten(lift(photo, guess_of(layers), 256), photo).astype(int)
    assert np.abs(flat[..., 3] - photo[..., 3]).max() <= 1
    assert np.abs(flat - photo)[photo[..., 3] > 0].max() <= 1


def test_edges_come_from_the_photo():
    photo, layers = scene()
    truth = layers[1][..., 3]
    followed = lift(photo, guess_of(layers), 420).alphas[1] / 255
    enlarged = lift(photo, guess_of(layers), 420, edges=False).alphas[1] / 255
    assert overlap(followed, truth) > 0.985
    assert overlap(followed, truth) > overlap(enlarged, truth) + 0.02


def test_no_halo_is_left_on_another_background():
    photo, layers = scene()
    stack = lift(photo, guess_of(layers), 420)
    alpha = stack.alphas[1][..., None] / 255
    truth = layers[1]
    for backdrop in (0, 255):
        seen = alpha * stack.colours[1] + (1 - alpha) * backdrop
        wanted = truth[..., 3:] * truth[..., :3] * 255 + (1 - truth[..., 3:]) * backdrop
        assert np.abs(seen - wanted).mean() < 1.0


def test_a_shadow_is_black_and_the_background_below_it_is_lit():
    photo, layers = scene(shadow=True)
    stack = lift(photo, guess_of(layers, shadow=True), 420)
    assert not stack.colours[1].any()
    shaded = (layers[1][..., 3] > 0.3) & (layers[2][..., 3] < 0.01)
    error = np.abs(stack.colours[0] / 255 - layers[0][..., :3])[shaded]
    assert error.mean() < 0.05


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (5, 7), (37, 23)])
def test_any_size_is_lifted(size):
    photo, layers = scene()
    tiny = cv2.resize(photo, size[::-1], interpolation=cv2.INTER_AREA).reshape(*size, 4)
    stack = lift(tiny, guess_of(layers), 256)
    assert stack.alphas.shape == (2, *size)
    assert np.abs(flatten(stack, tiny).astype(int) - tiny).max() <= 1


def test_what_the_photo_shows_is_what_the_weights_say():
    photo, layers = scene()
    alphas = lift(photo, guess_of(layers), 420).alphas / np.float32(255)
    inside = layers[1][..., 3] > 0.99
    assert weights(alphas)[1][inside].mean() > 0.98


def test_on_a_plain_backdrop_what_the_model_missed_is_found():
    photo, layers = scene()
    photo[60:64, 20:150, :3] = (20, 90, 160)
    stack = lift(photo, guess_of(layers), 420)
    assert stack.alphas[1][61:63, 30:140].mean() > 240
    assert (
        np.abs(stack.colours[0][61:63, 30:140] / 255 - layers[0][61:63, 30:140, :3]).mean() < 0.02
    )


@pytest.mark.parametrize(("likely", "opened"), [(0.55, True), (0.95, False)])
def test_a_hole_that_was_drawn_over_shows_the_plain_backdrop_unless_a_thing_is_likely(
    likely, opened
):
    photo, layers = scene()
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]]
    hole = np.hypot(rows - 135, columns - 210) < 35
    light = 1 - 0.06 * np.clip((rows - 135) / 35, 0, 1)[..., None]
    photo[hole, :3] = (layers[0][..., :3] * light * 255)[hole]
    guess = guess_of(layers)
    small = cv2.resize(hole.astype(np.float32), guess.chance.shape, interpolation=cv2.INTER_AREA)
    guess = replace(guess, chance=1 - (1 - likely) * small)
    alpha = lift(photo, guess, 420).alphas[1]
    inner = cv2.erode(hole.astype(np.uint8), np.ones((7, 7))) > 0
    assert alpha[inner].mean() == pytest.approx(0 if opened else 255, abs=3)
    assert alpha[(layers[1][..., 3] > 0.99) & ~hole].mean() > 250


def test_a_table_below_a_plain_wall_is_no_part_of_the_product():
    photo, layers = scene()
    photo[270:, :, :3] = (60, 40, 30)
    stack = lift(photo, guess_of(layers), 420)
    assert not stack.alphas[1][270:].any()
    assert stack.alphas[1][layers[1][..., 3] > 0.99].mean() > 250


def test_a_guess_that_is_too_wide_is_cut_back_to_the_photo_s_edge():
    photo, layers = scene()
    rng = np.random.default_rng(2)
    wall = cv2.resize(rng.random((30, 42), dtype=np.float32), (420, 300))
    layers[0][..., :3] = (0.1, 0.3, 0.5) + 0.4 * wall[..., None]
    shown = layers[0][..., :3] + layers[1][..., 3:] * (layers[1][..., :3] - layers[0][..., :3])
    photo[..., :3] = np.rint(shown * 255)
    true = layers[1][..., 3].copy()
    layers[1][..., 3] = cv2.dilate(true, np.ones((25, 25)))
    stack = lift(photo, guess_of(layers), 420)
    assert np.abs(stack.alphas[1] / 255 - true).mean() < 0.002


def stroke_in_a_room():
    """Return a photo of a thin stroke, layers that show it too wide, and where it is."""
    photo, layers = scene()
    rng = np.random.default_rng(2)
    wall = cv2.resize(rng.random((30, 42), dtype=np.float32), (420, 300))
    photo[..., :3] = np.rint((np.array([0.1, 0.3, 0.5]) + 0.4 * wall[..., None]) * 255)
    true = np.zeros_like(wall)
    true[40:260, 200:220] = 1
    photo[true > 0, :3] = (220, 40, 30)
    layers[0][..., :3] = photo[..., :3] / np.float32(255)
    layers[1][..., :3], layers[1][..., 3] = (0.86, 0.16, 0.12), cv2.dilate(true, np.ones((19, 19)))
    return photo, layers, true


def test_a_thin_product_in_a_room_is_cut_along_its_edge_too():
    photo, layers, true = stroke_in_a_room()
    stack = lift(photo, guess_of(layers), 420)
    assert np.abs(stack.alphas[1] / 255 - true).mean() < 0.0005


def test_lettering_in_a_room_is_cut_as_well_by_a_model_that_tells_what_is_ground():
    photo, layers, true = stroke_in_a_room()
    guess = guess_as(layers, ("background", "text"))
    chance = cv2.resize(true, guess.chance.shape[::-1], interpolation=cv2.INTER_AREA)
    known, drawn = (lift(photo, one, 420) for one in (replace(guess, chance=chance), guess))
    assert np.abs(known.alphas[1] / 255 - true).mean() < 0.0005
    assert np.abs(drawn.alphas[1] / 255 - true).mean() > 0.002


def test_the_soft_rim_of_a_shadow_leaves_less_of_a_ghost_on_the_backdrop():
    photo, layers = scene(shadow=True)
    stack = lift(photo, guess_of(layers, shadow=True), 420)
    rim = (layers[1][..., 3] > 0.02) & (layers[1][..., 3] < 0.06) & (layers[2][..., 3] < 0.01)
    assert np.abs(stack.colours[0] / 255 - layers[0][..., :3])[rim].mean() < 0.019


def test_a_shadow_wider_than_it_was_drawn_leaves_less_of_a_ghost_on_a_plain_backdrop():
    photo, layers = scene(shadow=True)
    drawn = layers[1].copy()
    drawn[..., 3] = np.maximum(layers[1][..., 3] - 0.06, 0)
    stack = lift(photo, guess_of([layers[0], drawn, layers[2]], shadow=True), 420)
    rim = (layers[1][..., 3] > 0.04) & (layers[1][..., 3] < 0.06) & (layers[2][..., 3] < 0.01)
    assert np.abs(stack.colours[0] / 255 - layers[0][..., :3])[rim].mean() < 0.03


def test_a_highlight_takes_no_shadow_away_from_around_it():
    _, layers = scene(shadow=True)
    layers[0][..., :3] = 0.1
    shown = layers[0][..., :3] * (1 - layers[1][..., 3:])
    shown += layers[2][..., 3:] * (layers[2][..., :3] - shown)
    photo = np.rint(np.dstack([shown, np.ones(shown.shape[:2])]) * 255).astype(np.uint8)
    guess = guess_of(layers, shadow=True)
    spotted = photo.copy()
    spotted[250:260, 205:215, :3] = 230
    clear, spotty = (lift(one, guess, 420).alphas[1] / 255 for one in (photo, spotted))
    beside = np.zeros(clear.shape, bool)
    beside[245:265, 195:225] = True
    beside[249:261, 204:216] = False
    assert np.abs(clear - spotty)[beside].mean() < 0.05


@pytest.mark.parametrize(("tint", "taken"), [((1, 1, 1), True), ((1, 0.3, 0), False)])
def test_in_a_room_only_what_is_the_ground_s_colour_is_in_shadow(tint, taken):
    _, layers = scene(shadow=True)
    rng = np.random.default_rng(2)
    wall = cv2.resize(rng.random((10, 14), dtype=np.float32), (420, 300))
    wall = wall + rng.normal(0, 0.05, wall.shape).astype(np.float32)
    layers[0][..., :3] = (0.5 + 0.4 * wall).clip(0, 1)[..., None]
    dark = 1 - 1.6 * layers[1][..., 3:] * (1 - 0.5 * np.float32(tint))
    shown = layers[0][..., :3] * dark
    shown += layers[2][..., 3:] * (layers[2][..., :3] - shown)
    photo = np.rint(np.dstack([shown, np.ones(shown.shape[:2])]) * 255).astype(np.uint8)
    stack = lift(photo, guess_of(layers, shadow=True), 420)
    deep = (layers[1][..., 3] > 0.4) & (layers[2][..., 3] < 0.01)
    assert (stack.alphas[1][deep].mean() > 40) == taken


def test_what_is_nearly_black_in_a_room_is_so_in_full_light_too():
    _, layers = scene(shadow=True)
    wall = cv2.resize(np.random.default_rng(2).random((10, 14), dtype=np.float32), (420, 300))
    layers[0][..., :3] = (0.5 + 0.4 * wall)[..., None]
    layers[1][..., 3] *= 1.9
    shown = layers[0][..., :3] * (1 - layers[1][..., 3:])
    shown += layers[2][..., 3:] * (layers[2][..., :3] - shown)
    photo = np.rint(np.dstack([shown, np.ones(shown.shape[:2])]) * 255).astype(np.uint8)
    stack = lift(photo, guess_of(layers, shadow=True), 420)
    deep = (layers[1][..., 3] > 0.85) & (layers[2][..., 3] < 0.01)
    assert 0.55 < stack.alphas[1][deep].mean() / 255 < 0.62
    assert stack.colours[0][deep].mean() < 0.5 * 255 * layers[0][..., :3][deep].mean()


def test_a_faint_shadow_on_a_plain_backdrop_is_taken_off_it():
    _, layers = scene(shadow=True)
    layers[1][..., 3] *= 0.09
    shown = layers[0][..., :3] * (1 - layers[1][..., 3:])
    shown += layers[2][..., 3:] * (layers[2][..., :3] - shown)
    photo = np.rint(np.dstack([shown, np.ones(shown.shape[:2])]) * 255).astype(np.uint8)
    layers[1][..., 3] *= 4  # A model draws what is hardly seen as if it were.
    stack = lift(photo, guess_of(layers, shadow=True), 420)
    deep = (layers[1][..., 3] > 0.15) & (layers[2][..., 3] < 0.01)
    assert np.abs(stack.colours[0] / 255 - layers[0][..., :3])[deep].mean() < 0.012


def test_an_outline_out_of_focus_is_as_soft_as_in_the_photo_and_of_the_product_s_colour():
    _, layers = scene()
    alpha = cv2.GaussianBlur(layers[1][..., 3], (0, 0), 7)
    paper, product = np.array([0.9, 0.9, 0.9]), np.array([0.7, 0.15, 0.1])
    noise = np.random.default_rng(5).normal(0, 0.003, (300, 420, 3))
    shown = paper + alpha[..., None] * (product - paper) + noise
    photo = np.full((300, 420, 4), 255, np.uint8)
    photo[..., :3] = np.rint(np.clip(shown, 0, 1) * 255)
    layers[0][..., :3], layers[1][..., :3], layers[1][..., 3] = paper, product, alpha
    stack = lift(photo, guess_of(layers), 420)
    assert np.abs(stack.alphas[1] / 255 - alpha).mean() < 0.004
    rim = (alpha > 0.3) & (alpha < 0.9)
    assert np.abs(stack.colours[1][rim] / 255 - product).mean() < 0.04
    assert np.abs(stack.colours[0] / 255 - paper).mean() < 0.005
    assert np.abs(flatten(stack, photo).astype(int) - photo).max() <= 1


def test_a_narrow_shadow_on_a_plain_backdrop_leaves_no_dark_line_there():
    _, layers = scene(600, 840, shadow=True)
    rows, columns = np.mgrid[:600, :840].astype(np.float32)
    layers[1][..., 3] = 0.5 * np.exp(-np.square((rows - 470) / 9) - np.square((columns - 420) / 90))
    shown = np.zeros((600, 840, 3), np.float32)
    for layer in layers:
        shown += layer[..., 3:] * (layer[..., :3] - shown)
    photo = np.full((600, 840, 4), 255, np.uint8)
    photo[..., :3] = np.rint(shown * 255)
    stack = lift(photo, guess_of(layers, shadow=True), 840)
    below = np.s_[455:485, 340:500]
    assert np.abs(stack.colours[0][below] / 255 - layers[0][..., :3][below]).max() < 0.06


def test_what_shines_in_the_backdrop_s_colour_is_still_the_product_s():
    photo, layers = scene()
    photo[130:142, 137:139, :3] = photo[130:142, 100:102, :3]
    stack = lift(photo, guess_of(layers), 420)
    assert stack.alphas[1][130:142, 137:139].min() > 250


def test_nothing_shines_through_where_two_things_meet():
    _, (backdrop, disc) = scene()
    left, right = disc.copy(), disc.copy()
    left[:, 215:, 3], right[:, :205, 3] = 0, 0
    right[..., :3] = right[..., 2::-1]
    layers = [backdrop, left, right]
    canvas = np.zeros((*disc.shape[:2], 3), np.float32)
    for layer in layers:
        canvas += layer[..., 3:] * (layer[..., :3] - canvas)
    photo = np.rint(np.dstack([canvas, np.ones(disc.shape[:2])]) * 255).astype(np.uint8)
    guess = guess_as(layers, ("background", "product", "product"))
    seen = weights(lift(photo, guess, 420).alphas / np.float32(255))
    inner = cv2.erode((disc[..., 3] > 0.99).astype(np.uint8), np.ones((9, 9))) > 0
    assert seen[0][inner].max() < 0.1
    assert seen[1][inner & (left[..., 3] > 0) & (right[..., 3] == 0)].mean() > 0.97


@pytest.mark.parametrize("size", [(300, 420), (997, 613)])
def test_the_layers_do_not_depend_on_the_bands_they_are_made_in(monkeypatch, size):
    photo, layers = scene(shadow=True)
    large = cv2.resize(photo, size[::-1], interpolation=cv2.INTER_LINEAR)
    guess = guess_of(layers, shadow=True)
    whole = lift(large, guess, 300)
    monkeypatch.setattr(compositing, "BAND_PIXELS", 10_000)
    banded = lift(large, guess, 300)
    assert np.array_equal(banded.alphas, whole.alphas)
    assert np.array_equal(banded.colours, whole.colours)


@pytest.mark.parametrize("glints", [0.0, 0.2])
def test_a_glint_at_the_edge_of_a_thing_with_glints_is_its_own_and_of_another_a_halo(glints):
    photo, layers = scene()
    layers[0][..., :3], layers[1][..., :3] = 0.88, 0.7
    layers[1][np.random.default_rng(1).random((300, 420)) < glints, :3] = 1
    thing = layers[1][..., 3] > 0
    ring = (cv2.dilate(thing.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~thing
    shown = layers[0][..., :3] + layers[1][..., 3:] * (layers[1][..., :3] - layers[0][..., :3])
    shown[ring] = 0.97
    photo[..., :3] = np.rint(shown * 255)
    ground = lift(photo, guess_of(layers), 420).colours[0] / 255
    off = np.abs(ground[ring] - 0.88).mean()
    assert (off < 0.02) if glints else (off > 0.05)


@pytest.mark.parametrize(("role", "kept"), [("product", False), ("text", True)])
def test_of_a_speck_that_was_cut_out_with_a_product_nothing_is_left_but_of_a_letter_s(role, kept):
    photo, layers = scene()
    dot = np.s_[20:26, 30:36]
    layers[1][dot] = photo[dot] = 0, 0, 0, 255
    layers[1][(*dot, 3)] = 1
    guess = guess_as(layers, ("background", role))
    guess.layers[1, 4:6, 4:6, 3] = 1
    unsure = np.where(guess.layers[1, ..., 3] > 0.5, np.float32(0.6), 0)
    stack = lift(photo, replace(guess, chance=unsure), 420)
    assert (stack.alphas[1][dot].max() > 200) == kept
    assert (stack.alphas[1][dot].max() > 0) == kept
    assert stack.alphas[1][135, 210] == 255


@pytest.mark.parametrize("nearer", [False, True])
def test_a_slit_that_a_look_from_nearer_saw_is_open(nearer):
    photo, layers = scene()
    blots = np.random.default_rng(0).random((10, 14, 3), np.float32)
    room = cv2.resize(blots, (420, 300), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    slit = np.s_[80:190, 208:212]
    layers[1][..., :3] = 0.2, 0.4, 0.7
    thing = layers[1][..., 3:].copy()
    guess = guess_as(layers, ("background", "product"))
    thing[slit] = 0
    photo[..., :3] = np.rint(255 * (room + thing * (layers[1][..., :3] - room)))
    seen = cv2.GaussianBlur(thing[..., 0], (0, 0), 1) if nearer else guess.layers[1, ..., 3]
    stack = lift(photo, replace(guess, chance=seen), 420)
    assert (stack.alphas[1][90:180, 209:211].min() < 60) == nearer
    assert stack.alphas[1][90:180, 190:200].min() > 200
