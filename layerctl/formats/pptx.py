"""PPTX: one slide of the photo's shape, one named picture a layer, each as large as its box."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pptx import Presentation
from pptx.exc import PythonPptxError
from pptx.oxml.ns import qn
from pptx.shapes.picture import Picture
from pptx.util import Emu

from layerctl.document import Box, Document, Layer, Role
from layerctl.errors import DocumentError
from layerctl.formats.sheet import Sheet, assemble, decode, encode, sheets

if TYPE_CHECKING:
    from layerctl.preset import ExportSection

suffix = ".pptx"

EMU = 914_400
"""English metric units in an inch (ECMA-376 part 1, 20.1.2.1)."""

SCREEN_DPI = 96.0
"""What a photo that says nothing is taken to have."""

SMALLEST, LARGEST = 1 * EMU, 56 * EMU
"""The sides a slide may have (ECMA-376 part 1, 19.7.13)."""

BLANK_LAYOUT = 6
"""The empty one among the layouts that python-pptx brings."""

WRITTEN = datetime(2000, 1, 1)
"""The date in every file: the same document gives the same bytes."""

ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold (section 2.2)."""

BROKEN = (
    BadZipFile,
    EOFError,
    LookupError,
    OSError,
    PythonPptxError,
    RuntimeError,
    SyntaxError,
    ValueError,
    zlib.error,
)
"""What zipfile, lxml and python-pptx raise on damaged files (NotImplementedError included)."""

ROLE_WORDS: Mapping[Role, str] = {
    "background": "the background, complete behind everything",
    "shadow": "a shadow",
    "product": "a cut-out object",
    "text": "lettering, as a picture",
}


@dataclass(frozen=True)
class Frame:
    """How a canvas lies on its slide: the slide's sides, and the size of a pixel, all in EMU."""

    width: int
    height: int
    across: float
    down: float

    @classmethod
    def around(cls, canvas: Document) -> Frame:
        """Return the frame in the canvas's own resolution, scaled only where no slide is so large.

        The slide is larger than the picture only where a side would be under an inch and the
        other cannot grow.
        """
        dpi = canvas.dpi if canvas.dpi and min(canvas.dpi) > 0 else (SCREEN_DPI, SCREEN_DPI)
        across, down = EMU / dpi[0], EMU / dpi[1]
        sides = canvas.width * across, canvas.height * down
        scale = min(max(1.0, SMALLEST / min(sides)), LARGEST / max(sides))
        width, height = (max(round(side * scale), SMALLEST) for side in sides)
        return cls(width, height, across * scale, down * scale)

    def place(self, box: Box) -> Box:
        """Return left, top, width and height in EMU: neighbours on the canvas stay neighbours."""
        left, right = round(box[0] * self.across), round(box[2] * self.across)
        top, bottom = round(box[1] * self.down), round(box[3] * self.down)
        return left, top, right - left, bottom - top

    def locate(self, picture: Picture) -> Box:
        """Return the box in pixels that a picture on the slide covers."""
        left, top = int(picture.left), int(picture.top)
        right, bottom = left + int(picture.width), top + int(picture.height)
        return (
            round(left / self.across),
            round(top / self.down),
            round(right / self.across),
            round(bottom / self.down),
        )


def suffix_for(document: Document) -> str:  # noqa: ARG001 (every format is asked the same)
    """Return ".pptx"."""
    return suffix


def write(document: Document, target: Path, export: ExportSection) -> tuple[Path, ...]:
    """Write the document as one slide; a Multiply layer becomes black with alpha.

    The slide is laid out around stand-ins of one pixel, and each picture is encoded straight into
    the package: no more than one is in memory at a time.
    """
    frame = Frame.around(document)
    deck = _blank_deck(frame)
    slide = deck.slides.add_slide(deck.slide_layouts[BLANK_LAYOUT])
    trees: dict[tuple[int, ...], Any] = {(): slide.shapes}
    pictures: dict[bytes, Sheet] = {}
    for sheet in sheets(document):
        stand_in = _stand_in(len(pictures))
        pictures[stand_in] = sheet
        _add_picture(_tree(trees, sheet), sheet, stand_in, frame)
    draft = BytesIO()
    deck.save(draft)
    with ZipFile(draft) as source, ZipFile(target, "w") as package:
        _pack(source, package, pictures, export.png.level)
    return (target,)


