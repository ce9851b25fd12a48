"""`make bench-drain`: what a drain costs, ours and two boto3 drainers in turn, with the same fake and the same seeds.

Time is virtual (bench_drain_run.py), so that a drain of an hour takes seconds. Calls, invocations and delays do not
depend on the machine; of them a seed gives the same every time, which is tried. CPU time does. Two drains run at a
time: in each the function and the fake wait for one another, and leave a processor idle otherwise.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bench_command import asked, bench, command_line, folder
from bench_drain_lines import Queues
from bench_drain_run import Case, Drainer, Outcome, boto3_drainer, clock_library, run
from bench_report import RUNS, Cell, Spread, bars, spread, table, versions
from processes import Failed, children

AT_ONCE = 2
INSTANCES = (50, 500, 5_000)
SECONDS = (300, 3_600)
# The case in which the published check for tasks goes wrong.
TOLD_TO_STOP = Case(50, 300, told_to_stop=True)
# A drain of so many calls runs once: with its seed's share of luck, which is the median of those of the shorter drain.
LONG = 2_000
TITLES = {"ecs-drainer": "`ecs-drainer`", "drain_wait": "in-process wait", "drain_loop": "published loop"}
COLUMNS = ("last task stops after", "", "calls", "× calls", "invocations", "running s", "delay s", "CPU ms", "× CPU")
EARLY_COLUMNS = ("", "calls", "invocations", "tasks that had not stopped when the hook was completed", "delay s")
HOW = """\
One instance with ten tasks leaves a cluster, and they end at any time until the last one does; the hook waits for the
drainer. *Calls* are the function's own: what SNS, SQS and Lambda do for it is not among them. *Running* is the time
that calls and sleeps take all invocations together; Lambda bills for that, and for CPU and starts besides. *Delay* is
from the end of the last task to the completed hook; *CPU* is that of the function's process from its first event to
its last, without its start. × is how many times as much as `ecs-drainer`.

The two others are functions of our own, in boto3 under AWS's `awslambdaric`, that do what is published, at their best:

- **published loop** (`tests/peers/drain_loop.py`): finds the instance by the cluster's lists, looks for tasks, sleeps
  5 s, publishes its message to its topic again. Lambda's recursion detection is taken to be off; as published it ends
  the loop after about 16 invocations.
- **in-process wait** (`tests/peers/drain_wait.py`): finds the instance once and looks for tasks every 10 s; just before
  Lambda's fifteen minutes are over it publishes its message again. As published the drain is lost there.

`ecs-drainer` is the release build in the template's wiring: three queues with a batching window of a second, passes
180 s apart, and ECS's events of stopped tasks. The window is most of its usual delay. Five seconds more come where a
task ended just after a pass had counted the tasks: then it looks once more before it lets go. Neither of the others
records heartbeats, so all have a hook of two hours where the published fifteen minutes are too short.

All run against the fake AWS of this repository: 20 ms a call, throttled as AWS throttles, 20 to 100 ms for a delivery.
Time is virtual: a clock that calls, sleeps and queues move on. Calls that a function makes side by side count one after
the other, which only `ecs-drainer` does. Each has one environment, and each seed is another world and another moment of
the last task's end, the same for all three. Two drains ran at a time, each on a processor's worth.
"""
EARLY = """
### Tasks that are told to stop

Above, the tasks end by themselves. ECS stops the tasks of a service instead, and from then on no longer counts or lists
them as running, while their containers take their time: here up to 300 s, in a cluster of 50. The published check goes
by that count, and lets the instance go with the tasks still at work; they are killed with it. `ecs-drainer` reads each
task's last status.
"""


@dataclass
class Drains:
    """Of one drainer and case, by seed."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)

    def calls(self) -> Spread:
        """All calls of AWS."""
        return spread(sum(outcome.calls.values()) for outcome in self.outcomes.values())

    def invocations(self) -> Spread:
        """All of the function."""
        return spread(outcome.invocations for outcome in self.outcomes.values())

    def running(self) -> Spread:
        """Seconds."""
        return spread(outcome.running_seconds for outcome in self.outcomes.values())

    def delay(self) -> Spread:
        """Seconds."""
        return spread(outcome.delay_seconds for outcome in self.outcomes.values())

    def cpu(self) -> Spread:
        """Milliseconds."""
        return spread(outcome.cpu_ms for outcome in self.outcomes.values())

    def tasks_left(self) -> Spread:
        """How many the hook was completed over."""
        return spread(outcome.tasks_left for outcome in self.outcomes.values())

    def usual_seed(self) -> int:
        """The one whose drain has the median of the calls."""
        calls = {seed: sum(outcome.calls.values()) for seed, outcome in self.outcomes.items()}
        return min(calls, key=lambda seed: (abs(calls[seed] - statistics.median_low(calls.values())), seed))


Results = Mapping[str, Drains]


