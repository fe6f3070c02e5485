"""What one photo goes through: opened, taken apart, its files written and published."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

from layerctl.batch import Model, receipt
from layerctl.batch.plan import Job, placed
from layerctl.batch.publish import Delivery, publish, scratch
from layerctl.batch.receipt import Input, Receipt
from layerctl.document import Decomposition, Document
from layerctl.errors import ImageError
from layerctl.formats import FORMATS
from layerctl.photo import Photo, read_photo
from layerctl.preset import ExportSection, Preset
from layerctl.texts.prompt import Prompt, prompt_beside


@dataclass(frozen=True)
class Batch:
    """What all photos of a run have in common.

    `settings` is the hash of everything but the photo and its text that decides a result; `force`
    redoes what is done and replaces what is in the way; `deadline`, on the monotonic clock and in
    seconds, is when no further photo is begun; `prompt` is what all photos are said to show;
    `on_text` is called for each photo as its text is about to be read.
    """

    out: Path
    preset: Preset
    settings: str
    force: bool = False
    deadline: float = inf
    prompt: Prompt | None = None
    on_text: Callable[[Job], None] = lambda _: None

    def prompt_for(self, source: Path) -> Prompt | None:
        """Return what people say that a photo shows, None if nobody does.

        Raises:
            ImageError: The text beside the photo cannot be read.
        """
        return self.prompt or prompt_beside(source)


@dataclass(frozen=True)
class Opened:
    """A photo in memory, and what its receipt will say of it."""

    job: Job
    source: Input
    photo: Photo
    prompt: Prompt | None
    seconds: float


@dataclass(frozen=True)
class Drawn:
    """A photo taken apart; the photo itself is no longer held."""

    job: Job
    source: Input
    notes: tuple[str, ...]
    taken: Decomposition
    seconds: Mapping[str, float]


def subject(job: Job, batch: Batch) -> Prompt | Photo:
    """Return what people say that a photo shows or, if nobody does, the photo itself.

    Raises:
        ImageError: The photo, or the text beside it, cannot be used.
    """
    said = batch.prompt_for(job.source)
    return said or read_photo(job.source, batch.preset.batch.max_megapixels)


def open_photo(job: Job, batch: Batch, *, with_text: bool) -> Opened:
    """Return the photo, perhaps with what people say that it shows.

    Raises:
        ImageError: It cannot be used, or was changed meanwhile.
    """
    started = time.perf_counter()
    source = receipt.record_input(job.source)
    before = job.source.stat()
    photo = read_photo(job.source, batch.preset.batch.max_megapixels)
    after = job.source.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ImageError("it was changed while it was read; the next run will take it")
    prompt = batch.prompt_for(job.source) if with_text else None
    return Opened(job, source, photo, prompt, _since(started))


def draw(opened: Opened, model: Model, preset: Preset) -> Drawn:
    """Return the photo taken apart."""
    taken = model.decompose(opened.photo, preset, opened.prompt)
    seconds = {"read": opened.seconds, **taken.seconds}
    return Drawn(opened.job, opened.source, opened.photo.notes + taken.notes, taken, seconds)


def deliver(drawn: Drawn, batch: Batch, carry_on: Callable[[], None]) -> Receipt:
    """Write and publish every file of the photo; return its receipt, the last of them.

    Args:
        drawn: What to write.
        batch: Where and how.
        carry_on: Called before each file; may raise to have everything cleared up.

    Raises:
        DocumentError: A format cannot hold the document.
        EnvironmentFault: The output cannot be written to.
        ImageError: Something else is where a file has to go.
    """
    started = time.perf_counter()
    with scratch(batch.out) as folder:
        stem = folder / Path(drawn.job.key).name
        document = drawn.taken.document
        files: list[Path] = []
        for written in _exports(document, stem, batch.preset.export):
            files += written
            carry_on()
        seconds = {**drawn.seconds, "write": _since(started)}
        made = Receipt(
            version=1,
            input=drawn.source,
            settings=batch.settings,
            seed=batch.preset.decompose.seed,
            seconds=seconds,
            size=(document.width, document.height),
            layers=receipt.record_layers(document),
            files=receipt.record_files(files, folder),
            notes=drawn.notes,
            prompt=drawn.taken.prompt,
        )
        return publish(Delivery(drawn.job, folder, made, batch.out), force=batch.force)


def _exports(document: Document, stem: Path, export: ExportSection) -> Iterator[tuple[Path, ...]]:
    """Write one format after the other beside each other; yield the files of each."""
    for name in export.formats:
        form = FORMATS[name]
        target = stem.with_name(placed(stem.name, form.suffix_for(document)))
        yield form.write(document, target, export)


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 3)
