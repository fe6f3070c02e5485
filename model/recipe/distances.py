"""Solids as signed distances: rounded parts joined, melted together or cut away, many at once.

Space is right-handed: x to the right, y up, z to the viewer before a solid is turned. The three
kinds of parts have closed-form distances (Inigo Quilez, "distance functions"), exact or nearly so
close by, so rays can be marched by them (Hart 1996, "Sphere tracing").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import torch
from shapes import Floats
from torch import Tensor
from torch.nn import functional as F

Kind: TypeAlias = Literal["prism", "ellipsoid", "arc"]
Triple: TypeAlias = tuple[float, float, float]

KINDS: tuple[Kind, ...] = ("prism", "ellipsoid", "arc")
FAR = 100.0
"""A distance beyond everything."""

CLEAR = 3
"""The coat that glassware is seen through; 0 is the body's, the others are trims."""

UPRIGHT: Triple = (0, 0, 0)
FACING: Triple = (np.pi / 2, 0, 0)
LYING: Triple = (0, 0, -np.pi / 2)
"""Tilts that leave a prism's axis along y, turn it to the viewer, and to the right."""


@dataclass(frozen=True)
class Part:
    """One rounded piece of a solid.

    A prism stands along y: `half` its extents, `corner` how round its outline is seen from above
    (1 is a cylinder or a stadium), `edge` the radius of its other edges, `taper` what its outline
    loses from bottom to top. An ellipsoid has radii `half`. An arc is a tube around z, open at the
    bottom: `half` begins with its radius and the tube's; it goes `reach` radians to either side.

    Parts that `melt` flow into one another; a part that `cuts` is taken away from all others.
    `tilt` turns about x, then y, then z. `coat` is the number of its material.
    """

    kind: Kind
    half: Triple
    at: Triple = (0, 0, 0)
    tilt: Triple = (0, 0, 0)
    coat: int = 0
    corner: float = 1.0
    edge: float = 0.02
    taper: float = 0.0
    reach: float = float(np.pi)
    melts: bool = False
    cuts: bool = False

    @property
    def turn(self) -> Floats:
        """Its rotation, (3, 3)."""
        return rotation(self.tilt)

    @property
    def size(self) -> list[float]:
        """Six numbers that its kind's distance is made of."""
        if self.kind == "ellipsoid":
            return [*self.half, 0, 0, 0]
        if self.kind == "arc":
            return [*self.half, float(np.sin(self.reach)), float(np.cos(self.reach)), 0]
        edge = min(self.edge, *(0.95 * half for half in self.half))
        x, y, z = (half - edge for half in self.half)
        return [x, y, z, self.corner * min(x, z), edge, self.taper]

    def extent(self, axes: Floats) -> Floats:
        """Return how far it reaches from its centre along each of `axes` (3, 3) rows: (3,)."""
        along = axes @ self.turn
        if self.kind == "ellipsoid":
            reach: Floats = np.linalg.norm(along * self.half, axis=1)
        elif self.kind == "arc":
            across = np.sqrt(np.maximum(0, 1 - along[:, 2] ** 2))
            reach = self.half[0] * across + self.half[1]
        else:
            x, y, z, corner, edge, _ = self.size
            reach = np.abs(along) @ np.array([x - corner, y, z - corner]) + edge
            corner += max(0, -self.taper)
            reach = reach + corner * np.hypot(along[:, 0], along[:, 2])
        return reach


