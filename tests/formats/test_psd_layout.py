"""The parts of a PSD are found, and nothing is lost between them."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from layerctl.errors import DocumentError
from layerctl.formats.psd_bytes import Reader, spliced
from layerctl.formats.psd_layers import check_whole, rows
from layerctl.formats.psd_layout import parse
from layerctl.formats.psd_parts import encode_record, read_blocks
from layerctl.formats.psd_tree import tree, walk
from tests.formats import strangers

SAMPLES = sorted((Path(os.environ.get("LAYERCTL_DATA", "nowhere")) / "psd").glob("*.ps[db]"))


@pytest.fixture(params=range(12))
def data(request, tmp_path):
    document = strangers.random_document(request.param)
    compression = ["raw", "rle", "zip"][request.param % 3]
    return strangers.written(document, tmp_path, compression, wide=request.param % 4 == 3)


@pytest.fixture(params=SAMPLES, ids=lambda path: path.name)
def sample(request):
    return request.param.read_bytes()


def check_records(data):
    layout = parse(data)
    assert layout.placed
    for placed in layout.placed:
        assert encode_record(placed.record, wide=layout.wide) == data[placed.start : placed.end]
        assert placed.record.tail == b""
    assert b"".join(spliced(data, ())) == data


def check_tiling(data):
    """Records and image data lie without a gap; what follows is padding, then known blocks."""
    layout = parse(data)
    ends = [layout.around[-1].start + 2, *(placed.end for placed in layout.placed)]
    assert [placed.start for placed in layout.placed] == ends[:-1]
    assert layout.placed[0].pixels == ends[-1]
    ends = [placed.pixels + placed.size for placed in layout.placed]
    assert [placed.pixels for placed in layout.placed[1:]] == ends[:-1]
    padding = data[ends[-1] : layout.around[-1].end]
    assert padding == bytes(len(padding))
    assert len(padding) < 4


def test_records_are_written_as_they_were_read(data):
    check_records(data)
    check_tiling(data)


def test_records_of_other_programs_are_written_as_they_were_read(sample):
    check_records(sample)
    check_tiling(sample)


def test_the_blocks_of_other_programs_reach_to_the_end(sample):
    layout = parse(sample)
    reader = Reader(sample, layout.around[0].start, layout.around[0].end)
    reader.section(8 if layout.wide else 4)
    reader.counted()
    assert list(read_blocks(reader, wide=layout.wide))
    assert reader.left == 0


def test_a_file_that_ends_anywhere_is_refused_in_a_sentence(data):
    for end in np.linspace(0, len(data) - 1, 150).astype(int):
        with pytest.raises(DocumentError):
            check_whole(parse(data[:end]))


def test_damage_is_refused_or_lived_with_but_raises_nothing_else(data):
    rng = np.random.default_rng(len(data))
    for _ in range(60):
        broken = bytearray(data)
        for at in rng.integers(0, min(len(data), 4000), 3):
            broken[at] = rng.integers(256)
        try:
            layout = parse(bytes(broken))
            names = [(item.name, item.kind, item.blend) for item in walk(tree(layout.records))]
            assert names is not None
            rows(layout)
        except DocumentError:
            continue


def test_dividers_without_a_partner_lose_no_layer(tmp_path):
    data = strangers.written(strangers.random_document(4), tmp_path)
    records = parse(data).records
    for index in range(len(records)):
        rest = records[:index] + records[index + 1 :]
        shown = [r for r in rest if r.divider != 3]
        assert len(list(walk(tree(rest)))) == len(shown)


def test_legacy_names_are_read_where_there_is_no_unicode_one(tmp_path):
    data = strangers.written(strangers.random_document(1), tmp_path)
    record = replace(parse(data).records[0], name=b"\x05caf\x8e!\0\0")
    assert record.title() == "产品"
    assert replace(record, blocks=()).title() == "café!"
