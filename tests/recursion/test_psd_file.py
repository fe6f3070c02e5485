"""A layer of a file is split: in place, all or nothing, and what hangs on the file follows."""

import fcntl
import os

import numpy as np
import pytest

from layerctl.document import Document, Group, Layer
from layerctl.errors import Busy, DocumentError, EnvironmentFault
from layerctl.formats import psd
from layerctl.preset import ExportSection
from layerctl.recursion.psd_file import Order, check, recurse
from tests import parting


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)


def box(name, seed, left=0, size=(24, 32)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 4), np.uint8)
    pixels[..., 3] = 255
    return Layer(name, "product", pixels, left, 4)


@pytest.fixture
def document():
    group = Group("set", (box("cup", 2), box("spoon", 3, 20)))
    return Document(64, 48, (box("wall", 1, size=(40, 60)), group, box("cup", 4, 9)))


@pytest.fixture
def shot(document, tmp_path):
    psd.write(document, tmp_path / "shot.psd", ExportSection())
    return tmp_path / "shot.psd"


def names(path):
    return {row.number: row.name for row in psd.tree(path)}


def backups(path):
    return sorted(found.name for found in path.parent.glob("*.bak*"))


def test_a_layer_becomes_a_group_and_the_old_file_is_kept(shot):
    before = shot.read_bytes()
    result = recurse(shot, Order("1"), parting.halves)
    assert names(shot) == {
        "1": "wall",
        "1/1": "left",
        "1/2": "right",
        "2": "set",
        "2/1": "cup",
        "2/2": "spoon",
        "3": "cup",
    }
    assert (result.target, result.backup) == (shot, shot.with_name("shot.psd.bak"))
    assert result.backup.read_bytes() == before
    assert [part.name for part in result.parts] == ["left", "right"]
    assert sorted(p.name for p in shot.parent.iterdir()) == ["shot.psd", "shot.psd.bak"]


def test_the_picture_is_what_it_was(shot, document):
    recurse(shot, Order("1", depth=3), parting.halves)
    recurse(shot, Order("spoon"), parting.halves)
    found = psd.read(shot).flatten().astype(int)
    assert np.abs(found - document.flatten()).max() <= 1


@pytest.mark.parametrize(
    ("address", "number"),
    [("2/1", "2/1"), ("spoon", "2/2"), ("set/cup", "2/1"), ("cup", "3"), ("wall", "1")],
)
def test_a_layer_is_meant_by_number_name_or_path(shot, address, number):
    assert recurse(shot, Order(address), parting.halves).layer.number == number


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("4", r"there is no layer '4'; there are 1 \(wall\), 2 \(set\), 2/1 \(set/cup\)"),
        ("set/fork", "there is no layer 'set/fork'"),
        ("set", "is a group; name one of the layers in it"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(shot, address, words):
    with pytest.raises(DocumentError, match=words):
        check(shot, Order(address))


def test_a_name_that_several_layers_have_is_answered_with_their_numbers(document, tmp_path):
    twice = Document(64, 48, (*document.children[1:], box("cup", 5)))
    psd.write(twice, tmp_path / "a.psd", ExportSection())
    with pytest.raises(
        DocumentError, match=r"2 layers are called 'cup', give the number: 2 \(cup\), 3 \(cup\)"
    ):
        check(tmp_path / "a.psd", Order("cup"))


def test_recursing_again_and_into_what_it_made_works(shot):
    recurse(shot, Order("1"), parting.halves)
    recurse(shot, Order("1/2"), parting.halves)
    recurse(shot, Order("1/1"), parting.halves)
    assert [n for n in names(shot) if n.startswith("1/")] == [
        "1/1",
        "1/1/1",
        "1/1/2",
        "1/2",
        "1/2/1",
        "1/2/2",
    ]
    assert backups(shot) == ["shot.psd.bak", "shot.psd.bak2", "shot.psd.bak3"]


def test_a_backup_is_left_out_when_nobody_wants_one(shot):
    assert recurse(shot, Order("1", backup=False), parting.halves).backup is None
    assert backups(shot) == []


def test_where_files_have_no_second_names_the_backup_is_a_copy(shot, monkeypatch):
    def link(*_):
        raise PermissionError

    before = shot.read_bytes()
    monkeypatch.setattr("os.link", link)
    assert recurse(shot, Order("1"), parting.halves).backup.read_bytes() == before


def test_a_split_that_brings_nothing_writes_nothing(shot):
    before, content = shot.stat(), shot.read_bytes()
    result = recurse(shot, Order("1"), parting.whole)
    assert result.parts == ()
    # Whatever is done to a file but reading it changes one of these.
    after = shot.stat()
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)
    assert shot.read_bytes() == content
    assert [path.name for path in shot.parent.iterdir()] == ["shot.psd"]


