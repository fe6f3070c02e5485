"""Does what we write open right elsewhere? Every PSD and PPTX, in every reader that is installed.

    python benchmarks/readers.py OUT --against IN

opens each `OUT/key.psd`, `.psb` and `.pptx` in psd-tools, Pillow, ImageMagick, GIMP, Krita, ag-psd
(fetched by npm into a temporary folder) and LibreOffice, lays what they show on white, and compares
it with the photo `IN/key.*`. A reader that is not there is said to be missing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from psd_tools import PSDImage

from layerctl.document import Document, Layer
from layerctl.formats import pptx
from layerctl.formats.pptx import Frame
from layerctl.photo import is_picture, read_photo

SECONDS = 300
"""What a reader may take over one file."""

LAYERED = (".psd", ".psb", ".pptx")

AG_PSD = """
const fs = require('fs');
const { initializeCanvas, readPsd } = require('ag-psd');
const blank = (width, height) =>
  ({ width, height, data: new Uint8ClampedArray(width * height * 4) });
initializeCanvas(() => { throw new Error('no canvas'); }, blank);
const [source, folder] = process.argv.slice(2);
const psd = readPsd(fs.readFileSync(source), { useImageData: true, skipThumbnail: true });
const layers = [];
function walk(children, hidden, opacity) {
  for (const layer of children) {
    const off = hidden || layer.hidden, seen = opacity * layer.opacity;
    if (layer.children) { walk(layer.children, off, seen); continue; }
    const { left, top, name, blendMode } = layer;
    const { width, height, data } = layer.imageData;
    fs.writeFileSync(`${folder}/${layers.length}.raw`, data);
    layers.push({ name, left, top, width, height, blendMode, hidden: off, opacity: seen });
  }
}
walk(psd.children, false, 1);
const { width, height, imageData } = psd;
fs.writeFileSync(`${folder}/merged.raw`, imageData.data);
fs.writeFileSync(`${folder}/psd.json`, JSON.stringify({ width, height, layers }));
"""

GIMP = """
(let* ((image (car (gimp-file-load RUN-NONINTERACTIVE "{source}" "{source}")))
       (flat (car (gimp-image-merge-visible-layers image CLIP-TO-IMAGE))))
  (gimp-layer-resize-to-image-size flat)
  (file-png-save RUN-NONINTERACTIVE image flat "{target}" "{target}" 0 1 0 0 0 0 0))
"""


PDF = "pdf:impress_pdf_Export:" + json.dumps(
    {
        "UseLosslessCompression": {"type": "boolean", "value": "true"},
        "ReduceImageResolution": {"type": "boolean", "value": "false"},
    }
)
"""What LibreOffice is asked for: untouched pictures, so that only place and blending differ."""


class MissingError(Exception):
    """The reader is not installed here."""


class RefusedError(Exception):
    """The reader does not open the file."""


@dataclass(frozen=True)
class Task:
    """A layered file to open, and an empty folder to work in."""

    file: Path
    folder: Path
    size: tuple[int, int]


@dataclass(frozen=True)
class Finding:
    """How far a reader's picture is from the photo, in levels of 255, both on white."""

    key: str
    largest: int
    off: float
    mean: float
    seconds: float


def call(*command: str | Path) -> None:
    """Run another program in silence."""
    program = shutil.which(str(command[0]))
    if program is None:
        raise MissingError
    done = subprocess.run(
        [program, *command[1:]], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if "rror" in line]
        raise RefusedError(lines[0].strip() if lines else f"exit code {done.returncode}")


def load(picture: Path) -> Image.Image:
    """Return the picture that a reader saved."""
    if not picture.exists():
        raise RefusedError("it saved no picture")
    return Image.open(picture)


def psd_tools(task: Task) -> Image.Image:
    """Its own compositor over the layers."""
    image = PSDImage.open(task.file)
    return image.composite(force=True, ignore_preview=True, apply_icc=False)


def pillow(task: Task) -> Image.Image:
    """The merged picture; Pillow leaves it matted with white, so its alpha is left aside."""
    return Image.open(task.file).convert("RGB")


def imagemagick_merged(task: Task) -> Image.Image:
    """The merged picture."""
    target = task.folder / "merged.png"
    call("convert", f"{task.file}[0]", "-depth", "8", f"PNG32:{target}")
    return load(target)


def imagemagick_layers(task: Task) -> Image.Image:
    """The layers, composed by ImageMagick."""
    target = task.folder / "layers.png"
    width, height = task.size
    canvas = ("-size", f"{width}x{height}", "xc:none")
    flatten = ("-delete", "1", "-background", "none", "-layers", "flatten")
    call("convert", *canvas, task.file, *flatten, "-depth", "8", f"PNG32:{target}")
    return load(target)


def gimp(task: Task) -> Image.Image:
    """The layers, composed by GIMP without a display."""
    target = task.folder / "gimp.png"
    script = GIMP.format(source=task.file, target=target)
    call("gimp", "--no-interface", "--no-data", "--no-fonts", "-b", script, "-b", "(gimp-quit 0)")
    return load(target)


def krita(task: Task) -> Image.Image:
    """The layers, composed by Krita."""
    target = task.folder / "krita.png"
    call("krita", task.file, "--export", "--export-filename", target)
    return load(target)


def ag_psd_layers(task: Task) -> Image.Image:
    """The layers as ag-psd reads them, composed by `Document.flatten`."""
    found = read_by_ag_psd(task)
    layers = tuple(
        Layer(
            name=entry["name"],
            role="product",
            pixels=raw(task.folder / f"{index}.raw", entry["width"], entry["height"]),
            left=entry["left"],
            top=entry["top"],
            opacity=entry["opacity"],
            blend=entry["blendMode"],
            visible=not entry["hidden"],
        )
        for index, entry in enumerate(found["layers"])
    )
    return Image.fromarray(Document(found["width"], found["height"], layers).flatten())


