"""Pulling models, from a hub on this machine: what is fetched, what stays, what is said."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import Answer
from tests.fake_hub import FakeHub, serving
from tests.model.defects import flip_a_byte
from tests.model.tiny import sharded_checkpoint

ROOT = Path(__file__).parents[2]
UNWANTED = ["README.md", "transformer/diffusion_pytorch_model.fp16.safetensors"]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    return sharded_checkpoint(tmp_path_factory.mktemp("checkpoint"), seed=0)


@pytest.fixture
def hub(checkpoint):
    hub = FakeHub("org/name", checkpoint)
    hub.files |= dict.fromkeys(UNWANTED, b"not needed")
    return hub


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return tmp_path / "home"


@pytest.fixture
def pull(hub, home):
    """Run `layerctl models pull` as a program: the hub's library reads its variables once."""

    def call(name="org/name", until=lambda program: program.communicate(), **variables):
        hub.sent.clear()
        with serving(hub) as address:
            program = subprocess.Popen(
                [sys.executable, "-m", "layerctl", "models", "pull", name],
                env={**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(home), **variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=ROOT,
            )
            out, err = until(program)
        return Answer(program.returncode, out, err)

    return call


def test_pulling_fetches_what_is_needed_and_nothing_twice(layerctl, hub, pull):
    answer = pull()
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("org/name is here: ")
    wanted = hub.files.keys() - UNWANTED
    assert hub.sent == {name: len(hub.files[name]) for name in wanted}
    assert layerctl("models", "check", "org/name").code == 0
    assert pull().code == 0
    assert not hub.sent


def test_what_is_whole_stays_when_a_pull_fails_and_a_broken_connection_goes_on(hub, pull, layerctl):
    weights = sorted(name for name in hub.files if name.startswith("vae/diff"))
    hub.broken = {weights[5]}
    answer = pull()
    assert answer.code == 3
    last = answer.err.splitlines()[-1]
    assert last.startswith("layerctl: org/name cannot be fetched: Client error '403")
    assert last.endswith("what is whole is kept: pull again")
    assert "only half" in layerctl("models", "check", "org/name").sentences()[0]
    before = set(hub.sent)
    hub.broken, hub.cut = set(), {weights[5]: 100}
    assert pull().code == 0
    assert not hub.cut
    assert weights[5] in hub.sent
    assert not before & set(hub.sent)
    assert layerctl("models", "check", "org/name").code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_pull_at_once_and_what_is_left_is_cleared_up_later(hub, pull, home, number):
    (first, *_) = (name for name in sorted(hub.files) if name.startswith("vae/diff"))
    hub.stalled = {first}

    def interrupt(program):
        while not hub.sent[first]:
            time.sleep(0.05)
        program.send_signal(number)
        return program.communicate(timeout=60)

    assert pull(until=interrupt).code == -number
    hub.stalled = set()
    left = set(home.rglob("*.incomplete"))
    assert 1 <= len(left) <= 2
    assert pull().code == 0
    assert set(home.rglob("*.incomplete")) == left
    for path in left:
        os.utime(path, (0, 0))
    assert pull().code == 0
    assert not list(home.rglob("*.incomplete"))


def test_what_check_says_mends_a_damaged_download(hub, pull, layerctl, home):
    pull()
    snapshot = next(home.glob("hub/*/snapshots/*"))
    path = sorted((snapshot / "vae").glob("*.safetensors"))[0]
    flip_a_byte(path.resolve())
    *_, remedy = layerctl("models", "check", "org/name").sentences()
    command = remedy.partition(": ")[2].partition("; ")[0]
    subprocess.run(command.split(), check=True)
    assert pull().code == 0
    assert list(hub.sent) == [str(path.relative_to(snapshot))]
    assert layerctl("models", "check", "org/name").code == 0


@pytest.mark.parametrize(
    ("name", "variables", "sentence"),
    [
        ("org/other", {}, "the hub has no such model; if it is private, run hf auth login"),
        ("Qwen/Qwen-Image-Layerd", {}, "no such model; did you mean Qwen/Qwen-Image-Layered?"),
        ("qwen", {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE forbids it: unset that, and pull again"),
        ("org/name", {"HF_ENDPOINT": "http://127.0.0.1:9"}, "the hub does not answer"),
    ],
)
def test_why_a_model_cannot_be_fetched_is_one_sentence(pull, name, variables, sentence):
    answer = pull(name, **variables)
    assert (answer.code, answer.out) == (3, "")
    (line,) = answer.err.splitlines()
    assert line.startswith("layerctl: ")
    assert sentence in line


def test_a_repository_of_another_kind_is_refused_before_anything_is_fetched(hub, pull):
    del hub.files["model_index.json"]
    answer = pull()
    assert answer.code == 3
    assert "no checkpoint in the layout of diffusers" in answer.err
    assert not hub.sent


@pytest.fixture
def library(monkeypatch, tmp_path):
    """Stands in for huggingface_hub: has one file of 5 GB to send, or fails on the way."""

    def install(error=None):
        def snapshot_download(_, *, dry_run=False, **options):  # noqa: ARG001 - theirs
            if dry_run:
                place = tmp_path / "cache" / "model_index.json"
                size = 5_000_000_000
                return [
                    SimpleNamespace(
                        filename="model_index.json",
                        file_size=size,
                        will_download=True,
                        local_path=place,
                    )
                ]
            raise error

        module = SimpleNamespace(snapshot_download=snapshot_download)
        monkeypatch.setitem(sys.modules, "huggingface_hub", module)
        progress = SimpleNamespace(disable_progress_bars=lambda: None)
        monkeypatch.setitem(sys.modules, "huggingface_hub.utils.tqdm", progress)

    return install


def test_too_little_room_is_told_before_anything_is_fetched(layerctl, library, monkeypatch):
    library()
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=3_000_000_000))
    (told,) = layerctl("models", "pull", "org/name").sentences()
    assert "5.0 GB are to come and " in told
    assert "has room for 3.0 GB" in told


def test_a_disk_that_fills_up_all_the_same_is_told(layerctl, library, monkeypatch):
    library(OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=6_000_000_000))
    (told,) = layerctl("models", "pull", "org/name").sentences()
    assert "the disk is full; what is whole is kept" in told


def test_the_missing_package_is_named(layerctl, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    (told,) = layerctl("models", "pull", "qwen").sentences()
    assert told.endswith("huggingface_hub is not installed: pip install 'layerctl[qwen]'")


def test_what_is_shipped_needs_no_fetching(layerctl):
    answer = layerctl("models", "pull", "mini")
    assert (answer.code, answer.out) == (0, "mini came with layerctl: there is nothing to fetch\n")


@pytest.mark.parametrize(
    ("name", "hint"), [("qwne", "did you mean qwen?"), ("zzz", "give qwen, or ORG/NAME")]
)
def test_a_name_that_no_model_of_the_hub_can_have_is_wrong_usage(layerctl, name, hint):
    answer = layerctl("models", "pull", name)
    assert answer.code == 2
    assert answer.err == f"layerctl: '{name}' is no model of the hub: {hint}\n"
