"""A photo and a preset become a document, whatever the network says."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from safetensors.torch import load_file, save_file

from layerctl import decompose, network
from layerctl.checkpoints.catalogue import shipped_folder
from layerctl.decompose import NetworkModel, open_model
from layerctl.document import Group
from layerctl.errors import EnvironmentFault, UsageError
from layerctl.network import Crop, Profile, Settings
from layerctl.photo import Photo
from layerctl.preset import Preset, load_preset
from layerctl.texts.encoding import Texts
from layerctl.texts.prompt import Prompt
from layerctl.things import Things
from layerctl_model import decomposer

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILE = Profile(
    Settings(resolution=128, steps=3), fewest_layers=2, most_layers=6, reads_alpha=False
)


class Disc:
    """A network that sees a disc in the middle, with a shadow, and remembers what it was asked."""

    def open(self):
        return ()

    def run(self, work):
        return work(self), ()

    def make_layers(self, picture, settings, *texts):
        self.picture, self.settings, self.texts = picture, settings, texts
        height, width, _ = picture.shape
        rows, columns = np.mgrid[:height, :width]
        disc = np.hypot(rows - height / 2, columns - width / 2) < height / 4
        layers = np.zeros((settings.layers, height, width, 4), np.float32)
        layers[0] = 1
        layers[0, ..., :3] = picture[:1, :1, :3] / 255
        if settings.layers > 2:
            layers[1, ..., 3] = 0.5 * cv2.GaussianBlur(np.float32(disc), (0, 0), 9)
        product = layers[2 if settings.layers > 2 else 1]
        product[..., :3], product[..., 3] = picture[..., :3] / 255, disc
        return layers

    def find_things(self, _view, _resolution, _size):
        return None


class Noise(Disc):
    """A network that says nothing sensible at all."""

    def make_layers(self, picture, settings, *_):
        chance = np.random.default_rng(settings.seed)
        return chance.random((settings.layers, *picture.shape), np.float32)


class Babel(Noise):
    """A network that says nothing sensible of the things in a picture either."""

    def find_things(self, _view, _resolution, size):
        chance = np.random.default_rng(0).random((7, *size), np.float32)
        shares, whole, kinds = chance[:2], chance[2:4], chance[4:]
        return Things(shares / shares.sum(axis=0), whole, kinds / kinds.sum(axis=0))


class Pair(Disc):
    """A network that draws a thing in one layer and knows that it is two, side by side."""

    def find_things(self, view, resolution, size):
        self.view, self.resolution = view, resolution
        height, width = size
        left = np.zeros((height, width), np.float32)
        left[:, : width // 2] = 1
        picture = view(Crop(), resolution)
        product = self.make_layers(picture, Settings(layers=2))[1, ..., 3]
        kinds = np.stack([1 - product, product, np.zeros_like(product)])
        return Things(np.stack([left, 1 - left]), np.stack([left, 1 - left]), kinds)


def take_apart(network, photo, preset, profile=PROFILE):
    return NetworkModel(profile, network, None).decompose(photo, preset)


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


@pytest.mark.parametrize("network", [Disc, Noise, Babel, Pair])
@pytest.mark.parametrize("layers", [2, 3, 6])
@pytest.mark.parametrize("edges", ["photo", "model"])
def test_the_document_shows_the_photo_whatever_the_network_says(photo, network, layers, edges):
    chosen = preset(decompose__layers=layers, refine__edges=edges)
    document = take_apart(network(), photo, chosen).document
    assert (document.width, document.height) == (555, 333)
    assert np.abs(document.flatten().astype(int) - photo.pixels).max() <= 1


def test_things_that_the_network_tells_apart_get_layers_of_their_own(photo):
    document = take_apart(Pair(), photo, preset()).document
    assert [layer.role for layer in document.children][-2:] == ["product", "product"]
    left, right = (layer.box for layer in document.children[-2:])
    assert abs(left[2] - right[0]) < 0.05 * photo.width


class Halves(Disc):
    """A network that, of what is cut out, says that its right half is another thing."""

    def make_layers(self, picture, settings, *texts):
        self.asked = [*getattr(self, "asked", ()), settings.layers]
        if len(self.asked) == 1:
            return super().make_layers(picture, settings, *texts)
        layers = np.repeat(picture[None] / np.float32(255), 2, axis=0)
        layers[0, ..., 3] = 1
        layers[1, :, : picture.shape[1] // 2, 3] = 0
        layers[1, ..., 3] *= (picture[..., :3].std(axis=-1) > 20).astype(np.float32)
        return layers


def test_a_rule_of_the_preset_splits_a_layer_by_the_same_network(photo):
    network = Halves()
    rule = {"layer": "product", "layers": 2}
    chosen = preset(decompose__layers=3, recurse__rules=[rule])
    taken = take_apart(network, photo, chosen)
    assert network.asked == [3, 2]
    assert [type(node) for node in taken.document.children].count(Group) == 1
    assert "recurse" in taken.seconds
    assert np.abs(taken.document.flatten().astype(int) - photo.pixels).max() <= 1


def test_a_rule_that_asks_for_too_many_layers_is_refused_before_anything_is_read():
    with pytest.raises(UsageError, match="2 to 6 layers, not 9"):
        open_model(preset(recurse__rules=[{"layer": "product", "layers": 9}]))


def test_profile_and_resolution_of_the_photo_survive(photo):
    document = take_apart(Disc(), photo, preset()).document
    assert (document.icc, document.dpi) == (SRGB, (300.0, 300.0))


def test_layers_have_roles_and_the_shadow_is_on_multiply(photo):
    document = take_apart(Disc(), photo, preset()).document
    assert [layer.role for layer in document.children] == ["background", "shadow", "product"]
    assert document.children[1].blend == "multiply"


def test_a_shadow_that_the_photo_does_not_show_is_no_layer(photo):
    cv2.rectangle(photo.pixels, (0, 0), (555, 333), (200, 200, 200, 255), -1)
    cv2.circle(photo.pixels, (277, 166), 83, (200, 40, 30, 255), -1)
    document = take_apart(Disc(), photo, preset()).document
    assert [layer.role for layer in document.children] == ["background", "product"]


def test_a_cut_out_is_shown_to_the_network_on_a_plain_backdrop(photo):
    photo.pixels[..., 3] = cv2.circle(np.zeros((333, 555), np.uint8), (277, 166), 83, 255, -1)
    network = Disc()
    document = take_apart(network, photo, preset()).document
    assert (network.picture[..., 3] == 255).all()
    assert np.ptp(network.picture[0, :, :3]) == 0
    assert np.array_equal(document.flatten()[..., 3], photo.pixels[..., 3])


def test_a_shadow_stays_in_the_background_if_the_preset_says_so(photo):
    document = take_apart(Disc(), photo, preset(refine__shadow="background")).document
    assert [layer.role for layer in document.children] == ["background", "product"]


def test_the_network_sees_its_own_size_and_the_checkpoints_settings(photo):
    network = Disc()
    take_apart(network, photo, preset(decompose__seed=5))
    assert network.picture.shape == (96, 160, 4)
    assert network.settings == Settings(layers=4, resolution=128, steps=3, seed=5)


def test_two_things_that_a_network_draws_in_one_layer_get_one_each(photo):
    document = take_apart(Pair(), photo, preset()).document
    assert [layer.role for layer in document.children][-2:] == ["product", "product"]


def test_the_things_may_be_looked_at_from_near_in_the_pixels_of_the_photo(photo):
    network = Pair()
    take_apart(network, photo, preset())
    assert network.resolution == PROFILE.settings.resolution
    assert network.view(Crop(), 256).shape == (192, 320, 4)
    near = network.view(Crop(222 / 555, 33 / 333, 382 / 555, 193 / 333), 160)
    np.testing.assert_array_equal(near, photo.pixels[33:193, 222:382])


def test_the_preset_beats_the_checkpoints_settings(photo):
    network = Disc()
    take_apart(network, photo, preset(decompose__steps=9, decompose__resolution=64))
    assert (network.settings.steps, network.settings.resolution) == (9, 64)


def test_auto_asks_for_as_many_layers_as_the_checkpoint_makes(photo):
    network = Disc()
    document = take_apart(network, photo, preset(decompose__layers="auto")).document
    assert network.settings.layers == PROFILE.most_layers
    assert len(document.children) == 3


def test_more_layers_than_the_checkpoint_makes_are_refused(photo):
    with pytest.raises(UsageError, match="2 to 6 layers, not 7"):
        take_apart(Disc(), photo, preset(decompose__layers=7))


def test_every_stage_is_timed(photo):
    assert set(take_apart(Disc(), photo, preset()).seconds) == {"model", "lift"}


def test_a_network_that_knows_alpha_sees_a_cut_out_and_grey_where_it_is_clear(photo):
    photo.pixels[:, :200] = 0
    network = Disc()
    take_apart(network, photo, preset(), Profile(Settings(resolution=128)))
    picture = np.array(Image.fromarray(photo.pixels).resize((160, 96), Image.Resampling.LANCZOS))
    clear = picture[..., 3] == 0
    assert clear.mean() > 0.2
    assert np.array_equal(network.picture[~clear], picture[~clear])
    assert np.unique(network.picture[clear], axis=0).tolist() == [[decompose.MIDDLE] * 3 + [0]]


def test_guidance_is_kept_at_length_where_the_preset_says_so(photo):
    network = Disc()
    take_apart(network, photo, preset(decompose__normalise_guidance=True))
    assert network.settings.normalise_guidance


class Encoder:
    """Captions a picture with its size; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def caption(self, pictures, language):
        self.asked += [picture.shape for picture in pictures]
        return [f"{language}: {one.shape[1]} by {one.shape[0]}" for one in pictures]

    def embed(self, prompts):
        self.asked += prompts
        return [prompt.encode() for prompt in prompts]

    def close(self):
        pass


