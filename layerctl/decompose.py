"""A photo and a preset become a document, whatever the network says."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np
from PIL import Image

from layerctl import fit, network
from layerctl.checkpoints.folder import fingerprint
from layerctl.compositing import Floats
from layerctl.document import Decomposition, Document, Pixels
from layerctl.errors import EnvironmentFault, ImageError, UsageError
from layerctl.fit import Runner
from layerctl.lift import lift
from layerctl.machine import keep_memory
from layerctl.network import Crop, Profile, Settings, Setup, View, bucket_size
from layerctl.photo import Photo
from layerctl.preset import DecomposeSection, ModelSection, Preset
from layerctl.recursion.rules import apply_rules, parts_by
from layerctl.roles import assemble, read_guess
from layerctl.sketch import Guess
from layerctl.texts.encoding import Texts, Words
from layerctl.texts.prompt import Prompt
from layerctl.things import Things

LIGHT, MIDDLE, DARK = 235, 128, 60
"""Greys that a cut-out is laid on, or that stand where it is clear, in levels of 255."""

CHOSEN = {"steps", "guidance", "resolution", "normalise_guidance"}
"""Keys of a preset that beat the checkpoint's own settings."""

TEXT_PARTS = ("text_encoder", "tokenizer", "processor")
"""The folders of a checkpoint that decide its texts."""


def open_model(preset: Preset) -> NetworkModel:
    """Return the model that a preset names; its weights are read when they are needed.

    Raises:
        EnvironmentFault: The checkpoint or a LoRA is missing or damaged, the device is not there,
            or no plan that the preset allows fits.
        UsageError: The checkpoint was not made for what the preset asks.
    """
    setup = checked_setup(preset.model)
    profile = network.profile(setup)
    if not profile.needs_text:
        # One that reads text is as large as memory, and its encoder has to leave no trace there.
        keep_memory()
    plans = fit.allowed_plans(setup, largest(preset, profile), preset.model)
    plan = fit.require_plan(plans, fit.room(setup.device), preset.model.name)
    runner = Runner(setup, plans, plan)
    return NetworkModel(profile, runner, open_texts(setup, runner) if profile.needs_text else None)


def checked_setup(section: ModelSection) -> Setup:
    """Return what a preset means on this machine, its files held against each other.

    Raises:
        EnvironmentFault: The checkpoint or a LoRA is missing or damaged, or the device is not
            there.
    """
    setup = network.set_up(section)
    if faults := network.checkpoint_faults(setup.folder):
        more = f" ({len(faults) - 1} more: layerctl models check {section.name})"
        raise EnvironmentFault(faults[0] + (more if len(faults) > 1 else ""))
    network.require_loras(setup)
    return setup


def open_texts(setup: Setup, runner: Runner) -> Texts:
    """Return the texts of a checkpoint, whose encoder is never open beside the rest of it."""

    def open_encoder() -> network.Encoder:
        runner.close()
        return network.Encoder(setup)

    parts = (fingerprint(setup.folder / part) for part in TEXT_PARTS)
    identity = (network.TEXT_VERSION, setup.device, setup.dtype, *parts)
    return Texts(open_encoder, "\n".join(identity))


class NetworkModel:
    """A checkpoint that takes photos apart, one at a time."""

    def __init__(self, profile: Profile, runner: Runner, texts: Texts | None) -> None:
        """Wire what the checkpoint wants, what runs it and, if it reads texts, those."""
        self._profile = profile
        self._runner = runner
        self._texts = texts

    @property
    def reads_text(self) -> bool:
        """Whether it wants to know what a photo shows."""
        return self._texts is not None

    def prepare(self, photos: Iterable[Photo | Prompt], preset: Preset) -> None:
        """Read the words of all photos; nothing is drawn from them if no text is read.

        Raises:
            EnvironmentFault: The text encoder cannot be opened, or has too little memory.
        """
        if self._texts:
            section = preset.decompose
            subjects = self._subjects(photos, resolve(section, self._profile).resolution)
            self._texts.read(subjects, section.caption_language, section.negative_prompt)

    def decompose(
        self, photo: Photo, preset: Preset, prompt: Prompt | None = None
    ) -> Decomposition:
        """Return the photo as a document, with the seconds that the model and the lift took.

        Raises:
            EnvironmentFault: The checkpoint is damaged, or memory ran out under every plan.
            ImageError: The photo could not be captioned.
            UsageError: The checkpoint was not made for so many layers.
        """
        seconds: dict[str, float] = {}
        drawn, said, notes = self._draw(self._view(photo), preset.decompose, prompt, seconds)
        with _timed(seconds, "lift"):
            document = raise_layers(photo, *drawn, preset)
        if preset.recurse.rules:
            with _timed(seconds, "recurse"):
                parts = parts_by(self, preset, said)
                document = apply_rules(document, preset.recurse.rules, parts)
        return Decomposition(document, seconds, said, notes)

    def _draw(
        self,
        view: View,
        section: DecomposeSection,
        prompt: Prompt | None,
        seconds: dict[str, float],
    ) -> tuple[tuple[Pixels, Floats, Things | None], Prompt | None, tuple[str, ...]]:
        """Return what the network saw, drew and found, the words it read, and notes for the user.

        The view may hold the photo once more, in sRGB; nobody keeps it, as the lift needs the room.
        """
        settings = resolve(section, self._profile)
        picture = view(Crop(), settings.resolution)
        words = self._words(picture, section, prompt)
        notes = self._runner.open()
        with _timed(seconds, "model"):
            texts = (words.positive, words.negative) if words else ()
            (layers, things), more = self._runner.run(
                lambda n: (
                    n.make_layers(picture, settings, *texts),
                    n.find_things(view, settings.resolution, picture.shape[:2]),
                )
            )
        return (picture, layers, things), words.prompt if words else None, notes + more

    def _subjects(
        self, photos: Iterable[Photo | Prompt], resolution: int
    ) -> Iterator[Pixels | str]:
        for one in photos:
            # What cannot be shrunk fails again, and is told of, when its turn comes.
            with suppress(Exception):
                yield one.text if isinstance(one, Prompt) else self._seen(one, resolution)

    def _words(
        self, picture: Pixels, section: DecomposeSection, prompt: Prompt | None
    ) -> Words | None:
        if self._texts is None:
            return None
        language, negative = section.caption_language, section.negative_prompt
        found = self._texts.words(picture, prompt, language, negative)
        if found is None:
            # It was not there, or was another one, when the others were read.
            self._texts.read([prompt.text if prompt else picture], language, negative)
            found = self._texts.words(picture, prompt, language, negative)
        if found is None:
            raise ImageError("its text was removed from the cache while it was read")
        return found

    def _seen(self, photo: Photo, resolution: int) -> Pixels:
        return self._view(photo)(Crop(), resolution)

    def _view(self, photo: Photo) -> View:
        return view_of(photo, with_alpha=self._profile.reads_alpha)


