"""What somebody made of outputs is kept when a run does their photo again."""

import errno
import os
from dataclasses import replace

import pytest

from layerctl.batch import publish, receipt
from tests.batch.night import names, statuses

AGAIN = [
    {},
    {"force": True},
    {"settings": "1" * 64},
    {"settings": "1" * 64, "sections": {"export": {"formats": ["pptx"]}}, "force": True},
]
"""Ways to do a photo again: the last without the PSD and the PNGs."""


def noted(outcomes):
    return {o.job.label: o.receipt.notes for o in outcomes if o.receipt and o.receipt.notes}


@pytest.mark.parametrize("options", AGAIN)
def test_work_of_a_designer_is_kept_and_the_note_says_where(go, out, options):
    go()
    for name in ("shoe.psd", "shoe/01-product-1.png"):
        (out / name).write_text(f"by hand: {name}")
    note = "what was changed since is kept: shoe.psd.bak, shoe/01-product-1.png.bak"
    outcomes = go(**options)
    assert noted(outcomes) == {"shoe.jpg": (note,)}
    assert receipt.read(out / "shoe.layers.json").notes == (note,)
    for name in ("shoe.psd", "shoe/01-product-1.png"):
        assert (out / f"{name}.bak").read_text() == f"by hand: {name}"
    assert [name for name in names(out) if "bak" in name] == [
        "shoe.psd.bak",
        "shoe/01-product-1.png.bak",
    ]


def test_work_that_is_kept_never_gives_way_to_later_work(go, out):
    go()
    for text in ("one", "two", "three"):
        (out / "shoe.psd").write_text(text)
        go()
    kept = ["shoe.psd.bak", "shoe.psd.bak2", "shoe.psd.bak3"]
    assert [(out / name).read_text() for name in kept] == ["one", "two", "three"]


def test_what_nobody_touched_is_replaced_without_copies(go, out):
    go()
    for options in AGAIN:
        assert noted(go(**options)) == {}
    assert not [name for name in names(out) if "bak" in name]


def test_what_comes_out_as_it_is_needs_no_copy(go, out):
    go(settings="1" * 64)
    path = out / "shoe.layers.json"
    old = receipt.read(path)
    receipt.write(replace(old, notes=("the layer 2, product 1, was split",)), path)
    assert noted(go()) == {}
    assert not [name for name in names(out) if "bak" in name]


@pytest.mark.parametrize("for_good", [True, False])
def test_kept_work_outlives_a_move_that_fails(go, out, for_good):
    """A move that fails for good can't be taken back before the next run."""
    go()
    (out / "shoe.psd").write_text("by hand")
    real = publish.Path.replace

    def replace_some(path, target):
        if target.name == "shoe.pptx" and (for_good or ".new." in path.name):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return real(path, target)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(publish.Path, "replace", replace_some)
        assert statuses(go())["shoe.jpg"] == "failed"
    assert any(".layerctl-" in name for name in names(out)) == for_good
    assert for_good or (out / "shoe.psd").read_text() == "by hand"
    assert noted(go()) == {"shoe.jpg": ("what was changed since is kept: shoe.psd.bak",)}
    assert [name for name in names(out) if "bak" in name] == ["shoe.psd.bak"]
    assert (out / "shoe.psd.bak").read_text() == "by hand"
    assert not [name for name in names(out) if ".layerctl-" in name]
