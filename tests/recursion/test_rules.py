"""Rules of a preset: which layers of a fresh document are split."""

import numpy as np
import pytest
from pydantic import ValidationError

from layerctl.document import Document, Group, Layer, Quality, numbered
from layerctl.preset.recursion import RecurseSection, RecursionRule
from layerctl.recursion.rules import apply_rules
from tests import parting


def layer(name, role, width, doubts=()):
    pixels = np.full((40, width, 4), 200, np.uint8)
    pixels[..., 3] = 255
    return Layer(name, role, pixels, quality=Quality(width / 80, 0.0, doubts))


@pytest.fixture
def document():
    return Document(
        80,
        40,
        (
            layer("wall", "background", 80),
            layer("product", "product", 40),
            layer("product 2", "product", 20, ("its edge is soft",)),
            layer("text", "text", 16),
        ),
    )


def split(document, *rules):
    """The numbers of the layers that rules split."""
    found = apply_rules(document, [RecursionRule(**rule) for rule in rules], parting.halves)
    assert np.abs(found.flatten().astype(int) - document.flatten()).max() <= 1
    return [number for number, node in numbered(found.children) if isinstance(node, Group)]


@pytest.mark.parametrize(
    ("rule", "numbers"),
    [
        ({"layer": 2}, ["2"]),
        ({"layer": "2"}, ["2"]),
        ({"layer": "product"}, ["2", "3"]),
        ({"layer": "product 2"}, ["3"]),
        ({"layer": "shadow"}, []),
        ({"layer": "product", "min_coverage": 0.3}, ["2"]),
        ({"layer": "product", "when": "sure"}, ["2"]),
        ({"layer": "product", "when": "alone"}, []),
        ({"layer": "text", "when": "alone"}, ["4"]),
    ],
)
def test_a_rule_is_about_the_layers_it_fits(document, rule, numbers):
    assert split(document, rule) == numbers


def test_of_several_rules_the_first_that_fits_counts(document):
    rules = {"layer": 2, "depth": 2}, {"layer": "product", "depth": 1}
    assert split(document, *rules) == ["2", "2/1", "2/2", "3"]


def test_without_rules_nothing_is_asked_of_the_network(document):
    assert apply_rules(document, (), None) == document


def test_a_rule_says_how_many_layers_to_ask_for(document):
    asked = []

    def take_apart(photo, count):
        asked.append(count)
        return parting.halves(photo)

    rules = [RecursionRule(layer=1, layers=3), RecursionRule(layer="text")]
    apply_rules(document, rules, take_apart)
    assert asked == [3, "auto"]


def test_a_layer_that_cannot_be_split_stays(document):
    assert apply_rules(document, [RecursionRule(layer=1)], parting.whole) == document


def test_the_group_has_the_name_of_its_layer(document):
    found = apply_rules(document, [RecursionRule(layer="text")], parting.halves)
    assert found.at("4").name == "text"
    assert [part.name for part in found.at("4").children] == ["left", "right"]


@pytest.mark.parametrize(
    "rule", [{}, {"layer": 0}, {"layer": ""}, {"layer": 1, "depth": 9}, {"layer": 1, "at": 2}]
)
def test_a_rule_that_cannot_be_is_refused(rule):
    with pytest.raises(ValidationError):
        RecurseSection(rules=[rule])