@pytest.fixture
def reader():
    """A model that reads texts, with its network and its encoder: model, network, encoder."""
    network, encoder = Disc(), Encoder()
    return NetworkModel(PROFILE, network, Texts(lambda: encoder, "")), network, encoder


def test_a_photo_is_captioned_as_the_network_sees_it(photo, reader):
    model, network, encoder = reader
    chosen = preset(decompose__caption_language="zh", decompose__negative_prompt="blur")
    model.prepare([photo], chosen)
    assert encoder.asked == [(96, 160, 4), "blur", "zh: 160 by 96"]
    taken = model.decompose(photo, chosen)
    assert taken.prompt == Prompt("zh: 160 by 96", "caption")
    assert network.texts == (b"zh: 160 by 96", b"blur")
    assert len(encoder.asked) == 3


def test_a_prompt_that_is_given_is_what_the_network_reads(photo, reader):
    model, network, encoder = reader
    said = Prompt("a red ball", "sidecar")
    model.prepare([said], preset())
    assert model.decompose(photo, preset(), said).prompt == said
    assert network.texts == (b"a red ball", b" ")
    assert encoder.asked == [" ", "a red ball"]


def test_what_was_not_prepared_is_read_when_it_is_needed(photo, reader):
    model, network, _ = reader
    assert model.decompose(photo, preset()).prompt.text == "en: 160 by 96"
    assert network.texts == (b"en: 160 by 96", b" ")


