"""`make bench-tags`: a run of the tag policy beside one of cloud-custodian, by the fleet's size and EC2's speed."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import bench_report as report
import bench_tags_fleet as fleet
import bench_tags_runs as runs
from bench_command import asked, bench, command_line
from bench_tags_runs import Sample
from processes import Failed

SIZES, LATENCIES = (1_000, 10_000, 100_000), (0, 50)
OURS, QUIET, TELLING = "tag-policy", "custodian without notify", "custodian with notify"
# The size that the goals are set for, and the goals.
GOAL_SIZE, GOAL_CPU_S, GOAL_PEAK_MB, GOAL_RATIO = 10_000, 0.5, 40, 10
# EC2's bucket of CreateTags: so many at once, and so many a second.
BURST, REFILL = 100, 10

# What was measured: peer, instances, milliseconds a call. None for a run that was not done in time.
Key = tuple[str, int, int]
Results = Mapping[Key, Sequence[Sample] | None]


def plan(sizes: Sequence[int], most: int) -> dict[Key, int]:
    """What is measured, and how often: custodian's CPU at the largest size is so long that once says it."""
    return {
        (peer, size, latency): most if peer == OURS or size < max(SIZES) else 1
        for size in sizes
        for peer in (OURS, QUIET, TELLING)
        for latency in LATENCIES
    }


def measure(planned: Mapping[Key, int], binary: Path, limit_s: float) -> Results:
    """All of it, the peers in turn, and both custodians at the same time."""
    found: dict[Key, list[Sample] | None] = {key: [] for key in planned}
    for turn in range(max(planned.values())):
        due = [key for key, most in planned.items() if turn < most and found[key] is not None]
        for together in beside(due):
            for key, sample in zip(together, runs_of(together, binary, limit_s), strict=True):
                samples = found[key]
                if sample is None or samples is None:
                    found[key] = None
                    continue
                if samples and sample.calls != samples[0].calls:
                    raise Failed(f"{key}: {sample.calls}, and {samples[0].calls} in the first run")
                samples.append(sample)
                print(f"{turn + 1}: {key[0]}, {key[1]:,} instances, {key[2]} ms: {sample.cpu_s:.2f} s CPU", flush=True)
    return found


def beside(due: Iterable[Key]) -> list[list[Key]]:
    """What runs at the same time. Custodian and the fake wait for one another, and take one processor together."""
    groups: dict[object, list[Key]] = {}
    for key in due:
        peer, *world = key
        groups.setdefault((peer == OURS, *world), []).append(key)
    return list(groups.values())


def runs_of(keys: Sequence[Key], binary: Path, limit_s: float) -> list[Sample | None]:
    """One run of each; None for one that takes longer than it may."""
    if keys[0][0] == OURS:
        return [runs.ours(binary, instances, latency_ms) for _, instances, latency_ms in keys]
    with ExitStack() as stack:
        at_work = [stack.enter_context(runs.custodian(size, ms, peer == TELLING, limit_s)) for peer, size, ms in keys]
        return [end() for end in at_work]


def exponent(values: Mapping[int, float]) -> float:
    """How values grow with their size: the slope of the line that fits best, on logarithms."""
    points = [(math.log(size), math.log(value)) for size, value in values.items()]
    size_mean, mean = (statistics.fmean(column) for column in zip(*points, strict=True))
    over = sum((size - size_mean) * (value - mean) for size, value in points)
    spread = sum((size - size_mean) ** 2 for size, _ in points)
    return over / spread


def figure(samples: Sequence[Sample], of: Callable[[Sample], float]) -> report.Spread:
    """The spread of something over the runs."""
    return report.spread(map(of, samples))


def measured(results: Results, limit_s: float) -> str:
    """The table of everything."""
    columns = ["", "instances", "ms a call", "runs", "calls", "CPU s", "× CPU", "peak MB", "wall s"]
    columns.append("of it the fake's CPU")
    rows: list[list[report.Cell]] = []
    for (peer, size, latency), samples in results.items():
        row: list[report.Cell] = [peer, size, latency]
        if samples is None:
            rows.append([*row, 1, "", f"not within {limit_s / 60:g} minutes", "", "", "", ""])
            continue
        taken, ours = figure(samples, cpu), results.get((OURS, size, latency))
        times: report.Cell = taken.median / figure(ours, cpu).median if ours else ""
        figures: list[report.Cell] = [figure(samples, of) for of in (peak, wall, fake)]
        rows.append([*row, len(samples), samples[0].calls.total(), taken, times, *figures])
    return report.table(columns, rows)


def cpu(sample: Sample) -> float:
    """Seconds."""
    return sample.cpu_s


def peak(sample: Sample) -> float:
    """Megabytes."""
    return sample.peak_mb


def wall(sample: Sample) -> float:
    """Seconds."""
    return sample.wall_s


def fake(sample: Sample) -> float:
    """Seconds of CPU."""
    return sample.fake_cpu_s


def called(results: Results) -> str:
    """The table of calls, and the least time that EC2 would give them."""
    columns = ["", "instances", "reads", "CreateTags", "messages", "other", "CreateTags take at least, s"]
    rows: list[list[report.Cell]] = []
    for (peer, size, latency), samples in results.items():
        if samples and latency == 0:
            calls = samples[0].calls
            kinds = [calls["DescribeInstances"] + calls["Scan"], calls["CreateTags"], calls["Publish"]]
            held = max(0, calls["CreateTags"] - BURST) / REFILL
            rows.append([peer, size, *kinds, calls.total() - sum(kinds), held])
    return report.table(columns, rows)


