"""A photo and a preset become a document, whatever the network says."""

import cv2
import numpy as np
import pytest
import torch
from PIL import ImageCms

from layerctl.decompose import choose_device, choose_dtype, open_decompose, take_apart
from layerctl.errors import EnvironmentFault, UsageError
from layerctl.photo import Photo
from layerctl.preset import ModelSection, Preset, load_preset
from layerctl_model import Profile, Settings

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILE = Profile(Settings(resolution=128, steps=3), fewest_layers=2, most_layers=6)


class FakeDecomposer:
    """Sees a disc in the middle, with a shadow, and remembers what it was asked."""

    profile = PROFILE

    def decompose(self, picture, settings):
        self.picture, self.settings = picture, settings
        _, height, width = picture.shape
        rows, columns = np.mgrid[:height, :width]
        disc = np.hypot(rows - height / 2, columns - width / 2) < height / 4
        layers = torch.zeros(settings.layers, 4, height, width)
        layers[0] = 1
        layers[0, :3] = picture[:3, :1, :1]
        if settings.layers > 2:
            layers[1, 3] = 0.5 * torch.from_numpy(cv2.GaussianBlur(np.float32(disc), (0, 0), 9))
        layers[2 if settings.layers > 2 else 1] = torch.cat([picture[:3], torch.tensor(disc)[None]])
        return layers


class RandomDecomposer(FakeDecomposer):
    """Says nothing sensible at all."""

    def decompose(self, picture, settings):
        generator = torch.Generator().manual_seed(settings.seed)
        return torch.rand(settings.layers, 4, *picture.shape[1:], generator=generator)


@pytest.fixture
def photo(tmp_path):
    rng = np.random.default_rng(0)
    pixels = np.full((333, 555, 4), 255, np.uint8)
    pixels[..., :3] = 190 + rng.integers(0, 20, (333, 555, 3))
    disc = cv2.circle(np.zeros((333, 555), np.float32), (277, 166), 83, 1.0, -1)
    pixels[..., :3] = pixels[..., :3] * (1 - 0.5 * cv2.GaussianBlur(disc, (0, 0), 30)[..., None])
    cv2.circle(pixels, (277, 166), 83, (200, 40, 30, 255), -1)
    return Photo(tmp_path / "shoe.jpg", pixels, SRGB, (300.0, 300.0), ())


def preset(**keys) -> Preset:
    return load_preset("default", {key.replace("__", "."): value for key, value in keys.items()})


@pytest.mark.parametrize("network", [FakeDecomposer, RandomDecomposer])
@pytest.mark.parametrize("layers", [2, 3, 6])
@pytest.mark.parametrize("edges", ["photo", "model"])
def test_the_document_shows_the_photo_whatever_the_network_says(photo, network, layers, edges):
    chosen = preset(decompose__layers=layers, refine__edges=edges)
    document = take_apart(network(), photo, chosen).document
    assert (document.width, document.height) == (555, 333)
    assert np.abs(document.flatten().astype(int) - photo.pixels).max() <= 1


def test_profile_and_resolution_of_the_photo_survive(photo):
    document = take_apart(FakeDecomposer(), photo, preset()).document
    assert (document.icc, document.dpi) == (SRGB, (300.0, 300.0))


def test_layers_have_roles_and_the_shadow_is_on_multiply(photo):
    document = take_apart(FakeDecomposer(), photo, preset()).document
    assert [layer.role for layer in document.children] == ["background", "shadow", "product"]
    assert document.children[1].blend == "multiply"


def test_a_shadow_that_the_photo_does_not_show_is_no_layer(photo):
    cv2.rectangle(photo.pixels, (0, 0), (555, 333), (200, 200, 200, 255), -1)
    cv2.circle(photo.pixels, (277, 166), 83, (200, 40, 30, 255), -1)
    document = take_apart(FakeDecomposer(), photo, preset()).document
    assert [layer.role for layer in document.children] == ["background", "product"]


def test_a_cut_out_is_shown_to_the_network_on_a_plain_backdrop(photo):
    photo.pixels[..., 3] = cv2.circle(np.zeros((333, 555), np.uint8), (277, 166), 83, 255, -1)
    network = FakeDecomposer()
    document = take_apart(network, photo, preset()).document
    assert (network.picture[3] == 1).all()
    assert np.ptp(network.picture[:3, 0].numpy()) == 0
    assert np.array_equal(document.flatten()[..., 3], photo.pixels[..., 3])


def test_a_shadow_stays_in_the_background_if_the_preset_says_so(photo):
    document = take_apart(FakeDecomposer(), photo, preset(refine__shadow="background")).document
    assert [layer.role for layer in document.children] == ["background", "product"]


def test_the_network_sees_its_own_size_and_the_checkpoints_settings(photo):
    network = FakeDecomposer()
    take_apart(network, photo, preset(decompose__seed=5))
    assert network.picture.shape == (4, 96, 160)
    assert network.settings == Settings(layers=4, resolution=128, steps=3, seed=5)


def test_the_preset_beats_the_checkpoints_settings(photo):
    network = FakeDecomposer()
    take_apart(network, photo, preset(decompose__steps=9, decompose__resolution=64))
    assert (network.settings.steps, network.settings.resolution) == (9, 64)


def test_auto_asks_for_as_many_layers_as_the_checkpoint_makes(photo):
    network = FakeDecomposer()
    document = take_apart(network, photo, preset(decompose__layers="auto")).document
    assert network.settings.layers == PROFILE.most_layers
    assert len(document.children) == 3


def test_more_layers_than_the_checkpoint_makes_are_refused(photo):
    with pytest.raises(UsageError, match="2 to 6 layers, not 7"):
        take_apart(FakeDecomposer(), photo, preset(decompose__layers=7))


def test_every_stage_is_timed(photo):
    assert set(take_apart(FakeDecomposer(), photo, preset()).seconds) == {"model", "lift"}


def test_a_device_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(EnvironmentFault, match="no cuda device"):
        choose_device("cuda")


def test_a_cpu_computes_exactly_unless_told_otherwise():
    cpu = torch.device("cpu")
    assert choose_dtype("auto", cpu) == torch.float32
    assert choose_dtype("bfloat16", cpu) == torch.bfloat16


def test_a_damaged_checkpoint_is_one_sentence(tmp_path):
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(EnvironmentFault, match="vae"):
        open_decompose(ModelSection(name=str(tmp_path)))
