"""`make bench-metrics`: ticks of a second by the metric writer, and by two with boto3: CPU, calls, memory, lateness.

A quarter of an hour, ten minutes of it with a hundred clusters.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import bench_metrics_runs as runs
import bench_report as report
from bench_command import asked, bench, command_line
from bench_metrics_runs import Figures
from processes import Failed

SIZES = (1, 100, 1_000)
# The size whose ticks go on for long enough that their lateness says something.
LONG_SIZE, LONG_MINUTES = 100, 10
OURS, BATCHED, PAIRS = "ecs-metrics", "boto3, batched", "boto3, a pair of calls a cluster"
# Our function makes whole minutes: so much of its time may come to nothing.
REST_SECONDS = 65

Results = Mapping[tuple[str, int], Figures]


def measure(sizes: Sequence[int], seconds: int, minutes: int, binary: Path) -> Results:
    """Each writer with each number of clusters."""
    found: dict[tuple[str, int], Figures] = {}

    def note(who: str, clusters: int, figures: Figures) -> None:
        if not figures.cpu_ms:
            raise Failed(f"{who}, {clusters:,} clusters: {figures.ticks} ticks are too few; give it more --seconds")
        found[who, clusters] = figures
        print(f"{who}, {clusters:,} clusters: {report.spread(figures.cpu_ms)} ms CPU a tick", flush=True)

    for clusters in sizes:
        long = max(seconds, minutes * 60) if clusters == LONG_SIZE else seconds
        # Half a second apart, the two of them have the machine in turns.
        with runs.boto3("batched", clusters, long) as theirs:
            note(OURS, clusters, runs.ours(binary, clusters, long + REST_SECONDS))
            note(BATCHED, clusters, theirs())
        with runs.boto3("pairs", clusters, seconds) as theirs:
            note(PAIRS, clusters, theirs())
    return found


def measured(results: Results) -> str:
    """The table of everything."""
    columns = ["", "clusters", "ticks", "left out", "calls a tick", "CPU ms a tick", "peak MB"]
    columns += [f"lag {name} ms" for name in runs.LAGS]
    rows: list[list[report.Cell]] = []
    for (who, clusters), one in results.items():
        calls = one.calls.total() / one.ticks
        row: list[report.Cell] = [who, clusters, one.ticks, one.skipped, calls, report.spread(one.cpu_ms), one.peak_mb]
        rows.append([*row, *one.lag_ms])
    return report.table(columns, rows)


def compared(results: Results) -> str:
    """The table of how much more boto3 takes."""
    rows: list[list[report.Cell]] = []
    for (who, clusters), one in results.items():
        own = results[OURS, clusters]
        if who != OURS:
            cpu = report.spread(one.cpu_ms).median / report.spread(own.cpu_ms).median
            calls = one.calls.total() / one.ticks / (own.calls.total() / own.ticks)
            rows.append(
                [who, clusters, *(f"{report.short(times)}×" for times in (cpu, one.peak_mb / own.peak_mb, calls))]
            )
    return report.table(["ours is 1", "clusters", "CPU", "memory", "calls"], rows)


def charts(results: Results) -> str:
    """CPU by clusters."""
    series: dict[str, dict[float, report.Spread | float]] = {}
    for (who, clusters), one in results.items():
        series.setdefault(who, {})[clusters] = report.spread(one.cpu_ms)
    return report.lines("metrics-cpu", "CPU of a tick", ("clusters", "milliseconds"), series)


def text(results: Results) -> str:
    """The block of the page."""
    return f"""\
A tick a second: four counts of each cluster are read from ECS and put into CloudWatch as high-resolution metrics. Every
run is checked: as many data were written as its ticks have. *Lag* is from the moment a tick is due to its first call; a
tick that is later than the next one is left out. Of fewer than a hundred ticks, p99 is the latest. *CPU* is measured
over about five ticks at a time, without the start; memory is the most there was.

- **{OURS}**: the release binary under the runtime API, in one invocation that goes on from minute to minute. It finds
  its clusters by a pattern, claims each minute, and measures itself.
- **{BATCHED}**: a loop of our own writing, which is told its clusters: a hundred a description, a thousand data
  a call.
- **{PAIRS}**: the published design has a state machine and a function for each cluster; here
  they are one process, and pay no starts.

The first two made their ticks at the same time, half a second apart, each with a fake of its own.

{measured(results)}
{compared(results)}
{charts(results)}"""


def main() -> int:
    """Measures, and writes the block."""
    parser = command_line(__doc__)
    parser.add_argument("--minutes", type=int, default=LONG_MINUTES, help=f"of ticks with {LONG_SIZE} clusters")
    parser.add_argument("--seconds", type=int, default=45, help="of ticks with other numbers of them")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="clusters")
    options = asked(parser)

    def measured(built: Path) -> str:
        binary = built / "EcsMetrics" / "bootstrap"
        return text(measure(options.sizes, options.seconds, options.minutes, binary))

    return bench("metrics", "Metrics", options, measured, lambda: report.versions("boto3"))


if __name__ == "__main__":
    sys.exit(main())
