"""A QR code as a picture for the page: vectors, made here, so that nothing is loaded from anywhere."""

from __future__ import annotations

import functools
from base64 import b64encode

import zxingcpp


@functools.lru_cache(maxsize=1)
def code_picture(code_url: str) -> str:
    """Return the code that a phone reads as the address of an image, in the page itself."""
    svg = zxingcpp.create_barcode(code_url, zxingcpp.BarcodeFormat.QRCode).to_svg(add_quiet_zones=True)
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode("ascii")
