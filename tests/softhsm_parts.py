"""A SoftHSM of a test's own: a token that can be unplugged and plugged in again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "314159"
LABEL = "見本"  # a token's label is UTF-8


class SoftHsm:
    """One initialised token in a folder, named `main` in a folder of keys."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._tokens, self._gone = folder / "tokens", folder / "gone"
        self._tokens.mkdir(parents=True)
        self.conf = folder / "softhsm2.conf"
        self.conf.write_text(f"directories.tokendir = {self._tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        monkeypatch.setenv("SOFTHSM2_CONF", str(self.conf))
        self.util("--init-token", "--free", "--label", LABEL, "--so-pin", "271828", "--pin", PIN)

    def util(self, *arguments: str) -> str:
        """Run SoftHSM's own tool."""
        return subprocess.run(
            ["softhsm2-util", *arguments], capture_output=True, text=True, timeout=30, check=True
        ).stdout

    def write_config(self, keys: Path, *, module: str = MODULE, label: str = LABEL, pin: str = PIN) -> None:
        """Tell a folder of keys where the token is."""
        private(keys / "token.pin", f"{pin}\n")
        private(keys / "tokens.toml", f'[main]\nmodule = "{module}"\nlabel = "{label}"\npin_file = "token.pin"\n')

    def unplug(self) -> None:
        """Take the token away; nothing in the module is told."""
        self._tokens.rename(self._gone)
        self._tokens.mkdir()

    def plug_in(self) -> None:
        """Put it back."""
        self._tokens.rmdir()
        self._gone.rename(self._tokens)


def private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read."""
    path.write_text(text, encoding="utf-8")
    os.chmod(path, 0o600)
