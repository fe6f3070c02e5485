"""A layer becomes a group; every byte that is not its own stays."""

import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from psd_tools import PSDImage
from psd_tools.constants import BlendMode, Compression, Resource
from psd_tools.psd import PSD

from layerctl.document import Document, Group, Layer
from layerctl.errors import DocumentError
from layerctl.formats import psd
from layerctl.formats.psd_bytes import Splice
from layerctl.formats.psd_layers import pixels
from layerctl.formats.psd_layout import parse
from layerctl.formats.psd_parts import Channel
from layerctl.formats.psd_surgery import FILLERS, check_splittable, graft
from layerctl.formats.psd_tree import tree, walk
from tests.formats import strangers

SAMPLES = sorted((Path(os.environ.get("LAYERCTL_DATA", "nowhere")) / "psd").glob("*.ps[db]"))
LOCKED = (b"lspf", (0b111).to_bytes(4))
RED = (b"lclr", bytes.fromhex("0001000000000000"))
UNKNOWN = (b"XyZ1", b"nobody knows me!")
EFFECTS = (b"lfx2", bytes(16))
OUTLINE = (b"vmsk", (3).to_bytes(4) + bytes(4))


def items(data):
    return list(walk(tree(parse(data).records)))


def item(data, number):
    return next(found for found in items(data) if found.number == number)


def layer_of(data, number):
    layout, found = parse(data), item(data, number)
    placed = layout.placed[found.index]
    left, top, _, _ = found.record.box
    return Layer(found.name, "product", pixels(layout, placed), left, top)


def operate(data, number, parts=None, compression=Compression.RLE):
    """Split a layer into parts that give it back, and return the new file."""
    layout, found = parse(data), item(data, number)
    check_splittable(layout, found)
    parts = parts or strangers.cut(layer_of(data, number), seed=len(data))
    return b"".join(graft(layout, found, parts, compression))


def composed(data, folder):
    """What psd-tools makes of a file's layers, premultiplied."""
    target = folder / "composed.psd"
    target.write_bytes(data)
    image = PSDImage.open(target).composite(force=True, ignore_preview=True, apply_icc=False)
    wide = np.asarray(image.convert("RGBA")).astype(np.float64)
    return np.dstack([wide[..., :3] * wide[..., 3:] / 255, wide[..., 3]])


def check_untouched(before, after, number, added):
    """Every record but one, its image data, and everything around the layers are as they were."""
    index = item(before, number).index
    old, new = strangers.pieces(before), strangers.pieces(after)
    assert len(new) == len(old) + added
    assert new[:index] == old[:index]
    assert new[index + added + 1 :] == old[index + 1 :]
    assert strangers.outside(after) == strangers.outside(before)


def check_untouched_by_psd_tools(before, after, index):
    """The same, asked of another parser: all it knows of a file but the one layer is equal."""
    old, new = (PSD.read(BytesIO(data)) for data in (before, after))
    assert new.header == old.header
    assert new.color_mode_data == old.color_mode_data
    assert new.image_data == old.image_data
    for key in old.image_resources:
        assert key in FILLERS or new.image_resources[key] == old.image_resources[key]
    theirs, ours = old.layer_and_mask_information, new.layer_and_mask_information
    assert ours.global_layer_mask_info == theirs.global_layer_mask_info
    assert ours.tagged_blocks == theirs.tagged_blocks
    for field in ("layer_records", "channel_image_data"):
        was, now = getattr(theirs.layer_info, field), getattr(ours.layer_info, field)
        assert list(now)[:index] == list(was)[:index]
        assert list(now)[index + 5 :] == list(was)[index + 1 :]