def rotation(angles: Triple) -> Floats:
    """Return the matrix that turns about x, then y, then z, in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    matrix: Floats = (about_z @ about_y @ about_x).astype(np.float32)
    return matrix


@dataclass(frozen=True)
class Cast:
    """The parts of a product, and how widely the soft ones melt.

    `print_at` is where a label goes: centre, half its size, and the radius about the y axis that
    it is wrapped with, 0 if it is flat. Half sizes are 0 where none goes. Of `glass`, coat `CLEAR`
    can be seen through. `lean` turns the product towards the camera about x, in radians.
    """

    parts: list[Part]
    melt: float = 0.1
    print_at: tuple[float, float, float, float, float] = (0, 0, 0, 0, 0)
    glass: bool = False
    lean: float = 0.0


def disc(radius: float, half: float, at: Triple, tilt: Triple = UPRIGHT, coat: int = 1) -> Part:
    """Return a cylinder: a lid, ring, wheel, knob or stem."""
    return Part("prism", (radius, half, radius), at, tilt, coat)


def ball(radius: float, at: Triple, coat: int = 1) -> Part:
    """Return a sphere."""
    return Part("ellipsoid", (radius, radius, radius), at, coat=coat)


def limb(at: Triple, long: float, thick: float, tilt: Triple = UPRIGHT) -> Part:
    """Return a soft round-ended limb of the body."""
    half = (thick, long / 2 + thick, thick)
    return Part("prism", half, at, tilt, edge=thick * 0.9, taper=thick * 0.2, melts=True)


BLANKS = {kind: Part(kind, (1, 1, 1)) for kind in KINDS}
"""What solids of fewer parts are filled up with; never seen."""


@dataclass(frozen=True, eq=False)
class Field:
    """The parts of B solids, padded to the same P: first prisms, then ellipsoids, then arcs.

    `axes` (B, 3P, 3) and `offsets` (B, 3P, 1) take points into the parts' own coordinates, all x
    first. `size` is (6, B, P, 1). `coat` (B, P) numbers materials. `melts`, `cuts` and `absent`
    (B, P, 1) are `FAR` where they hold and 0 elsewhere; `melt` (B, 1, 1) is how widely parts flow
    together.
    """

    counts: list[int]
    axes: Tensor
    offsets: Tensor
    size: Tensor
    coat: Tensor
    melts: Tensor
    cuts: Tensor
    absent: Tensor
    melt: Tensor

    @classmethod
    def of(
        cls, solids: Sequence[Sequence[Part]], melt: Sequence[float], device: torch.device
    ) -> Field:
        """Return the field of solids, each a sequence of parts, on a device."""
        rows, counts = padded(solids)
        turns = np.array([[part.turn for part in row] for row in rows])
        places = np.array([[part.at for part in row] for row in rows], np.float32)
        own = -np.einsum("bpwo,bpw->bop", turns, places)
        sizes = np.array([[part.size for part in row] for row in rows]).transpose(2, 0, 1)
        flags = np.array([[(p.melts, p.cuts, p is BLANKS[p.kind]) for p in row] for row in rows])
        arrays = (
            turns.transpose(0, 3, 1, 2).reshape(len(rows), -1, 3),
            own.reshape(len(rows), -1, 1),
            sizes[..., None],
            np.array([[part.coat for part in row] for row in rows]),
            *(flags.transpose(2, 0, 1)[..., None] * FAR),
            np.maximum(np.array(melt), 1e-3)[:, None, None],
        )
        tensors = [torch.as_tensor(array, device=device) for array in arrays]
        return cls(counts, *(t.float() if t.is_floating_point() else t for t in tensors))

    @cached_property
    def melting(self) -> bool:
        """Whether any part melts."""
        return bool(self.melts.any())

    @cached_property
    def cutting(self) -> bool:
        """Whether any part cuts."""
        return bool(self.cuts.any())

    def of_parts(self, points: Tensor) -> Tensor:
        """Return distances (B, P, R) of points (B, 3, R) to every part for itself."""
        local = torch.baddbmm(self.offsets, self.axes, points)
        own = torch.split(local.view(len(local), 3, -1, local.shape[2]), self.counts, 2)
        sizes = torch.split(self.size, self.counts, 2)
        measured = [
            MEASURES[kind](parts[:, 0], parts[:, 1], parts[:, 2], size)
            for kind, parts, size in zip(KINDS, own, sizes, strict=True)
            if parts.shape[2]
        ]
        return torch.cat(measured, 1)

    def joined(self, each: Tensor) -> Tensor:
        """Return distances (B, R) to the solids from those to their parts."""
        filled = each + (self.cuts + self.absent)
        if self.melting:
            soft = filled + (FAR - self.melts)
            nearest = soft.amin(1, keepdim=True)
            close = (self.melt + nearest - soft).clamp_(min=0)
            # The nearest part counts itself once: two parts give the quadratic smooth minimum.
            bulge = (close.square_().sum(1, keepdim=True) / self.melt - self.melt) / 4
            whole = torch.minimum((nearest - bulge)[:, 0], (filled + self.melts).amin(1))
        else:
            whole = filled.amin(1)
        if self.cutting:
            whole = torch.maximum(whole, -(each + (FAR - self.cuts) + self.absent).amin(1))
        return whole

    def __call__(self, points: Tensor) -> Tensor:
        """Return signed distances (B, R) of points (B, 3, R)."""
        return self.joined(self.of_parts(points))

    def slopes(self, points: Tensor, span: Tensor) -> Tensor:
        """Return unit normals (B, 3, R) at points (B, 3, R), from four taps `span` (B, 1) away."""
        corners = points.new_tensor([[1, -1, -1, 1], [-1, -1, 1, 1], [-1, 1, -1, 1]])
        taps = points[..., None] + span[..., None, None] * corners[:, None]
        distances = self(taps.flatten(2)).view(len(points), -1, 4)
        return F.normalize(torch.einsum("brk,ck->bcr", distances, corners), dim=1)


def padded(solids: Sequence[Sequence[Part]]) -> tuple[list[list[Part]], list[int]]:
    """Return the parts of solids sorted by kind and filled up with blanks, and how many of each."""
    rows: list[list[Part]] = [[] for _ in solids]
    counts = []
    for kind in KINDS:
        sorts = [[part for part in parts if part.kind == kind] for parts in solids]
        counts.append(max(len(sort) for sort in sorts))
        for row, sort in zip(rows, sorts, strict=True):
            row += sort + [BLANKS[kind]] * (counts[-1] - len(sort))
    return rows, counts


def prism(x: Tensor, y: Tensor, z: Tensor, size: Tensor) -> Tensor:
    """Return distances to prisms along y, a little long where a tapered side meets an end."""
    half_x, half_y, half_z, corner, edge, taper = size.unbind(0)
    lean = taper / (2 * half_y)
    outline = box(x.abs() - (half_x - corner), z.abs() - (half_z - corner)) - corner
    side = (outline + (y + half_y) * lean) * torch.rsqrt(1 + lean * lean)
    return box(side, y.abs() - half_y) - edge


def box(over: Tensor, beyond: Tensor) -> Tensor:
    """Return the distance to a corner from those to its two sides."""
    inside = torch.maximum(over, beyond).clamp_(max=0)
    return length(over.clamp(min=0), beyond.clamp(min=0)).add_(inside)


def length(x: Tensor, y: Tensor) -> Tensor:
    """Return the length of vectors (x, y); several times faster than hypot, which guards ranges."""
    return (x * x).addcmul_(y, y).sqrt_()


def ellipsoid(x: Tensor, y: Tensor, z: Tensor, size: Tensor) -> Tensor:
    """Return distances to ellipsoids, to first order."""
    flat = 1 / size[:3]
    x, y, z = x * flat[0], y * flat[1], z * flat[2]
    scale = (x * x).addcmul_(y, y).addcmul_(z, z).sqrt_()
    x, y, z = x * flat[0], y * flat[1], z * flat[2]
    slope = (x * x).addcmul_(y, y).addcmul_(z, z).clamp_(min=1e-9).rsqrt_()
    return scale * (scale - 1) * slope


def arc(x: Tensor, y: Tensor, z: Tensor, size: Tensor) -> Tensor:
    """Return distances to arcs of a torus about z, the middle of the arc at the top."""
    radius, tube, _, sine, cosine, _ = size.unbind(0)
    aside = x.abs()
    beyond = cosine * aside > sine * y
    along = torch.where(beyond, aside * sine + y * cosine, length(x, y))
    square = (x * x).addcmul_(y, y).addcmul_(z, z) + radius * (radius - 2 * along)
    return square.clamp_(min=0).sqrt_() - tube


MEASURES = {"prism": prism, "ellipsoid": ellipsoid, "arc": arc}
