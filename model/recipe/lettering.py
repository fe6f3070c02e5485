"""Words, badges and labels."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from shapes import Floats, Mask, ellipse, fill, rectangle
from textures import colour

OFFERS = (
    "SALE", "NEW", "NEW IN", "-20%", "-50%", "2 FOR 1", "BEST SELLER", "ORGANIC", "FREE SHIPPING",
    "LIMITED EDITION", "Just landed", "Shop now", "Summer", "Handmade", "Only today", "Eco",
)  # fmt: skip
SEASONS = ("Spring", "Summer", "Autumn", "Winter", "Est.", "Collection")
SYLLABLES = (
    "al", "an", "bo", "ca", "da", "do", "el", "en", "fi", "go", "ho", "in", "jo", "ka", "la", "lu",
    "ma", "mo", "na", "no", "or", "pa", "ri", "ro", "sa", "so", "ta", "ti", "va",
)  # fmt: skip
FONT_SIZES = (24, 96, 384)
FACES = (
    "", "", "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansCondensed-Bold.ttf",
    "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf", "NimbusSans-Regular.otf", "NimbusSans-Bold.otf",
    "NimbusSansNarrow-Bold.otf", "NimbusRoman-Regular.otf", "NimbusRoman-Italic.otf",
    "URWGothic-Book.otf", "URWGothic-Demi.otf", "URWBookman-Demi.otf", "C059-Italic.otf",
    "P052-Roman.otf", "Z003-MediumItalic.otf", "Arial.ttf", "Arial Bold.ttf", "Georgia.ttf",
)  # fmt: skip
"""Fonts that systems often have; Pillow's own stands for those missing, and for no name."""


@lru_cache(maxsize=len(FACES) * len(FONT_SIZES))
def _font(face: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.truetype(face, size) if face else ImageFont.load_default(size=size)
    except OSError:
        return ImageFont.load_default(size=size)


def typeface(rng: np.random.Generator) -> str:
    """Return the name of a random font."""
    return str(rng.choice(FACES))


def wording(rng: np.random.Generator) -> str:
    """Return an offer, a price, or an invented name."""
    kind = rng.random()
    if kind < 0.35:
        return str(rng.choice(OFFERS))
    if kind < 0.55:
        return f"{rng.choice(['$', ''])}{rng.integers(1, 200)}{rng.choice(['', '.90', '.99'])}"
    if kind < 0.62:
        return f"{rng.choice(SEASONS)} {rng.integers(2015, 2035)}"
    words = ["".join(rng.choice(SYLLABLES, rng.integers(2, 4))) for _ in range(rng.integers(1, 4))]
    text = " ".join(words)
    return text.upper() if rng.random() < 0.4 else text.capitalize()


def lettered(text: str, height: int, face: str) -> Mask:
    """Return the ink of one line of text about `height` pixels high, trimmed."""
    size = next((size for size in FONT_SIZES if size >= height), FONT_SIZES[-1])
    font = _font(face, size)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text))
    image = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), text, fill=255, font=font)
    width = max(1, round(image.width * height / image.height))
    shrink = cv2.INTER_AREA if height < image.height else cv2.INTER_CUBIC
    ink: Mask = cv2.resize(np.asarray(image), (width, max(1, height)), interpolation=shrink)
    return ink


def label(rng: np.random.Generator, u: Floats, v: Floats) -> tuple[Floats, Floats]:
    """Return paper and ink, (H, W, 4) each, over coordinates that run -1 to 1 across the label."""
    paper_colour, ink_colour = colour(rng), colour(rng)
    if np.abs(paper_colour - ink_colour).sum() < 0.6:
        ink_colour = np.float32(1) - np.round(paper_colour)
    ink = printed(rng)
    columns = ((u + 1) * ink.shape[1] / 2 - 0.5).astype(np.float32)
    rows = ((v + 1) * ink.shape[0] / 2 - 0.5).astype(np.float32)
    share = cv2.remap(ink, columns, rows, cv2.INTER_LINEAR).astype(np.float32) / 255
    solid = np.full(u.shape, float(rng.random() < 0.7), np.float32)
    return _tinted(paper_colour, solid), _tinted(ink_colour, share)


def _tinted(tint: Floats, alpha: Floats) -> Floats:
    field = np.empty((*alpha.shape, 4), np.float32)
    field[..., :3] = tint
    field[..., 3] = alpha
    return field


