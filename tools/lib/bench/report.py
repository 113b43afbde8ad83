"""Writes the table of docs/performance.md, between two marks, and the plot."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tools.lib.bench.timing import Times

BEGIN, END = "<!-- measured by tools/bench: begin -->", "<!-- end -->"


class Row(NamedTuple):
    """One goal: its subject, the measured value, and whether the goal is met."""

    work: str
    goal: str
    measured: str
    met: bool


class Bar(NamedTuple):
    """One bar of the plot."""

    group: str
    name: str
    times: Times


class Findings:
    """What was measured so far."""

    def __init__(self) -> None:
        """Start without findings."""
        self.rows: list[Row] = []
        self.bars: list[Bar] = []
        self.notes: list[str] = []

    def at_most(self, work: str, goal: str, value: float, limit: float, measured: str) -> None:
        """Add a goal that is met if the value is at most `limit`."""
        self._add(Row(work, goal, measured, value <= limit))

    def at_least(self, work: str, goal: str, value: float, limit: float, measured: str) -> None:
        """Add a goal that is met if the value is at least `limit`."""
        self._add(Row(work, goal, measured, value >= limit))

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        print(f"{'met   ' if row.met else 'MISSED'}  {row.work}: {row.measured}  [{row.goal}]")

    def compare(self, group: str, times: dict[str, Times]) -> None:
        """Add a group of bars to the plot and to the list of medians."""
        for name, measured in times.items():
            self.bars.append(Bar(group, name, measured))
            print(f"        {group}, {name}: {seconds(measured)}")

    def note(self, text: str) -> None:
        """Add a sentence, for example about what was not measured."""
        self.notes.append(text)
        print(text)


def seconds(times: Times) -> str:
    """Return a median with its spread, as text."""
    return f"{duration(times.median)} ± {duration(times.spread)}"


def duration(value: float) -> str:
    """Return seconds as text; short times in milliseconds."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def mebibytes(value: float) -> str:
    """Return a number of bytes as text."""
    return f"{value / (1 << 20):.1f} MiB"


def table(findings: Findings) -> str:
    """Return all findings as Markdown."""
    lines = ["| work | goal | measured | |", "|---|---|---|---|"]
    lines += [
        f"| {row.work} | {row.goal} | {row.measured} | {'met' if row.met else '**missed**'} |"
        for row in findings.rows
    ]
    lines += ["", "| compared | | median ± half the distance of the quartiles | runs |"]
    lines += ["|---|---|---|---|"]
    lines += [
        f"| {bar.group} | {bar.name} | {seconds(bar.times)} | {len(bar.times.seconds)} |"
        for bar in findings.bars
    ]
    return "\n".join([*lines, "", *findings.notes])


def write(findings: Findings, document: Path, plot: Path) -> None:
    """Write the findings between the marks of a document, and draw the plot."""
    text = document.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(f"{document} has no place for the table: {BEGIN} … {END}")
    pattern = re.escape(BEGIN) + ".*?" + re.escape(END)
    found = f"{BEGIN}\n{table(findings)}\n\n![medians](performance.svg)\n{END}"
    document.write_text(re.sub(pattern, lambda _: found, text, flags=re.DOTALL))
    plot.write_text(draw(findings.bars))


def draw(bars: Sequence[Bar]) -> str:
    """Draw the medians as bars on a logarithmic scale (SVG 1.1)."""
    import math

    left, width, height = 330, 420, 22
    low, high = -2.5, 1.5
    drawn, top, group = [], 10, ""

    def place(value: float) -> float:
        at = (math.log10(max(value, 10**low)) - low) / (high - low)
        return left + width * min(at, 1.0)

    for bar in bars:
        if bar.group != group:
            group, top = bar.group, top + 26
            drawn.append(f'<text x="10" y="{top}" class="group">{_escape(group)}</text>')
            top += 8
        colour = "#2b6cb0" if bar.name.startswith("autoupdatectl") else "#a0aec0"
        end = place(bar.times.median)
        middle = top + height // 2 + 4
        drawn += [
            f'<text x="{left - 8}" y="{middle}" text-anchor="end">{_escape(bar.name)}</text>',
            f'<rect x="{left}" y="{top + 3}" width="{end - left:.1f}" height="{height - 6}"'
            f' fill="{colour}"/>',
            f'<text x="{end + 6:.1f}" y="{middle}">{duration(bar.times.median)}</text>',
        ]
        top += height
    style = "text{font:13px sans-serif;fill:#1a202c}.group{font-weight:bold}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 90}" height="{top + 12}">'
        f'<style>{style}</style><rect width="100%" height="100%" fill="white"/>'
        + "".join(drawn)
        + "</svg>\n"
    )


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
