"""What solids are moulded in: products as lists of parts about the origin, some 1 across.

Coat 0 is the body's, 1 to 3 are trims; in glassware the last one is clear.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import gadgets
import numpy as np
from distances import CLEAR, FACING, KINDS, Cast, Part, Triple, ball, disc, limb


def bottle(rng: np.random.Generator) -> Cast:
    """A bottle: body, shoulder and neck under a cap or a pump."""
    wide, high = rng.uniform((0.22, 0.45), (0.45, 0.8))
    flat, corner = rng.choice([1, 1, 0.7]), rng.choice([1, 1, 0.5])
    neck, edge = wide * flat * rng.uniform(0.3, 0.6), rng.uniform(0.03, 0.12)
    top = high + rng.uniform(0.02, 0.15)
    shoulder = (neck * 1.3, 0.1, neck * 1.3)
    parts = [
        Part("prism", (wide, high, wide * flat), corner=corner, edge=edge, melts=True),
        Part("prism", shoulder, (0, high, 0), melts=True, taper=neck * 0.3),
        disc(neck * 0.9, 0.15, (0, top, 0)),
        *(pump(rng, neck, top) if rng.random() < 0.45 else cap(rng, neck, top)),
    ]
    area = (0, rng.uniform(-0.4, 0.1) * high, wide * 0.85, high * rng.uniform(0.3, 0.7))
    return Cast(parts, rng.uniform(0.05, 0.25), (*area, wide * float(corner * flat == 1)))


def cap(rng: np.random.Generator, neck: float, top: float) -> list[Part]:
    """Return the cap of a bottle."""
    wide, half = neck * rng.uniform(1.0, 1.5), rng.uniform(0.06, 0.3)
    taper = rng.uniform(0, 0.04)
    return [Part("prism", (wide, half, wide), (0, top + half, 0), coat=1, taper=taper)]


def pump(rng: np.random.Generator, neck: float, top: float) -> list[Part]:
    """Return the pump or sprayer of a bottle."""
    stem, head = rng.uniform(0.16, 0.28), rng.uniform(0.07, 0.13)
    above = top + 2 * stem
    parts = [
        disc(neck * 1.1, 0.08, (0, top + 0.05, 0)),
        disc(0.04, stem, (0, top + stem, 0)),
        Part("prism", (head, 0.05, head), (0, above, 0), coat=1, corner=0.8),
        disc(0.035, 0.2, (0.2, above, 0), (0, 0, 1.4)),
    ]
    if rng.random() < 0.4:
        trigger = (0, 0, -1.9)
        parts.append(Part("arc", (0.22, 0.03, 0), (0.1, top + stem, 0), trigger, 1, reach=0.7))
    return parts


def sitting(rng: np.random.Generator) -> Cast:
    """A toy animal that sits: its legs stretched out, its arms at its sides."""
    girth, long, size = rng.uniform((0.26, 0.3, 0.22), (0.42, 0.6, 0.38))
    leg, thick = rng.uniform((0.12, 0.08), (0.35, 0.15))
    parts = [
        Part("ellipsoid", (girth, long, girth), melts=True),
        limb((0, -long * 0.6, -girth), rng.uniform(0.05, 0.3), thick * 0.7, (-1, 0, 0.3)),
        *head(rng, (0, long * 0.8 + size * 0.7, 0.05), size),
    ]
    for side in (-1, 1):
        x = side * girth * 0.75
        parts += [
            limb((x, long * 0.35, girth * 0.5), leg * 0.8, thick, (-0.7, 0, side * 0.5)),
            limb((x, -long * 0.8, girth * 0.8), leg, thick * 1.2, (1.4, side * 0.3, 0)),
            ball(thick * 1.3, (x * 1.3, -long * 0.8, girth + leg)),
        ]
    return Cast(parts, rng.uniform(0.05, 0.2))


def walking(rng: np.random.Generator) -> Cast:
    """A toy animal on four legs."""
    girth, long, size = rng.uniform((0.2, 0.3, 0.2), (0.4, 0.6, 0.36))
    leg, thick = rng.uniform((0.12, 0.07), (0.4, 0.14))
    tail = (rng.uniform(-1.5, 1), 0, 0.3)
    parts = [
        Part("ellipsoid", (girth, girth, long), melts=True),
        limb((0, girth * 0.5, -long), rng.uniform(0.08, 0.4), thick * 0.7, tail),
        *head(rng, (0, girth * 0.8 + size * 0.4, long), size),
    ]
    for x in (-0.6 * girth, 0.6 * girth):
        for z in (-0.65 * long, 0.65 * long):
            parts.append(limb((x, -girth * 0.7 - leg / 2, z), leg, thick))
            parts.append(ball(thick * 1.1, (x, -girth * 0.7 - leg * 1.4, z + 0.03)))
    return Cast(parts, rng.uniform(0.05, 0.2))


def head(rng: np.random.Generator, at: Triple, size: float) -> list[Part]:
    """Return the head of an animal: muzzle, nose, eyes and ears."""
    x, y, z = at
    long, wide, muzzle = rng.uniform((0.4, 0.2, 0.35), (1.3, 0.45, 0.6)) * size
    splay, front = rng.uniform(0.1, 0.9), z + size * 0.75
    root = size * 0.6 + np.sin(splay) * long / 2, y + size * rng.uniform(0.5, 0.9) + long / 3
    skull = (size, size * rng.uniform(0.85, 1.05), size * 0.95)
    parts = [
        Part("ellipsoid", skull, at, melts=True),
        Part("ellipsoid", (muzzle, muzzle * 0.8, muzzle), (x, y - size * 0.3, front), coat=1),
        ball(0.22 * muzzle, (x, y - size * 0.2, front + muzzle), 2),
    ]
    for side in (-1, 1):
        parts.append(
            ball(size * 0.1, (x + side * size * 0.38, y + size * 0.18, z + size * 0.86), 2)
        )
        ear, tilt = (x + side * root[0], root[1], z), (0, 0, -side * splay)
        parts.append(Part("ellipsoid", (wide, long, wide * 0.5), ear, tilt, melts=True))
    return parts


def shoe(rng: np.random.Generator) -> Cast:
    """A shoe or boot: sole and heel, toe, instep and shaft, an opening and laces."""
    high, toe, thick = rng.uniform((0.25, 0.14, 0.05), (0.75, 0.22, 0.12))
    heel, leaning, shaft = rng.uniform(0, 0.2), (0, 0, 0.1), (0.24, high / 2 + 0.1, 0.19)
    parts = [
        Part("prism", (0.78, thick, 0.26), coat=1, edge=thick * 0.6),
        Part("prism", (0.25, thick + heel / 2, 0.24), (-0.5, -heel / 2, 0), coat=1),
        Part("ellipsoid", (0.5, toe, 0.25), (0.28, toe * 0.5 + thick, 0), melts=True),
        Part("ellipsoid", (0.42, 0.24, 0.24), (-0.36, 0.18 + thick, 0), melts=True),
        Part("prism", shaft, (-0.5, high / 2 + 0.15, 0), leaning, melts=True),
        Part("prism", (0.17, 0.3, 0.13), (-0.52, high + 0.4, 0), leaning, 2, cuts=True),
    ]
    for step in range(int(rng.integers(0, 5))):
        lace = (0.11 * step - 0.2, 0.46 - 0.075 * step + thick, 0)
        parts += [disc(0.022, 0.15, lace, FACING, 2)]
    if rng.random() < 0.4:
        parts.append(Part("prism", (0.03, 0.2, 0.4), (0, 0.15, 0), (0, 0, -0.6), 1, edge=0.01))
    return Cast(parts, rng.uniform(0.1, 0.3))


def kettle(rng: np.random.Generator) -> Cast:
    """A kettle or teapot: belly, spout, a handle behind or above, a lid with a knob."""
    belly, round_ = rng.uniform(0.4, 0.55), bool(rng.random() < 0.6)
    high, lid = belly * rng.uniform(0.65, 1.15), belly * rng.uniform(0.35, 0.6)
    top, taper = high * (0.92 if round_ else 1), rng.uniform(0, 0.15)
    body, trim = KINDS[int(round_)], int(rng.integers(2))
    parts = [
        Part(body, (belly, high, belly), edge=0.06, taper=taper, melts=True),
        limb((belly * 1.05, high * 0.1, 0), belly * 0.8, 0.09, (0, 0, -rng.uniform(0.5, 1))),
        disc(lid, 0.05, (0, top, 0)),
        ball(lid * 0.25, (0, top + 0.12, 0)),
    ]
    if rng.random() < 0.5:
        behind, tilt = (-belly * 0.95, 0.1 * high, 0), (0, 0, np.pi / 2)
        parts.append(Part("arc", (high * 0.55, 0.06, 0), behind, tilt, trim, reach=1.8))
    else:
        parts.append(Part("arc", (belly * 0.9, 0.05, 0), (0, high * 0.6, 0), coat=1, reach=1.5))
    return Cast(parts, 0.12)


def cup(rng: np.random.Generator) -> Cast:
    """A cup, mug, bowl or pot, hollow, perhaps full, with or without handle and saucer."""
    wide, high, wall = rng.uniform((0.3, 0.25, 0.03), (0.6, 0.55, 0.07))
    taper, bore = -rng.uniform(-0.05, 0.25), wide - wall
    inside = Part("prism", (bore, high, bore), (0, wall * 2, 0), coat=1, taper=taper, cuts=True)
    parts = [Part("prism", (wide, high, wide), taper=taper, edge=wall * 0.45, melts=True), inside]
    if rng.random() < 0.75:
        side = int(rng.choice([-1, 1]))
        at, tilt = (side * (wide - taper / 3), 0, 0), (0, 0, -side * np.pi / 2)
        ring = (high * rng.uniform(0.5, 0.7), rng.uniform(0.04, 0.08), 0)
        parts.append(Part("arc", ring, at, tilt, int(rng.integers(2)), reach=1.55, melts=True))
    if rng.random() < 0.25:
        saucer = (wide * 1.4, 0.04, wide * 1.4)
        parts.append(Part("prism", saucer, (0, -high, 0), taper=-0.05))
    return Cast(parts, 0.06, (0, 0, wide * 0.7, high * 0.6, wide))


def flacon(rng: np.random.Generator) -> Cast:
    """A perfume bottle: glass about a coloured liquid, a collar and a stopper."""
    half = rng.uniform((0.3, 0.35, 0.18), (0.5, 0.65, 0.35))
    wide, high, deep = half
    corner, edge = rng.choice([0.15, 0.4, 1]), rng.uniform(0.03, 0.12)
    kind = KINDS[int(rng.random() < 0.25)]
    knob, tall = rng.uniform((0.1, 0.1), (0.22, 0.25))
    square, at = float(rng.choice([0.1, 1])), (0, high + 0.1 + tall, 0)
    parts = [
        Part(kind, (wide, high, deep), coat=CLEAR, corner=corner, edge=edge),
        Part(kind, (wide * 0.85, high * 0.85, deep * 0.8), corner=corner, edge=edge),
        disc(0.09, 0.08, (0, high + 0.05, 0)),
        Part("prism", (knob, tall, knob), at, coat=2, corner=square, edge=rng.uniform(0.01, 0.08)),
    ]
    return Cast(parts, print_at=(0, -0.05, wide * 0.6, high * 0.4, 0), glass=True)


def stool(rng: np.random.Generator) -> Cast:
    """A stool, side table or chair: a slab on splayed legs, perhaps with a back."""
    wide, high, thick = rng.uniform((0.3, 0.35, 0.025), (0.6, 0.8, 0.06))
    splay, slab = rng.uniform((0, 0.03), (0.25, 0.12))
    corner, leg = float(rng.choice([0.2, 1])), (thick, high / 2, thick)
    parts = [Part("prism", (wide, slab, wide), corner=corner, edge=slab * 0.7)]
    out = wide * (0.62 + splay / 2)
    for x in (-1, 1):
        for z in (-1, 1):
            at, tilt = (x * out, -high / 2, z * out), (-z * splay * 0.6, 0, x * splay * 0.6)
            parts.append(Part("prism", leg, at, tilt, 1, taper=-thick * 0.4))
    if rng.random() < 0.5:
        tall = rng.uniform(0.25, 0.45)
        back, at = (wide * 0.95, tall, 0.05), (0, tall + slab, -wide * 0.95)
        parts.append(Part("prism", back, at, (-0.12, 0, 0), corner=0.9, edge=0.04))
    return Cast(parts)


def jar(rng: np.random.Generator) -> Cast:
    """A jar or tin with a lid: solid, or clear with something in it."""
    wide, high, lid = rng.uniform((0.3, 0.25, 0.05), (0.5, 0.6, 0.15))
    corner, glass = float(rng.choice([1, 1, 1, 0.4])), bool(rng.random() < 0.5)
    cover = (wide * 1.01, lid, wide * 1.01)
    parts = [Part("prism", cover, (0, high + lid * 0.9, 0), corner=corner, coat=1)]
    parts.append(Part("prism", (wide, high, wide), corner=corner, edge=0.06, coat=CLEAR * glass))
    if glass:
        full = high * rng.uniform(0.3, 0.9)
        inner = (wide * 0.92, full, wide * 0.92)
        parts.append(Part("prism", inner, (0, full - high * 0.95, 0), corner=corner, edge=0.06))
    if rng.random() < 0.3:
        parts.append(ball(0.08, (0, high + lid * 2 + 0.05, 0), 2))
    return Cast(parts, 0.1, (0, 0, wide * 0.9, high * 0.5, wide * (corner == 1)), glass)


def handbag(rng: np.random.Generator) -> Cast:
    """A handbag: a soft body, a strap in an arc, often a flap with a clasp."""
    wide, high, deep = rng.uniform((0.4, 0.3, 0.12), (0.65, 0.5, 0.25))
    taper, hung = rng.uniform((0, 0.4), (0.15, 1))
    strap = (wide * rng.uniform(0.5, 0.95), rng.uniform(0.02, 0.05), 0)
    parts = [
        Part("prism", (wide, high, deep), corner=0.9, edge=0.08, taper=taper, melts=True),
        Part("arc", strap, (0, high * hung, 0), coat=1, reach=1.6),
    ]
    if rng.random() < 0.6:
        drop = high * rng.uniform(0.3, 0.6)
        flap, clasp = (wide * 0.96, drop, deep * 0.98), (0, high - 2 * drop + 0.05, deep + 0.03)
        at = (0, high - drop + 0.02, 0.03)
        parts.append(Part("prism", flap, at, corner=0.9, edge=0.05, coat=2))
        parts.append(Part("prism", (0.06, 0.04, 0.03), clasp, corner=0.3, coat=3))
    return Cast(parts, 0.1, (0, 0, wide * 0.5, high * 0.4, 0))


Mould: TypeAlias = Callable[[np.random.Generator], Cast]

PLUSH, HARD, ANY = (0.02,), (0.2, 0.5, 0.8, 1.0), (0.02, 0.2, 0.5, 0.8)
"""How glossy the coats of a product may be."""

MOULDS: tuple[tuple[Mould, float, tuple[float, ...]], ...] = (
    (bottle, 3, HARD), (sitting, 1.5, PLUSH), (walking, 1.5, PLUSH), (shoe, 2.5, ANY),
    (kettle, 2, HARD), (cup, 2.5, HARD), (flacon, 1.5, HARD), (stool, 1.5, ANY), (jar, 2, HARD),
    (handbag, 2, ANY), (gadgets.camera, 2, HARD), (gadgets.headphones, 1.5, ANY),
    (gadgets.controller, 1.5, HARD), (gadgets.dryer, 1.5, HARD), (gadgets.car, 2, HARD),
    (gadgets.heap, 2, ANY),
)  # fmt: skip
"""Moulds, how often each is used, and how glossy its coats may be."""
