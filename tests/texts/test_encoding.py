"""Captions and embeddings: read once, in batches, whatever happens in between."""

import multiprocessing
import os
import signal
from itertools import chain

import numpy as np
import pytest

from layerctl.errors import EnvironmentFault, ImageError, OutOfMemory
from layerctl.texts.encoding import BATCH, Texts, Words
from layerctl.texts.prompt import Prompt


def picture(number):
    return np.full((2, 3, 4), number, np.uint8)


def dies_reading(cache):
    """Read, and be killed in the middle of the second batch."""
    os.environ["XDG_CACHE_HOME"] = cache
    encoder = Encoder()
    encoder._judge = lambda items: BATCH + 1 in items and os.kill(os.getpid(), signal.SIGKILL)
    read(Texts(encoder.open, "7B"), *map(picture, range(BATCH + 3)))


class Encoder:
    """Captions a picture with its first level, and remembers all that was asked of it."""

    def __init__(self):
        self.opened = self.closed = 0
        self.captioned, self.embedded = [], []
        self.error, self.most = {}, 100

    def open(self):
        self.opened += 1
        return self

    def caption(self, pictures, language):
        levels = [int(one[0, 0, 0]) for one in pictures]
        self._judge(levels)
        self.captioned.append(levels)
        return [f"{language} {level}" for level in levels]

    def embed(self, prompts):
        self._judge(prompts)
        self.embedded.append(list(prompts))
        return [prompt.encode() + b"!" for prompt in prompts]

    def close(self):
        self.closed += 1

    def _judge(self, items):
        if len(items) > self.most:
            raise OutOfMemory("the device is full")
        for item in items:
            if item in self.error:
                raise self.error[item]


@pytest.fixture
def encoder():
    return Encoder()


@pytest.fixture
def texts(encoder):
    return Texts(encoder.open, "7B")


def read(texts, *subjects):
    texts.read(iter(subjects), "en", " ")


def words(texts, subject, prompt=None):
    return texts.words(subject, prompt, "en", " ")


def test_a_picture_is_captioned_and_a_prompt_is_taken_at_its_word(texts, encoder):
    read(texts, picture(1), "a shoe")
    assert words(texts, picture(1)) == Words(Prompt("en 1", "caption"), b"en 1!", b" !")
    said = Prompt("a shoe", "flag")
    assert words(texts, picture(9), said) == Words(said, b"a shoe!", b" !")
    assert encoder.captioned == [[1]]


def test_what_was_not_read_is_none(texts):
    assert words(texts, picture(1)) is None
    assert words(texts, picture(1), Prompt("a shoe", "flag")) is None


def test_many_are_read_in_batches_and_each_only_once(texts, encoder):
    numbers = [*range(BATCH + 3), 2, 2]
    read(texts, *map(picture, numbers))
    assert [len(some) for some in encoder.captioned] == [BATCH, 3]
    assert [*chain(*encoder.embedded)].count(" ") == 1
    assert (encoder.opened, encoder.closed) == (1, 1)


def test_the_encoder_is_not_opened_for_what_is_known(texts, encoder):
    read(texts, picture(1), "a shoe")
    again = Texts(encoder.open, "7B")
    read(again, picture(1), "a shoe")
    read(again)
    assert encoder.opened == 1
    assert words(again, picture(1)).prompt.text == "en 1"


def test_another_encoder_language_size_or_picture_is_read_anew(texts, encoder):
    read(texts, picture(1))
    assert Texts(encoder.open, "3B").words(picture(1), None, "en", " ") is None
    assert texts.words(picture(1), None, "zh", " ") is None
    assert words(texts, picture(1).reshape(3, 2, 4)) is None
    assert words(texts, picture(2)) is None


def test_a_picture_that_cannot_be_read_stops_no_other(texts, encoder):
    encoder.error = {3: ValueError("too narrow")}
    read(texts, *map(picture, range(BATCH)), "a shoe")
    assert all(words(texts, picture(n)) for n in range(BATCH) if n != 3)
    with pytest.raises(ImageError, match="put into words: ValueError: too narrow"):
        words(texts, picture(3))


def test_a_prompt_that_cannot_be_read_stops_no_other(texts, encoder):
    encoder.error = {"odd": KeyError("odd")}
    read(texts, "odd", "even")
    assert words(texts, picture(1), Prompt("even", "flag"))
    with pytest.raises(ImageError, match="KeyError"):
        words(texts, picture(1), Prompt("odd", "flag"))


def test_too_many_at_once_are_read_in_smaller_parts(texts, encoder):
    encoder.most = 3
    read(texts, *map(picture, range(BATCH)))
    assert [*chain(*encoder.captioned)] == list(range(BATCH))
    assert all(words(texts, picture(number)) for number in range(BATCH))


def test_no_room_for_a_single_one_is_a_fault_of_the_machine(texts, encoder):
    encoder.most = 0
    with pytest.raises(EnvironmentFault, match="the device is full"):
        read(texts, picture(1))
    assert encoder.closed == 1


def test_an_encoder_that_cannot_be_opened_is_tried_once(encoder):
    def broken():
        encoder.opened += 1
        raise EnvironmentFault("pip install")

    with pytest.raises(EnvironmentFault, match="pip install"):
        read(Texts(broken, "7B"), *map(picture, range(30)))
    assert encoder.opened == 1


def test_whatever_was_read_before_the_end_is_kept(texts, encoder):
    def interrupted():
        yield from map(picture, range(BATCH + 1))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        texts.read(interrupted(), "en", " ")
    again = Texts(encoder.open, "7B")
    assert words(again, picture(BATCH - 1))
    assert words(again, picture(BATCH)) is None
    assert encoder.closed == 1


def test_a_killed_reading_loses_nothing_that_was_kept(texts, encoder, own_cache):
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=dies_reading, args=(str(own_cache.parent),))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    read(texts, *map(picture, range(BATCH + 3)))
    assert encoder.captioned == [[BATCH, BATCH + 1, BATCH + 2]]