@pytest.mark.parametrize("seed", range(25))
def test_a_random_layer_of_a_random_tree_becomes_a_group(seed, tmp_path):
    before = strangers.written(strangers.random_document(seed), tmp_path, wide=seed % 5 == 4)
    layers = [found for found in items(before) if found.children is None]
    chosen = layers[seed % len(layers)]
    after = operate(before, chosen.number)
    check_untouched(before, after, chosen.number, added=4)
    group = item(after, chosen.number)
    assert (group.kind, group.name) == ("group", chosen.name)
    assert [part.name for part in group.children] == ["part 0", "part 1", "part 2"]
    assert [f.name for f in items(after) if not f.name.startswith("part ")] == [
        found.name for found in items(before)
    ]
    assert np.abs(composed(after, tmp_path) - composed(before, tmp_path)).max() <= 1
    (tmp_path / "a.psd").write_bytes(before)
    (tmp_path / "b.psd").write_bytes(after)
    flats = [psd.read(tmp_path / name).flatten().astype(int) for name in ("a.psd", "b.psd")]
    assert np.abs(flats[0] - flats[1]).max() <= 1


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_pixel_layer_of_other_programs_becomes_a_group(path):
    before = path.read_bytes()
    for found in items(before):
        try:
            check_splittable(parse(before), found)
        except DocumentError:
            continue
        after = operate(before, found.number)
        check_untouched(before, after, found.number, added=4)
        check_untouched_by_psd_tools(before, after, found.index)
        assert item(after, found.number).kind == "group"
        identities = [f.record.block(b"lyid") for f in items(after)]
        assert len(set(identities)) == len(identities)


@pytest.fixture
def stranger(tmp_path):
    """A document of three layers, the middle one with everything that its group has to keep."""
    rng = np.random.default_rng(3)
    layers = [strangers.random_layer(rng, name) for name in ("below", "产品 🎁", "above")]
    layers[1] = replace(layers[1], left=3, top=4, opacity=102 / 255, blend="multiply", visible=True)
    base = strangers.written(Document(40, 30, tuple(layers), dpi=(72.0, 72.0)), tmp_path)
    identified = base
    for index, identity in enumerate((7, 300, 12)):
        block = (b"lyid", identity.to_bytes(4))
        identified = strangers.retouched(identified, index, blocks=[block])
    return strangers.retouched(
        identified,
        1,
        masks=[(-2, mask_data())],
        blocks=[LOCKED, RED, UNKNOWN, EFFECTS, OUTLINE, (b"lnsr", b"layr")],
        mask=mask_record(),
        flags=0b1001,
    )


def mask_record():
    box = b"".join(value.to_bytes(4, signed=True) for value in (5, 6, 15, 16))
    return (20).to_bytes(4) + box + b"\xff\0\0\0"


def mask_data():
    return b"\0\0" + bytes(range(100))


def test_the_group_is_the_layer_without_its_pixels(stranger):
    before, after = item(stranger, "2").record, item(operate(stranger, "2"), "2").record
    kept = ("blend", "opacity", "clipping", "mask", "ranges", "name", "tail", "filler")
    assert [getattr(after, field) for field in kept] == [getattr(before, field) for field in kept]
    for key in (b"luni", b"lyid", b"lclr", b"XyZ1", b"lfx2", b"vmsk"):
        assert after.block(key) == before.block(key)
    assert after.box == (0, 0, 0, 0)
    assert after.block(b"lsct") == b"\0\0\0\18BIMmul "
    assert after.block(b"lnsr") == b"lset"


def test_locks_of_pixels_do_not_lock_a_group_and_others_do(stranger):
    group = item(operate(stranger, "2"), "2").record
    assert group.block(b"lspf") == (0b100).to_bytes(4)
    assert group.flags == 0b11000


def test_the_mask_moves_to_the_group_byte_for_byte(stranger, tmp_path):
    after = operate(stranger, "2")
    channels = item(after, "2").record.channels
    assert channels == (*(Channel(number, 2) for number in (-1, 0, 1, 2)), Channel(-2, 102))
    (tmp_path / "a.psd").write_bytes(after)
    group = PSDImage.open(tmp_path / "a.psd")[1]
    assert group.mask.bbox == (6, 5, 16, 15)
    assert group.mask.topil().tobytes() == bytes(range(100))


def test_mask_opacity_and_blend_mode_show_as_before(stranger, tmp_path):
    after = operate(stranger, "2")
    assert np.abs(composed(after, tmp_path) - composed(stranger, tmp_path)).max() <= 1


def test_a_hidden_layer_becomes_a_hidden_group_of_layers_that_are_not(stranger):
    hidden = strangers.retouched(stranger, 1, flags=0b1010)
    group = item(operate(hidden, "2"), "2")
    assert not group.record.visible
    assert all(part.record.visible for part in group.children)


