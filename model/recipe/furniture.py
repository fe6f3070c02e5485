"""Products among the furniture libraries of Sweet Home 3D: zipped 3D models and a catalogue."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LEFT_OUT_LIBRARIES = ("Reallusion",)
LEFT_OUT_CATEGORIES = ("Doors and windows", "Staircases")
LEFT_OUT = re.compile(
    r"\b(male|female|mannequin|column|railing|fence|hedge|carpet|rug|bathmat|doormat|tatami"
    r"|curtain|window|shower door|shower stall|garage|sidewalk|rails|crossing|arrow|parking"
    r"|swimming pool|diving board|sandpit|hut|barnum|chimney|living room|dining room)\b",
    re.IGNORECASE,
)
"""Names of people, of parts of buildings and of what lies on floors: nobody sells photos of them.
"""


@dataclass(frozen=True)
class Product:
    """A model: its name, the library it is in, the file within, and its rows as turned."""

    name: str
    archive: Path
    file: str
    turn: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1)


def products(folder: Path, seed: int) -> list[Product]:
    """Return the suitable products of all libraries in a folder, shuffled."""
    found = [product for library in sorted(folder.glob("*.sh3f")) for product in listed(library)]
    order = np.random.default_rng(seed).permutation(len(found))
    return [found[place] for place in order]


def listed(library: Path) -> Iterator[Product]:
    """Yield the suitable products of a library, in the order of its catalogue."""
    if library.stem in LEFT_OUT_LIBRARIES:
        return
    with zipfile.ZipFile(library) as archive:
        catalogue = archive.read("PluginFurnitureCatalog.properties").decode("latin-1")
    entries: dict[str, dict[str, str]] = {}
    for key, number, value in re.findall(r"^(\w+)#(\d+)\s*=\s*(.*?)\s*$", catalogue, re.MULTILINE):
        entries.setdefault(number, {})[key] = value
    for entry in entries.values():
        if suitable(entry):
            file = entry["model"].lstrip("/")
            turn = entry.get("modelRotation", "1 0 0 0 1 0 0 0 1").split()
            name = f"{library.stem}-{Path(file).stem}"
            yield Product(name, library, file, tuple(float(number) for number in turn))


def suitable(entry: dict[str, str]) -> bool:
    """Tell whether an entry of a catalogue is a product that stands for itself."""
    return (
        entry["category"] not in LEFT_OUT_CATEGORIES
        and entry.get("doorOrWindow") != "true"
        and not LEFT_OUT.search(f"{entry['name']} {Path(entry['model']).stem}".replace("_", " "))
    )
