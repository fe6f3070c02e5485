"""The user's cache: kept between runs, never in the way."""

import os
import time

import pytest

from layerctl.cache import DAY, Store, cache_folder


def test_what_was_put_is_there_for_the_next_to_open_it(own_cache):
    Store("things", 7).put("a", b"content")
    assert Store("things", 7).get("a") == b"content"
    assert Store("others", 7).get("a") is None
    assert [path.name for path in (own_cache / "things").iterdir()] == ["a"]


def test_the_folder_is_where_the_user_says_or_in_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert cache_folder() == tmp_path / ".cache" / "layerctl"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "layerctl"


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:5], lambda _: b"", bytes.upper])
def test_a_damaged_file_counts_as_none(own_cache, damage):
    Store("things", 7).put("a", b"content")
    path = own_cache / "things" / "a"
    path.write_bytes(damage(path.read_bytes()))
    assert Store("things", 7).get("a") is None


def test_where_nothing_can_be_written_it_is_kept_in_memory(own_cache):
    own_cache.parent.mkdir(exist_ok=True)
    own_cache.write_text("a file where the folder should be")
    store = Store("things", 7)
    store.put("a", b"content")
    assert store.get("a") == b"content"
    assert store.get("b") is None


def test_without_a_home_it_is_kept_in_memory(monkeypatch):
    def homeless():
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("layerctl.cache.Path.home", homeless)
    store = Store("things", 7)
    store.put("a", b"content")
    assert cache_folder() is None
    assert store.get("a") == b"content"


def test_what_nobody_asked_for_is_removed(own_cache):
    store = Store("things", 7)
    for name in ("asked", "forgotten"):
        store.put(name, b"content")
        long_ago = time.time() - 8 * DAY
        os.utime(own_cache / "things" / name, (long_ago, long_ago))
    store.get("asked")
    Store("things", 7)
    assert [path.name for path in (own_cache / "things").iterdir()] == ["asked"]
