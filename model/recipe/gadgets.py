"""Devices and toys of hard parts, moulded for a solid, and heaps of any parts."""

from __future__ import annotations

import numpy as np
from distances import FACING, KINDS, LYING, UPRIGHT, Cast, Part, ball, disc, limb


def camera(rng: np.random.Generator) -> Cast:
    """A camera: a box with a belt, a lens of rings, a finder, knobs, perhaps a strap."""
    wide, high, deep = rng.uniform((0.6, 0.38, 0.15), (0.9, 0.55, 0.35))
    lens, long = high * rng.uniform(0.5, 0.85), rng.uniform(0.15, 0.6)
    x, nose = rng.choice([0, 0, -0.2]) * wide, deep + long
    parts = [
        Part("prism", (wide, high, deep), corner=rng.uniform(0.2, 1), edge=0.04),
        Part("prism", (wide, high * 0.55, deep * 1.02), (0, -0.05, 0), corner=0.3, coat=1),
        disc(lens, long / 2, (x, 0, deep + long / 2), FACING, 2),
        disc(lens * 1.08, long * 0.15, (x, 0, deep + long * 0.6), FACING),
        Part("arc", (lens * 0.88, lens * 0.12, 0), (x, 0, nose), coat=2),
        Part("ellipsoid", (lens * 0.8, lens * 0.8, 0.08), (x, 0, nose - 0.1), coat=3),
        Part("prism", (0.2, 0.12, deep * 0.8), (x, high + 0.06, 0), corner=0.3, taper=0.08),
    ]
    for knob in rng.uniform(-0.85, 0.85, rng.integers(1, 4)):
        parts += [disc(rng.uniform(0.05, 0.12), 0.06, (knob * wide, high + 0.04, 0), coat=2)]
    if rng.random() < 0.3:
        strap = (wide * 1.05, 0.03, 0)
        parts.append(Part("arc", strap, (0, high, 0), (-0.3, 0, 0), 2, reach=1.6))
    return Cast(parts)


def headphones(rng: np.random.Generator) -> Cast:
    """Headphones: a band, two shells, two pads."""
    wide, round_, deep = rng.uniform((0.45, 0.2, 0.07), (0.6, 0.32, 0.14))
    long = round_ * rng.uniform(1, 1.3)
    band = (wide, rng.uniform(0.03, 0.08), 0)
    parts = [Part("arc", band, (0, 0.1, 0), reach=1.7)]
    for side in (-1, 1):
        shell, pad = (side * (wide + 0.05), -0.1, 0), (side * (wide - 0.1), -0.1, 0)
        tilt, soft = (0, 0, side * np.pi / 2), (round_ * 0.93, 0.08, long * 0.93)
        parts.append(Part("prism", (round_, deep, long), shell, tilt, 1, edge=0.06))
        parts.append(Part("prism", soft, pad, tilt, 2, edge=0.07))
    return Cast(parts)


def controller(rng: np.random.Generator) -> Cast:
    """A game controller: a body that melts into two grips, sticks, a cross and buttons."""
    wide, grip = rng.uniform((0.5, 0.25), (0.65, 0.5))
    right = wide * 0.8
    parts = [Part("prism", (wide, 0.13, 0.3), edge=0.1, melts=True)]
    for side in (-1, 1):
        tilt = (np.pi / 2 - 0.3, side * 0.35, 0)
        parts += [
            limb((side * wide * 0.95, -0.03, 0.2), grip, 0.15, tilt),
            disc(0.1, 0.06, (side * 0.2, 0.17, 0.16)),
            Part("ellipsoid", (0.09, 0.04, 0.09), (side * 0.2, 0.24, 0.16), coat=1),
        ]
    for x, z in ((0, 0.09), (0, -0.09), (0.09, 0), (-0.09, 0)):
        parts.append(ball(0.04, (right + x, 0.14, z - 0.05), int(rng.integers(1, 4))))
    for cross in ((0.07, 0.04, 0.19), (0.19, 0.04, 0.07)):
        parts.append(Part("prism", cross, (-right, 0.12, -0.05), corner=0.2, coat=2))
    return Cast(parts, 0.15, lean=0.9)


