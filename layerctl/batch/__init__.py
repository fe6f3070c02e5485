"""Many photos in one run: what is left to do, doing it, and never losing what is done."""

from collections.abc import Iterable
from typing import Protocol

from layerctl.document import Decomposition
from layerctl.photo import Photo
from layerctl.preset import Preset
from layerctl.texts.prompt import Prompt


class Model(Protocol):
    """What takes photos apart; a run is handed one, and knows nothing of networks."""

    @property
    def reads_text(self) -> bool:
        """Whether it wants to know what a photo shows."""

    def prepare(self, photos: Iterable[Photo | Prompt], preset: Preset) -> None:
        """Read, before the first is taken apart, the words of all photos.

        Args:
            photos: For each photo its prompt or, where nobody gave one, the photo itself to be
                captioned; nothing is drawn from them by a model that reads no text.
            preset: As for `decompose`.
        """

    def decompose(
        self, photo: Photo, preset: Preset, prompt: Prompt | None = None
    ) -> Decomposition:
        """Return the photo taken apart; without a prompt, its caption is what it shows."""
