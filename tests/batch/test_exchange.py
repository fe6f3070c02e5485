"""Old files give way to new ones as a whole, wherever they lie and whatever goes wrong."""

import errno
import os
import shutil
from itertools import count
from pathlib import Path

import pytest

from layerctl.batch.exchange import Exchange, claimed
from layerctl.batch.receipt import sha256_of
from tests.batch.night import names

OLD = {"a.json": "old receipt", "a.psd": "old", "a/00.png": "old", "a/01.png": "old"}
NEW = {"a.json": "new receipt", "a.psd": "new", "a/00.png": "new", "a.pptx": "new"}
FRESH: list[str] = []


def pour(folder, files):
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def home(tmp_path):
    pour(tmp_path / "out" / "home", OLD)
    return tmp_path / "out" / "home"


@pytest.fixture
def begin(home):
    """Make the exchange from a scratch folder; begin() -> the folder, begin.done or an error."""

    def call():
        folder = home.parent / ".layerctl-x"
        pour(folder, NEW)
        new = {path: sha256_of(folder / path) for path in NEW if path != "a.json"}
        fresh = tuple(home.parent / path for path in FRESH)
        exchange = Exchange(home, "a.json", tuple(OLD), new, folder.name, fresh)
        exchange.claim(folder, home.parent)
        exchange.bring(folder, NEW)
        exchange.make()

    return call


def end(home):
    """Do what the next run does."""
    folder = home.parent / ".layerctl-x"
    if exchange := claimed(folder, home.parent):
        exchange.end()
    shutil.rmtree(folder)


class Stopped(Exception):  # noqa: N818 - not an error, but a kill
    pass


def stopped_at(moment, monkeypatch):
    """Let the n-th change of a folder fail, and all that come after it."""
    steps = count()

    def stop(method):
        def call(*arguments, **options):
            if next(steps) >= moment:
                raise Stopped
            return method(*arguments, **options)

        return call

    for name in ("replace", "unlink", "rmdir"):
        monkeypatch.setattr(Path, name, stop(getattr(Path, name)))


def is_stopped_ending(home, moment):
    """End the exchange, stopped at a moment; say whether it came to that."""
    with pytest.MonkeyPatch.context() as patched:
        stopped_at(moment, patched)
        try:
            end(home)
        except Stopped:
            return True
    return False


def test_new_files_are_in_and_old_ones_out(begin, home):
    begin()
    end(home)
    assert contents(home) == NEW


@pytest.mark.parametrize("moment", range(12))
def test_stopped_anywhere_it_can_be_ended_and_the_ending_be_stopped(begin, home, moment):
    for second in count():
        with pytest.MonkeyPatch.context() as patched:
            stopped_at(moment, patched)
            with pytest.raises(Stopped):
                begin()
        if not is_stopped_ending(home, second):
            break
        end(home)
        assert contents(home.parent) == {f"home/{path}": text for path, text in OLD.items()}
    assert contents(home) == OLD


def test_stopped_after_the_receipt_the_new_files_are_there(begin, home):
    begin()
    for second in count():
        if not is_stopped_ending(home, second):
            break
        assert NEW.items() <= contents(home).items()
    assert contents(home) == NEW
    assert second > 2


@pytest.mark.parametrize("fresh", [[], ["home"], ["home", "home/a"]])
def test_what_was_not_there_before_goes_again(begin, home, monkeypatch, fresh):
    shutil.rmtree(home)
    (home / "a").mkdir(parents=True)
    monkeypatch.setattr("tests.batch.test_exchange.OLD", {})
    monkeypatch.setattr("tests.batch.test_exchange.FRESH", fresh)
    with pytest.MonkeyPatch.context() as patched:
        stopped_at(6, patched)
        with pytest.raises(Stopped):
            begin()
    assert "a.psd" in contents(home)
    end(home)
    left = {(): ["home", "home/a"], ("home",): ["home", "home/a"], ("home", "home/a"): []}
    assert names(home.parent) == left[tuple(fresh)]


def test_what_somebody_made_of_half_an_exchange_is_kept(begin, home):
    with pytest.MonkeyPatch.context() as patched:
        stopped_at(11, patched)
        with pytest.raises(Stopped):
            begin()
    (home / "a.psd").write_text("by hand")
    (home / "a.pptx").write_text("by hand, too")
    end(home)
    kept = {"a.psd.bak": "by hand", "a.pptx.bak": "by hand, too"}
    assert contents(home) == {**OLD, **kept}


def test_a_claim_that_is_not_whole_was_never_acted_upon(home):
    folder = home.parent / ".layerctl-x"
    pour(folder, {"claims.json": '{"home": "ho'})
    end(home)
    assert contents(home.parent) == {f"home/{path}": text for path, text in OLD.items()}


def test_files_come_from_another_file_system_as_well(begin, home, monkeypatch):
    move = Path.replace

    def replace(path, target):
        if path.is_relative_to(home) != target.is_relative_to(home):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(path), None, str(target))
        return move(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    begin()
    end(home)
    assert contents(home) == NEW
