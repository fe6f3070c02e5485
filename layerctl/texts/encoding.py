"""What photos show, read for all of them before the first is taken apart.

The text encoder is nearly as large as what comes after it. It is opened only for what nobody has
read yet, reads that in one go, and is closed before the transformer is opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from typing import Literal, Protocol, TypeAlias, TypeVar

from layerctl.cache import Store
from layerctl.document import Pixels
from layerctl.errors import ImageError, LayerctlError, OutOfMemory
from layerctl.texts.prompt import Prompt

BATCH = 8
"""Pictures and prompts that are read at the same time."""

CAPTIONS_KEPT = 365
EMBEDDINGS_KEPT = 7
"""Days; an embedding is a thousand times as large as its caption, and as fast to make again."""

Language: TypeAlias = Literal["en", "zh"]

T = TypeVar("T")


@dataclass(frozen=True)
class Words:
    """The prompt of a photo, and with the negative one as the network reads them."""

    prompt: Prompt
    positive: bytes
    negative: bytes


class Encoder(Protocol):
    """What reads pictures and prompts; a picture is (h, w, 4) straight RGBA."""

    def caption(self, pictures: Sequence[Pixels], language: Language) -> list[str]:
        """Return what pictures show."""

    def embed(self, prompts: Sequence[str]) -> list[bytes]:
        """Return prompts as the network reads them."""

    def close(self) -> None:
        """Give the memory back."""


class Texts:
    """Captions of pictures and embeddings of prompts, kept in the user's cache."""

    def __init__(self, open_encoder: Callable[[], Encoder], identity: str) -> None:
        """Open the cache.

        Args:
            open_encoder: Called when something has to be read.
            identity: Names everything that decides a text besides the picture and the language.
        """
        self._open_encoder = open_encoder
        self._identity = identity
        self._captions = Store("text/captions", CAPTIONS_KEPT)
        self._embeddings = Store("text/embeddings", EMBEDDINGS_KEPT)
        self._refusals: dict[str, ImageError] = {}

    def read(self, subjects: Iterable[Pixels | str], language: Language, negative: str) -> None:
        """Caption all pictures and embed the captions, the prompts and the negative prompt.

        What one batch came to is kept before the next begins; what cannot be read is remembered,
        and stops nothing.

        Raises:
            EnvironmentFault: The encoder cannot be opened.
            OutOfMemory: There is no room for it, or for a single picture or prompt in it.
        """
        coming = iter(subjects)
        with ExitStack() as opened:
            encoder = cache(lambda: opened.enter_context(closing(self._open_encoder())))
            while some := list(islice(coming, BATCH)):
                pictures = [one for one in some if not isinstance(one, str)]
                self._caption(encoder, pictures, language)
                prompts = {one for one in some if isinstance(one, str)} | {negative}
                captions = (self._captions.get(self._seen(one, language)) for one in pictures)
                self._embed(encoder, prompts | {c.decode() for c in captions if c is not None})

    def words(
        self, picture: Pixels, prompt: Prompt | None, language: Language, negative: str
    ) -> Words | None:
        """Return what is read for a picture, its caption if it has no prompt; None if that is new.

        Raises:
            ImageError: It could not be.
        """
        if prompt is None:
            caption = self._recalled(self._captions, self._seen(picture, language))
            if caption is None:
                return None
            prompt = Prompt(caption.decode(), "caption")
        positive = self._recalled(self._embeddings, self._key(prompt.text))
        against = self._recalled(self._embeddings, self._key(negative))
        return Words(prompt, positive, against) if positive and against else None

    def _caption(
        self, encoder: Callable[[], Encoder], pictures: Sequence[Pixels], language: Language
    ) -> None:
        def work(opened: Encoder, some: list[Pixels]) -> list[bytes]:
            return [caption.encode() for caption in opened.caption(some, language)]

        seen = {self._seen(picture, language): picture for picture in pictures}
        self._fill(self._captions, seen, encoder, work)

    def _embed(self, encoder: Callable[[], Encoder], prompts: Iterable[str]) -> None:
        def work(opened: Encoder, some: list[str]) -> list[bytes]:
            return opened.embed(some)

        keyed = {self._key(prompt): prompt for prompt in sorted(prompts)}
        self._fill(self._embeddings, keyed, encoder, work)

    def _fill(
        self,
        store: Store,
        items: Mapping[str, T],
        encoder: Callable[[], Encoder],
        work: Callable[[Encoder, list[T]], list[bytes]],
    ) -> None:
        """Work on the items that a store does not have yet, and put there what comes of them."""
        new = {key: item for key, item in items.items() if store.get(key) is None}
        if not new:
            return
        outcomes = _each(partial(work, encoder()), list(new.values()))
        for key, outcome in zip(new, outcomes, strict=True):
            if isinstance(outcome, ImageError):
                self._refusals[key] = outcome
            else:
                store.put(key, outcome)

    def _recalled(self, store: Store, key: str) -> bytes | None:
        if key in self._refusals:
            raise self._refusals[key]
        return store.get(key)

    def _seen(self, picture: Pixels, language: Language) -> str:
        shape = "x".join(map(str, picture.shape))
        return self._key(language, shape, hashlib.sha256(picture.tobytes()).hexdigest())

    def _key(self, *parts: str) -> str:
        return hashlib.sha256("\n".join((self._identity, *parts)).encode()).hexdigest()


def _each(work: Callable[[list[T]], list[bytes]], items: list[T]) -> Iterator[bytes | ImageError]:
    """Yield what becomes of each item: of all at once if that goes, else of ever smaller parts."""
    alone = len(items) == 1
    results: Sequence[bytes | ImageError] = ()
    try:
        results = work(items)
    except OutOfMemory:
        if alone:
            raise
    except LayerctlError:
        raise
    except Exception as error:  # noqa: BLE001 - one picture never stops the night
        if alone:
            results = [ImageError(f"it cannot be put into words: {type(error).__name__}: {error}")]
    if results:
        yield from results
    else:
        yield from _each(work, items[: len(items) // 2])
        yield from _each(work, items[len(items) // 2 :])