def printed(rng: np.random.Generator) -> Mask:
    """Return 128 x 128 of packaging print: lines of text, rules and a mark."""
    page, face = np.zeros((128, 128), np.uint8), typeface(rng)
    row = int(rng.integers(8, 40))
    while row < 112:
        height = int(rng.integers(5, 36))
        kind = rng.random()
        if kind < 0.6:
            _place(page, lettered(wording(rng), min(height, 120 - row), face), row)
        elif kind < 0.8:
            page[row : row + height // 4, 12:116] = 255
        else:
            _place(page, fill(height, ellipse((0, 0), (0.9, 0.9), rng.choice([1, 2, 4]))), row)
        row += height + int(rng.integers(4, 24))
    return page


def _place(page: Mask, ink: Mask, row: int) -> None:
    if ink.shape[1] > 112:
        ink = cv2.resize(ink, (112, ink.shape[0]), interpolation=cv2.INTER_AREA)
    left = (page.shape[1] - ink.shape[1]) // 2
    target = page[row : row + ink.shape[0], left : left + ink.shape[1]]
    np.maximum(target, ink[: target.shape[0]], out=target)


def fitted(ink: Mask, room: int) -> Mask:
    """Shrink a line of text that is wider than `room` pixels."""
    height, width = ink.shape
    if width <= room:
        return ink
    size = (room, max(3, round(height * room / width)))
    small: Mask = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)
    return small


def stamp(canvas: Floats, ink: Mask, tint: Floats, left: int, top: int) -> None:
    """Composite ink of one colour onto a premultiplied canvas at a pixel; may overhang."""
    height, width = canvas.shape[:2]
    y0, x0 = max(0, -top), max(0, -left)
    ink = ink[y0 : max(y0, height - top), x0 : max(x0, width - left)]
    if not ink.size:
        return
    alpha = (ink * np.float32(1 / 255))[..., None]
    target = canvas[top + y0 :, left + x0 :][: ink.shape[0], : ink.shape[1]]
    target *= 1 - alpha
    target[..., :3] += tint * alpha
    target[..., 3:] += alpha


def add_headline(rng: np.random.Generator, canvas: Floats, ground: Floats) -> None:
    """Set one to three lines of text; `ground` is the mean colour behind them."""
    height, width = canvas.shape[:2]
    ink, face = readable(rng, ground), typeface(rng)
    line = rng.uniform(0.04, 0.14) * min(height, width)
    top = rng.choice([rng.uniform(0.04, 0.15), rng.uniform(0.3, 0.6), rng.uniform(0.75, 0.85)])
    align, row = rng.choice([0.08, 0.5, 0.92]), top * height
    for _ in range(rng.integers(1, 4)):
        word = fitted(lettered(wording(rng), max(4, round(line)), face), round(0.9 * width))
        if row + word.shape[0] > 0.98 * height:
            break
        left = align * width - word.shape[1] * (0.0 if align < 0.3 else 0.5 if align < 0.7 else 1)
        stamp(canvas, word, ink, round(left), round(row))
        row += line * rng.uniform(1.3, 1.7)
        line *= rng.uniform(0.5, 1)


def star(rng: np.random.Generator) -> Floats:
    """Return the outline of a burst with many points."""
    points = int(rng.integers(8, 16))
    angle = np.linspace(0, 2 * np.pi, 2 * points, endpoint=False)
    radius = np.tile([0.98, rng.uniform(0.6, 0.9)], points)
    return np.stack([np.cos(angle) * radius, np.sin(angle) * radius], axis=1).astype(np.float32)


def add_badge(rng: np.random.Generator, canvas: Floats) -> None:
    """Put a price badge, circle, star, plate or ribbon with writing, near a corner or edge."""
    height, width = canvas.shape[:2]
    side = max(10, round(rng.uniform(0.14, 0.34) * min(height, width)))
    plate = colour(rng)
    stretch = rng.uniform(0.35, 0.7)
    forms = (
        ellipse((0, 0), (0.98, 0.98)), star(rng), rectangle((0, 0), (0.98, stretch)),
        ellipse((0, 0), (0.98, stretch), 6), ellipse((0, 0), (0.98, stretch), 2.5),
    )  # fmt: skip
    form = forms[rng.integers(len(forms))]
    left = round(rng.choice([0.05, 0.95, rng.random()]) * (width - side))
    top = round(rng.choice([0.05, 0.95, rng.random()]) * (height - side))
    stamp(canvas, fill(side, form), plate, left, top)
    high = max(4, round(side * rng.uniform(0.18, 0.34)))
    word = lettered(wording(rng)[:10], high, typeface(rng))
    word = fitted(word, round(side * 0.75))
    at = (left + (side - word.shape[1]) // 2, top + (side - word.shape[0]) // 2)
    stamp(canvas, word, readable(rng, plate), *at)


def readable(rng: np.random.Generator, ground: Floats) -> Floats:
    """Return an ink colour that stands out from `ground`."""
    for _ in range(6):
        ink = colour(rng)
        if np.abs(ink - ground).sum() > 0.9:
            return ink
    return np.full(3, 0.05 if ground.mean() > 0.5 else 0.97, np.float32)
