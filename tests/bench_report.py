"""What the benches share: spreads, tables, charts, and docs/benchmarks.md, of which each writes its own block.

    wall = [measure() for _ in range(RUNS)]
    text = table(["", "wall ms"], [["ours", spread(wall)], ["theirs", spread(other)]])
    text += bars("drain-cpu", "CPU per drain", "ms", {"ours": {"50 tasks": spread(cpu)}, "theirs": {...}})
    write_block("drain", "Drain", "make bench-drain", text, versions("boto3"))

The page and the charts come out the same from the same figures: no time, no random names.
"""

from __future__ import annotations

import math
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from environment import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
CHARTS = ROOT / "docs" / "benchmarks"
# Fewer say little about a spread; a trial run may have fewer, and the block says how many.
RUNS = 7
# The page's parts, in its order.
BLOCKS = ("startup", "drain", "tags", "metrics")
# Of the minute before this bench began.
LOAD = os.getloadavg()[0]
INTRODUCTION = """\
# Benchmarks

The output of `make bench`. Each part is written by a command of its own, and says what it was measured on. Ours and
what people would use instead were measured in the same run, against the same fake AWS, and in turn where nothing else
is said; each as its own users would run it. A figure is a median, and in brackets the quartiles.
"""
NOT_YET = "Not measured yet.\n"


@dataclass(frozen=True)
class Spread:
    """Of some values: the median and the quartiles. In a table or an f-string three digits of each are shown."""

    median: float
    low: float
    high: float
    runs: int

    def __str__(self) -> str:
        if self.runs == 1:
            return short(self.median)
        return f"{short(self.median)} ({short(self.low)}–{short(self.high)})"


Value = Spread | float
Cell = Value | str
# By what is compared, and then by what it is compared at.
Series = Mapping[str, Mapping[str, Value]]
Curves = Mapping[str, Mapping[float, Value]]


def spread(values: Iterable[float]) -> Spread:
    """The spread of at least one value."""
    data = sorted(values)
    if len(data) == 1:
        return Spread(data[0], data[0], data[0], 1)
    low, median, high = statistics.quantiles(data, n=4, method="inclusive")
    return Spread(median, low, high, len(data))


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that a `share` (0 to 1) of all does not exceed."""
    data = sorted(values)
    return data[max(0, math.ceil(round(share * len(data), 6)) - 1)]


def short(value: float) -> str:
    """A number with three digits that matter, and commas: 0.0123, 4.56, 78.9, 123, 45,678."""
    if value == int(value):
        return f"{int(value):,}"
    size = abs(value)
    digits = next((digits for limit, digits in ((99.95, 0), (9.995, 1), (0.9995, 2)) if size >= limit), 3)
    return f"{value:,.{digits}f}" if size >= 0.1 else f"{value:.3g}"


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A Markdown table: the first column to the left, figures to the right."""
    text = [list(columns), ["---", *["---:"] * (len(columns) - 1)]]
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"{len(row)} cells for {len(columns)} columns: {row}")
        text.append([short(cell) if isinstance(cell, (int, float)) else str(cell) for cell in row])
    return "".join("| " + " | ".join(line) + " |\n" for line in text)


def goal(value: float, limit: float, unit: str = "", at_least: bool = False) -> list[str]:
    """Cells for a goal, a result, and whether it is met; for columns "goal", "result", ""."""
    met = value >= limit if at_least else value <= limit
    unit = f" {unit}" if unit and not unit.startswith("×") else unit
    return [f"{'≥' if at_least else '≤'} {short(limit)}{unit}", f"{short(value)}{unit}", "met" if met else "**missed**"]


def bars(name: str, title: str, unit: str, series: Series, log: bool = False) -> str:
    """Groups of horizontal bars, by series and category, with quartiles; answers the Markdown that shows the chart."""
    categories = list(dict.fromkeys(category for values in series.values() for category in values))
    thickness = 0.8 / len(series)

    def draw(axes: Any) -> None:
        for number, (label, values) in enumerate(series.items()):
            places = [categories.index(category) + (number + 0.5) * thickness - 0.4 for category in values]
            spreads = [_spread(value) for value in values.values()]
            drawn = axes.barh(places, [one.median for one in spreads], thickness, xerr=_errors(spreads), label=label)
            axes.bar_label(drawn, labels=[short(one.median) for one in spreads], padding=3, fontsize="small")
        axes.set_yticks(range(len(categories)), categories)
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        axes.margins(x=0.12)
        if log:
            smallest = min(_spread(value).median for values in series.values() for value in values.values())
            axes.set_xscale("log")
            axes.set_xlim(left=10 ** math.floor(math.log10(smallest / 2)))  # else the shortest bar has no length
            axes.xaxis.set_major_formatter("{x:,g}")

    height = 1.2 + 0.28 * sum(len(values) for values in series.values())
    return chart(name, title, draw, (8, height), legend=len(series) > 1)


