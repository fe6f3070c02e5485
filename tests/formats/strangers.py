"""PSDs as other programs write them: random trees, and records with whatever else there may be."""

from dataclasses import replace

import numpy as np

from layerctl.document import Document, Group, Layer
from layerctl.formats import psd
from layerctl.formats.psd_bytes import Splice, recounted, spliced
from layerctl.formats.psd_layout import parse
from layerctl.formats.psd_parts import Channel, block, encode_record
from layerctl.formats.psd_surgery import FILLERS
from layerctl.preset import ExportSection

WIDTH, HEIGHT = 40, 30


def random_layer(rng, name):
    """A layer of noise with soft edges, anywhere, partly off the canvas now and then."""
    height, width = rng.integers(1, (HEIGHT, WIDTH))
    pixels = rng.integers(0, 256, (height, width, 4), np.uint8)
    if rng.random() < 0.5:
        pixels[..., 3] = np.where(rng.random((height, width)) < 0.7, 255, pixels[..., 3])
    return Layer(
        name=name,
        role="product",
        pixels=pixels,
        left=int(rng.integers(-5, WIDTH - 2)),
        top=int(rng.integers(-5, HEIGHT - 2)),
        opacity=float(rng.choice([1.0, 1.0, 102 / 255])),
        blend=str(rng.choice(["normal", "normal", "multiply"])),
        visible=bool(rng.random() < 0.9),
    )


def random_nodes(rng, depth=3, prefix="layer"):
    names = [f"{prefix} {number}" for number in range(int(rng.integers(1, 4)))]
    return tuple(
        Group(name, random_nodes(rng, depth - 1, name), visible=bool(rng.random() < 0.9))
        if depth and rng.random() < 0.4
        else random_layer(rng, name)
        for name in names
    )


def random_document(seed):
    rng = np.random.default_rng(seed)
    backdrop = rng.integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    if seed % 2:
        backdrop[..., 3] = 255
    bottom = Layer("产品", "background", backdrop)
    return Document(WIDTH, HEIGHT, (bottom, *random_nodes(rng)), dpi=(300.0, 300.0))


def written(document, folder, compression="rle", *, wide=False):
    """The document as the bytes of a PSD, or of a PSB if `wide`."""
    target = folder / "written.psd"
    with_limit = psd.PSD_SIDE
    try:
        psd.PSD_SIDE = 0 if wide else with_limit
        psd.write(
            document, target, ExportSection.model_validate({"psd": {"compression": compression}})
        )
    finally:
        psd.PSD_SIDE = with_limit
    return target.read_bytes()


def retouched(data, index, *, masks=(), blocks=(), **fields):
    """A PSD with a record changed: more channels (identity, data), more blocks (key, data)."""
    layout = parse(data)
    placed = layout.placed[index]
    more = tuple(Channel(identity, len(content)) for identity, content in masks)
    record = replace(
        placed.record,
        channels=placed.record.channels + more,
        blocks=placed.record.blocks + tuple(block(key, content) for key, content in blocks),
        **fields,
    )
    end = placed.pixels + placed.size
    splices = [
        Splice(placed.start, placed.end, encode_record(record, wide=layout.wide)),
        Splice(end, end, b"".join(content for _, content in masks)),
    ]
    return with_lengths(data, splices)


def without_alpha(data, index):
    """A PSD whose record at `index` has no alpha channel, as a background of Photoshop's."""
    layout = parse(data)
    placed = layout.placed[index]
    alpha, *others = placed.record.channels
    record = replace(placed.record, channels=tuple(others))
    head = encode_record(record, wide=layout.wide)
    splices = [
        Splice(placed.start, placed.end, head),
        Splice(placed.pixels, placed.pixels + alpha.size, b""),
    ]
    return with_lengths(data, splices)


def with_resource(data, identity, content):
    section = parse(data).resource_section
    padded = content + bytes(len(content) % 2)
    resource = b"8BIM" + identity.to_bytes(2) + bytes(2) + len(content).to_bytes(4) + padded
    added = Splice(section.end, section.end, resource)
    return b"".join(spliced(data, [added, recounted(section, added.growth)]))


def with_lengths(data, splices):
    """A PSD with something changed inside its layers, and counted anew."""
    growth = sum(splice.growth for splice in splices)
    lengths = [recounted(section, growth) for section in parse(data).around]
    return b"".join(spliced(data, [*splices, *lengths]))


def pieces(data):
    """The bytes of every record with its image data, bottom first."""
    layout = parse(data)
    return [data[p.start : p.end] + data[p.pixels : p.pixels + p.size] for p in layout.placed]


def outside(data):
    """Everything but the layers, what counts them, and resources with an entry for each of them."""
    layout = parse(data)
    kept = [
        (resource.identity, data[resource.data.start : resource.data.end])
        for resource in layout.resources
        if resource.identity not in FILLERS
    ]
    return data[: layout.resource_section.count], kept, data[layout.around[-1].end :]


def cut(layer, seed, count=3):
    """Layers that compose to a layer exactly: each pixel of it goes to one of them."""
    owner = np.random.default_rng(seed).integers(0, count, layer.pixels.shape[:2])
    shares = []
    for number in range(count):
        pixels = layer.pixels.copy()
        pixels[..., 3][owner != number] = 0
        shares.append(
            replace(layer, name=f"part {number}", pixels=pixels, opacity=1, blend="normal")
        )
    return tuple(replace(share, visible=True) for share in shares)