def test_a_model_without_text_draws_nothing_from_what_it_could_read():
    def photos():
        raise AssertionError("somebody looked")
        yield

    model = NetworkModel(PROFILE, Disc(), None)
    assert not model.reads_text
    model.prepare(photos(), preset())


def test_a_photo_that_cannot_be_shrunk_stops_no_reading(photo, reader, monkeypatch):
    model, _, encoder = reader
    monkeypatch.setattr(decompose, "view_of", lambda *_, **__: 1 / 0)
    model.prepare([photo, Prompt("a ball", "flag")], preset())
    assert encoder.asked == [" ", "a ball"]


@pytest.mark.parametrize("reads", [False, True])
def test_freed_memory_is_kept_but_for_a_checkpoint_that_reads_text(reads, monkeypatch):
    kept, profile = [], network.profile
    monkeypatch.setattr(network, "profile", lambda setup: replace(profile(setup), needs_text=reads))
    monkeypatch.setattr(decompose, "open_texts", lambda *_: None)
    monkeypatch.setattr(decompose, "keep_memory", lambda: kept.append(True))
    open_model(preset(model__device="cpu"))
    assert bool(kept) is not reads


@pytest.fixture
def checkpoint(tmp_path):
    """A copy of the shipped checkpoint."""
    return shutil.copytree(shipped_folder() / "mini", tmp_path / "copy")


