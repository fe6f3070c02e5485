"""What a file is, by its first bytes: its name may say anything."""

from __future__ import annotations

import re

from layerctl.errors import ImageError

HEAD = 1024
"""How many bytes from the start of a file are enough to know it."""

_PICTURES = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "GIF": rb"GIF8[79]a",
    "WEBP": rb"RIFF....WEBP",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "BMP": rb"BM",
    "ICO": rb"\0\0\x01\0",
    "PSD": rb"8BPS",
    "AVIF": rb"....ftyp(?:avi[fs]|m[is]f1.{4,40}?avi[fs])",
    "HEIF": rb"....ftyp(?:he[iv][cxms]|m[is]f1)",
    "JPEG2000": rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n",
    "QOI": rb"qoif",
    "PPM": rb"P[1-6]\s",
}
"""Pillow's name of each format that is read here: EPS and others, which run programs, are not."""

_STRANGERS = {
    "an HTML page, not a picture": rb"\s*<(?:!doctype html|html|head|body)",
    "an SVG drawing, which has no pixels; export it as PNG": rb"\s*<(?:svg|[?!].*?<svg)",
    "an XML file, not a picture": rb"\s*<\?xml",
    "a Git LFS pointer, not the picture itself; run 'git lfs pull'": rb"version https://git-lfs",
    "a PDF document; export its pages as PNG": rb"%PDF-",
    "a PostScript drawing, which has no pixels; export it as PNG": rb"%!PS",
    "an Office document, not a picture": rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "a ZIP archive or an Office document, not a picture": rb"PK\x03\x04",
    "a compressed archive, not a picture": rb"\x1f\x8b|Rar!|7z\xbc\xaf",
    "a video, not a picture": rb"....ftyp(?:qt|iso|mp4|M4V|3gp)|\x1aE\xdf\xa3",
    "a Radiance HDR picture; save it as 8 or 16 bit PNG or TIFF": rb"#\?(?:RADIANCE|RGBE)",
    "an OpenEXR picture; save it as 8 or 16 bit PNG or TIFF": rb"v/1\x01",
    "a JPEG XL picture; save it as JPEG or PNG": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "a text file, not a picture": rb"[\t\r\n\x20-\x7e]+\Z",
}


def picture_format(head: bytes) -> str:
    """Return Pillow's name for the format of a file that starts with `head`.

    Raises:
        ImageError: It is no picture, or one in a format that is not read; named where known.
    """
    for name, pattern in _PICTURES.items():
        if re.match(pattern, head, re.DOTALL):
            return name
    text = head.removeprefix(b"\xef\xbb\xbf")
    for name, pattern in _STRANGERS.items():
        if re.match(pattern, text, re.DOTALL | re.IGNORECASE):
            raise ImageError(f"it is {name}")
    raise ImageError(f"it is in no picture format that is read here ({', '.join(_PICTURES)})")
