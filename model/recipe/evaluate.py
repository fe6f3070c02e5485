"""Scores a checkpoint on a folder of photos, cut-outs and scenes; prints a Markdown table.

    python model/recipe/evaluate.py DATA --model runs/mini/checkpoint --out scores.md

DATA holds photos/ (pictures), cutouts/ (products as RGBA pictures) and scenes/ (a folder for each,
see `specimens`); what is missing is left out. The same folder gives the same table again, except
for the seconds and the memory.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from baseline import grab_cut, no_model
from parts import Parts, parts_of
from scores import difference, score
from specimens import Specimen, on_backdrops, scenes
from table import Result, markdown

from layerctl.compositing import Bytes
from layerctl.document import Decomposition, Document
from layerctl.errors import LayerctlError
from layerctl.formats import FORMATS
from layerctl.photo import Photo, is_picture, read_photo
from layerctl.preset import Preset, load_preset

OURS = "layerctl"

PEERS: Mapping[str, Callable[[Bytes], Parts]] = {
    "GrabCut + Telea": grab_cut,
    "no model": no_model,
}


@dataclass(frozen=True)
class Exam:
    """What is scored on what: at most `limit` pictures of each sub-folder of `data`."""

    data: Path
    decompose: Callable[[Photo, Preset], Decomposition]
    preset: Preset
    limit: int | None = None

    def pictures(self, folder: str) -> list[Path]:
        """Return the pictures in a sub-folder, in order."""
        return [path for path in self._content(folder) if is_picture(path)][: self.limit]

    def scenes(self) -> list[Path]:
        """Return the folders of the scenes, in order."""
        return [path for path in self._content("scenes") if path.is_dir()][: self.limit]

    def _content(self, folder: str) -> list[Path]:
        if not (self.data / folder).is_dir():
            say(f"{self.data / folder} is not there: left out")
            return []
        return sorted((self.data / folder).iterdir())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--model", help="a shipped checkpoint or the folder of one")
    parser.add_argument("--preset", default="default", help="the settings to decompose with")
    parser.add_argument("--layers", type=int, help="layers to ask for, if not the preset's")
    parser.add_argument("--limit", type=int, help="take only so many of each sub-folder")
    parser.add_argument("--out", type=Path, help="write the table here too")
    chosen = parser.parse_args()
    if not chosen.data.is_dir():
        parser.error(f"{chosen.data} is no folder")
    from layerctl.decompose import open_model  # --help needs no network

    said = {"model.name": chosen.model, "decompose.layers": chosen.layers}
    preset = load_preset(chosen.preset, {key: value for key, value in said.items() if value})
    exam = Exam(chosen.data, open_model(preset).decompose, preset, chosen.limit)
    table = markdown(list(evaluate(exam)))
    print(table)
    if chosen.out:
        chosen.out.write_text(table + "\n", encoding="utf-8")


def evaluate(exam: Exam) -> Iterator[Result]:
    """Yield the results of everything in the exam's folder.

    Photos come first, so that their peak memory is read before anything else has used any.
    """
    for path in exam.pictures("photos"):
        yield time_photo(exam, path)
    for path in exam.pictures("cutouts"):
        say(f"{path.name}, on nothing")
        photo = read_photo(path)
        exact = difference(exam.decompose(photo, exam.preset).document.flatten(), photo.pixels)
        yield Result("cut-outs, RGBA", *exact)
    for specimen in scenes(exam.scenes()):
        yield grade(exam, specimen)
    for path in exam.pictures("cutouts"):
        for specimen in on_backdrops(path):
            yield grade(exam, specimen)


def time_photo(exam: Exam, path: Path) -> Result:
    """Return a photo's exactness, the seconds each stage took and the peak memory so far."""
    say(path.name)
    start = time.perf_counter()
    photo = read_photo(path)
    read = time.perf_counter() - start
    taken = exam.decompose(photo, exam.preset)
    start = time.perf_counter()
    write(taken.document, exam.preset)
    seconds = {"read": read, **taken.seconds, "write": time.perf_counter() - start}
    # Linux gives KiB, macOS bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mebibytes = peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    exact = difference(taken.document.flatten(), photo.pixels)
    return Result("photos", *exact, seconds=seconds, memory=mebibytes)


def write(document: Document, preset: Preset) -> None:
    """Write the document as the preset says, into a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        for name in preset.export.formats:
            suffix = FORMATS[name].suffix_for(document)
            FORMATS[name].write(document, Path(folder, name + suffix), preset.export)


def grade(exam: Exam, specimen: Specimen) -> Result:
    """Return a specimen's exactness and, if its parts are known, everybody's scores."""
    say(f"{specimen.group}: {specimen.name}")
    photo, truth = specimen.photo, specimen.truth
    document = exam.decompose(photo, exam.preset).document
    exact = difference(document.flatten(), photo.pixels)
    if truth is None:
        say("its layers do not compose to it: exactness only")
        return Result(specimen.group, *exact)
    found = {OURS: parts_of(document), **{name: peer(photo.pixels) for name, peer in PEERS.items()}}
    scores = {
        name: score(truth, parts, specimen.products, specimen.shadow)
        for name, parts in found.items()
    }
    say(*(f"{name} IoU {one.iou:.3f}" for name, one in scores.items()))
    return Result(specimen.group, *exact, scores=scores)


def say(*words: str) -> None:
    """Tell how far the exam is, beside the table."""
    print(*words, sep=", ", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except LayerctlError as error:
        sys.exit(f"evaluate: {error}")