def lines(name: str, title: str, axes_names: tuple[str, str], series: Curves, log: bool = True) -> str:
    """A line a series with quartiles, over numbers; both axes logarithmic unless told otherwise."""

    def draw(axes: Any) -> None:
        for label, values in series.items():
            spreads = [_spread(value) for value in values.values()]
            heights = [one.median for one in spreads]
            axes.errorbar(list(values), heights, yerr=_errors(spreads), label=label, marker="o", capsize=3)
        axes.set_xlabel(axes_names[0])
        axes.set_ylabel(axes_names[1])
        if log:
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.xaxis.set_major_formatter("{x:,g}")
            axes.yaxis.set_major_formatter("{x:,g}")
        axes.grid(visible=True, alpha=0.3)

    return chart(name, title, draw, (8, 4.5), legend=len(series) > 1)


def chart(name: str, title: str, draw: Callable[[Any], None], size: tuple[float, float], legend: bool = False) -> str:
    """Draws on matplotlib's axes, saves CHARTS/`name`.svg, and answers the Markdown that shows it."""
    # Only the benches' environment has it, and tests read this file, too.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": name, "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.set_title(title)
        axes.spines[["top", "right"]].set_visible(False)
        if legend:
            figure.legend(loc="outside lower center", ncols=4, frameon=False)
        CHARTS.mkdir(parents=True, exist_ok=True)
        figure.savefig(CHARTS / f"{name}.svg", metadata={"Date": None, "Creator": None})
    return f"\n![{title}]({CHARTS.name}/{name}.svg)\n"


def _spread(value: Value) -> Spread:
    return value if isinstance(value, Spread) else Spread(value, value, value, 1)


def _errors(spreads: Sequence[Spread]) -> list[list[float]] | None:
    """How far the quartiles are from the medians, as matplotlib wants it; none where there is one run of each."""
    if all(one.runs == 1 for one in spreads):
        return None
    return [[one.median - one.low for one in spreads], [one.high - one.median for one in spreads]]


def machine() -> str:
    """Processor, cores, memory, kernel, and how busy it was before."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}, load before {LOAD:.1f}"
    )


def versions(*packages: str) -> str:
    """Of Rust, of Python, and of Python's packages."""
    rust = _answer("rustc", "--version").split()[1]
    named = (f"{package} {version(package)}" for package in packages)
    return ", ".join([f"rustc {rust}", f"Python {platform.python_version()}", *named])


def commit() -> str:
    """What is checked out, and whether something besides the documents was changed since."""
    changed = _answer("git", "--no-optional-locks", "status", "--porcelain", "--", ".", ":!docs")
    return _answer("git", "rev-parse", "--short", "HEAD") + (", changed since" if changed else "")


def _answer(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def write_block(name: str, heading: str, command: str, text: str, built_with: str, page: Path = PAGE) -> None:
    """Puts a bench's text in its place on the page, after what it was measured on; other blocks stay as they are."""
    today = datetime.now(timezone.utc).date()
    origin = f"`{command}`, {today}, commit {commit()}: {machine()}; {built_with}."
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    page.parent.mkdir(parents=True, exist_ok=True)
    old = page.read_text() if page.exists() else _skeleton()
    if begin not in old:
        old += f"\n{begin}{end}"
    before, rest = old.split(begin, 1)
    if end not in rest:
        raise ValueError(f"{page} has no {end.strip()}")
    after = rest.split(end, 1)[1]
    page.write_text(f"{before}{begin}## {heading}\n\n{origin}\n\n{text.strip()}\n{end}{after}")
    print(f"{page.relative_to(ROOT) if page.is_relative_to(ROOT) else page}: {heading}")


def _skeleton() -> str:
    blocks = (f"\n<!-- {name}: begin -->\n{NOT_YET}<!-- {name}: end -->\n" for name in BLOCKS)
    return INTRODUCTION + "".join(blocks)