def grown(results: Results) -> str:
    """The table of exponents, where there is more than one size."""
    rows: list[list[report.Cell]] = []
    for peer in (OURS, QUIET, TELLING):
        by_size = {size: samples for (who, size, latency), samples in results.items() if (who, latency) == (peer, 0)}
        done = {size: samples for size, samples in by_size.items() if samples}
        if len(done) < 2:
            continue
        of = [lambda sample: float(sample.calls.total()), cpu, peak]
        columns = [{size: figure(samples, each).median for size, samples in done.items()} for each in of]
        rows.append([f"{peer}, {min(done):,} to {max(done):,}", *(f"{exponent(values):.2f}" for values in columns)])
    return report.table(["", "calls", "CPU", "memory"], rows) if rows else ""


def judged(results: Results) -> str:
    """The goals, if their size was measured."""
    samples = {peer: results.get((peer, GOAL_SIZE, 0)) for peer in (OURS, QUIET, TELLING)}
    ours = samples[OURS]
    if not ours:
        return ""
    own = figure(ours, cpu).median
    rows = [
        [f"CPU at {GOAL_SIZE:,}", *report.goal(own, GOAL_CPU_S, "s")],
        [f"memory at {GOAL_SIZE:,}", *report.goal(figure(ours, peak).median, GOAL_PEAK_MB, "MB")],
    ]
    for peer in (QUIET, TELLING):
        if theirs := samples[peer]:
            ratio = figure(theirs, cpu).median / own
            rows.append([f"less CPU than {peer}", *report.goal(ratio, GOAL_RATIO, "×", at_least=True)])
    return report.table(["", "goal", "result", ""], rows)


def charts(results: Results) -> str:
    """CPU and memory by size, and how long it takes."""
    text = ""
    for name, title, unit, of, latency in (
        ("tags-cpu", "CPU of a run", "seconds", cpu, 0),
        ("tags-memory", "Memory of a run at most", "MB", peak, 0),
        ("tags-wall", "A run at 50 ms a call", "seconds", wall, 50),
    ):
        series: dict[str, dict[float, report.Spread | float]] = {}
        for (peer, size, each), samples in results.items():
            if each == latency and samples:
                series.setdefault(peer, {})[size] = figure(samples, of)
        text += "\n" + report.lines(name, title, ("instances", unit), series)
    return text


def text(results: Results, limit_s: float) -> str:
    """The block of the page."""
    percent = 100 - sum(fleet.MISSING.values())
    return f"""\
The same fleet, rules and outcome: {len(fleet.DEFAULTS)} tags are repaired with fixed and computed values, one that is
missing is only reported, and so are instances without a tag; {percent} % of the instances are as they should be. Each
run has a fresh fleet, and is checked: every tag that is to be repaired was written once, with its value, no call was
refused, and all runs of a row made the same calls. Measured is the whole process from its start, CPU as the kernel
counts it, memory at its highest. × is how many times as much as tag-policy.

- **{OURS}**: the release binary under the runtime API, invoked by its schedule. It always sends its report.
- **custodian**: cloud-custodian as from a crontab, at its best: one policy repairs all tags by defaults for what is
  absent, so that instances that lack the same share calls; the policies share one description of the fleet in pages of
  1,000 (`MaxResults`), through the cache in memory. A call tags 25 instances, which cannot be set. With `notify`, each
  policy tells a topic of its instances. Both run at the same time: each and its fake take a processor's worth.

{measured(results, limit_s)}
{judged(results)}
Growth, as the exponent of the number of instances (1 is proportional):

{grown(results)}
Custodian's start flattens its exponents. At {max(SIZES):,} it ran once, since that takes it minutes.

Nothing was throttled. On AWS an account has {BURST} CreateTags at once and {REFILL} a second: so many take at least so
long, whoever makes them. What a run takes anyway is part of it.

{called(results)}{charts(results)}"""


def custodian_version() -> str:
    """As its command says it."""
    command: list[str | Path] = [runs.CUSTODIAN, "-m", "c7n.cli", "version"]
    said: str = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return f"cloud-custodian {said.strip()}"


def main() -> int:
    """Measures, and writes the block."""
    parser = command_line(__doc__)
    parser.add_argument("--runs", type=int, default=report.RUNS)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="instances")
    parser.add_argument("--limit", type=float, default=10, help="minutes that custodian has for one run")
    options = asked(parser)
    limit_s = options.limit * 60

    def measured(built: Path) -> str:
        binary = built / "TagPolicy" / "bootstrap"
        # What a first run alone does: Python compiles modules, the kernel reads files.
        measure(dict.fromkeys([(OURS, min(SIZES), 0), (TELLING, min(SIZES), 0)], 1), binary, limit_s)
        return text(measure(plan(options.sizes, options.runs), binary, limit_s), limit_s)

    return bench("tags", "Tags", options, measured, lambda: f"{report.versions()}, {custodian_version()}")


if __name__ == "__main__":
    sys.exit(main())
