"""Scenes put together from parts: what they show is their layers, as scenes drawn one by one do."""

import numpy as np
import pytest
import torch
from assembly import (
    Cast,
    Stacks,
    assemble,
    assemble_near,
    exposed,
    noticeable,
    photographed,
    placed,
    stack,
)
from masks import MULTIPLE, SIDE
from props import (
    COUNTS,
    LAYOUTS,
    MARGIN,
    MOST_THINGS,
    THING_SIDE,
    Pool,
    Props,
    Ring,
    draw_props,
    draw_thing,
)
from shading import Shadows, cast, shade
from shadows import dropped_shadow, hovering_shadow, standing_shadow
from sprites import Light, Sprite
from staging import Placed, Spot, place
from staging import noticeable as noticeable_one_by_one

CPU = torch.device("cpu")
SIZE = (96, 128)


def discs(count, side=THING_SIDE):
    """Discs of random colours, as things are kept."""
    steps = torch.linspace(-1, 1, side)
    alpha = ((1 - MARGIN / side - torch.hypot(steps, steps[:, None])) * side / 2).clamp(0, 1)
    colour = torch.rand(count, 3, 1, 1, generator=torch.Generator().manual_seed(1))
    return (torch.cat([colour * alpha, alpha.expand(count, 1, -1, -1)], dim=1) * 255).round().byte()


def rows(*places):
    """Places of things in one scene, the rest of which is empty."""
    table = torch.zeros(1, MOST_THINGS, 7)
    for k, row in enumerate(places):
        table[0, k] = torch.tensor(row, dtype=torch.float32)
    return table


@pytest.fixture
def pool():
    pool = Pool(CPU)
    places = rows(
        (0.6, 0, 0.4, 0.5, 0, 0, 1), (0.5, 0.3, 0.7, 0.6, 0, 1, 1), (0.2, 0, 0.2, 0.9, 1, 0, 1)
    )
    pool.put(
        Props(
            discs(5),
            torch.randint(256, (3, 3, SIDE, SIDE), dtype=torch.uint8),
            places.expand(3, LAYOUTS, -1, -1).clone(),
            torch.zeros(2, 4, SIDE, SIDE, dtype=torch.uint8),
        )
    )
    return pool


def test_what_shows_is_part_of_what_there_is_and_every_pixel_shows_something(pool):
    torch.manual_seed(0)
    masks = assemble(pool, 8, SIZE)
    assert masks.pictures.shape == (8, 4, *SIZE)
    assert masks.pictures.abs().max() <= 1
    torch.testing.assert_close(masks.kinds.sum(dim=1), torch.ones(8, 24, 32))
    assert (masks.seen <= masks.whole + 1e-5).all()
    assert masks.seen.amax(dim=(2, 3)).gt(0.5).sum(dim=1).max() == 3
    last = masks.seen.amax(dim=(2, 3)).gt(0).float().cumsum(dim=1).argmax(dim=1)
    front = torch.arange(8), last
    torch.testing.assert_close(masks.seen[front], masks.whole[front])


def test_scenes_put_together_can_be_seen_from_near(pool):
    masks = assemble_near(pool, 6, (96, 128))
    assert masks.pictures.shape == (6, 4, 112, 112)
    assert masks.seen.shape[2:] == (28, 28)
    assert masks.pictures.abs().max() <= 1
    assert (masks.seen <= masks.whole + 1e-4).all()
    assert masks.seen.amax(dim=(2, 3)).gt(0.5).any(dim=1).all()


def test_the_picture_is_its_layers_over_each_other(pool):
    torch.manual_seed(1)
    layers = stack(pool, 4, SIZE)
    flat = layers.flatten()
    for number in range(4):
        canvas = torch.cat([layers.ground[number], torch.ones(1, *SIZE)]) * ~layers.cut_out[number]
        canvas[:3] *= 1 - layers.shadow[number]
        canvas[3:] += layers.shadow[number] * (1 - canvas[3:])
        for item in layers.things[number]:
            canvas = item + canvas * (1 - item[3:])
        torch.testing.assert_close(flat[number], canvas, atol=1e-5, rtol=0)


def test_a_cut_out_keeps_its_alpha_and_is_grey_where_nothing_is():
    torch.manual_seed(2)
    things = torch.zeros(1, 2, 4, 32, 32)
    things[0, 0, :, 8:16, 8:16] = 1
    nothing = torch.zeros(1, 1, 32, 32)
    layers = Stacks(
        torch.rand(1, 3, 32, 32), nothing, things, torch.zeros(1, 4, 32, 32), torch.tensor([True])
    )
    picture = photographed(layers).pictures[0]
    assert (picture[3, 8:16, 8:16] == 1).all()
    assert picture[3].add(1).div(2).sum() == pytest.approx(64)
    assert (picture[:3, 20:] == 0).all()
    opaque = exposed(torch.cat([torch.rand(3, 3, 16, 16), torch.ones(3, 1, 16, 16)], dim=1))
    assert (opaque[:, 3] == 1).all()


