"""Which pictures of a library are things."""

import numpy as np
import pytest
from gather_library import SIDE, gather, is_thing, main
from PIL import Image


def drawing(side=128):
    """A disc of two colours on nothing."""
    down, across = np.indices((side, side)) / side
    disc = (down - 0.5) ** 2 + (across - 0.5) ** 2 < 0.2
    picture = np.zeros((side, side, 4), np.float32)
    picture[..., 3] = disc
    picture[..., 0] = across < 0.5
    return picture


def save(picture, file):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((picture * 255).astype(np.uint8)).save(file)


def glassy(picture):
    picture[..., 3] *= 0.85


def framed(picture):
    picture[..., 3] = 1


def in_two_pieces(picture):
    picture[56:72, :, 3] = 0


def silhouette(picture):
    picture[..., :3] = 0


def nothing(picture):
    picture[..., 3] = 0


def test_one_opaque_piece_of_several_colours_is_a_thing():
    assert is_thing(drawing())


@pytest.mark.parametrize("change", [glassy, framed, in_two_pieces, silhouette, nothing])
def test_what_is_no_thing_is_left_out(change):
    picture = drawing()
    change(picture)
    assert not is_thing(picture)


def test_things_are_copied_small_and_no_more_than_asked(tmp_path):
    library = tmp_path / "png"
    for number in range(4):
        save(drawing(400), library / "food" / "fruit" / f"pear {number}.png")
    save(drawing(400), library / "plants" / "pear 0.png")
    save(drawing(400), library / "shapes" / "disc.png")
    save(drawing(64), library / "food" / "tiny.png")
    assert gather("openclipart", library, tmp_path / "all", 100) == 5
    assert gather("openclipart", library, tmp_path / "few", 3) == 3
    copies = sorted((tmp_path / "all").iterdir())
    assert [copy.name for copy in copies] == [
        *(f"food-fruit-pear {number}.webp" for number in range(4)),
        "plants-pear 0.webp",
    ]
    with Image.open(copies[0]) as copy:
        assert copy.size == (SIDE, SIDE)
        assert copy.mode == "RGBA"


@pytest.mark.parametrize(("library", "found"), [("tuxpaint", 1), ("openclipart", 2)])
def test_cartoons_are_left_out_among_stamps_and_doubles_everywhere(tmp_path, library, found):
    folder = tmp_path / "cartoon"
    for name in ("owl.png", "owl_mirror.png", "cartoon/owl.png"):
        save(drawing(), folder / "animals" / "birds" / name)
    assert gather(library, folder, tmp_path / "out", 100) == found


def test_a_folder_without_things_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "sys.argv", ["gather_library", "tuxpaint", str(tmp_path), str(tmp_path / "out")]
    )
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert str(tmp_path) in capsys.readouterr().err