def test_new_layers_get_identities_that_no_layer_had(stranger):
    numbers = [int.from_bytes(r.block(b"lyid")) for r in parse(operate(stranger, "2")).records]
    assert numbers == [7, 301, 302, 303, 304, 300, 12]


def test_the_seed_of_identities_is_respected(stranger):
    seeded = strangers.with_resource(stranger, 1044, (1000).to_bytes(4))
    numbers = [int.from_bytes(r.block(b"lyid")) for r in parse(operate(seeded, "1")).records]
    assert numbers == [1001, 1002, 1003, 1004, 7, 300, 12]


@pytest.mark.parametrize("largest", [2**31 - 2, 2**32 - 1])
def test_where_the_largest_identity_is_taken_free_ones_are_given(stranger, largest):
    odd = strangers.with_resource(stranger, 1044, largest.to_bytes(4))
    numbers = [int.from_bytes(r.block(b"lyid")) for r in parse(operate(odd, "3")).records]
    assert numbers == [7, 300, 1, 2, 3, 4, 12]


def test_a_file_without_identities_gets_none(tmp_path):
    data = strangers.written(strangers.random_document(2), tmp_path)
    assert all(r.block(b"lyid") is None for r in parse(operate(data, "1")).records)


@pytest.mark.parametrize(
    ("identity", "before", "after"),
    [
        (1026, "0000 0000 0000", "0000 0000 0000"),
        (1026, "0000 0000 0005", "0000 00000000000000000000 0000 0005"),
        (1026, "0005 0005 0000", "0005 00000000000000000000 0005 0000"),
        (1072, "01 01 01", "01 01 01"),
        (1072, "01 01 00", "01 0101010101 01 00"),
    ],
)
def test_resources_with_an_entry_for_each_record_stay_in_step(stranger, identity, before, after):
    data = strangers.with_resource(stranger, identity, bytes.fromhex(before))
    parts = strangers.cut(layer_of(data, "2"), 1, count=4)
    found = parse(operate(data, "2", parts))
    assert found.resource(identity) == bytes.fromhex(after)
    others = [r.identity for r in found.resources]
    assert others == [r.identity for r in parse(data).resources]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_sign_of_the_layer_count_stays(seed, tmp_path):
    data = strangers.written(strangers.random_document(seed), tmp_path)
    before, after = parse(data).count, parse(operate(data, "1")).count
    assert abs(after) == abs(before) + 4
    assert np.sign(after) == np.sign(before)


@pytest.mark.parametrize("filling", [b"", b"\0", b"\0\0\0\0\0\0", b"?\0"])
def test_the_layers_are_rounded_to_four_bytes_and_nothing_behind_them_is_lost(stranger, filling):
    info = parse(stranger).around[-1]
    padded = strangers.with_lengths(stranger, [Splice(info.end, info.end, filling)])
    after = parse(operate(padded, "2"))
    section, last = after.around[-1], after.placed[-1]
    tail = after.data[last.pixels + last.size : section.end]
    assert len(section) % 4 == 0
    assert tail.strip(b"\0") == filling.strip(b"\0")
    assert strangers.outside(after.data) == strangers.outside(padded)


def test_a_layer_that_others_are_clipped_to_becomes_what_they_are_clipped_to(stranger, tmp_path):
    clipped = strangers.retouched(stranger, 2, clipping=1)
    after = operate(clipped, "2")
    assert item(after, "3").record.clipping == 1
    assert np.abs(composed(after, tmp_path) - composed(clipped, tmp_path)).max() <= 1


def test_fill_opacity_fades_the_group_as_it_faded_the_layer(stranger, tmp_path):
    faded = strangers.retouched(stranger, 1, blocks=[(b"iOpa", b"\x80\0\0\0")])
    after = operate(faded, "2")
    assert np.abs(composed(after, tmp_path) - composed(faded, tmp_path)).max() <= 1


def test_parts_may_be_groups_themselves(stranger, tmp_path):
    first, second, third = strangers.cut(layer_of(stranger, "2"), 1)
    after = operate(stranger, "2", (first, Group("inner", (second, third))))
    assert [f.number for f in items(after)] == ["1", "2", "2/1", "2/2", "2/2/1", "2/2/2", "3"]
    check_untouched(stranger, after, "2", added=6)
    assert np.abs(composed(after, tmp_path) - composed(stranger, tmp_path)).max() <= 1