class Bench:
    """Runs drains, and remembers them."""

    def __init__(self, folder: Path, runs: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.runs = folder, runs
        self.library = clock_library(folder)

    def measure(self, drainers: Sequence[Drainer], cases: Mapping[Case, Results | None]) -> dict[Case, Results]:
        """Cases, each with what a shorter one took: the drainers in turn, seed after seed.

        The first seed is done twice, and must come out the same.
        """
        chosen = [
            (drainer, case, self.seeds(drainer.name, case, shorter))
            for case, shorter in cases.items()
            for drainer in drainers
        ]
        first = [
            (drainer, case, seeds[turn])
            for turn in range(self.runs)
            for drainer, case, seeds in chosen
            if turn < len(seeds)
        ]
        again = [(drainer, case, seeds[0]) for drainer, case, seeds in chosen if len(seeds) > 1]
        results: dict[Case, Results] = {case: {drainer.name: Drains() for drainer in drainers} for case in cases}
        for (drainer, case, seed), outcome in zip(first + again, self.drains(first + again), strict=True):
            before = results[case][drainer.name].outcomes.setdefault(seed, outcome)
            if before.counted() != outcome.counted():
                raise Failed(f"{drainer.name}, {case}: {outcome.counted()} after {before.counted()}")
        return results

    def seeds(self, name: str, case: Case, shorter: Results | None) -> Sequence[int]:
        """All, or the usual one where the shorter drain says that this one makes very many calls."""
        if shorter and shorter[name].calls().median * case.seconds / min(SECONDS) > LONG:
            return [shorter[name].usual_seed()]
        return range(1, self.runs + 1)

    def drains(self, wanted: Iterable[tuple[Drainer, Case, int]]) -> list[Outcome]:
        """So many at a time. When one fails, or all are to end, no other is begun, and those that run end soon."""
        given_up = threading.Event()
        with children(), ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                return list(pool.map(lambda one: self.drain(*one, given_up), wanted))
            finally:
                given_up.set()

    def drain(self, drainer: Drainer, case: Case, seed: int, given_up: threading.Event) -> Outcome:
        """One, which has to end by a call; the fake's word counts."""
        print(f"          {case}, seed {seed}: {drainer.name} ...", flush=True)
        which = f"{drainer.name}, {case}, seed {seed}"
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        outcome = run(drainer, case, seed, self.library, folder, given_up)
        if outcome.ended_by != "call":
            raise Failed(f"{which}: the hook ended by {outcome.ended_by}; see {folder}")
        if outcome.tasks_left and not (case.told_to_stop and drainer.name.startswith("drain_")):
            raise Failed(f"{which}: completed over {outcome.tasks_left} tasks; see {folder}")
        shutil.rmtree(folder)  # a drain that failed leaves its logs
        return outcome


def rows(case: Case, results: Results) -> list[list[Cell]]:
    """Of the table: ours and the others, with their ratio to ours."""
    ours = results["ecs-drainer"]
    found: list[list[Cell]] = []
    for name, drains in results.items():
        calls, cpu = drains.calls(), drains.cpu()
        more_calls, more_cpu = calls.median / ours.calls().median, cpu.median / ours.cpu().median
        rest: list[Cell] = [drains.invocations(), drains.running(), drains.delay(), cpu, more_cpu]
        found.append([str(case), TITLES[name], calls, more_calls, *rest])
    return found


def page(measured: Mapping[Case, Results], early: Results) -> str:
    """The block of docs/benchmarks.md."""
    text = table(COLUMNS, (row for case, results in measured.items() for row in rows(case, results)))
    seeds = {len(drains.outcomes) for results in measured.values() for drains in results.values()}
    if 1 in seeds:
        text += (
            f"\nA row without quartiles ran once: it is of more than {LONG:,} calls, most of them in equal passes. All "
            f"others have\n{max(seeds)} seeds.\n"
        )
    for name, title, unit, value in (
        ("drain-calls", "Calls per drain", "calls", Drains.calls),
        ("drain-cpu", "CPU per drain", "ms", Drains.cpu),
    ):
        text += bars(name, title, unit, series(measured, value), log=True)
    cells: list[list[Cell]] = [
        [TITLES[name], drains.calls(), drains.invocations(), drains.tasks_left(), completed(drains)]
        for name, drains in early.items()
    ]
    return f"{HOW}\n{text}{EARLY}\n{table(EARLY_COLUMNS, cells)}"


def series(measured: Mapping[Case, Results], value: Callable[[Drains], Spread]) -> dict[str, dict[str, Spread]]:
    """A figure as a chart wants it: by drainer and case."""
    names = next(iter(measured.values()))
    return {TITLES[name].strip("`"): {str(case): value(one[name]) for case, one in measured.items()} for name in names}


def completed(drains: Drains) -> Cell:
    """The delay, where there is one."""
    return "too early" if drains.tasks_left().high else drains.delay()


def measure(bench: Bench, drainers: Sequence[Drainer], instances: Iterable[int], seconds: Iterable[int]) -> str:
    """Everything, as Markdown."""
    # The longest first, so that none is left over for the end.
    sizes, (shortest, *others) = sorted(instances, reverse=True), sorted(seconds)
    short = bench.measure(drainers, dict.fromkeys([*(Case(count, shortest) for count in sizes), TOLD_TO_STOP]))
    early = short.pop(TOLD_TO_STOP)
    longer = {Case(count, length): short[Case(count, shortest)] for count in sizes for length in others}
    measured = short | bench.measure(drainers, longer)
    in_order = sorted(measured, key=lambda case: (case.seconds, case.instances))
    return page({case: measured[case] for case in in_order}, early)


def main() -> int:
    """Writes the block."""
    parser = command_line(__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="seeds a case; fewer than 7 for a trial")
    parser.add_argument("--instances", type=int, nargs="+", default=INSTANCES)
    parser.add_argument("--seconds", type=int, nargs="+", default=SECONDS)
    options = asked(parser)

    def measured(built: Path) -> str:
        drainers = [
            Drainer("ecs-drainer", [built / "EcsDrainer" / "bootstrap"], Queues),
            *(boto3_drainer(peer, Path(sys.executable)) for peer in ("drain_wait", "drain_loop")),
        ]
        return measure(Bench(folder("drain"), options.runs), drainers, options.instances, options.seconds)

    return bench("drain", "Drain", options, measured, lambda: versions("boto3", "awslambdaric"))


if __name__ == "__main__":
    sys.exit(main())