@pytest.mark.parametrize(
    ("spot", "row"),
    [
        (Spot(0.6, 0.0, 0.45, 0.5, "hanging", whole=False), (0.6, 0, 0.45, 0.5, 0, 0, 0)),
        (Spot(0.8, 0.7, 0.2, 0.4, "lying", whole=True), (0.8, 0.7, 0.2, 0.4, 0, 1, 1)),
        (Spot(0.5, -0.1, 0.6, 0.9, "standing", whole=True), (0.5, -0.1, 0.6, 0.9, 1, 0, 1)),
    ],
)
def test_a_thing_is_where_the_same_spot_puts_one_that_is_drawn_alone(spot, row):
    patch = draw_thing(np.random.default_rng(3)).float() / 255
    sprite = Sprite(
        np.ascontiguousarray(patch.permute(1, 2, 0).numpy()), Light((0, 0, 1), 1, (1, 1, 1))
    )
    alone = place(sprite, SIZE, spot)[..., 3]
    first = torch.zeros(1, dtype=torch.long)
    things = Cast(first, first, first, torch.tensor([row], dtype=torch.float32))
    overlaps = []
    for seed in range(6):  # one in two is mirrored
        torch.manual_seed(seed)
        found = placed(patch[None], things, SIZE)[0, 3].numpy()
        overlaps.append(np.minimum(found, alone).sum() / np.maximum(found, alone).sum())
    assert max(overlaps) > 0.9


def test_what_nobody_could_see_is_left_out_as_it_is_when_drawn_alone():
    things = torch.zeros(3, 4, 64, 64)
    things[0, :, 10:30, 10:30] = things[1, :, 8:30, 8:32] = things[2, :, 40:60, 20:30] = 1
    items = tuple(Placed(item.permute(1, 2, 0).numpy(), "hanging") for item in things)
    kept = noticeable_one_by_one(list(items))
    found = noticeable(things[None])[0]
    assert [bool(item.any()) for item in found] == [
        any(item is one for one in kept) for item in items
    ]
    assert [bool(item.any()) for item in found] == [False, True, True]


def shadow(pose, **changes):
    """The shadow of an upright box: put together, and drawn alone."""
    light = Light((-0.5, -0.4, 0.7681), 0.5, (1, 1, 1))
    one = {name: torch.tensor([[value]]) for name, value in changes.items()}
    scene = Shadows(
        torch.ones(1, 1), one["softness"], one["hover"], torch.tensor([[True]]),
        *(torch.tensor([[value]]) for value in light.direction),
    )  # fmt: skip
    alpha = np.zeros((96, 96), np.float32)
    alpha[30:70, 40:60] = 1
    stands, hangs = torch.tensor([[pose == "standing"]]), torch.tensor([[pose == "hanging"]])
    together = shade(scene, torch.from_numpy(alpha)[None, None], stands, hangs)[0, 0].numpy()
    if pose == "standing":
        return together, standing_shadow(alpha, light, changes["hover"], changes["softness"])
    if pose == "hanging":
        return together, hovering_shadow(alpha, 0.04 + changes["hover"], changes["softness"])
    return together, dropped_shadow(alpha, light, changes["softness"])


@pytest.mark.parametrize("pose", ["standing", "hanging", "lying"])
def test_shadows_fall_as_they_do_when_drawn_alone(pose):
    together, alone = shadow(pose, softness=0.04, hover=0.1)
    assert alone.max() > 0.3
    # What is squashed to a few rows depends on where these fall.
    assert together.mean() == pytest.approx(alone.mean(), rel=0.3)
    assert np.corrcoef(together.ravel(), alone.ravel())[0, 1] > 0.9
    for axis in (0, 1):
        middles = [
            np.average(np.arange(96), weights=dark.sum(axis=axis)) for dark in (together, alone)
        ]
        assert middles[0] == pytest.approx(middles[1], abs=1.5)


def test_what_hangs_shades_what_is_behind_it_and_what_stands_only_the_floor():
    things = torch.zeros(1, 2, 4, 64, 64)
    things[0, 0, :, 8:56, 8:56] = things[0, 1, :, 20:36, 20:36] = 1
    scene = Shadows(
        *(torch.tensor([[value]]) for value in (0.7, 0.05, 0.0)), torch.tensor([[False]]),
        *(torch.tensor([[value]]) for value in (-0.6, -0.5, 0.62)),
    )  # fmt: skip
    place = (0.5, 0, 0.5, 0.5, 0, 0, 1)
    floor, shaded = cast(scene, things, rows(place, place)[:, :2])
    assert floor.max() > 0.5
    assert shaded[0, 0, :3].min() < shaded[0, 0, 3].min() + 0.6
    torch.testing.assert_close(shaded[0, 1], things[0, 1])
    standing = (0.5, 0, 0.5, 0.5, 1, 0, 1)
    _, untouched = cast(scene, things, rows(place, standing)[:, :2])
    torch.testing.assert_close(untouched, things)


def test_parts_fill_their_patches_and_stages_have_the_counts_they_should():
    props = draw_props(np.random.default_rng(4), 3, 4, 1)
    assert props.things.shape == (3, 4, THING_SIDE, THING_SIDE)
    for thing in props.things:
        there = thing[3] > 12
        longest = max(there.any(dim=0).sum(), there.any(dim=1).sum())
        assert THING_SIDE - 2 * MARGIN - 4 <= longest <= THING_SIDE - 2 * MARGIN + 2
        assert (thing[:3].int() <= thing[3:].int() + 1).all()
    assert props.places.shape == (4, LAYOUTS, MOST_THINGS, 7)
    counts = (props.places[..., 0] > 0).sum(dim=2)
    assert len(set(counts.flatten().tolist())) > 2
    assert len(COUNTS) == MOST_THINGS + 1
    assert SIDE % MULTIPLE == 0


def test_the_oldest_parts_make_room():
    ring = Ring(4, CPU)
    ring.put(torch.arange(3)[:, None])
    assert ring.count == 3
    ring.put(torch.arange(3, 6)[:, None])
    assert ring.count == 4
    assert sorted(ring.rows[:, 0].tolist()) == [2, 3, 4, 5]