def read(target: Path) -> Document:
    """Return the document on the first slide of a file that `write` made.

    Names and places come from the slide, everything else from the pictures.

    Raises:
        DocumentError: The file is missing, damaged, not ours, or a picture was resized in it.
    """
    try:
        deck = Presentation(str(target))
        found = [_locate(shape) for shape in _pictures(deck.slides[0].shapes)]
        return assemble(found)
    except DocumentError as error:
        raise DocumentError(f"{target} is no presentation of layerctl's: {error}") from error
    except BROKEN as error:
        raise DocumentError(f"{target} is no presentation that can be read ({error})") from error


def describe(layer: Layer) -> str:
    """Return the alternative text of a layer's picture, for a screen reader."""
    height, width = layer.pixels.shape[:2]
    return f"{_legal(layer.name)}: {ROLE_WORDS[layer.role]}, {width} by {height} pixels"


def _blank_deck(frame: Frame) -> Any:  # noqa: ANN401 (python-pptx types its slides as Any)
    deck = Presentation()
    deck.slide_width, deck.slide_height = Emu(frame.width), Emu(frame.height)
    properties = deck.core_properties
    properties.title, properties.author = "Layered picture", "layerctl"
    properties.last_modified_by, properties.revision = "layerctl", 1
    properties.created = properties.modified = WRITTEN
    return deck


def _stand_in(index: int) -> bytes:
    """Return a picture of one pixel that no other layer has."""
    mark = PngInfo()
    mark.add_text("layer", str(index))
    buffer = BytesIO()
    Image.new("RGBA", (1, 1)).save(buffer, "PNG", pnginfo=mark)
    return buffer.getvalue()


def _tree(trees: dict[tuple[int, ...], Any], sheet: Sheet) -> Any:  # noqa: ANN401
    """Return the shape tree of the innermost group, making the groups that are not there yet."""
    for depth, group in enumerate(sheet.groups, start=1):
        path = sheet.path[:depth]
        if path not in trees:
            shape = trees[path[:-1]].add_group_shape()
            shape.name = _legal(group.name)
            _hide(shape, unless=group.visible)
            trees[path] = shape.shapes
    return trees[sheet.path[:-1]]


def _add_picture(tree: Any, sheet: Sheet, stand_in: bytes, frame: Frame) -> None:  # noqa: ANN401
    layer = sheet.layer
    picture = tree.add_picture(BytesIO(stand_in), *frame.place(layer.box))
    picture.name = _legal(layer.name)
    _properties(picture).set("descr", describe(layer))
    _hide(picture, unless=layer.visible)
    opacity = layer.opacity * prod(group.opacity for group in sheet.groups)
    if opacity < 1:
        blip = next(picture.element.iter(qn("a:blip")))
        effect = blip.makeelement(qn("a:alphaModFix"), {"amt": str(round(opacity * 100_000))})
        blip.append(effect)


def _properties(shape: Any) -> Any:  # noqa: ANN401
    """Return the element that holds a shape's id, name and alternative text."""
    return next(shape.element.iter(qn("p:cNvPr")))


def _hide(shape: Any, *, unless: bool) -> None:  # noqa: ANN401
    if not unless:
        _properties(shape).set("hidden", "1")


def _pack(source: ZipFile, package: ZipFile, pictures: Mapping[bytes, Sheet], level: int) -> None:
    """Copy the package with the pictures in place of their stand-ins, without dates."""
    for name in source.namelist():
        content = source.read(name)
        if content in pictures:
            picture = encode(pictures[content], level=level)
            package.writestr(ZipInfo(name), picture, compress_type=ZIP_STORED)
        else:
            package.writestr(ZipInfo(name), content, compress_type=ZIP_DEFLATED)


def _pictures(shapes: Any) -> Iterator[Picture]:  # noqa: ANN401
    for shape in shapes:
        if isinstance(shape, Picture):
            yield shape
        elif hasattr(shape, "shapes"):
            yield from _pictures(shape.shapes)


def _locate(picture: Picture) -> Sheet:
    """Return the sheet in a picture, at the place where the slide has it."""
    sheet = decode(BytesIO(picture.image.blob))
    left, top, right, bottom = Frame.around(sheet.canvas).locate(picture)
    if (bottom - top, right - left) != sheet.layer.pixels.shape[:2]:
        raise DocumentError(f"the picture '{picture.name}' was resized")
    name = sheet.layer.name if _legal(sheet.layer.name) == picture.name else picture.name
    return replace(sheet, layer=replace(sheet.layer, name=name, left=left, top=top))


def _legal(name: str) -> str:
    return ILLEGAL.sub("", name)
