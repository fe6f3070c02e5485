"""Solids: lit, round, antialiased, the same again, and the same alone as among others."""

import distances
import moulds
import numpy as np
import pytest
import torch
from distances import Cast, Field, Part, rotation
from solids import Solid, Solids, draw_solid, render, solid
from sprites import Light, Sprite
from studio import PLAIN, Coat, artwork

FRONT = Light((0.0, 0.0, 1.0), 0.6, (1.0, 1.0, 1.0))
LEFT = Light((-0.8, 0.0, 0.6), 0.4, (1.0, 1.0, 1.0))
CPU = torch.device("cpu")


def coat(*colour, **finish):
    tint = np.array(colour, np.float32)
    return Coat(tint, tint, PLAIN, finish.pop("gloss", 0.0), **finish)


RED, GREEN, BLUE = coat(0.8, 0.1, 0.1), coat(0.1, 0.8, 0.1), coat(0.1, 0.1, 0.8)
GLASS = coat(0.9, 0.9, 0.9, gloss=1.0, opacity=0.3)


def ball(radius, at=(0, 0, 0), coat=0, **rest):
    return Part("ellipsoid", (radius,) * 3, at, coat=coat, **rest)


def picture(*parts, light=FRONT, side=96, coats=(RED, GREEN, BLUE, GLASS), **view):
    one = Solid(Cast(list(parts)), coats, **view)
    return render(Solids.of([one]), [light], side)[0].numpy()


def drawn(seed, side=96):
    sprite = Sprite.blank(side, LEFT)
    solid(np.random.default_rng(seed), sprite)
    return sprite.pixels


def distance(points, *parts, melt=0.1):
    field = Field.of([parts], [melt], CPU)
    return field(torch.tensor(points, dtype=torch.float32).T[None])[0].numpy()


@pytest.mark.parametrize("seed", range(6))
def test_a_seed_gives_the_same_premultiplied_sprite_again(seed):
    pixels = drawn(seed)
    assert (drawn(seed) == pixels).all()
    assert pixels.shape == (96, 96, 4)
    assert np.isfinite(pixels).all()
    assert pixels.min() >= 0
    assert (pixels <= pixels[..., 3:] + 1e-5).all()
    assert pixels[..., 3].max() <= 1


@pytest.mark.parametrize("seed", range(6))
def test_a_sprite_fills_its_patch_but_not_its_border(seed):
    alpha = drawn(seed)[..., 3]
    border = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    assert border.max() < 0.05
    assert (alpha > 0.5).any(axis=0).sum() > 58 or (alpha > 0.5).any(axis=1).sum() > 58


@pytest.mark.parametrize("make", [make for make, _, _ in moulds.MOULDS])
def test_every_mould_casts_one_thing_that_is_seen_and_fits(make):
    for seed in range(3):
        cast = make(np.random.default_rng(seed))
        one = Solid(cast, (RED, GREEN, BLUE, GLASS), rotation((0.3, 0.4, 0)))
        alpha = render(Solids.of([one]), [FRONT], 48)[0, ..., 3]
        assert alpha.sum() > 100
        assert alpha[[0, -1]].max() < 0.1
        assert alpha[:, [0, -1]].max() < 0.1


def test_a_batch_holds_what_its_members_are_alone():
    solids = [draw_solid(np.random.default_rng(seed)) for seed in range(5)]
    lights = [LEFT, FRONT, LEFT, FRONT, LEFT]
    batch = render(Solids.of(solids), lights, 64)
    for together, one, light in zip(batch, solids, lights, strict=True):
        apart = render(Solids.of([one]), [light], 64)[0]
        assert (together - apart).abs().max() < 2e-2
        assert (together - apart).abs().mean() < 1e-5


