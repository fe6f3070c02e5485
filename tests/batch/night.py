"""Stand-ins for the network and the formats, and whole runs that a test can kill."""

import errno
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from layerctl.batch.plan import plan
from layerctl.batch.run import run
from layerctl.batch.stages import Batch
from layerctl.document import Decomposition, Document, Layer, Quality
from layerctl.formats import FORMATS
from layerctl.preset import Preset
from layerctl.texts.prompt import Prompt

SETTINGS = "0" * 64

LABELS = ["cup.png", "shoe.jpg", "summer/hat.jpg", "summer/hat.png", "winter/boot.webp"]
"""The photos of most tests."""


def slices(photo, preset):
    """Cut the photo into a background and bands on top of it."""
    count = 4 if preset.decompose.layers == "auto" else preset.decompose.layers
    bands = np.array_split(np.arange(photo.height), count - 1)
    products = [
        Layer(
            f"product {number}",
            "product",
            photo.pixels[rows[0] : rows[-1] + 1].copy(),
            top=int(rows[0]),
            quality=Quality(1 / len(bands), 0.0),
        )
        for number, rows in enumerate(bands, start=1)
        if len(rows)
    ]
    background = Layer("background", "background", photo.pixels.copy())
    document = Document(photo.width, photo.height, (background, *products), photo.icc, photo.dpi)
    return Decomposition(document, {"model": 0.0, "lift": 0.0})


class Model:
    """Stands in for the network: takes photos apart with a function."""

    reads_text = False

    def __init__(self, work=slices):
        self.work = work

    def prepare(self, photos, preset):
        pass

    def decompose(self, photo, preset, prompt=None):  # noqa: ARG002 - for those that read text
        return self.work(photo, preset)


class Reader(Model):
    """Reads texts, and captions a photo with its size; remembers what it was asked to read."""

    reads_text = True

    def __init__(self, work=slices):
        super().__init__(work)
        self.read = []

    def prepare(self, photos, preset):  # noqa: ARG002
        self.read += [getattr(one, "text", None) or one.source.name for one in photos]

    def decompose(self, photo, preset, prompt=None):
        said = prompt or Prompt(f"{photo.width} by {photo.height}", "caption")
        return replace(self.work(photo, preset), prompt=said)


def doubtful(photo, preset):
    cut = slices(photo, preset)
    first, *others = cut.document.children
    first = replace(first, quality=Quality(1.0, 0.5, ("its edge is soft",)))
    return replace(cut, document=replace(cut.document, children=(first, *others)))


def raises_on(name, error):
    def decompose(photo, preset):
        if photo.source.name == name:
            raise error
        return slices(photo, preset)

    return decompose


def slow(seconds):
    def decompose(photo, preset):
        time.sleep(seconds)
        return slices(photo, preset)

    return decompose


@dataclass(frozen=True)
class Raw:
    """A format that writes pixels as they are, in many small pieces."""

    suffix: str

    def suffix_for(self, _):
        return self.suffix

    def write(self, document, target, _):
        if self.suffix:
            self._pour(target, document.flatten().tobytes())
            return (target,)
        target.mkdir()
        files = []
        for index, (_, layer) in enumerate(document.walk()):
            files.append(target / f"{index:02d}-{layer.name.replace(' ', '-')}.png")
            self._pour(files[-1], layer.pixels.tobytes())
        return tuple(files)

    def _pour(self, target, content):
        with target.open("wb") as file:
            for start in range(0, len(content), 4096):
                file.write(content[start : start + 4096])
                file.flush()


PLAIN = {"psd": Raw(".psd"), "pptx": Raw(".pptx"), "png": Raw("")}


class Full(Raw):
    """A format that meets a full disk at a photo of this width."""

    def __init__(self, width, suffix=".psd"):
        super().__init__(suffix)
        object.__setattr__(self, "width", width)

    def write(self, document, target, export):
        if document.width == self.width:
            self._pour(target, b"half a")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        return super().write(document, target, export)


def paint(path, size=(24, 16), seed=0):
    """Write a picture of noise, its format taken from the name, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    suffix = path.suffix.lower().removeprefix(".")
    kind = {"png": "PNG", "webp": "WEBP", "tif": "TIFF"}.get(suffix, "JPEG")
    with path.open("wb") as file:
        Image.fromarray(noise).save(file, kind)
    return path


def tree(folder):
    """Return every file below a folder with its content, the seconds in receipts left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else None
        if path.name.endswith(".layers.json"):
            content = content[: content.index(b'"seconds"')] + content[content.index(b'"size"') :]
        found[str(path.relative_to(folder))] = content
    return found


def names(folder):
    """Return the paths of everything below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def statuses(outcomes):
    return {outcome.job.label: outcome.status for outcome in outcomes}


def redone(outcomes):
    return [outcome.job.label for outcome in outcomes if outcome.status == "done"]


def all_night(inputs, out, pause=0.0):
    """Run in a process of its own, for a test that means to kill it."""
    FORMATS.update(PLAIN)
    os.fsync = lambda _: None
    batch = Batch(Path(out), Preset(), SETTINGS)
    for _ in run(plan([Path(inputs)], Path(out)), batch, lambda: Model(slow(pause))):
        pass


def memory(inputs, out, samples):
    """Run, and write down the resident set, in KiB, after each photo."""
    FORMATS.update(PLAIN)
    os.fsync = lambda _: None
    batch = Batch(Path(out), Preset(), SETTINGS)
    page = resource.getpagesize() // 1024
    with Path(samples).open("w") as file:
        for _ in run(plan([Path(inputs)], Path(out)), batch, Model):
            resident = int(Path("/proc/self/statm").read_text().split()[1])
            print(resident * page, file=file)


def command(arguments, log, pause=0.0, largest=None):
    """Run the command line with stand-ins, its output to a file, and leave with its exit code."""
    from layerctl import cli

    FORMATS.update(PLAIN)
    sys.modules["layerctl.decompose"] = SimpleNamespace(open_model=lambda _: Model(slow(pause)))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if largest:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    with Path(log).open("w", buffering=1) as sys.stdout:
        sys.stderr = sys.stdout
        sys.exit(cli.run(arguments))


def deadly(moment):
    """Return what makes methods kill us instead of doing their n-th piece of work in all."""
    steps = iter(range(moment, -1, -1))

    def make(method):
        def call(*arguments, **options):
            if next(steps) == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return method(*arguments, **options)

        return call

    return make


def dies_moving(inputs, out, moment):
    """Run, and be killed just before the n-th time that a file is moved, linked or removed."""
    made = deadly(moment)
    os.link = made(os.link)
    for name in ("replace", "unlink"):
        setattr(Path, name, made(getattr(Path, name)))
    all_night(inputs, out)


def moments(folder):
    """Return when each file below a folder was written, and which file it is."""
    return {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.rglob("*") if p.is_file()}


def never(*_):
    """Take no picture apart: fail if one is given."""
    raise AssertionError("there was nothing to do")
