from zipfile import ZipFile

import numpy as np
import pytest
from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE
from pptx.oxml.ns import qn
from pptx.util import Emu, Inches

from layerctl.document import Document, Group, Layer
from layerctl.errors import DocumentError
from layerctl.formats import pptx

GIFT = "产品 🎁"


@pytest.fixture
def written(tmp_path, export):
    def write(document):
        target = tmp_path / "picture.pptx"
        assert pptx.write(document, target, export()) == (target,)
        return target

    return write


def plain(width, height, **options):
    pixels = np.full((height, width, 4), 255, np.uint8)
    return Document(width, height, (Layer("background", "background", pixels),), **options)


def shapes_of(target):
    return list(Presentation(str(target)).slides[0].shapes)


def properties(shape):
    return next(shape.element.iter(qn("p:cNvPr")))


def test_a_slide_comes_back_as_it_was(document, written, same):
    same(pptx.read(written(document)), document)


def test_pictures_and_groups_have_their_names_bottom_first(document, written):
    shapes = shapes_of(written(document))
    assert [shape.name for shape in shapes] == ["background", "shadow", GIFT, "faint", "off"]
    assert shapes[2].shape_type == MSO_SHAPE_TYPE.GROUP
    assert [shape.name for shape in shapes[2].shapes] == ["n" * 300, "inner"]


def test_a_picture_says_to_a_screen_reader_what_it_is(document, written):
    texts = [properties(shape).get("descr") for shape in shapes_of(written(document))]
    assert texts[1] == "shadow: a shadow, 40 by 20 pixels"
    assert "image.png" not in texts


def test_a_picture_is_as_large_as_its_box(written):
    label = Layer("label", "text", np.full((40, 90, 4), 255, np.uint8), 30, 60)
    document = Document(600, 480, (label,), dpi=(300.0, 240.0))
    shape = shapes_of(written(document))[0]
    assert (shape.left, shape.top) == (Inches(30 / 300), Inches(60 / 240))
    assert (shape.width, shape.height) == pytest.approx((Inches(0.3), Inches(1 / 6)), abs=1)


def test_hidden_and_translucent_layers_are_so_on_the_slide(document, written):
    shapes = shapes_of(written(document))
    assert properties(shapes[4]).get("hidden") == "1"
    effect = next(shapes[3].element.iter(qn("a:alphaModFix")))
    assert int(effect.get("amt")) == round(128 / 255 * 100_000)


def test_a_hidden_group_is_hidden_as_a_group(written):
    inside = plain(200, 200).children
    shape = shapes_of(written(Document(200, 200, (Group("off", inside, visible=False),))))[0]
    assert properties(shape).get("hidden") == "1"


@pytest.mark.parametrize(
    ("size", "dpi", "inches"),
    [
        ((960, 480), None, (10, 5)),
        ((1200, 600), (300.0, 300.0), (4, 2)),
        ((1200, 600), (300.0, 150.0), (4, 4)),
        ((6000, 600), None, (56, 5.6)),
        ((10, 20), None, (1, 2)),
        ((1, 4000), None, (1, 56)),
        ((960, 480), (0.0, 0.0), (10, 5)),
    ],
)
def test_a_slide_fits_the_limits_in_the_photos_own_shape(written, size, dpi, inches):
    document = plain(*size, dpi=dpi)
    target = written(document)
    deck = Presentation(str(target))
    assert (deck.slide_width, deck.slide_height) == (Inches(inches[0]), Inches(inches[1]))
    np.testing.assert_array_equal(pptx.read(target).flatten(), document.flatten())


def test_same_document_same_bytes(document, tmp_path, export):
    first, second = tmp_path / "a.pptx", tmp_path / "b.pptx"
    pptx.write(document, first, export())
    pptx.write(document, second, export())
    assert first.read_bytes() == second.read_bytes()


def test_nothing_in_the_file_tells_a_date_or_a_stranger(document, written):
    with ZipFile(written(document)) as package:
        assert {info.date_time[0] for info in package.infolist()} == {1980}
        core = package.read("docProps/core.xml").decode()
    assert core.count("2000-01-01T00:00:00Z") == 2
    assert core.count("layerctl") == 2
    assert "Canny" not in core


def test_pictures_are_in_the_package_once_and_not_packed_again(document, written):
    with ZipFile(written(document)) as package:
        media = [info for info in package.infolist() if info.filename.startswith("ppt/media/")]
    assert len(media) == len(list(document.walk()))
    assert all(info.compress_size == info.file_size for info in media)


def test_two_equal_layers_are_two_pictures(written, same):
    twin = Layer("twin", "product", np.full((5, 5, 4), 9, np.uint8), 3, 3)
    document = Document(200, 200, (*plain(200, 200).children, twin, twin))
    same(pptx.read(written(document)), document)


def test_a_name_xml_cannot_hold_loses_only_what_it_must(written):
    layer = Layer("bell\x07 <&> ok", "product", np.full((100, 100, 4), 9, np.uint8))
    target = written(Document(100, 100, (layer,)))
    assert shapes_of(target)[0].name == "bell <&> ok"
    assert pptx.read(target).at("1").name == "bell\x07 <&> ok"


def test_what_was_moved_and_renamed_on_the_slide_is_read_so(document, written, tmp_path):
    deck = Presentation(str(written(document)))
    shape = deck.slides[0].shapes[1]
    shape.left, shape.name = Emu(0), "moved"
    deck.save(tmp_path / "moved.pptx")
    assert pptx.read(tmp_path / "moved.pptx").at("moved").left == 0


def test_what_was_resized_is_refused(document, written, tmp_path):
    deck = Presentation(str(written(document)))
    shape = deck.slides[0].shapes[1]
    shape.width = Emu(shape.width * 2)
    deck.save(tmp_path / "wide.pptx")
    with pytest.raises(DocumentError, match="'shadow' was resized"):
        pptx.read(tmp_path / "wide.pptx")


def test_an_empty_document_is_an_empty_slide(written):
    target = written(Document(100, 100, ()))
    assert not shapes_of(target)
    with pytest.raises(DocumentError, match="no layer in it"):
        pptx.read(target)


@pytest.mark.parametrize("share", [0, 0.1, 0.9])
def test_half_a_file_is_refused(document, written, share):
    target = written(document)
    target.write_bytes(target.read_bytes()[: int(share * target.stat().st_size)])
    with pytest.raises(DocumentError, match="presentation"):
        pptx.read(target)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DocumentError, match="presentation"):
        pptx.read(tmp_path / "none.pptx")
