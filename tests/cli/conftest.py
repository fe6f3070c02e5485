"""The command with stand-ins for the network and the formats."""

import json
import sys

import pytest

from layerctl.formats import FORMATS
from tests.batch import night
from tests.batch.night import paint

NOTE = "good for products on plain and softly lit backdrops"


class Network:
    """Stands in for layerctl.decompose: counts loads, remembers what was asked of it."""

    def __init__(self):
        self.loads = 0
        self.presets = []
        self.work = night.slices
        self.model = night.Model

    def open_model(self, preset):
        self.loads += 1
        self.presets.append(preset)
        return self.model(self.work)


@pytest.fixture
def network(monkeypatch):
    found = Network()
    monkeypatch.setitem(sys.modules, "layerctl.decompose", found)
    for name, form in night.PLAIN.items():
        monkeypatch.setitem(FORMATS, name, form)
    return found


@pytest.fixture
def model(tmp_path):
    """A checkpoint folder with a note in it and nothing else."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model_index.json").write_text("{}")
    (folder / "layerctl.json").write_text(json.dumps({"note": NOTE}))
    return folder


@pytest.fixture
def photos(tmp_path):
    for seed, name in enumerate(["cup.png", "shoe.jpg", "summer/hat.jpg"]):
        paint(tmp_path / "in" / name, seed=seed)
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def decompose(layerctl, network, model, photos, out):  # noqa: ARG001 - it has to be there
    def call(*arguments, inputs=(photos,)):
        return layerctl("decompose", *inputs, "-o", out, "--model", model, *arguments)

    return call


def last(answer):
    return answer.out.splitlines()[-1]