def resolve(section: DecomposeSection, profile: Profile) -> Settings:
    """Return the settings of one run: the preset's, and the checkpoint's where it is silent.

    Raises:
        UsageError: The checkpoint was not made for so many layers.
    """
    layers = profile.most_layers if section.layers == "auto" else section.layers
    if not profile.fewest_layers <= layers <= profile.most_layers:
        raise UsageError(
            f"this model makes {profile.fewest_layers} to {profile.most_layers} layers, "
            f"not {layers}; change --layers"
        )
    chosen = section.model_dump(include=CHOSEN, exclude_none=True)
    return replace(profile.settings, layers=layers, seed=section.seed, **chosen)


def largest(preset: Preset, profile: Profile) -> Settings:
    """Return the settings of what asks for the most layers: of photos, or of a rule for layers.

    Raises:
        UsageError: The checkpoint was not made for so many.
    """
    counts = (preset.decompose.layers, *(rule.layers for rule in preset.recurse.rules))
    sections = (preset.decompose.model_copy(update={"layers": count}) for count in counts)
    return max((resolve(one, profile) for one in sections), key=lambda settings: settings.layers)


def view_of(photo: Photo, *, with_alpha: bool) -> View:
    """Return what shows parts of a photo as the network sees them: straight RGBA in sRGB.

    The filter is that of the published pipeline. Without alpha, a cut-out is laid on grey; with it,
    what is clear is of a grey that is neither light nor dark.
    """
    # Pillow would multiply all of it by its alpha again for every part.
    image = Image.fromarray(photo.srgb() if with_alpha else on_plain(photo.srgb())).convert("RGBa")

    def view(crop: Crop, resolution: int) -> Pixels:
        left, right = crop.left * photo.width, crop.right * photo.width
        top, bottom = crop.top * photo.height, crop.bottom * photo.height
        size = bucket_size(bottom - top, right - left, resolution)[::-1]
        part = image.resize(size, Image.Resampling.LANCZOS, box=(left, top, right, bottom))
        small = np.array(part.convert("RGBA"))
        small[small[..., 3] == 0, :3] = MIDDLE
        return small

    return view


def on_plain(pixels: Pixels) -> Pixels:
    """Return a cut-out laid on a plain backdrop that it stands out from; opaque photos as they are.

    Models learn from opaque pictures; what the backdrop hides comes back with the photo's alpha.
    """
    alpha = pixels[..., 3:].astype(np.float32) / 255
    if alpha.min(initial=1) == 1:
        return pixels
    light = (pixels[..., :3] * alpha).mean() / max(float(alpha.mean()), 1e-6)
    plain = LIGHT if light < (LIGHT + DARK) / 2 else DARK
    laid = np.full_like(pixels, 255)
    laid[..., :3] = np.rint(alpha * pixels[..., :3] + (1 - alpha) * plain)
    return laid


def raise_layers(
    photo: Photo, picture: Pixels, layers: Floats, things: Things | None, preset: Preset
) -> Document:
    """Return a picture's layers, at the photo's own size, as a document that shows the photo."""
    seen = picture.astype(np.float32) / 255
    guess = read_guess(layers, seen, preset.quality.min_coverage, things)
    if preset.refine.shadow == "background":
        guess = without_shadow(guess)
    stack = lift(photo.pixels, guess, preset.refine.detail, edges=preset.refine.edges == "photo")
    empty = Document(photo.width, photo.height, (), photo.icc, photo.dpi)
    return assemble(stack, guess, preset.names.model_dump(), empty)


def without_shadow(guess: Guess) -> Guess:
    """Return the guess without its shadows, which the background then shows."""
    kept = [k for k, role in enumerate(guess.roles) if role != "shadow"]
    return replace(
        guess,
        layers=guess.layers[kept],
        roles=tuple(guess.roles[k] for k in kept),
        solid=tuple(guess.solid[k] for k in kept),
    )


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - start, 3)
