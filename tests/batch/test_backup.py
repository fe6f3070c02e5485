"""What somebody may miss gets a name of its own, and keeps it."""

import pytest

from layerctl.batch.backup import keep


@pytest.fixture
def shoe(tmp_path):
    path = tmp_path / "shoe.psd"
    path.write_text("one")
    return path


@pytest.fixture
def spare(tmp_path):
    return tmp_path / "spare"


def test_the_file_stays_and_the_backup_has_its_bytes(shoe, spare):
    assert keep(shoe, spare) == shoe.with_name("shoe.psd.bak")
    assert {p.name: p.read_text() for p in shoe.parent.iterdir()} == {
        "shoe.psd": "one",
        "shoe.psd.bak": "one",
    }


def test_no_backup_gives_way_to_another(shoe, spare):
    found = []
    for content in ("one", "two", "six"):
        shoe.unlink()
        shoe.write_text(content)
        found.append(keep(shoe, spare))
    assert [p.name for p in found] == ["shoe.psd.bak", "shoe.psd.bak2", "shoe.psd.bak3"]
    assert [p.read_text() for p in found] == ["one", "two", "six"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_is_kept_again_is_kept_once(shoe, spare, monkeypatch, links):
    def link(*_):
        raise PermissionError

    if not links:
        monkeypatch.setattr("os.link", link)
    assert keep(shoe, spare) == keep(shoe, spare)
    assert len(list(shoe.parent.iterdir())) == 2


def test_a_link_that_leads_nowhere_is_nobodys_backup(shoe, spare):
    shoe.with_name("shoe.psd.bak").symlink_to("nowhere")
    assert keep(shoe, spare).name == "shoe.psd.bak2"
