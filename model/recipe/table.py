"""What an evaluation found, as a Markdown table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from statistics import median

from scores import Scores, mean

ABSENT = "-"

MEASURES: Mapping[str, tuple[str, str]] = {
    "iou": ("product alpha, soft IoU ↑", ".3f"),
    "unshaded": ("product alpha, soft IoU outside shadows ↑", ".3f"),
    "mae": ("product alpha, mean absolute error ↓", ".4f"),
    "visible": ("visible product colour, L1 ↓", ".4f"),
    "hidden": ("hidden backdrop colour, L1 ↓", ".4f"),
    "each": ("single things, soft IoU ↑", ".3f"),
    "merges": ("layers merged for that, a picture ↓", ".2f"),
    "apart": ("pictures with every product on its own layer ↑", ".0%"),
    "spread": ("layers that a single product is in ↓", ".2f"),
}
"""For each field of `Scores`, in the table's order, its label and its format."""


@dataclass(frozen=True)
class Result:
    """What one picture gave.

    `most` is the largest difference between document and photo, in levels of 255, `off` the share
    of pixels that differ. `seconds` are those of each stage, `memory` the process's peak so far in
    MiB. `scores` are those of each method.
    """

    group: str
    most: int
    off: float
    seconds: Mapping[str, float] = field(default_factory=dict)
    memory: float = 0.0
    scores: Mapping[str, Scores] = field(default_factory=dict)


def markdown(results: Sequence[Result]) -> str:
    """Return all results as one table, a column for each method, layerctl's the first."""
    scored = [result for result in results if result.scores]
    methods = list(scored[0].scores) if scored else ["layerctl"]
    rows = [["", *methods], ["---"] + ["---:"] * len(methods)]
    rows += _exactness(results)
    for group in dict.fromkeys(result.group for result in scored):
        rows += _comparison([result for result in scored if result.group == group])
    rows += _costs([result for result in results if result.seconds])
    padded = (row + [ABSENT if row[1:] else ""] * (len(rows[0]) - len(row)) for row in rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in padded)


def _exactness(results: Sequence[Result]) -> Iterator[list[str]]:
    yield ["**largest difference from the photo, of 255 (pixels that differ)**"]
    for group in dict.fromkeys(result.group for result in results):
        members = [result for result in results if result.group == group]
        most = max(result.most for result in members)
        off = sum(result.off for result in members) / len(members)
        yield [_titled(group, len(members)), f"{most} ({off:.2%})"]


def _comparison(members: Sequence[Result]) -> Iterator[list[str]]:
    yield [f"**{_titled(members[0].group, len(members))}**"]
    methods = members[0].scores
    means = [mean([result.scores[method] for result in members]) for method in methods]
    for name, (label, form) in MEASURES.items():
        values = [getattr(one, name) for one in means]
        if not all(map(isnan, values)):
            yield [label, *(ABSENT if isnan(value) else format(value, form) for value in values)]


def _costs(timed: Sequence[Result]) -> Iterator[list[str]]:
    if not timed:
        return
    yield ["**seconds a photo, median**"]
    for stage in timed[0].seconds:
        yield [stage, f"{median(result.seconds[stage] for result in timed):.2f}"]
    yield ["together", f"{median(sum(result.seconds.values()) for result in timed):.2f}"]
    yield ["peak memory, MiB", f"{max(result.memory for result in timed):.0f}"]


def _titled(group: str, pictures: int) -> str:
    return f"{group} ({pictures})"
