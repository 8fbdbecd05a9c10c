"""Which build draws: papers are the same bytes for as long as nothing that draws them changes.

The id covers this package's code and data, the fonts' files and the libraries that have a part in the bytes. A paper of
another build may differ in its bytes and be right; one of the same build that differs was altered.
"""

from __future__ import annotations

import hashlib
import platform
import zlib
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from printing.paper.fonts import Fonts

_PACKAGE: Final = Path(__file__).resolve().parent
_DATA: Final = frozenset((".py", ".json", ".toml", ".tsv"))
_LIBRARIES: Final = ("msgspec", "pillow", "uharfbuzz", "zxing-cpp")
_ID_CHARS: Final = 16


def build_id(fonts: Fonts) -> str:
    """Return the id of what draws papers in this process, with these fonts."""
    faces = {face.path: None for faces in (fonts.values, fonts.labels, fonts.headings) for face in faces.faces}
    return _of(_PACKAGE, tuple(faces))


@lru_cache(maxsize=8)
def _of(package: Path, fonts: tuple[Path, ...]) -> str:
    files = sorted(path for path in package.rglob("*") if path.suffix in _DATA)
    digest = hashlib.sha256()
    for path in (*files, *fonts):
        name = path.relative_to(package).as_posix() if path.is_relative_to(package) else path.name
        with path.open("rb") as stream:
            digest.update(name.encode() + b"\0" + hashlib.file_digest(stream, "sha256").digest())
    libraries = [f"{name} {version(name)}" for name in _LIBRARIES]
    libraries += [f"python {platform.python_version()}", f"zlib {zlib.ZLIB_RUNTIME_VERSION}"]
    digest.update("\n".join(libraries).encode())
    return digest.hexdigest()[:_ID_CHARS]
