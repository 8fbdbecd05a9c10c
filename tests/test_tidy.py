"""The repository's own rules, read from its files: sizes, lock files, and what must not stand in them."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
#: Named exceptions, each with its reason; one that is no longer needed fails.
EXCEPTIONS: dict[str, str] = {}
TEXT = {".py", ".sh", ".md", ".toml", ".txt", ".in", ".json", ".html", ".css", ".js", ".mako", ".svg", ""}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    return [path for name in listed.decode().split("\0") if name and (path := REPOSITORY / name).exists()]


def texts() -> list[tuple[str, str]]:
    return [(str(path.relative_to(REPOSITORY)), path.read_text()) for path in tracked() if path.suffix in TEXT]


def too_long(name: str, text: str) -> list[str]:
    found = [name] if text.count("\n") > FILE_LINES_MAX else []
    functions = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    found += [f"{name}:{f.name}" for f in functions if (f.end_lineno or 0) - f.lineno + 1 > FUNCTION_LINES_MAX]
    return found


def test_files_and_functions_stay_readable() -> None:
    found = {what for name, text in texts() if name.endswith(".py") for what in too_long(name, text)}
    assert found == set(EXCEPTIONS)


def test_a_file_or_function_that_is_too_long_is_found() -> None:
    assert too_long("a.py", "x = 1\n" * (FILE_LINES_MAX + 1)) == ["a.py"]
    assert too_long("a.py", "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX) == ["a.py:f"]


@pytest.mark.parametrize("name", ["build", "runtime", "dev", "bench"])
def test_a_lock_has_hashes_and_no_address(name: str) -> None:
    lock = (REPOSITORY / "requirements" / f"{name}.txt").read_text()
    pinned = re.findall(r"^[a-z0-9][^\s=]*==", lock, flags=re.MULTILINE)
    assert pinned
    assert lock.count("--hash=sha256:") >= len(pinned)
    assert "://" not in lock
    assert "--index-url" not in lock


def test_the_front_end_s_lock_has_hashes_and_no_address() -> None:
    lock = (REPOSITORY / "package-lock.json").read_text()
    assert '"integrity": "sha512-' in lock
    assert '"resolved"' not in lock


def test_nothing_names_somebody_s_home_or_scratch_folder() -> None:
    private = re.compile(r"(?<![\w./])/(root|home|work)/\w")
    assert [name for name, text in texts() if private.search(text)] == []


def test_every_story_of_a_wrong_paper_stands_as_a_test_by_its_number() -> None:
    """What went wrong at real counters, S1 to S22; S12 waits for the register's feed."""
    functions = {name for path, text in texts() if path.endswith(".py") for name in re.findall(r"def (test_\w+)", text)}
    told = {int(number) for name in functions for number in re.findall(r"_s(\d+)(?=_)", name)}
    assert set(range(1, 23)) - told == {12}


def test_every_threat_names_a_test_that_there_is() -> None:
    rows = re.findall(r"^\| (\d+) \|(.+)\|$", (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= 25
    functions = {
        (Path(path).name, name)
        for path, text in texts()
        if path.startswith("tests/") and path.endswith(".py")
        for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)
    }
    files = {file for file, _ in functions}
    for number, row in rows:
        cells = [cell.strip() for cell in row.split(" | ")]
        assert len(cells) == 4, f"threat {number}: threat, control, test, what is left"
        assert all(cells), f"threat {number}: an empty cell"
        file, _, name = cells[2].strip("`").partition("::")
        assert (file, name) in functions if name else file in files, f"threat {number}: no test {cells[2]}"