@pytest.mark.parametrize("side", [48, 96, 144])
def test_a_balls_outline_has_the_area_of_its_circle_and_a_soft_rim(side):
    alpha = picture(ball(0.7), side=side, lens=10.0)[..., 3]
    # The rim that is seen from a distance d is nearer than the middle: r / sqrt(1 - r² / d²).
    one = Solid(Cast([ball(0.7)]), (RED,), lens=10.0)
    reach = one.frame()[3]
    radius = 0.7 / reach / np.sqrt(1 - (0.7 / reach / 10) ** 2)
    assert alpha.sum() == pytest.approx(np.pi * radius**2 * side**2 / 4, rel=0.01)
    rim = (alpha > 0.02) & (alpha < 0.98)
    assert 0.5 < rim.sum() / (np.pi * radius * side) < 2


def test_light_from_the_left_makes_the_left_side_brighter():
    pixels = picture(ball(0.5), light=LEFT)
    brightness = pixels[..., :3].sum(-1)
    assert brightness[:, :48].sum() > 1.5 * brightness[:, 48:].sum()
    mirrored = Light((0.8, 0.0, 0.6), 0.4, (1.0, 1.0, 1.0))
    assert picture(ball(0.5), light=mirrored)[:, ::-1] == pytest.approx(pixels, abs=0.05)


def test_light_from_above_makes_the_top_brighter():
    above = Light((0.0, -0.8, 0.6), 0.4, (1.0, 1.0, 1.0))
    brightness = picture(ball(0.5), light=above)[..., :3].sum(-1)
    assert brightness[:48].sum() > 1.5 * brightness[48:].sum()


def test_what_is_nearer_hides_what_is_behind():
    near, far = ball(0.3, (0, 0, 0.5), 1), ball(0.3, (0, 0, -0.5))
    assert picture(near, far)[48, 48, :3].argmax() == 1
    assert picture(near, far, turn=rotation((0, np.pi, 0)))[48, 48, :3].argmax() == 0


def test_a_lid_hides_the_inside_that_is_seen_without_it():
    above = rotation((np.pi / 2, 0, 0))
    wall = Part("prism", (0.5, 0.5, 0.5), coat=0)
    hole = Part("prism", (0.4, 0.5, 0.4), (0, 0.2, 0), coat=1, cuts=True)
    lid = Part("prism", (0.5, 0.05, 0.5), (0, 0.76, 0), coat=2)
    assert picture(wall, hole, turn=above)[48, 48, :3].argmax() == 1
    assert picture(wall, hole, lid, turn=above)[48, 48, :3].argmax() == 2


def test_a_part_throws_its_shadow_on_the_part_behind_it():
    light = Light((-0.7, 0.0, 0.71), 0.3, (1.0, 1.0, 1.0))
    wall = Part("prism", (0.8, 0.8, 0.05), (0, 0, -0.5))
    open_, shaded = picture(wall, light=light), picture(wall, ball(0.2), light=light)
    assert shaded[48, 70, 0] < 0.8 * open_[48, 70, 0]
    assert shaded[48, 20, 0] > 0.9 * open_[48, 20, 0]


def test_glass_shows_what_is_in_it_and_is_clear_where_nothing_is():
    pane = Part("prism", (0.6, 0.6, 0.3), coat=3, corner=0.1)
    pixels = picture(pane, ball(0.2, coat=2))
    assert pixels[48, 48, :3].argmax() == 2
    assert pixels[48, 48, 3] > 0.95
    assert 0.25 < pixels[20, 20, 3] < 0.9


def test_metal_mirrors_the_studio_and_clay_does_not():
    metal = coat(0.9, 0.9, 0.9, gloss=0.9, metal=1.0)
    shining, clay = (
        picture(ball(0.5), coats=(c,), light=LEFT) for c in (metal, coat(0.9, 0.9, 0.9))
    )
    inside = np.s_[30:66, 30:66, 0]
    assert np.abs(np.diff(shining[inside])).max() > 3 * np.abs(np.diff(clay[inside])).max()