def dryer(rng: np.random.Generator) -> Cast:
    """A hair dryer or drill: a barrel with a ring, a nozzle, a handle and a switch."""
    thick, long = rng.uniform((0.18, 0.35), (0.3, 0.6))
    x, taper = rng.uniform(-0.4, 0.1) * long, thick * 0.2
    mouth = thick * rng.uniform(0.5, 0.95)
    nozzle = (mouth, 0.14, mouth * rng.choice([1, 0.4]))
    grip = limb(
        (x, -thick - rng.uniform(0.15, 0.25), 0), 0.55, thick * 0.5, (0, 0, rng.normal(0, 0.15))
    )
    parts = [
        Part("prism", (thick, long, thick), tilt=LYING, edge=0.05, taper=taper, melts=True),
        grip,
        Part("prism", nozzle, (long + 0.1, 0, 0), LYING, 1),
        disc(thick * 0.9, 0.06, (-long - 0.03, 0, 0), LYING, 2),
        disc(thick * 1.02, 0.02, (long * 0.5, 0, 0), LYING),
        Part("prism", (0.03, 0.08, 0.04), (x + thick * 0.48, -0.4, 0), coat=1),
    ]
    return Cast(parts, rng.uniform(0.05, 0.2))


def car(rng: np.random.Generator) -> Cast:
    """A toy car: body, cabin with windows, wheels with hubs, lights."""
    long, high, wide = rng.uniform((0.6, 0.12, 0.25), (0.8, 0.22, 0.36))
    room, tall, wheel = rng.uniform((0.3, 0.13, 0.12), (0.5, 0.24, 0.2))
    roof, soft = (rng.uniform(-0.2, 0.05), high + tall * 0.8, 0), bool(rng.random() < 0.5)
    parts = [Part("prism", (long, high, wide), corner=0.5, edge=0.08, melts=soft)]
    for half, coat in (
        ((room, tall, wide * 0.9), 0),
        ((room * 0.8, tall * 0.55, wide * 0.93), 1),
        ((room * 1.02, tall * 0.5, wide * 0.75), 1),
    ):
        melts, edge = soft and not coat, 0.02 if coat else 0.05
        parts.append(
            Part("prism", half, roof, UPRIGHT, coat, corner=0.3, taper=0.1, edge=edge, melts=melts)
        )
    for side in (-1, 1):
        for x in (-0.6 * long, 0.6 * long):
            parts.append(disc(wheel, 0.07, (x, -high, side * wide * 0.95), FACING, 2))
            parts.append(
                disc(wheel * 0.5, 0.03, (x, -high, side * (wide * 0.95 + 0.06)), FACING, 3)
            )
        parts.append(ball(0.05, (long, 0, side * wide * 0.6), 3))
    return Cast(parts)


def heap(rng: np.random.Generator) -> Cast:
    """A handful of parts, melted and cut: what no mould here thought of."""
    return Cast([piece(rng) for _ in range(int(rng.integers(2, 7)))], rng.uniform(0.03, 0.3))


def piece(rng: np.random.Generator) -> Part:
    """Return any part."""
    kind = KINDS[rng.choice(3, p=(0.5, 0.25, 0.25))]
    a, b, c = rng.uniform(0.12, 0.5, 3)
    x, y, z = rng.normal(0, 0.15, 3)
    about_x, about_y, about_z = rng.choice([0, 0, np.pi / 2, rng.uniform(-1, 1)], 3)
    return Part(
        kind,
        (a + 0.1, 0.04 + 0.2 * b, 0) if kind == "arc" else (a, b, c),
        (x, y, z),
        (about_x, about_y, about_z),
        int(rng.integers(3)),
        corner=float(rng.choice([0.1, 0.5, 1])),
        edge=rng.uniform(0.01, 0.1),
        taper=rng.uniform(0, 0.3) * min(a, c),
        reach=rng.uniform(1, np.pi),
        melts=bool(rng.random() < 0.5),
    )
