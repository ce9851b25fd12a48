"""What the benches share: figures, tables, the page and its charts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import bench_report
from bench_report import Cell, Spread, goal, percentile, short, spread, table, write_block
from environment import ROOT

CHART = """
import sys
from pathlib import Path
import bench_report
some = bench_report.spread([1, 2, 4])
figures = {"ours": {"a": some, "b": 3.5}, "theirs": {"a": 70.0}}
for folder in sys.argv[1:]:
    bench_report.CHARTS = Path(folder)
    print(bench_report.bars("bars", "Bars", "ms", figures, log=True))
    print(bench_report.lines("lines", "Lines", ("n", "s"), {"ours": {1: some, 10: some}}))
"""


def test_three_digits_matter() -> None:
    """Of small and of large numbers."""
    shown = {0.01234: "0.0123", 0.5: "0.500", 4.561: "4.56", 9.996: "10.0", 99.96: "100", 45_678.2: "45,678", 3: "3"}
    assert {value: short(value) for value in shown} == shown


def test_spreads_are_medians_and_quartiles() -> None:
    """Of one value there is no spread."""
    assert spread([4, 1, 2, 3, 5]) == Spread(3, 2, 4, 5)
    assert str(spread([4, 1, 2, 3, 5])) == "3 (2–4)"
    assert str(spread([7])) == "7"


def test_percentiles_are_values_that_were_measured() -> None:
    """The nearest one above."""
    hundred = range(1, 101)
    assert [percentile(hundred, share) for share in (0.001, 0.5, 0.99, 1)] == [1, 50, 99, 100]


def test_tables_are_markdown() -> None:
    """Figures are to the right, and no row is of another length."""
    rows: list[list[Cell]] = [["a", 1_234.5], ["b", spread([1, 2, 3])]]
    assert table(["", "ms"], rows) == "|  | ms |\n| --- | ---: |\n| a | 1,234 |\n| b | 2 (1.50–2.50) |\n"
    with pytest.raises(ValueError, match="1 cells for 2"):
        table(["", "ms"], [["a"]])


def test_goals_are_met_or_missed() -> None:
    """On the right side of the limit."""
    assert goal(4, 5, "ms") == ["≤ 5 ms", "4 ms", "met"]
    assert goal(6, 5, "ms")[2] == "**missed**"
    assert goal(60, 50, "×", at_least=True) == ["≥ 50×", "60×", "met"]
    assert goal(40, 50, "×", at_least=True)[2] == "**missed**"


def test_a_bench_replaces_its_block_only(tmp_path: Path) -> None:
    """Whatever else is on the page stays; a block that is not there yet comes at the end."""
    page = tmp_path / "benchmarks.md"
    for name, text in (("drain", "first"), ("tags", "other"), ("drain", "second"), ("new", "last")):
        write_block(name, f"About {name}", f"make bench-{name}", text, "nothing", page)
    written = page.read_text()
    assert "first" not in written
    found = [written.index(part) for part in ("startup: begin", "second", "other", "metrics: begin", "last")]
    assert found == sorted(found)
    assert written.count("Not measured yet.") == 2
    assert written.count("<!-- drain: end -->") == 1
    assert bench_report.machine() in written
    page.write_text(written.replace("<!-- tags: end -->", ""))
    with pytest.raises(ValueError, match="tags: end"):
        write_block("tags", "About tags", "make bench-tags", "text", "nothing", page)


def test_charts_are_the_same_from_the_same_figures(tmp_path: Path) -> None:
    """So that a page changes only where figures have."""
    python = ROOT / ".venv" / "bench" / "bin" / "python"
    command = [str(python), "-c", CHART, *(str(tmp_path / folder) for folder in ("one", "two"))]
    shown = subprocess.run(command, cwd=ROOT / "tests", check=True, capture_output=True, text=True).stdout
    assert "![Bars](one/bars.svg)" in shown
    for name in ("bars.svg", "lines.svg"):
        one, two = ((tmp_path / folder / name).read_text() for folder in ("one", "two"))
        assert one == two
    assert ">70</text>" in (tmp_path / "one" / "bars.svg").read_text()
