"""A training's state travels in small files."""

from pathlib import Path

import pytest
import torch
from pieces import PIECE_BYTES, read_pieces, write_pieces


def test_what_is_written_is_read_in_files_that_are_small_enough(tmp_path):
    weights = torch.randn(3 * PIECE_BYTES // 8)
    write_pieces({"steps": 7, "weights": weights}, tmp_path / "state")
    again = read_pieces(tmp_path / "state")
    assert again["steps"] == 7
    assert torch.equal(again["weights"], weights)
    sizes = [piece.stat().st_size for piece in (tmp_path / "state").iterdir()]
    assert len(sizes) == 2
    assert max(sizes) <= PIECE_BYTES


def test_the_last_one_written_is_read_and_nothing_else_is_left(tmp_path):
    assert read_pieces(tmp_path / "state") is None
    for number in range(3):
        write_pieces({"steps": number}, tmp_path / "state")
    assert read_pieces(tmp_path / "state") == {"steps": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("renames", [0, 1])
def test_a_stop_in_between_loses_at_most_the_last_step(tmp_path, monkeypatch, renames):
    write_pieces({"steps": 1}, tmp_path / "state")
    done, rename = [], Path.rename

    def stop(path, target):
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(target)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", stop)
    with pytest.raises(KeyboardInterrupt):
        write_pieces({"steps": 2}, tmp_path / "state")
    monkeypatch.undo()
    assert read_pieces(tmp_path / "state") == {"steps": 1}
    write_pieces({"steps": 2}, tmp_path / "state")
    assert read_pieces(tmp_path / "state") == {"steps": 2}