def test_a_label_is_printed_on_the_front_alone():
    tin = Cast([Part("prism", (0.5, 0.6, 0.5))], print_at=(0, 0, 0.3, 0.3, 0))
    decal = np.zeros((4, 8, 8), np.float32)
    decal[1:4:2, 1:-1, 1:-1] = 1
    front, back = (Solid(tin, (RED,), rotation((0, a, 0)), decal=decal) for a in (0, np.pi))
    seen = render(Solids.of([front, back]), [FRONT] * 2, 64)
    assert seen[0, 32, 32, :3].argmax() == 1
    assert seen[1, 32, 32, :3].argmax() == 0


def test_artwork_is_premultiplied_and_clear_at_its_edge():
    art = artwork(np.random.default_rng(3))
    assert art.shape == (4, 96, 96)
    assert (art[:3] <= art[3] + 1e-6).all()
    assert not art[:, 0].any()


def test_distances_to_a_box_a_ball_and_a_ring_are_those_of_geometry():
    box = Part("prism", (1, 2, 3), corner=0.0, edge=0.0)
    assert distance([(3, 0, 0), (0, 4, 0), (2, 3, 0), (0, 0, 0)], box) == pytest.approx(
        [2, 2, 2**0.5, -1], abs=1e-3
    )
    assert distance([(2, 0, 0), (0, 0, 0.5)], ball(1)) == pytest.approx([1, -0.5], abs=1e-3)
    ring = Part("arc", (1, 0.2, 0))
    assert distance([(2, 0, 0), (0, 0, 0)], ring) == pytest.approx([0.8, 0.8], abs=1e-3)
    arch = Part("arc", (1, 0.2, 0), reach=np.pi / 2)
    assert distance([(0, 1, 0), (1, -1, 0)], arch) == pytest.approx([-0.2, 0.8], abs=1e-3)


def test_a_turned_and_moved_part_is_as_far_as_it_looks():
    rod = Part("prism", (0.1, 1, 0.1), (5, 0, 0), (0, 0, np.pi / 2))
    assert distance([(5, 1, 0), (6.5, 0, 0)], rod) == pytest.approx([0.9, 0.5], abs=1e-3)


def test_soft_parts_melt_into_one_another_and_hard_ones_do_not():
    apart = [(-0.5, 0, 0), (0.5, 0, 0)]
    between = [(0, 0.3, 0)]
    hard = distance(between, *(ball(0.5, at) for at in apart))
    soft = distance(between, *(ball(0.5, at, melts=True) for at in apart), melt=0.4)
    assert hard == pytest.approx([0.083], abs=1e-3)
    assert soft == pytest.approx(hard - 0.1, abs=1e-3)


def test_hardly_a_distance_is_longer_than_the_way_to_the_surface():
    rng = np.random.default_rng(0)
    for make, _, _ in moulds.MOULDS:
        cast = make(rng)
        field = Field.of([cast.parts], [cast.melt], CPU)
        points = torch.tensor(rng.uniform(-1.5, 1.5, (1, 3, 400)), dtype=torch.float32)
        steps = torch.tensor(rng.normal(0, 1, (1, 3, 400)), dtype=torch.float32)
        steps = steps / steps.norm(dim=1, keepdim=True)
        away = field(points)
        moved = field(points + 0.95 * away.clamp(min=0)[:, None] * steps)
        assert (moved[away > 0] > 0).float().mean() > 0.97


def test_solids_of_few_parts_among_many_are_filled_up_with_nothing():
    rows, counts = distances.padded([[ball(1)], [ball(1), ball(2), Part("arc", (1, 1, 0))]])
    assert counts == [0, 2, 1]
    assert [len(row) for row in rows] == [3, 3]
    alone = picture(ball(0.5))
    pair = [Solid(Cast(parts), (RED,)) for parts in ([ball(0.5)], [ball(0.2), ball(0.4)])]
    assert render(Solids.of(pair), [FRONT] * 2, 96)[0].numpy() == pytest.approx(alone, abs=1e-4)
