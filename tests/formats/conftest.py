import numpy as np
import pytest
from PIL import ImageCms

from layerctl.document import Document, Group, Layer
from layerctl.preset import ExportSection

GIFT = "产品 🎁"


def noise(seed, height, width, alpha=None):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    if alpha is not None:
        pixels[..., 3] = alpha
    return pixels


def shadow(seed, height, width, left, top):
    pixels = noise(seed, height, width)
    pixels[..., :3] = 0
    return Layer("shadow", "shadow", pixels, left, top, blend="multiply")


def draw(seed, *, opaque=True):
    """A document with everything in it: groups, a hidden layer, half opacity, Multiply."""
    backdrop = noise(seed, 60, 80, 255 if opaque else None)
    inner = Group("inner", (Layer("a/b: c", "text", noise(seed + 1, 10, 12), 33, 13),))
    children = (
        Layer("background", "background", backdrop),
        shadow(seed + 2, 20, 40, 5, 30),
        Group(GIFT, (Layer("n" * 300, "product", noise(seed + 3, 20, 21), 30, 10), inner)),
        Layer("faint", "product", noise(seed + 4, 30, 25), 50, 25, opacity=128 / 255),
        Layer("off", "product", noise(seed + 5, 5, 5), 1, 1, visible=False),
    )
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return Document(80, 60, children, icc=icc, dpi=(300.0, 240.0))


@pytest.fixture(params=[True, False], ids=["opaque", "translucent"])
def document(request):
    return draw(7, opaque=request.param)


@pytest.fixture
def drawn():
    return draw


@pytest.fixture
def export():
    """Build the export section of a preset."""

    def section(compression="rle", *, original=False, canvas="full", level=1):
        return ExportSection.model_validate(
            {
                "psd": {"compression": compression, "original": original},
                "png": {"canvas": canvas, "level": level},
            }
        )

    return section


def traits(document):
    return [
        (number, node.name, node.box, node.blend, node.opacity, node.visible)
        for number, node in document.walk()
    ]


@pytest.fixture
def same():
    """Check that two documents are equal, layer by layer, up to the names one of them cut."""

    def check(found, expected, name=lambda text: text):
        wanted = [(n, name(text), *rest) for n, text, *rest in traits(expected)]
        assert traits(found) == wanted
        for (_, mine), (_, theirs) in zip(found.walk(), expected.walk(), strict=True):
            np.testing.assert_array_equal(mine.pixels, theirs.pixels)
        assert (found.width, found.height) == (expected.width, expected.height)
        assert (found.icc, found.dpi) == (expected.icc, expected.dpi)
        np.testing.assert_array_equal(found.flatten(), expected.flatten())

    return check


@pytest.fixture
def premultiplied():
    """Return what is seen: colour counts for as much as alpha lets through."""

    def convert(pixels):
        wide = np.asarray(pixels).astype(np.float64)
        return np.dstack([wide[..., :3] * wide[..., 3:] / 255, wide[..., 3]])

    return convert
