"""`layerctl inspect`: the layers of a PSD as a table."""

import os
from pathlib import Path

import numpy as np
import pytest

from layerctl.document import Document, Group, Layer
from layerctl.formats import psd
from layerctl.preset import ExportSection

SAMPLES = Path(os.environ.get("LAYERCTL_DATA", "nowhere")) / "psd"


def square(name, left=0):
    return Layer(name, "product", np.full((4, 4, 4), 255, np.uint8), left)


def test_the_tree_is_printed_with_the_top_first_and_groups_numbered(layerctl, tmp_path):
    group = Group("产品", (square("sole"), square("lace", 4)), opacity=0.6, visible=False)
    psd.write(Document(8, 8, (square("wall"), group)), tmp_path / "a.psd", ExportSection())
    answer = layerctl("inspect", tmp_path / "a.psd")
    assert answer.code == 0
    rows = [line.split() for line in answer.out.splitlines()[1:]]
    assert [(row[0], row[1]) for row in rows] == [
        ("2", "产品"),
        ("2/2", "lace"),
        ("2/1", "sole"),
        ("1", "wall"),
    ]
    assert rows[1][2:] == ["pixel", "4", "0", "8", "4", "normal", "100%", "yes", "25.0%"]
    assert {"60%", "no"} <= set(rows[0])


@pytest.mark.parametrize("content", [b"", b"8BPS", b"GIF89a"])
def test_what_is_no_psd_is_refused_in_a_sentence(layerctl, tmp_path, content):
    (tmp_path / "a.psd").write_bytes(content)
    answer = layerctl("inspect", tmp_path / "a.psd")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(f"layerctl: {tmp_path / 'a.psd'}")
    assert answer.err.count("\n") == 1


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="LAYERCTL_DATA names no sample data")
def test_documents_of_other_tools_have_a_tree(layerctl):
    answers = {path.name: layerctl("inspect", path) for path in sorted(SAMPLES.glob("*.ps[db]"))}
    assert answers
    assert {name: answer.err for name, answer in answers.items() if answer.code} == {}
