"""Texts beside photos."""

import os

import pytest

from layerctl.errors import ImageError
from layerctl.texts.prompt import LONGEST, Prompt, prompt_beside


@pytest.fixture
def beside(tmp_path):
    """Write what lies beside a photo; return what is read of it."""

    def call(content, name="shoe.jpg"):
        path = (tmp_path / name).with_suffix(".txt")
        path.write_bytes(content)
        return prompt_beside(tmp_path / name)

    return call


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"a red shoe\n", "a red shoe"),
        ("\ufeff红色的鞋".encode(), "红色的鞋"),
        (b"  two\r\nlines ", "two\nlines"),
    ],
)
def test_the_text_beside_a_photo_is_its_prompt(beside, content, text):
    assert beside(content) == Prompt(text, "sidecar")


@pytest.mark.parametrize("content", [b"", b" \r\n\t", "\ufeff\n".encode()])
def test_a_blank_text_is_none(beside, content):
    assert beside(content) is None


def test_the_text_has_the_photos_own_name(beside, tmp_path):
    assert beside(b"boot", "a.b.jpeg") == Prompt("boot", "sidecar")
    assert prompt_beside(tmp_path / "a.jpg") is None
    assert prompt_beside(tmp_path / "no suffix") is None


def test_a_picture_that_is_called_a_text_is_not_its_own_text(tmp_path):
    (tmp_path / "odd.txt").write_text("no picture")
    assert prompt_beside(tmp_path / "odd.txt") is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\xff\xfea\x00", "is not in UTF-8"), (b"x" * (LONGEST + 1), "has more than 20,000 bytes")],
)
def test_what_is_no_text_is_refused_by_name(beside, content, reason):
    with pytest.raises(ImageError, match=f"its text shoe.txt {reason}"):
        beside(content)


def test_a_folder_or_a_pipe_is_no_text(tmp_path):
    (tmp_path / "a.txt").mkdir()
    os.mkfifo(tmp_path / "b.txt")
    for name in ("a", "b"):
        with pytest.raises(ImageError, match="is not a regular file"):
            prompt_beside(tmp_path / f"{name}.jpg")