def ag_psd_merged(task: Task) -> Image.Image:
    """The merged picture as ag-psd reads it."""
    found = read_by_ag_psd(task)
    return Image.fromarray(raw(task.folder / "merged.raw", found["width"], found["height"]))


def read_by_ag_psd(task: Task) -> dict:
    """Let node unpack a PSD into the task's folder; return what ag-psd says about it."""
    if shutil.which("npm") is None:
        raise MissingError
    home = Path(tempfile.gettempdir()) / "layerctl-ag-psd"
    if not (home / "node_modules" / "ag-psd").exists():
        call("npm", "install", "--prefix", home, "--no-fund", "--no-audit", "ag-psd@31")
    script = home / "read.js"
    script.write_text(AG_PSD)
    call("node", script, task.file, task.folder)
    return json.loads((task.folder / "psd.json").read_text())


def raw(file: Path, width: int, height: int) -> NDArray[np.uint8]:
    """Return bytes that a script left as (height, width, 4)."""
    return np.fromfile(file, np.uint8).reshape(height, width, 4)


def libreoffice(task: Task) -> Image.Image:
    """The slide, printed to PDF by LibreOffice and drawn by poppler.

    LibreOffice places pictures on hundredths of a millimetre: edges come out a little softer, and
    the mean difference is what counts.
    """
    profile = f"-env:UserInstallation=file://{task.folder}/profile"
    export = ("--headless", "--convert-to", PDF, "--outdir", task.folder)
    call("soffice", profile, *export, task.file)
    frame = Frame.around(pptx.read(task.file))
    width, height = round(frame.width / frame.across), round(frame.height / frame.down)
    sides = ("-scale-to-x", str(width), "-scale-to-y", str(height))
    target, printed = task.folder / "slide", task.folder / f"{task.file.stem}.pdf"
    call("pdftocairo", "-png", "-singlefile", *sides, printed, target)
    return load(target.with_suffix(".png")).crop((0, 0, *task.size))


PSD_READERS = {
    "psd-tools, layers": psd_tools,
    "Pillow, merged": pillow,
    "ImageMagick, merged": imagemagick_merged,
    "ImageMagick, layers": imagemagick_layers,
    "GIMP, layers": gimp,
    "Krita, layers": krita,
    "ag-psd, merged": ag_psd_merged,
    "ag-psd, layers": ag_psd_layers,
}
PPTX_READERS = {"LibreOffice, slide": libreoffice}


def on_white(picture: Image.Image) -> NDArray[np.int16]:
    """Return what is seen of a picture on white paper."""
    straight = picture.convert("RGBA")
    white = Image.new("RGBA", straight.size, "white")
    return np.asarray(Image.alpha_composite(white, straight).convert("RGB")).astype(np.int16)


def pairs(out: Path, against: Path) -> Iterator[tuple[Path, Path]]:
    """Yield every layered file below `out` with the photo it was made from."""
    photos = {}
    for photo in sorted(against.rglob("*")):
        if photo.is_file() and is_picture(photo):
            key = photo.relative_to(against)
            photos[key] = photos[key.with_suffix("")] = photo
    for file in sorted(out.rglob("*")):
        key = file.relative_to(out).with_suffix("")
        if file.suffix in LAYERED and key in photos:
            yield file, photos[key]


def judge(reader: Callable[[Task], Image.Image], file: Path, photo: Path) -> Finding:
    """Open one file in one reader and compare what it shows with the photo."""
    expected = on_white(Image.fromarray(read_photo(photo).pixels))
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        size = expected.shape[1], expected.shape[0]
        seen = on_white(reader(Task(file, Path(folder), size)))
        seconds = time.perf_counter() - start
    if seen.shape != expected.shape:
        raise RefusedError(f"it shows {seen.shape[1]} x {seen.shape[0]} pixels")
    off = np.abs(seen - expected).max(axis=-1)
    return Finding(file.name, int(off.max()), float((off > 2).mean()), float(off.mean()), seconds)


def report(name: str, reader: Callable[[Task], Image.Image], jobs: list[tuple[Path, Path]]) -> None:
    """Print a line for a reader: its worst picture, and the files that it would not open."""
    findings, refusals = [], []
    for file, photo in jobs:
        try:
            findings.append(judge(reader, file, photo))
        except MissingError:
            print(f"{name:22} missing")
            return
        except (RefusedError, OSError, ValueError, subprocess.TimeoutExpired) as error:
            refusals.append(f"{file.name}: {error}")
    if findings:
        worst = max(findings, key=lambda finding: (finding.off, finding.largest))
        print(
            f"{name:22}{len(findings):6}{max(f.largest for f in findings):8}{worst.off:11.3%}"
            f"{np.mean([f.mean for f in findings]):11.4f}"
            f"{np.mean([f.seconds for f in findings]):9.2f}  {worst.key}"
        )
    for refusal in refusals:
        print(f"{name:22} not opened: {refusal}")


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="a folder that layerctl wrote")
    parser.add_argument("--against", type=Path, required=True, help="the photos it was made from")
    options = parser.parse_args()
    jobs = list(pairs(options.out.resolve(), options.against))
    print(f"{'reader':22}{'files':>6}{'max':>8}{'off > 2':>11}{'mean':>11}{'s':>9}  worst")
    for name, reader in PSD_READERS.items():
        report(name, reader, [job for job in jobs if job[0].suffix != ".pptx"])
    for name, reader in PPTX_READERS.items():
        report(name, reader, [job for job in jobs if job[0].suffix == ".pptx"])


if __name__ == "__main__":
    main()
