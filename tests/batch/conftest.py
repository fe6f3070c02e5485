import multiprocessing

import pytest

from layerctl.batch.plan import plan
from layerctl.batch.run import run
from layerctl.batch.stages import Batch
from layerctl.formats import FORMATS
from layerctl.preset import Preset
from tests.batch import night


@pytest.fixture(autouse=True)
def plain_formats(monkeypatch):
    """What is tested here is when and where files appear, not what is in them."""
    for name, form in night.PLAIN.items():
        monkeypatch.setitem(FORMATS, name, form)


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """Waiting for the disk makes a difference when the power fails, which no test can do."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def photos(tmp_path):
    """Five photos in a tree."""
    folder = tmp_path / "products"
    for seed, name in enumerate(night.LABELS):
        night.paint(folder / name, seed=seed)
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def go(photos, out):
    """Run over the photos: go(decompose=..., model=..., sections={...}, force=...) -> outcomes."""

    def call(
        decompose=night.slices,
        *,
        model=None,
        inputs=None,
        sections=None,
        settings=night.SETTINGS,
        **options,
    ):
        batch = Batch(out, Preset.model_validate(sections or {}), settings, **options)
        jobs = plan(inputs or [photos], out)
        return list(run(jobs, batch, lambda: model or night.Model(decompose)))

    return call


@pytest.fixture(scope="session")
def processes():
    """Processes that start in milliseconds, with everything imported, and die when told to."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.batch.night"])
    return context
