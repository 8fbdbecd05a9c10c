"""What a browser keeps of the page, so that it works without a connection: every file of it, under one version.

The version is a digest of all their contents: whenever one of them changes, the service worker's script differs, the
browser fetches all of them anew and leaves none of the old ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from flask import Flask, Response, abort, send_file

_MODULES: Final = Path(__file__).resolve().parents[2] / "node_modules"
#: The files of the libraries that the page loads, and no others.
_LIBRARIES: Final = {
    "cbor-x/index-no-eval.min.js": "cbor-x/dist/index-no-eval.min.js",
    "zxing/es/reader/index.js": "zxing-wasm/dist/es/reader/index.js",
    "zxing/es/share.js": "zxing-wasm/dist/es/share.js",
    "zxing/zxing_reader.wasm": "zxing-wasm/dist/reader/zxing_reader.wasm",
    "pdfjs/pdf.min.mjs": "pdfjs-dist/build/pdf.min.mjs",
    "pdfjs/pdf.worker.min.mjs": "pdfjs-dist/build/pdf.worker.min.mjs",
}
_WORKER: Final = Path(__file__).with_name("static") / "worker.js"


class Installed:
    """The service worker's script, and the files that it keeps."""

    def __init__(self, app: Flask, pages: Mapping[str, str]) -> None:
        """Shape: pages are addresses and what stands there, without anything of one visitor."""
        static = Path(str(app.static_folder))
        files = {path: text.encode() for path, text in pages.items()}
        files |= {f"/static/{path.name}": path.read_bytes() for path in sorted(static.iterdir()) if path != _WORKER}
        files |= {f"/lib/{name}": (_MODULES / path).read_bytes() for name, path in _LIBRARIES.items()}
        digest = hashlib.sha256()
        for path, content in files.items():
            digest.update(path.encode() + b"\0" + hashlib.sha256(content).digest())
        self.version = digest.hexdigest()[:16]
        self.paths = tuple(files)
        constants = {"VERSION": self.version, "FILES": self.paths}
        declared = "".join(
            f"const {name} = {msgspec.json.encode(value).decode()};\n" for name, value in constants.items()
        )
        self.script = declared + _WORKER.read_text(encoding="utf-8")


def library(name: str) -> Response:
    """Serve one file of a library."""
    if name not in _LIBRARIES:
        abort(404)
    answer = send_file(_MODULES / _LIBRARIES[name], max_age=3600)
    if name.endswith(".mjs"):
        answer.content_type = "text/javascript"  # Python 3.11 does not know the ending everywhere
    return answer
