"""A checkpoint, and a hub's cache to put it in."""

import json

import pytest

from tests.checkpoints.layout import INDEX, WEIGHTS, safetensors


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "model"
    (home / "scheduler").mkdir(parents=True)
    (home / "scheduler" / "scheduler_config.json").write_text("{}")
    (home / "model_index.json").write_text(json.dumps(INDEX))
    for network in ("transformer", "vae"):
        (home / network).mkdir()
        (home / network / "config.json").write_text("{}")
        (home / network / WEIGHTS).write_bytes(safetensors())
    return home


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"
