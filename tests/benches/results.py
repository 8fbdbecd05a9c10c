"""What the render bench found: the table, the bars, and the page of the docs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.benches.memory import END_MAX_MB, GROWTH_MAX_MB
from tests.benches.pictures import LINE_DIFFERENCE_MAX, PAGE_DIFFERENCE_MAX

OURS, FULL, TYPST, REPORTLAB = "madoguchi", "madoguchi-full", "typst", "reportlab"
BURST = 12  # certificates a turn: after another engine the first few find all caches cold, which no worker of ours does
SLOW_BURST = 2  # of engines that need tenths of a second: the more rounds, the less a machine's moods decide
TYPST_TIMES, REPORTLAB_TIMES, FULL_OF_TYPST = 5.0, 20.0, 0.5
LINES_ALIKE = 0.95  # of every engine's lines: a name with a wrong glyph or a box is a line that is not


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table, and of JSON."""

    engine: str
    ms_median: float
    ms_p10: float
    cpu_ms_median: float
    kib: float
    pages: int
    glyphs_right: bool
    text_right: bool
    glyphs: str
    names: str
    lines: str
    page_difference: float


def bars(results: list[Result], memory: dict[str, float] | None) -> dict[str, dict[str, float | bool]]:
    """Return what must hold: each bar's figure, its limit and whether it was reached."""
    ms = {line.engine: line.ms_median for line in results}
    found = {
        "typst_times": _bar(ms[TYPST] / ms[OURS], at_least=TYPST_TIMES),
        "reportlab_times": _bar(ms[REPORTLAB] / ms[OURS], at_least=REPORTLAB_TIMES),
        "full_of_typst": _bar(ms[FULL] / ms[TYPST], at_most=FULL_OF_TYPST),
        "page_difference": _bar(max(line.page_difference for line in results), at_most=PAGE_DIFFERENCE_MAX),
        "lines_alike": _bar(min(_share(line.lines) for line in results if line.engine != FULL), at_least=LINES_ALIKE),
    }
    ours = [line for line in results if line.engine in {OURS, FULL}]
    right = sum(line.glyphs_right and line.text_right for line in ours)
    found["ours_right"] = _bar(right, at_least=len(ours))
    if memory is not None:
        found["memory_mb"] = _bar(memory["end_mb"], at_most=END_MAX_MB)
        found["memory_growth_mb"] = _bar(memory["growth_mb"], at_most=GROWTH_MAX_MB)
    return found


def table(results: list[Result]) -> list[str]:
    """Return the results as a Markdown table."""
    lines = [
        "| engine | ms | ms, p10 | CPU ms | KiB | pages | glyphs right | extracted | lines alike | page differs |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for line in results:
        differs = "-" if line.engine == FULL else f"{line.page_difference:.3f}"
        lines.append(
            f"| {line.engine} | {line.ms_median:.2f} | {line.ms_p10:.2f} | {line.cpu_ms_median:.2f} | {line.kib:.1f} "
            f"| {line.pages} | {line.glyphs} | {line.names} | {line.lines} | {differs} |"
        )
    return lines


def document(
    results: list[Result],
    reached: dict[str, dict[str, float | bool]],
    memory: dict[str, float] | None,
    seed: int,
    rounds: int,
) -> str:
    """Return docs/bench-render.md."""
    day = datetime.now().astimezone().date()
    lines = [
        "# The render bench",
        "",
        f"`make bench-render` on {day}, {machine()}; seed {seed}, {rounds} rounds of {BURST} certificates an engine,",
        f"{SLOW_BURST} of the two slowest.",
        "Written by the command itself (`--write`). The figures of a shared machine swing: compare within a run.",
        "",
        *table(results),
        "",
        *_NOTES,
        "",
        "| bar | figure | limit | reached |",
        "|---|---:|---:|---|",
    ]
    for name, bar in reached.items():
        sign_, limit = (">=", bar["at_least"]) if "at_least" in bar else ("<=", bar["at_most"])
        lines.append(f"| {name} | {bar['figure']:.2f} | {sign_} {limit:g} | {'yes' if bar['reached'] else 'NO'} |")
    if memory is not None:
        lines += [
            "",
            "A worker's private memory in MB (Private_Clean + Private_Dirty), forked after loading, after n",
            "certificates of mixed kinds, no two alike. Their characters are drawn evenly from the whole font, so that",
            "what a process remembers fills more slowly than with real names; the bar is on what the last half adds:",
            "",
            "| " + " | ".join(name for name in memory) + " |",
            "|" + "---:|" * len(memory),
            "| " + " | ".join(f"{value:.1f}" for value in memory.values()) + " |",
        ]
    return "\n".join(lines) + "\n"


_NOTES = (
    "All engines draw one page of a residence certificate for a household of four, every name with a variation",
    "sequence, at the same places: the others are given the lines that ours fitted, so that fitting is in our time",
    "alone. `madoguchi-full` is the whole certificate with its seal, QR encoding included. Each engine is set up as",
    "its own documentation advises: typst's compiler and fonts reused, the form as its source and only the values as",
    "input; WeasyPrint's font configuration and parsed style sheet reused; ReportLab's fonts registered once; pikepdf",
    "lays the values over a prepared PDF, lookup and subsetting by HarfBuzz; fpdf2 has no way to share a font between",
    "documents.",
    "",
    "A glyph is right where its cell is nearest to HarfBuzz's own outline of it, before the base glyph, other",
    "variants, the font's box and nothing. A name is extracted where pdfium gives it back with its sequences (spaces",
    f"aside: engines set them as glyphs or as gaps). A line is alike where at most {LINE_DIFFERENCE_MAX:.0%} of its",
    "ink, blurred by a pixel at 100 dpi, lies elsewhere than on the page drawn from outlines; of the whole page, at",
    f"most {PAGE_DIFFERENCE_MAX:.0%}.",
)


def machine() -> str:
    """Return the machine's kind: processor and cores, no name."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else 'unknown processor'}, {len(models)} cores"


def _bar(figure: float, *, at_least: float | None = None, at_most: float | None = None) -> dict[str, float | bool]:
    if at_least is not None:
        return {"figure": round(figure, 3), "at_least": at_least, "reached": figure >= at_least}
    assert at_most is not None
    return {"figure": round(figure, 3), "at_most": at_most, "reached": figure <= at_most}


def _share(part_of: str) -> float:
    part, of = part_of.split("/")
    return int(part) / int(of)
