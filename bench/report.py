"""Turns results into the table of the README, for the terminal and for ``bench/results``."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.result import HOLDALL, Result, Target, median

HEADINGS = ("work", "Holdall", "peers", "to reach", "reached", "")


def table(results: Iterable[Result]) -> str:
    """Return a Markdown table, padded so that it reads well on a terminal too."""
    rows = [HEADINGS]
    for result in results:
        first = (result.work, _own(result), _peers(result))
        for target in result.targets:
            verdict = "pass" if target.is_met else "**miss**"
            rows.append((*first, target.text, _reached(target), verdict))
            first = ("", "", "")
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, _line(["-" * width for width in widths], widths))
    return "\n".join(lines)


def document(
    title: str, results: Sequence[Result], machine: Mapping[str, str], remarks: Sequence[str]
) -> str:
    """Return the whole report in Markdown: remarks, the table, notes and the machine."""
    notes = [f"- {result.work}: {note}" for result in results for note in result.notes]
    facts = ", ".join(f"{name} {value}" for name, value in machine.items())
    parts = [f"# {title}", "\n".join(remarks), table(results), "\n".join(notes), facts]
    return "\n\n".join(part for part in parts if part) + "\n"


def save(
    path: Path,
    text: str,
    results: Sequence[Result],
    machine: Mapping[str, str],
    remarks: Sequence[str],
) -> None:
    """Write ``path`` with ``.md`` and with ``.json``, the latter with each round's figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".md").write_text(text)
    facts = {"remarks": remarks, "machine": machine, "results": [_plain(it) for it in results]}
    path.with_suffix(".json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")


def _plain(result: Result) -> dict[str, object]:
    targets = [asdict(target) | {"is_met": target.is_met} for target in result.targets]
    return asdict(result) | {"targets": targets}


def _own(result: Result) -> str:
    name = HOLDALL if HOLDALL in result.figures else next(iter(result.figures))
    return f"{number(median(result.figures, name))} {result.unit}"


def _peers(result: Result) -> str:
    others = [name for name in result.figures if name != HOLDALL]
    return ", ".join(f"{name} {number(median(result.figures, name))}" for name in others)


def _reached(target: Target) -> str:
    return number(target.reached)


def number(value: float) -> str:
    """Return a figure with three significant digits or as a whole number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
