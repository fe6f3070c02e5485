"""`layerctl decompose`: photos in, layered files out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from layerctl import __version__, console
from layerctl.cli import flags
from layerctl.errors import EnvironmentFault, LayerctlError

if TYPE_CHECKING:
    from layerctl.batch import Model
    from layerctl.batch.outcome import Outcome, Outcomes
    from layerctl.batch.plan import Job
    from layerctl.preset import Preset


class LogFormat(StrEnum):
    """Who reads the log: people, or machines that want one JSON object a line."""

    TEXT = "text"
    JSON = "json"


def decompose(
    inputs: Annotated[
        list[Path],
        # What cannot be read fails by name, and the other inputs are done.
        typer.Argument(metavar="INPUT", help="Photos, and folders of photos.", readable=False),
    ],
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="Folder that the files go to.")
    ] = Path("out"),
    preset: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A shipped preset, or your own.")
    ] = "default",
    prompt: flags.Text = None,
    layers: flags.Layers = None,
    psd: flags.Psd = False,
    pptx: flags.Pptx = False,
    png: flags.Png = False,
    model: flags.Model = None,
    seed: flags.Seed = None,
    steps: flags.Steps = None,
    guidance: flags.Guidance = None,
    resolution: flags.Resolution = None,
    device: flags.Device = None,
    dtype: flags.Dtype = None,
    quantize: flags.Quantize = None,
    offload: flags.Offload = None,
    lora: flags.Lora = None,
    jobs: flags.Jobs = None,
    max_minutes: flags.MaxMinutes = None,
    fail_fast: flags.FailFast = False,
    force: Annotated[
        bool, typer.Option("--force", help="Redo what is done, and replace what is in the way.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what there is to do; write nothing.")
    ] = False,
    log_format: Annotated[
        LogFormat, typer.Option(help="Lines for people, or JSON objects for machines.")
    ] = LogFormat.TEXT,
) -> None:
    """Take photos apart: a PSD, a PPTX and a stack of PNG files of their layers for each.

    Folders are searched for photos and mirrored below OUT. What is done already, from the same
    photo with the same settings, is skipped.
    """
    started = time.monotonic()
    from layerctl.preset import resolve

    given = flags.overrides(locals())
    from layerctl.batch.plan import plan
    from layerctl.batch.run import preview, run
    from layerctl.batch.stages import Batch

    log = _Log(out, log_format)
    with log.summed_up():
        resolved = resolve(preset, given)
        chosen, said = resolved.preset, flags.prompt_given(resolved)
        work = plan(inputs, out, log.passed)
        log.tally.planned = len(work)
        minutes = chosen.batch.max_minutes
        deadline = started + 60 * minutes if minutes else inf
        batch = Batch(out, chosen, _settings(chosen), force, deadline, said, log.read_text)
        for sentence in log.passed.sentences():
            log.say(sentence)
        if not work:
            log.say(f"no photos in {', '.join(map(str, inputs))}")
        opened = partial(_open, chosen, log)
        log.follow(preview(work, batch) if dry_run else run(work, batch, opened))
    raise typer.Exit(log.tally.exit_code(doubt_fails=chosen.quality.fail_on_doubt))


def _settings(preset: Preset) -> str:
    """Return the hash of all that decides a result besides the photo.

    Raises:
        EnvironmentFault: The checkpoint or a LoRA is not here.
    """
    from layerctl.batch.receipt import settings_sha256
    from layerctl.checkpoints.catalogue import checkpoint_folder
    from layerctl.checkpoints.folder import fingerprint
    from layerctl.checkpoints.hashes import sha256_of
    from layerctl.preset import digest

    checkpoint = fingerprint(checkpoint_folder(preset.model))
    loras = [Path(lora.file) for lora in preset.model.loras]
    if missing := next((path for path in loras if not path.is_file()), None):
        raise EnvironmentFault(
            f"the LoRA {missing} is not here: give FILE or FILE@WEIGHT, as in style.safetensors@0.8"
        )
    return settings_sha256(digest(preset), checkpoint, *sha256_of(loras), __version__)


def _open(preset: Preset, log: _Log) -> Model:
    """Open the model, and say what it is good for."""
    from layerctl.checkpoints.catalogue import checkpoint_folder
    from layerctl.checkpoints.folder import note
    from layerctl.decompose import open_model

    if limits := note(checkpoint_folder(preset.model)):
        log.say(limits)
    return open_model(preset)


class _Log:
    """Tells of every photo as it is over, and of all of them at the end, however that comes."""

    def __init__(self, out: Path, log_format: LogFormat) -> None:
        from layerctl.batch.outcome import Tally
        from layerctl.batch.passed import Passed

        self.tally = Tally(0)
        self.passed = Passed()
        self._out = out
        self._notes: list[str] = []
        self._for_people = log_format is LogFormat.TEXT
        self._begun = False
        self._texts = 0
        self._show: console.Advance

    def say(self, sentence: str) -> None:
        """Tell people something now; machines find it in the summary."""
        self._notes.append(sentence)
        if self._for_people:
            console.say(sentence)

    def read_text(self, job: Job) -> None:
        """Tell that the text of a photo is being read."""
        if self._texts == 0 and self._for_people:
            console.say("reading texts")
        self._texts += 1
        self._show(f"reading texts: {self._texts}, {job.label}", 0)

    def follow(self, outcomes: Outcomes) -> None:
        """Tell of outcomes until there are no more."""
        self._begun = True
        with (
            closing(outcomes),
            console.progress(self.tally.planned, shown=self._for_people) as self._show,
        ):
            for outcome in outcomes:
                self.tally.add(outcome)
                self._tell(outcome)
                self._show(outcome.job.label)

    def _tell(self, outcome: Outcome) -> None:
        from layerctl.batch.outcome import lines, record

        if self._for_people:
            for line in lines(outcome):
                console.say(line)
        else:
            console.say_json(record(outcome, self._out))

    @contextmanager
    def summed_up(self) -> Iterator[None]:
        """Tell of all photos at the end; people only if there was a beginning, machines always."""
        started = time.monotonic()
        error = None
        try:
            yield
        except BaseException as fault:
            error = _reason(fault)
            raise
        finally:
            seconds = round(time.monotonic() - started, 1)
            if not self._for_people:
                sums = self.tally.counts() | self.passed.counts()
                summary = {**sums, "seconds": seconds, "out": str(self._out)}
                console.say_json({"summary": summary, "notes": self._notes, "error": error})
            elif self._begun:
                console.say(f"{self.tally.sentence()} in {seconds} s -> {self._out}")


def _reason(fault: BaseException) -> str:
    """Return, in a sentence for machines, why a run ends before its end."""
    if isinstance(fault, LayerctlError):
        return str(fault)
    if isinstance(fault, KeyboardInterrupt | SystemExit):
        return "it was interrupted by a signal; the next run does what is left"
    return " ".join(f"{type(fault).__name__}: {fault}".split())
