"""`make bench-metrics`: ticks of a second by the metric writer, and by two with boto3: CPU, calls, memory, lateness.

A quarter of an hour, ten minutes of it with a hundred clusters.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from itertools import product
from pathlib import Path

import bench_metrics_runs as runs
import bench_report as report
from bench_command import asked, bench, command_line
from bench_metrics_runs import Figures

SIZES = (1, 100, 1_000)
# The size whose ticks go on for long enough that their lateness says something, all runs together.
LONG_SIZE, LONG_MINUTES = 100, 10
OURS, BATCHED, PAIRS = "ecs-metrics", "boto3, batched", "boto3, a pair of calls a cluster"

Results = Mapping[tuple[str, int], Sequence[Figures]]


def measure(sizes: Sequence[int], seconds: int, minutes: int, most: int, binary: Path) -> Results:
    """Each writer with each number of clusters, `most` times."""
    found: dict[tuple[str, int], list[Figures]] = {(who, size): [] for size in sizes for who in (OURS, BATCHED, PAIRS)}

    def note(who: str, clusters: int, figures: Figures) -> None:
        found[who, clusters].append(figures)
        print(f"{who}, {clusters:,} clusters: {report.short(figures.cpu_ms)} ms CPU a tick", flush=True)

    for clusters, turn in product(sizes, range(most)):
        to_go = minutes * 60 - sum(one.ticks for one in found[OURS, clusters]) if clusters == LONG_SIZE else 0
        long = runs.room(max(seconds, math.ceil(to_go / (most - turn))))
        # At different moments of a second, they have the machine in turns. A thousand pairs take longer than that.
        alone = clusters > LONG_SIZE
        with runs.boto3("batched", clusters, long) as batched:
            with nullcontext() if alone else runs.boto3("pairs", clusters, seconds) as pairs:
                note(OURS, clusters, runs.ours(binary, clusters, long))
                note(BATCHED, clusters, batched())
                if pairs:
                    note(PAIRS, clusters, pairs())
        if alone:
            with runs.boto3("pairs", clusters, seconds) as pairs:
                note(PAIRS, clusters, pairs())
    return found


def measured(results: Results) -> str:
    """The table of everything."""
    columns = ["", "clusters", "runs", "ticks", "left out", "calls a tick", "CPU ms a tick", "peak MB"]
    columns += ["lag p50 ms", "lag p99 ms", "lag max ms"]
    rows: list[list[report.Cell]] = []
    for (who, clusters), made in results.items():
        counts: list[report.Cell] = [len(made), sum(one.ticks for one in made), sum(one.skipped for one in made)]
        lags = [lag for one in made for lag in one.lags_ms]
        percentiles = [report.percentile(lags, share) for share in (0.5, 0.99, 1)]
        rows.append([who, clusters, *counts, calls(made), cpu(made), peak(made), *percentiles])
    return report.table(columns, rows)


def calls(made: Sequence[Figures]) -> float:
    """A tick."""
    return sum(one.calls.total() for one in made) / sum(one.ticks for one in made)


def cpu(made: Sequence[Figures]) -> report.Spread:
    """Milliseconds a tick."""
    return report.spread(one.cpu_ms for one in made)


def peak(made: Sequence[Figures]) -> report.Spread:
    """Megabytes."""
    return report.spread(one.peak_mb for one in made)


def compared(results: Results) -> str:
    """The table of how much more boto3 takes."""
    rows: list[list[report.Cell]] = []
    for (who, clusters), made in results.items():
        own = results[OURS, clusters]
        if who != OURS:
            ratios = [of(made).median / of(own).median for of in (cpu, peak)]
            times = [f"{report.short(ratio)}×" for ratio in (*ratios, calls(made) / calls(own))]
            rows.append([who, clusters, *times])
    return report.table(["ours is 1", "clusters", "CPU", "memory", "calls"], rows)


def charts(results: Results) -> str:
    """CPU by clusters."""
    series: dict[str, dict[float, report.Spread | float]] = {}
    for (who, clusters), made in results.items():
        series.setdefault(who, {})[clusters] = cpu(made)
    return report.lines("metrics-cpu", "CPU of a tick", ("clusters", "milliseconds"), series)


def text(results: Results) -> str:
    """The block of the page."""
    return f"""\
A tick a second: four counts of each cluster are read from ECS and put into CloudWatch as high-resolution metrics. Every
run is checked: as many data were written as its ticks have. *Lag* is from the moment a tick is due to its first call;
a tick that is later than the next one is left out. Percentiles are of all runs' ticks, p99 of fewer than a hundred is
the latest. *CPU* is a mean over a run without its start; memory is the most that a run had.

- **{OURS}**: the release binary under the runtime API, in one invocation a run, which with {LONG_SIZE} clusters goes on
  into the next minute. It finds its clusters by a pattern, claims each minute, and measures itself; what it calls once
  a minute falls on few ticks where a run is short.
- **{BATCHED}**: a loop of our own writing, which is told its clusters: a hundred a description, a thousand data
  a call.
- **{PAIRS}**: the published design has a state machine and a function for each cluster; here
  they are one process, and pay no starts.

Each had a fake of its own. They made their ticks at the same time, at different moments of a second, but for a thousand
pairs, which take longer than that.

{measured(results)}
{compared(results)}
{charts(results)}"""


def main() -> int:
    """Measures, and writes the block."""
    parser = command_line(__doc__)
    parser.add_argument("--minutes", type=int, default=LONG_MINUTES, help=f"of ticks with {LONG_SIZE} clusters")
    parser.add_argument("--seconds", type=int, default=8, help="of a run's ticks with other numbers of them")
    parser.add_argument("--runs", type=int, default=report.RUNS)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="clusters")
    options = asked(parser)

    def measured(built: Path) -> str:
        binary = built / "EcsMetrics" / "bootstrap"
        return text(measure(options.sizes, options.seconds, options.minutes, options.runs, binary))

    return bench("metrics", "Metrics", options, measured, lambda: report.versions("boto3"))


if __name__ == "__main__":
    sys.exit(main())