def refusal(folder, **keys):
    with pytest.raises((EnvironmentFault, UsageError)) as caught:
        open_model(preset(model__name=str(folder), model__device="cpu", **keys))
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def test_a_damaged_checkpoint_is_one_sentence(checkpoint):
    weights = checkpoint / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5])
    config = checkpoint / "transformer" / "config.json"
    config.write_text(config.read_text().replace('"num_layers": 6', '"num_layers": 7'))
    fault = refusal(checkpoint)
    assert "more: layerctl models check" in str(fault)
    assert isinstance(fault, EnvironmentFault)


@pytest.mark.parametrize(
    ("part", "name"), [("transformer", "proj_out.bias"), ("separator", "conv_out.bias")]
)
def test_weights_that_are_no_numbers_make_no_document(photo, checkpoint, part, name):
    weights = checkpoint / part / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors[name][0] = float("nan")
    save_file(tensors, weights)
    chosen = preset(model__name=str(checkpoint), model__device="cpu", decompose__steps=1)
    with pytest.raises(EnvironmentFault, match="copy makes layers of numbers that are not finite"):
        open_model(chosen).decompose(photo, chosen)


def test_chances_from_near_that_are_no_numbers_make_no_document(photo, checkpoint, monkeypatch):
    broken = torch.full((4, 4), torch.nan)
    monkeypatch.setattr(decomposer, "detailed", lambda things, *_: replace(things, near=broken))
    chosen = preset(model__name=str(checkpoint), model__device="cpu", decompose__steps=1)
    with pytest.raises(EnvironmentFault, match="numbers that are not finite"):
        open_model(chosen).decompose(photo, chosen)


def test_a_lora_that_is_missing_or_foreign_is_one_sentence(checkpoint, tmp_path):
    stray = tmp_path / "stray.safetensors"
    chosen = {"model__loras": ({"file": str(stray)},)}
    assert "stray.safetensors is not a file" in str(refusal(checkpoint, **chosen))
    shutil.copyfile(checkpoint / "vae" / "diffusion_pytorch_model.safetensors", stray)
    assert "stray.safetensors" in str(refusal(checkpoint, **chosen))


def test_more_layers_than_there_can_be_are_refused_at_once(checkpoint):
    assert isinstance(refusal(checkpoint, decompose__layers=9), UsageError)


def test_a_model_that_does_not_fit_is_refused_with_what_it_needs(checkpoint, monkeypatch):
    monkeypatch.setattr("layerctl.fit.room", lambda _: decompose.fit.Room(1000, 0))
    fault = refusal(checkpoint)
    assert isinstance(fault, EnvironmentFault)
    assert "does not fit: the least it needs is 1." in str(fault)
    assert "free are 0.00 GB" in str(fault)


@pytest.mark.parametrize("keys", [{}, {"model__quantize": "fp8"}, {"model__offload": "stream"}])
def test_every_way_to_run_mini_takes_a_photo_apart(photo, checkpoint, keys):
    chosen = preset(model__name=str(checkpoint), model__device="cpu", decompose__steps=1, **keys)
    taken = open_model(chosen).decompose(photo, chosen)
    assert np.abs(taken.document.flatten().astype(int) - photo.pixels).max() <= 1
    assert (taken.prompt, taken.notes) == (None, ())
