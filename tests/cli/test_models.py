"""`layerctl models`: list and check, with folders as the hub's tools leave them."""

import random
import shutil

import pytest
from safetensors.torch import load_file

from layerctl.checkpoints.catalogue import shipped_folder
from tests.fake_hub import COMMIT, FakeHub, put_in_cache
from tests.model.defects import DEFECTS, flip_a_byte
from tests.model.tiny import sharded_checkpoint
from tests.pictures import scene


def parameters(file):
    """How many parameters a file holds."""
    if file.suffix != ".safetensors":
        return 0
    return sum(tensor.numel() for tensor in load_file(file).values())


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    return sharded_checkpoint(tmp_path_factory.mktemp("whole"), seed=0)


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "checkpoint")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.usefixtures("cache")
def test_what_is_shipped_is_listed_and_what_could_be_fetched(layerctl):
    answer = layerctl("models", "list")
    assert answer.code == 0
    header, mini, qwen = answer.out.splitlines()
    assert header.split() == ["model", "parameters", "size", "folder", "note"]
    shipped = shipped_folder() / "mini"
    files = [file for file in shipped.rglob("*") if file.is_file()]
    millions = f"{sum(map(parameters, files)) / 1e6:.1f}"
    gigabytes = f"{sum(file.stat().st_size for file in files) / 1e9:.2f}"
    assert mini.split()[:6] == ["mini", millions, "M", gigabytes, "GB", str(shipped)]
    assert "plain and softly lit backdrops" in mini
    assert qwen == "qwen is not here: layerctl models pull qwen fetches it (57.7 GB)"


def test_the_hub_cache_is_listed_with_what_is_half_there_or_damaged(layerctl, folder, cache):
    put_in_cache(folder, cache, "Qwen/Qwen-Image-Layered")
    half = put_in_cache(folder, cache, "org/half")
    (half / "vae" / "config.json").unlink()
    cut = put_in_cache(folder, cache, "org/cut")
    path = next((cut / "vae").glob("*.safetensors"))
    path.resolve().write_bytes(path.read_bytes()[:-1])
    lines = {line.split()[0]: line for line in layerctl("models", "list").out.splitlines()}
    assert lines.keys() == {"model", "mini", "qwen", "org/half", "org/cut"}
    assert "snapshots/" + COMMIT in lines["qwen"]
    assert "vae/config.json missing: run layerctl models pull org/half" in lines["org/half"]
    assert f"{path} is damaged" in lines["org/cut"]


@pytest.mark.usefixtures("cache")
def test_whole_checkpoints_are_good(layerctl, folder):
    answer = layerctl("models", "check", "mini", folder)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"mini: good, no hashes to compare\n{folder}: good, no hashes to compare\n"


def test_everything_wrong_in_several_checkpoints_is_told(layerctl, folder, cache):
    path = sorted((folder / "vae").glob("*.safetensors"))[0]
    path.unlink()
    missing, nowhere = layerctl("models", "check", "mini", folder, "qwenn").sentences()
    assert f"{path} is missing" in missing
    assert "did you mean qwen?" in nowhere
    assert not cache.exists()


def test_every_byte_of_the_hub_cache_is_held_against_its_hash(layerctl, folder, cache):
    snapshot = put_in_cache(folder, cache, "org/name")
    count = sum(path.is_file() for path in folder.rglob("*"))
    answer = layerctl("models", "check", "org/name")
    assert answer.out == f"org/name: good, {count} files as downloaded\n"
    weights = sorted((snapshot / "vae").glob("*.safetensors"))[3]
    config = snapshot / "scheduler" / "scheduler_config.json"
    flip_a_byte(weights.resolve())
    config.resolve().write_text(config.read_text() + " ")
    first, second, remedy = layerctl("models", "check", "org/name").sentences()
    assert first == f"{config} is not what was downloaded: remove it, fetch it again"
    assert second == f"{weights} is not what was downloaded: remove it, fetch it again"
    assert remedy == (
        f"to mend org/name: rm {config.resolve()} {weights.resolve()}; "
        "layerctl models pull org/name"
    )


def test_a_damaged_file_of_the_hub_cache_is_told_once(layerctl, folder, cache):
    snapshot = put_in_cache(folder, cache, "org/name")
    path = sorted((snapshot / "transformer").glob("*.safetensors"))[0]
    path.resolve().write_bytes(b"short")
    told, remedy = layerctl("models", "check", "org/name").sentences()
    assert told.startswith(f"{path} is cut short or damaged")
    assert str(path.resolve()) in remedy


def test_a_download_to_a_folder_is_held_against_the_hashes_noted_there(layerctl, folder):
    hub = FakeHub("org/name", folder)
    for entry in hub.tree():
        note = folder / ".cache/huggingface/download" / f"{entry['path']}.metadata"
        note.parent.mkdir(parents=True, exist_ok=True)
        recorded = entry.get("lfs", entry)["oid"]
        note.write_text(f"{COMMIT}\n{recorded}\n1700000000.0\n")
    answer = layerctl("models", "check", folder)
    assert answer.out == f"{folder}: good, {len(hub.files)} files as downloaded\n"
    path = sorted((folder / "vae").glob("*.safetensors"))[0]
    flip_a_byte(path)
    (told,) = layerctl("models", "check", folder).sentences()
    assert told == f"{path} is not what was downloaded: remove it, fetch it again"


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_decompose_names_the_file_that_is_wrong_and_so_does_check(
    layerctl, folder, tmp_path, defect
):
    rng = random.Random(defect.__name__)  # noqa: S311 - no secret
    part = rng.choice(["transformer", "vae"])
    spoilt = defect(rng, folder, part)
    scene().save(tmp_path / "cup.png")
    photo, out = tmp_path / "cup.png", tmp_path / "out"
    (told,) = layerctl("decompose", photo, "-o", out, "--model", folder).sentences()
    for sentence in (told, *layerctl("models", "check", folder).sentences()):
        assert str(folder / part) in sentence
        assert spoilt.name in sentence
    assert not list(out.glob("*.json"))