def test_a_file_in_which_nothing_is_found_goes_elsewhere_as_it_is(shot, tmp_path):
    before, target = shot.read_bytes(), tmp_path / "new" / "shot.psd"
    target.parent.mkdir()
    result = recurse(shot, Order("1", out=target.parent), parting.whole)
    assert (result.parts, result.target, result.copied) == ((), target, True)
    assert target.read_bytes() == shot.read_bytes() == before
    assert list(target.parent.iterdir()) == [target]
    with pytest.raises(DocumentError, match="is there already"):
        recurse(shot, Order("1", out=target), parting.whole)


def test_another_file_leaves_the_first_alone(shot, tmp_path):
    before = shot.read_bytes()
    target = tmp_path / "new.psd"
    result = recurse(shot, Order("1", out=target), parting.halves)
    assert (result.target, result.backup) == (target, None)
    assert shot.read_bytes() == before
    assert "1/1" in names(target)
    with pytest.raises(DocumentError, match="is there already; --force replaces it"):
        recurse(shot, Order("1", out=target), parting.halves)
    recurse(shot, Order("3", out=target, force=True), parting.halves)
    assert "3/1" in names(target)


def test_into_a_folder_it_keeps_its_name(shot, tmp_path):
    (tmp_path / "new").mkdir()
    result = recurse(shot, Order("1", out=tmp_path / "new"), parting.halves)
    assert result.target == tmp_path / "new" / "shot.psd"


def test_the_file_itself_is_no_other_file(shot):
    with pytest.raises(DocumentError, match="--out names the file itself"):
        check(shot, Order("1", out=shot, force=True))


def test_a_place_that_nobody_may_look_into_is_the_machines_fault(shot, monkeypatch):
    def forbidden(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("layerctl.recursion.psd_file.Path.is_dir", forbidden)
    with pytest.raises(EnvironmentFault, match=r"cannot write to .*new\.psd: Permission denied"):
        check(shot, Order("1", out=shot.with_name("new.psd")))


def test_a_link_to_a_file_stays_a_link(shot, tmp_path):
    link = tmp_path / "link.psd"
    link.symlink_to(shot)
    recurse(link, Order("1"), parting.halves)
    assert link.is_symlink()
    assert "1/1" in names(shot)


def test_a_link_that_goes_in_a_ring_is_refused(tmp_path):
    (tmp_path / "ring.psd").symlink_to("ring.psd")
    with pytest.raises(DocumentError, match="it cannot be read: Too many levels"):
        check(tmp_path / "ring.psd", Order("1"))


def test_permissions_are_kept(shot):
    shot.chmod(0o640)
    recurse(shot, Order("1"), parting.halves)
    assert shot.stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_write_protected_is_left_alone(shot, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: (path, mode) != (shot, os.W_OK))
    with pytest.raises(EnvironmentFault, match=r"shot\.psd is write-protected; name another with"):
        check(shot, Order("1"))
    assert check(shot, Order("1", out=shot.with_name("b.psd"))) is None


def test_two_runs_never_work_on_one_file(shot):
    with shot.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(Busy, match="another run is at work on it"):
            recurse(shot, Order("1"), parting.halves)


def test_what_another_program_saved_meanwhile_is_not_replaced(shot):
    def meddle(photo, count):
        shot.write_bytes(shot.read_bytes() + b"!")
        return parting.halves(photo, count)

    with pytest.raises(DocumentError, match="it was changed while it was split"):
        recurse(shot, Order("1"), meddle)
    assert shot.read_bytes().endswith(b"!")


def test_what_was_removed_meanwhile_does_not_come_back(shot):
    def remove(photo, count):
        shot.unlink()
        return parting.halves(photo, count)

    with pytest.raises(DocumentError, match="it was removed while it was split"):
        recurse(shot, Order("1"), remove)
    assert list(shot.parent.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"8BPS"])
def test_what_is_no_psd_is_refused(tmp_path, content):
    (tmp_path / "a.psd").write_bytes(content)
    with pytest.raises(DocumentError, match=r"no Photoshop document|damaged"):
        check(tmp_path / "a.psd", Order("1"))


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(DocumentError, match="it does not exist"):
        check(tmp_path / "none.psd", Order("1"))
    os.mkfifo(tmp_path / "pipe.psd")
    for name in ("pipe.psd", "."):
        with pytest.raises(DocumentError, match="it is no regular file"):
            check(tmp_path / name, Order("1"))


def test_a_full_disk_leaves_the_old_file(shot, monkeypatch):
    before = shot.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("layerctl.recursion.psd_file.Path.chmod", full)
    with pytest.raises(EnvironmentFault, match="No space left"):
        recurse(shot, Order("1"), parting.halves)
    assert shot.read_bytes() == before
    assert [path.name for path in shot.parent.iterdir()] == ["shot.psd"]


def test_same_file_same_answer_same_bytes(shot, tmp_path):
    outs = [tmp_path / "a.psd", tmp_path / "b.psd"]
    for out in outs:
        recurse(shot, Order("1", depth=2, out=out), parting.halves)
    assert outs[0].read_bytes() == outs[1].read_bytes()
