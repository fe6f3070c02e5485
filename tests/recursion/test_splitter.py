"""A layer becomes layers that give it back, whatever the network says."""

from dataclasses import replace

import numpy as np
import pytest

from layerctl.document import Document, Group, Layer, Quality, grouped, numbered, planted
from layerctl.recursion.splitter import BASE, MARGIN, Splitter

CANVAS = Document(100, 80, ())


def noise(seed, height=30, width=40, alpha=None):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    if alpha is not None:
        pixels[..., 3] = alpha
    return pixels


def layer(seed=0, alpha=None, **fields):
    return Layer("shoe", "product", noise(seed, alpha=alpha), **{"left": 7, "top": -3} | fields)


def stack(photo, *layers):
    return Document(photo.width, photo.height, layers)


def halves(photo, _count):
    """A backdrop that is the photo, and its right half once more above it."""
    backdrop, right = photo.pixels.copy(), photo.pixels.copy()
    half = photo.width // 2
    right[:, :half, 3] = 0
    return stack(
        photo, Layer("background", "background", backdrop), Layer("product", "product", right)
    )


def sloppy(seed):
    """A network whose layers are nothing like the photo."""

    def take_apart(photo, _count):
        rng = np.random.default_rng(seed)
        pixels = [noise(rng.integers(1 << 30), photo.height, photo.width) for _ in range(3)]
        pixels[1][..., :3] = 0
        bottom = Layer("background", "background", pixels[0])
        shade = Layer("shadow", "shadow", pixels[1], blend="multiply")
        return stack(photo, bottom, shade, Layer("product", "product", pixels[2]))

    return take_apart


def fixed(*layers):
    return lambda photo, _count: stack(photo, *(make(photo) for make in layers))


def whole(photo):
    return Layer("product", "product", photo.pixels.copy())


def empty(photo):
    return Layer("product", "product", np.zeros_like(photo.pixels))


def crumb(_photo):
    return Layer("crumb", "product", np.full((1, 1, 4), 255, np.uint8), 9, 9)


def composed(nodes, like):
    """Nodes flattened on the layer's own box, premultiplied."""
    left, top, right, bottom = like.box
    flat = Document(right - left, bottom - top, shifted(nodes, -left, -top)).flatten()
    return premultiplied(flat)


def shifted(nodes, right, down):
    return tuple(
        replace(node, left=node.left + right, top=node.top + down)
        if isinstance(node, Layer)
        else replace(node, children=shifted(node.children, right, down))
        for node in nodes
    )


def premultiplied(pixels):
    wide = pixels.astype(np.float64)
    return np.dstack([wide[..., :3] * wide[..., 3:] / 255, wide[..., 3]])


def check_exact(nodes, like):
    apart = np.abs(composed(nodes, like) - premultiplied(like.pixels))
    assert apart.max() <= 1 + 1e-6


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_any_network_gives_any_layer_back(seed, depth):
    random = layer(seed, alpha=[None, 255, None, 3][seed % 4])
    nodes = Splitter(sloppy(seed), CANVAS, depth=depth).split(random)
    assert nodes
    check_exact(nodes, random)


def test_an_exact_network_is_taken_at_its_word():
    nodes = Splitter(halves, CANVAS).split(layer(alpha=255))
    assert [node.name for node in nodes] == ["background", "product"]
    assert nodes[1].box == (27, -3, 47, 27)
    np.testing.assert_array_equal(nodes[1].pixels, layer(alpha=255).pixels[:, 20:])


def test_only_the_box_of_what_is_seen_is_shown_to_the_network_with_a_margin():
    pixels = np.zeros((80, 100, 4), np.uint8)
    pixels[20:60, 30:50] = noise(1, 40, 20, alpha=200)
    seen = []

    def take_apart(photo, count):
        seen.append(photo)
        return halves(photo, count)

    nodes = Splitter(take_apart, CANVAS).split(Layer("bag", "product", pixels, 100, 200))
    margin = round(MARGIN * 40)
    assert seen[0].pixels.shape == (40 + 2 * margin, 20 + 2 * margin, 4)
    assert (seen[0].pixels[:margin] == 0).all()
    assert (nodes[0].box[:2], nodes[1].box[2:]) == ((130, 220), (150, 260))


def test_an_opaque_layer_is_shown_as_it_is():
    seen = []
    Splitter(lambda photo, count: seen.append(photo) or halves(photo, count), CANVAS).split(
        layer(alpha=255)
    )
    assert seen[0].pixels.shape == (30, 40, 4)


