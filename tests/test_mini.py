"""The shipped model: whole, small, loadable by others, and better than none."""

import hashlib
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from layerctl.checkpoints.catalogue import shipped_folder
from layerctl.decompose import open_model
from layerctl.formats import psd
from layerctl.photo import Photo, read_photo
from layerctl.preset import load_preset
from layerctl_model.settings import read_profile

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(p for p in (ROOT / "examples").iterdir() if p.suffix in {".jpg", ".png"})
MINI = shipped_folder() / "mini"


def hashes(folder):
    files = (p for p in folder.rglob("*") if p.is_file() and p.suffix in {".psd", ".pptx", ".png"})
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(files)
    }


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_):
        raise AssertionError("somebody asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_there_are_five_examples_or_more():
    assert len(EXAMPLES) >= 5


def test_mini_is_60_megabytes_at_most():
    assert sum(p.stat().st_size for p in MINI.rglob("*") if p.is_file()) <= 60_000_000


def test_mini_says_what_it_is_good_for():
    profile = read_profile(MINI)
    assert profile.note
    assert profile.fewest_layers <= profile.settings.layers <= profile.most_layers


@pytest.mark.usefixtures("offline")
def test_pictures_become_documents_that_verify_without_a_network(layerctl, tmp_path):
    pictures = EXAMPLES[:2]
    done = layerctl("decompose", *pictures, "--out", tmp_path)
    assert (done.code, done.err) == (0, "")
    assert layerctl("verify", tmp_path, "--against", ROOT / "examples").code == 0
    again = layerctl("decompose", *pictures, "--out", tmp_path)
    assert "2 skipped" in again.out


def test_the_same_picture_becomes_the_same_bytes(layerctl, tmp_path):
    for folder in ("one", "two"):
        layerctl("decompose", EXAMPLES[0], "--out", tmp_path / folder)
    first = hashes(tmp_path / "one")
    assert len(first) >= 3
    assert hashes(tmp_path / "two") == first


def test_a_photo_of_two_colours_comes_apart_into_them(layerctl, tmp_path):
    rows, columns = np.mgrid[:480, :640]
    pixels = np.full((480, 640, 3), (225, 222, 218), np.uint8)
    inside = np.hypot(rows - 240, columns - 320) < 130
    pixels[inside] = (190, 40, 30)
    Image.fromarray(pixels).save(tmp_path / "ball.png")
    layerctl("decompose", tmp_path / "ball.png", "--out", tmp_path / "out", "--psd")
    document = psd.read(tmp_path / "out" / "ball.png.psd")
    background = document.children[0]
    assert np.abs(background.pixels[240, 320, :3].astype(int) - (225, 222, 218)).max() < 40


def true_product(name, shape):
    clear = np.ones(shape, np.float32)
    for path in sorted((ROOT / "model/recipe/truth" / name).glob("*.png")):
        if not path.stem.endswith(("background", "shadow")):
            clear *= 1 - np.asarray(Image.open(path))[..., 3] / np.float32(255)
    return 1 - clear


def test_products_of_the_examples_are_mostly_found():
    preset = load_preset("default")
    model = open_model(preset)
    overlaps = []
    for path in EXAMPLES:
        photo = read_photo(path)
        document = model.decompose(photo, preset).document
        clear = np.ones((photo.height, photo.width), np.float32)
        for layer in document.children:
            if layer.role in {"product", "text"}:
                left, top, right, bottom = layer.box
                clear[top:bottom, left:right] *= 1 - layer.pixels[..., 3] / np.float32(255)
        truth = true_product(path.stem, clear.shape)
        overlaps.append(np.minimum(1 - clear, truth).sum() / np.maximum(1 - clear, truth).sum())
    assert np.mean(overlaps) > 0.75, overlaps


def test_stock_diffusers_loads_mini_and_sees_the_same_picture():
    from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel

    from layerctl_model.checkpoint import load_transformer, load_vae

    ours = load_vae(MINI, dtype=torch.float32)
    theirs = AutoencoderKLQwenImage.from_pretrained(MINI / "vae", torch_dtype=torch.float32)
    picture = torch.rand(1, 4, 96, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        latents = theirs.encode(picture[:, :, None]).latent_dist.mode()[:, :, 0]
        assert (ours.encode(picture) - latents).abs().max() < 1e-4
    transformer = QwenImageTransformer2DModel.from_pretrained(MINI / "transformer")
    wanted = {name: tuple(t.shape) for name, t in transformer.state_dict().items()}
    loaded = load_transformer(MINI).state_dict()
    assert {name: tuple(t.shape) for name, t in loaded.items()} == wanted


def test_two_things_that_stand_apart_get_a_layer_each():
    rows, columns = np.mgrid[:480, :640]
    pixels = np.full((480, 640, 4), (225, 222, 218, 255), np.uint8)
    discs = [np.hypot(rows - 260, columns - x) < 100 for x in (180, 450)]
    for inside, colour in zip(discs, ((190, 40, 30), (30, 70, 160)), strict=True):
        pixels[inside, :3] = colour
    preset = load_preset("default")
    document = open_model(preset).decompose(Photo(Path("balls.png"), pixels), preset).document
    things = [layer for layer in document.children if layer.role == "product"]
    assert len(things) == 2
    for disc in discs:
        shares = []
        for thing in things:
            left, top, right, bottom = thing.box
            shares.append((thing.pixels[..., 3] > 127)[disc[top:bottom, left:right]].sum())
        assert max(shares) > 0.95 * disc.sum()
        assert min(shares) < 0.05 * disc.sum()
