"""Things drawn as glyphs of an emoji font, where one is installed: flat, padded, or stickers."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from shapes import Floats, Mask
from sprites import Finish, Sprite
from textures import colour, mix

FONTS = (
    ("NotoColorEmoji.ttf", 109), ("Apple Color Emoji.ttc", 160), ("seguiemj.ttf", 256),
    ("NotoEmoji-Regular.ttf", 256), ("Symbola.ttf", 256), ("Symbola_hint.ttf", 256),
)  # fmt: skip
"""Fonts that draw things, best first, and a size in pixels: those of bitmaps have but a few."""

THINGS = (
    "🌂🌰🌱🌲🌴🌵🌷🌹🌺🌻🌽🌾🌿🍀🍁🍄🍅🍆🍇🍈🍉🍊🍋🍌🍍🍎🍏🍐🍑🍒🍓"  # plants, fruit
    "🍔🍕🍖🍗🍙🍞🍟🍦🍧🍨🍩🍪🍫🍬🍭🍮🍯🍰🍳🍷🍸🍹🍺🎂🥐🥑🥕🥝🥥🥦🥨🧀🧁"  # food
    "🎀🎁🎈🎒🎓🎧🎨🎩🎮🎲🎷🎸🎹🎺🎻🏀🏈🏆⚽⚾🏓🏸🥁🥊🧸🧩🪁🛹"  # toys, sport, music
    "👑👒👓👔👕👖👗👘👙👚👛👜👝👞👟👠👡👢🧢🧣🧤🧥🧦🥾🥿🕶🎽💍💄💎"  # clothing
    "💡💰💺💻💼💾💿📎📏📐📕📗📘📞📦📫📱📷📹📺📻🔋🔌🔍🔑🔒🔔🔦🔧🔨🔪🔬🔭🕯🖊🖌"  # objects
    "☂☎✂⌚⌛⏰⚓🛋🛏🚪🪑🚽🛁🧯🧹🧺🧻🧼🧽🧴🪒🪴🪣🪥"  # household
    "🐌🐍🐘🐙🐚🐛🐝🐞🐟🐠🐢🐧🐪🐬🐳🐿🦀🦆🦉🦋🦐"  # animals
    "⛵✈🚁🚂🚃🚌🚑🚒🚓🚕🚗🚙🚚🚜🚤🚲🛴🛵🚀🚢🛶"  # vehicles
    # More of all of these.
    "⌨⏱⏲⏳⚒⚔⚖⚗⚙⛄⛈⛏⛑⛓⛩⛪⛱⛲⛴⛸⛺⛽✉✏✒❄❣🍘🍚🍛🍜🍝🍠🍡🍢🍣🍤🍥🍱🍲"
    "🍴🍵🍶🍻🍼🍽🍾🍿🎃🎄🎉🎊🎖🎗🎙🎚🎛🎞🎟🎠🎡🎢🎣🎥🎫🎬🎯🎰🎱🎳🎿🏅🏉🏍🏎🏐🏑🏒🏕🏗"
    "🏘🏚🏛🏜🏠🏡🏢🏣🏥🏦🏨🏩🏪🏫🏬🏭🏮🏯🏰🏷🏹🏺🐀🐁🐂🐃🐄🐅🐆🐇🐈🐉🐊🐋🐎🐏🐐🐑🐒🐓"
    "🐔🐕🐖🐡🐣🐤🐥🐦🐩🐫💉💊💐💣💳💵💶💷💸💹📀📂📃📄📅📆📇📈📉📊📋📌📍📓📔📖📚📜📝📟"
    "📠📡📢📤📥📧📨📩📪📬📭📮📯📰📸📼📽📿🔊🔎🔏🔐🔖🔩🔮🔱🕋🕌🕍🕎🕓🕰🕷🕸🕹🖇🖋🖍🖥🖨"
    "🖱🖲🖼🗂🗃🗄🗑🗒🗓🗜🗝🗞🗡🗳🗺🗼🗽🗿🚅🚆🚇🚈🚉🚊🚋🚍🚎🚔🚖🚘🚝🚞🚟🚠🚡🚨🚰🛌🛍🛎"
    "🛒🛖🛗🛝🛞🛟🛠🛡🛢🛥🛩🛰🛳🛷🛸🛺🛻🛼🥄🥅🥇🥈🥉🥋🥌🥍🥎🥏🥔🥖🥗🥘🥙🥚🥛🥜🥞🥟🥠🥡"
    "🥢🥣🥤🥧🥩🥪🥫🥬🥭🥮🥯🥻🥼🥽🦁🦂🦃🦄🦅🦇🦈🦌🦍🦎🦏🦑🦒🦓🦔🦕🦖🦗🦘🦙🦚🦛🦜🦝🦞🦠"
    "🦡🦢🦣🦤🦥🦦🦧🦨🦩🦪🦫🦬🦭🦮🦯🦺🦼🦽🦾🦿🧂🧃🧄🧅🧆🧇🧈🧉🧊🧋🧨🧪🧫🧬🧭🧮🧰🧱🧲🧳"
    "🧵🧶🧷🧿🩰🩱🩲🩳🩴🩸🩹🩺🩻🩼🪀🪂🪃🪄🪅🪆🪇🪈🪐🪓🪔🪕🪖🪗🪘🪙🪚🪛🪜🪝🪞🪟🪠🪡🪢🪤"
    "🪦🪧🪨🪩🪪🪫🪬🪭🪮🪱🪲🪳🪵🪶🪷🪸🪹🪺🪻🪿🫎🫏🫐🫑🫒🫓🫔🫕🫖🫗🫘🫙🫚🫛🫧"
)
"""Code points of goods and of what goods are shaped like: no people, faces, flags or signs."""

UNASSIGNED = "\U0010ffff"
"""A code point that no font has: what is drawn for it is drawn for all that are missing."""

STICKER_SHARE = 0.3
FLAT_SHARE = 0.35
"""How many of those that are no stickers are flat."""

GLOSSES = (0.02, 0.15, 0.4)


@cache
def emoji_font() -> ImageFont.FreeTypeFont | None:
    """Return the first of `FONTS` that is installed and that Pillow can draw with."""
    for name, size in FONTS:
        try:
            font = ImageFont.truetype(name, size)
        except OSError:
            continue
        if drawable(font):
            return font
    return None


@cache
def drawable(font: ImageFont.FreeTypeFont) -> tuple[str, ...]:
    """Return those of `THINGS` that a font has a glyph for."""
    missing = drawn(font, UNASSIGNED)
    return tuple(thing for thing in THINGS if not np.array_equal(drawn(font, thing), missing))


def drawn(font: ImageFont.FreeTypeFont, thing: str) -> Floats:
    """Return a glyph in its own colours, black if it has none: premultiplied (H, W, 4)."""
    left, top, right, bottom = (round(edge) for edge in font.getbbox(thing))
    image = Image.new("RGBA", (max(1, right - left), max(1, bottom - top)))
    # On a clear image Pillow leaves colours weighted by alpha.
    ImageDraw.Draw(image).text((-left, -top), thing, "black", font, embedded_color=True)
    pixels = np.asarray(image, np.float32) / np.float32(255)
    left, top, across, down = cv2.boundingRect((pixels[..., 3] > 0).astype(np.uint8))
    return pixels[top : top + down, left : left + across]


def glyph(rng: np.random.Generator, sprite: Sprite, font: ImageFont.FreeTypeFont) -> None:
    """A thing as an emoji font draws it: padded, flat like a board, or on a die-cut sticker."""
    sticker, gloss = rng.random() < STICKER_SHARE, float(rng.choice(GLOSSES))
    picture = drawn(font, str(rng.choice(drawable(font))))
    mask, skin = coat(rng, fitted(picture, sprite.side, 0.8 if sticker else 0.95))
    if sticker:
        paper = colour(rng) if rng.random() < 0.3 else np.full(3, 0.95, np.float32)
        sprite.paint(grown(filled(mask), rng.uniform(0.04, 0.1)), paper, Finish(0.01, gloss))
        sprite.stick(mask, skin)
    else:
        roundness = 0.01 if rng.random() < FLAT_SHARE else rng.uniform(0.1, 0.5)
        sprite.paint(mask, skin, Finish(roundness, gloss))


def fitted(picture: Floats, side: int, share: float) -> Floats:
    """Return a picture in the middle of a square patch of which its longer side takes a share.

    Edges that are blurred by enlarging it are made steep again; both are premultiplied.
    """
    height, width = picture.shape[:2]
    scale = share * side / max(height, width)
    warp = np.array([[scale, 0, side / 2], [0, scale, side / 2]])
    warp[:, 2] -= scale * (np.array([width, height]) - 1) / 2 + 0.5
    if scale < 1:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.4 / scale)
    patch = cv2.warpAffine(picture, warp, (side, side), flags=cv2.INTER_LINEAR)
    alpha = np.clip((patch[..., 3:] - 0.5) * max(1, scale) + 0.5, 0, 1)
    steep: Floats = (patch * (alpha / np.maximum(patch[..., 3:], 1e-3))).astype(np.float32)
    return steep


def coat(rng: np.random.Generator, picture: Floats) -> tuple[Mask, Floats]:
    """Return a glyph's mask and its colours over the patch, some of them changed for others.

    A glyph without colours is a drawing in ink: its outline is filled with another colour.
    """
    mask = np.rint(picture[..., 3] * 255).astype(np.uint8)
    if not picture[..., :3].any():
        return filled(mask), mix(colour(rng), colour(rng), picture[..., 3])
    channels = rng.permutation(3) if rng.random() < 0.25 else np.arange(3)
    alpha = np.maximum(picture[..., 3:], 1e-3).astype(np.float32)
    skin: Floats = picture[..., :3] / alpha
    return mask, skin[..., channels]


def filled(mask: Mask) -> Mask:
    """Return a mask without its holes."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = cv2.drawContours(np.zeros_like(mask), outlines, -1, 255, cv2.FILLED)
    inside = cv2.erode(whole, np.ones((3, 3), np.uint8))
    together: Mask = np.maximum(mask, inside)
    return together


def grown(mask: Mask, width: float) -> Mask:
    """Return a mask with a border of `width` in patch units around it."""
    away = cv2.distanceTransform((mask < 128).astype(np.uint8), cv2.DIST_L2, 5)
    reach = width * len(mask) / 2 + 0.5
    whole: Mask = (np.clip(reach - away, 0, 1) * 255).astype(np.uint8)
    return whole
