"""What is photographed and what becomes of the pictures; Blender itself is not asked here."""

import zipfile

import numpy as np
import pytest
from camera import draw_view
from furniture import listed, products
from meshes import UnfitError
from PIL import Image
from render_models import Order, calmed, cropped, main, save

CATALOGUE = """
id=Shop
name#1=Coffee cup
category#1=Kitchen
model#1=/shop/cup/cup.obj
modelRotation#1=0 0 1 0 1 0 -1 0 0
name#2=Front door
category#2=Doors and windows
model#2=/shop/door.obj
name#3=Hatch
category#3=Kitchen
doorOrWindow#3=true
model#3=/shop/hatch.obj
name#4=Male
category#4=Miscellaneous
model#4=/shop/man.obj
name#5=Table
category#5=Kitchen
model#5=/shop/dining_room/dining_room.obj
name#6=Lamp
category#6=Lights
model#6=/shop/lamp.obj
"""


@pytest.fixture
def library(tmp_path):
    with zipfile.ZipFile(tmp_path / "Shop.sh3f", "w") as archive:
        archive.writestr("PluginFurnitureCatalog.properties", CATALOGUE)
    return tmp_path / "Shop.sh3f"


def test_people_parts_of_buildings_and_whole_rooms_are_no_products(library):
    cup, lamp = listed(library)
    assert (cup.name, cup.file, cup.archive) == ("Shop-cup", "shop/cup/cup.obj", library)
    assert cup.turn == (0, 0, 1, 0, 1, 0, -1, 0, 0)
    assert lamp.turn == (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_a_library_of_people_is_left_out_whole(library):
    assert not list(listed(library.rename(library.with_stem("Reallusion"))))


def test_products_are_shuffled_the_same_way_for_the_same_seed(library):
    orders = {tuple(p.name for p in products(library.parent, seed)) for seed in range(9)}
    assert orders == {("Shop-cup", "Shop-lamp"), ("Shop-lamp", "Shop-cup")}
    assert products(library.parent, 3) == products(library.parent, 3)


def test_a_camera_stands_before_the_product_and_not_below_it():
    for seed in range(50):
        axes = draw_view(np.random.default_rng(seed), flat=False).axes()
        assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-6)
        assert axes[2, 1] < 0  # the front of a product looks along -y
        assert axes[2, 2] > -0.04


def test_flat_things_are_seen_from_above():
    views = [draw_view(np.random.default_rng(seed), flat=True) for seed in range(50)]
    assert min(view.axes()[2, 2] for view in views) > 0.4


def picture(alpha, size=(60, 80)):
    pixels = np.zeros((*size, 4), np.uint8)
    pixels[20:40, 10:70] = (90, 150, 210, alpha)
    return Image.fromarray(pixels)


def test_a_picture_is_cut_to_its_thing_with_the_longer_side_as_wanted():
    assert cropped(picture(255), 60).size == (60, 20)
    assert cropped(picture(255), 120).size == (120, 40)


def speck():
    pixels = np.zeros((60, 60, 4), np.uint8)
    pixels[0, 0, 3] = pixels[-1, -1, 3] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize("nothing", [picture(0), speck()])
def test_a_picture_of_nothing_or_hardly_anything_is_refused(nothing):
    with pytest.raises(UnfitError):
        cropped(nothing, 60)


def test_noise_in_a_pane_is_smoothed_and_solid_parts_and_edges_stay():
    pixels = np.asarray(picture(255, (60, 80))).copy()
    noise = np.random.default_rng(0).integers(90, 140, (20, 30))
    pixels[20:40, 40:70, 3] = noise
    calm = np.asarray(calmed(Image.fromarray(pixels)))
    assert calm[22:38, 45:66, 3].std() < noise.std() / 2
    assert (calm[:, :38] == pixels[:, :38]).all()


def test_pictures_that_are_there_are_not_made_again_and_none_is_there_in_part(tmp_path, library):
    order, product = Order(tmp_path, 3, 64, 0, 1), next(listed(library))
    assert [file.name for file in order.files(product).values()] == [
        "Shop-cup-0.webp", "Shop-cup-1.webp", "Shop-cup-2.webp",
    ]  # fmt: skip
    save(picture(255), tmp_path / "Shop-cup-1.webp")
    assert list(order.files(product)) == [0, 2]
    assert [file.name for file in tmp_path.glob("Shop-cup*")] == ["Shop-cup-1.webp"]


def test_a_folder_without_libraries_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["render_models.py", str(tmp_path), str(tmp_path / "out")])
    with pytest.raises(SystemExit):
        main()
    assert f"{tmp_path}: there is no furniture library" in capsys.readouterr().err
