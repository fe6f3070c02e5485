"""A layer as people name it: by number, by name, or by the names on the way to it."""

from __future__ import annotations

from collections.abc import Mapping

from layerctl.errors import DocumentError

LISTED = 30
"""Layers named in a refusal; there may be hundreds."""


def find(address: str, names: Mapping[str, str]) -> str:
    """Return the number of the layer that is meant.

    A number ("2/1") goes before a whole path of names from the top ("product/handle"), and that
    before a name that one layer alone has, wherever it is.

    Args:
        address: What was asked for.
        names: The name of every layer and group by its number, bottom first.

    Raises:
        DocumentError: Nothing is called so, or several layers are; the sentence lists them.
    """
    if address in names:
        return address
    paths = {number: _path(number, names) for number in names}
    for known in (paths, names):
        found = [number for number, name in known.items() if name == address]
        if len(found) == 1:
            return found[0]
        if found:
            there = _listing({number: paths[number] for number in found})
            raise DocumentError(
                f"{len(found)} layers are called '{address}', give the number: {there}"
            )
    if not names:
        raise DocumentError(f"there is no layer '{address}': it has none, only a merged picture")
    raise DocumentError(f"there is no layer '{address}'; there are {_listing(paths)}")


def _path(number: str, names: Mapping[str, str]) -> str:
    steps = number.split("/")
    return "/".join(names["/".join(steps[:depth])] for depth in range(1, len(steps) + 1))


def _listing(paths: Mapping[str, str]) -> str:
    said = [f"{number} ({path})" for number, path in paths.items()]
    more = f" and {len(said) - LISTED} more" if len(said) > LISTED else ""
    return ", ".join(said[:LISTED]) + more