def test_a_part_can_be_split_again_and_nothing_around_it_notices(stranger, tmp_path):
    once = operate(stranger, "2")
    twice = operate(once, "2/3")
    check_untouched(once, twice, "2/3", added=4)
    assert [f.number for f in items(twice)][-5:] == ["2/3", "2/3/1", "2/3/2", "2/3/3", "3"]
    assert np.abs(composed(twice, tmp_path) - composed(stranger, tmp_path)).max() <= 1


def test_a_background_without_alpha_becomes_a_group(stranger):
    opaque = strangers.without_alpha(stranger, 0)
    assert (layer_of(opaque, "1").pixels[..., 3] == 255).all()
    group = item(operate(opaque, "1"), "1")
    assert [channel.identity for channel in group.record.channels] == [-1, 0, 1, 2]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"blocks": [(b"TySh", bytes(8))]}, "is a text layer; rasterize a copy of it first"),
        ({"blocks": [(b"SoLd", bytes(8))]}, "is a smart object layer; rasterize"),
        ({"blocks": [(b"PxSc", bytes(8))]}, "is a video or 3D layer; rasterize"),
        ({"blocks": [(b"SoCo", bytes(8))]}, "is a fill layer; rasterize"),
        ({"blocks": [(b"SoCo", bytes(8)), (b"vmsk", bytes(8))]}, "is a shape layer; rasterize"),
        ({"blocks": [(b"curv", bytes(8))]}, r"is an adjustment \(curves\), which has no pixels"),
        ({"clipping": 1}, "is clipped to another, and groups cannot be; release or merge it"),
        (
            {"blend": b"hMix", "blocks": [(b"iOpa", b"\x80\0\0\0")]},
            "has a fill opacity and blends by hard mix",
        ),
        ({"masks": [(3, b"\0\0")]}, "has other channels than"),
    ],
)
def test_what_no_group_can_stand_for_is_refused_in_a_sentence(stranger, fields, words):
    data = strangers.retouched(stranger, 2, **fields)
    with pytest.raises(DocumentError, match=rf"^the layer 'above' \(3\) {words}"):
        check_splittable(parse(data), item(data, "3"))


def test_a_group_is_refused(stranger):
    data = operate(stranger, "2")
    with pytest.raises(DocumentError, match="is a group; name one of the layers in it"):
        check_splittable(parse(data), item(data, "2"))


@pytest.mark.parametrize(
    ("mode", "depth", "words"),
    [(4, 8, "CMYK of 8 bits"), (3, 16, "RGB of 16 bits"), (9, 8, "LAB"), (2, 8, "INDEXED")],
)
def test_what_is_not_8_bit_rgb_or_grey_is_refused(stranger, mode, depth, words):
    head = stranger[:22] + depth.to_bytes(2) + mode.to_bytes(2)
    data = head + stranger[26:]
    with pytest.raises(DocumentError, match=f"{words}.*convert a copy to 8-bit RGB first"):
        check_splittable(parse(data), item(data, "1"))


def test_no_psd_grows_over_its_limit(stranger, monkeypatch):
    monkeypatch.setattr("layerctl.formats.psd_records.PSD_BYTES", len(stranger))
    with pytest.raises(DocumentError, match="save it as a PSB first"):
        operate(stranger, "2")


@pytest.mark.parametrize("compression", [Compression.RAW, Compression.RLE, Compression.ZIP])
def test_parts_are_packed_as_asked(stranger, compression, tmp_path):
    after = operate(stranger, "1", compression=compression)
    layout = parse(after)
    kinds = {after[p.pixels : p.pixels + 2] for p in layout.placed[1:4]}
    assert kinds == {compression.value.to_bytes(2)}
    assert np.abs(composed(after, tmp_path) - composed(stranger, tmp_path)).max() <= 1


def test_psd_tools_reads_the_result_as_it_read_the_layer(stranger, tmp_path):
    (tmp_path / "a.psd").write_bytes(operate(stranger, "2"))
    image = PSDImage.open(tmp_path / "a.psd")
    below, group, above = image
    assert (below.name, group.name, above.name) == ("below", "产品 🎁", "above")
    assert (group.kind, group.blend_mode, group.opacity) == ("group", BlendMode.MULTIPLY, 102)
    assert image.image_resources.get_data(Resource.VERSION_INFO) is not None
