"""Layers are meant by number, by the names on the way to them, or by a name of their own."""

import pytest

from layerctl.address import find
from layerctl.errors import DocumentError

NAMES = {"1": "wall", "2": "set", "2/1": "cup", "2/2": "cup", "3": "2/1", "4": "set/cup", "5": ""}


@pytest.mark.parametrize(
    ("address", "number"),
    [("1", "1"), ("2/1", "2/1"), ("wall", "1"), ("set", "2"), ("", "5")],
)
def test_a_number_goes_before_a_name(address, number):
    assert find(address, NAMES) == number


def test_a_path_goes_before_a_name_that_is_elsewhere():
    assert find("cup", {"1": "cup", "2": "set", "2/1": "cup"}) == "1"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (
            "set/cup",
            r"3 layers are called 'set/cup', give the number: 2/1 \(set/cup\), 2/2 \(set/cup\), 4 ",
        ),
        ("cup", r"2 layers are called 'cup', give the number: 2/1 \(set/cup\), 2/2 \(set/cup\)"),
        ("Wall", r"there is no layer 'Wall'; there are 1 \(wall\), 2 \(set\)"),
        ("2/3", "there is no layer '2/3'"),
        ("01", "there is no layer '01'"),
    ],
)
def test_what_is_unclear_is_answered_with_what_there_is(address, words):
    with pytest.raises(DocumentError, match=words):
        find(address, NAMES)


def test_of_hundreds_of_layers_the_first_are_listed():
    names = {str(number): f"layer {number}" for number in range(1, 301)}
    with pytest.raises(DocumentError, match=r"30 \(layer 30\) and 270 more$"):
        find("none", names)


def test_a_document_without_layers_says_so():
    with pytest.raises(DocumentError, match="it has none, only a merged picture"):
        find("1", {})