def test_what_lies_under_the_parts_of_a_cut_out_is_no_background():
    assert Splitter(halves, CANVAS).split(layer(alpha=200))[0].name == BASE
    assert Splitter(halves, CANVAS).split(layer(alpha=255))[0].name == "background"


@pytest.mark.parametrize(
    "take_apart",
    [
        fixed(whole),
        fixed(empty, whole),
        fixed(whole, empty),
        fixed(whole, whole),
        fixed(whole, crumb),
        fixed(),
    ],
    ids=["one", "empty below", "empty above", "twins", "crumb", "none"],
)
@pytest.mark.parametrize("alpha", [255, 128])
def test_a_split_that_shows_no_second_thing_is_none(take_apart, alpha):
    assert Splitter(take_apart, CANVAS, least=0.01).split(layer(alpha=alpha)) == ()


def test_what_is_not_seen_of_a_split_is_dropped_and_the_rest_is_exact():
    def take_apart(photo, count):
        found = halves(photo, count)
        return replace(found, children=(*found.children, crumb(photo), empty(photo)))

    nodes = Splitter(take_apart, CANVAS, least=0.01).split(layer(alpha=200))
    assert [node.name for node in nodes] == [BASE, "product"]
    check_exact(nodes, layer(alpha=200))


@pytest.mark.parametrize("pixels", [np.zeros((20, 20, 4), np.uint8), noise(1, 9, 9)])
def test_nothing_is_asked_about_what_is_empty_or_tiny(pixels):
    def take_apart(*_):
        raise AssertionError

    assert Splitter(take_apart, CANVAS).split(Layer("dot", "product", pixels)) == ()


def test_depth_splits_parts_until_nothing_is_gained():
    calls = []

    def take_apart(photo, count):
        calls.append(photo.source.name)
        return halves(photo, count) if photo.width > 15 else fixed(whole)(photo, count)

    nodes = Splitter(take_apart, CANVAS, depth=5).split(layer(alpha=255))
    numbers = [number for number, _ in numbered(nodes)]
    assert numbers == ["1", "2", "2/1", "2/2"]
    assert len(calls) == 3
    check_exact(nodes, layer(alpha=255))


def test_shadows_are_not_split_again():
    asked = []

    def take_apart(photo, _count):
        asked.append(photo.source.name)
        dark = np.zeros_like(photo.pixels)
        dark[: photo.height // 2, :, 3] = 90
        shade = Layer("shadow", "shadow", dark, blend="multiply")
        lit = photo.pixels // 2 + 120
        lit[..., 3] = 255
        return stack(photo, Layer("background", "background", lit), shade)

    nodes = Splitter(take_apart, CANVAS, depth=2).split(layer(alpha=255))
    assert asked == ["shoe", "background"]
    assert nodes[1].blend == "multiply"
    assert (nodes[1].pixels[..., :3] == 0).all()


def test_a_layer_of_one_colour_channel_comes_back_in_each():
    grey = layer(3)
    grey.pixels[..., 1:3] = grey.pixels[..., :1]
    nodes = Splitter(sloppy(3), CANVAS).split(grey)
    red = [replace(node, pixels=node.pixels[..., [0, 0, 0, 3]]) for node in nodes]
    check_exact(red, grey)


def test_coverage_is_a_share_of_the_canvas():
    def judged(photo, count):
        found = halves(photo, count)
        return replace(
            found, children=tuple(replace(n, quality=Quality(1.0, 0.0)) for n in found.children)
        )

    nodes = Splitter(judged, CANVAS).split(layer(alpha=255))
    assert [node.quality.coverage for node in nodes] == [0.15, 0.075]


def test_a_group_stands_for_its_layer():
    faint = layer(opacity=0.4, blend="multiply", visible=False)
    group = grouped(faint, (layer(),))
    assert (group.name, group.opacity, group.blend, group.visible) == (
        "shoe",
        0.4,
        "multiply",
        False,
    )


def test_planting_replaces_one_node_at_any_depth():
    a, b, c = (replace(layer(), name=name) for name in "abc")
    tree = (a, Group("g", (b, Group("h", (c,)))))
    new = replace(layer(), name="new")
    assert planted(tree, "1", new) == (new, tree[1])
    assert [n.name for _, n in numbered(planted(tree, "2/2/1", new))] == ["a", "g", "b", "h", "new"]
    assert [n.name for _, n in numbered(planted(tree, "2/1", new))] == ["a", "g", "new", "h", "c"]
