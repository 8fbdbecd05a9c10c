"""Folders whose files an operator puts there and exchanges while the server runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

Listing: TypeAlias = tuple[tuple[str, int, int], ...]


def listing(folder: Path, suffix: str) -> Listing:
    """Return name, time and size of each file: what changes when a file does. Errors: OSError."""
    with os.scandir(folder) as entries:
        files = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(suffix)]
    return tuple(sorted((name, status.st_mtime_ns, status.st_size) for name, status in files))
