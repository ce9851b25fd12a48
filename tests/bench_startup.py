"""`make bench-startup`: what a cold start costs, against boto3, and against a Rust function that does nothing.

Some three minutes from built binaries. Each round starts every function once, in an order of its own, so that what
else the machine does meets all of them alike; each start comes after one of the empty function, which leaves little.
"""

from __future__ import annotations

import json
import platform
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench_command import asked, bench, command_line, folder
from bench_report import RUNS, Cell, Spread, bars, goal, percentile, spread, table, versions
from bench_startup_run import WORLD, Contestant, Function, Runner, Start, functions
from bench_startup_tls import tls_front
from build import BUILD_SECONDS, sizes
from environment import DEBUG, ROOT, clean_environment
from local_stack import start_fake
from processes import Child, Failed, Register, children

STARTS, WARM = 2 * RUNS, 100
# So many times fewer.
OVER_TLS = 10
OURS, THEIRS, EMPTY_SIDE = "ours", "boto3", "empty"
# The floor's crate; its folder among built ones.
EMPTY, EMPTY_RESOURCE = "empty-function", "EmptyFunction"
POLL_MS, TIMES_FASTER, RESIDENT_MB = 5, 50, 10
ZIPPED_MB = {"TagPolicy": 3}
ZIPPED_MB_OTHERS = 2
TEXT = """\
Each function was started {starts} times, once a round and each round in another order, each time after a start of the
empty one, so that none comes after Python. After each start it was invoked {invocations} times with an event that it
gets often and that changes nothing; then all of it once more over TLS, with {over_tls} invocations. What an event
calls:

{events}

The clock of the *start* runs from before the process is made until its first poll of the runtime API is there; the
clock of an *invocation* from the event's first byte to the answer's last. Calls go to the fake AWS on the same machine
without latency, whose own work is part of every invocation; a percentile is of all warm invocations together. *CPU* is
the function's alone. *Memory* is the most that was resident over TLS (the empty function calls nobody), the binary's
pages included. A function has both cores here; Lambda gives it a share of one by its memory, a whole one at 1,769 MB,
so that what a thread does beside the start is paid for there.

- **ours**: the release build for this machine's processor, as `make size` makes it; AWS gets arm64 by default.
- **boto3**: a function of a few lines that makes the same calls (`tests/peers/startup_*.py`), under `awslambdaric`;
  its clients are made at import, and only those that it calls; its bytecode is compiled, all files are in the page
  cache. Its archive is not compared, since boto3 is a part of Lambda's Python runtime.
- **empty**: Rust's `lambda_runtime` and nothing else, built as ours: what no function on it can be faster than.

*Over TLS* is the first invocation with an `https` endpoint, whose chain is like AWS's (RSA, an intermediate, TLS 1.3):
it makes a connection for each service, and checks the certificates; the other end is Python's, on the same machine.
*Certificates* are those of the authorities, which another thread reads beside the start, and the first call waits for.
What they take is seen with a file of one authority instead of this machine's, in the same rounds: how long the start
takes then, and how much less CPU it and its first invocation take.
"""
MISSED = "What the missed ones go to: [ARCHITECTURE.md](../ARCHITECTURE.md#what-a-start-is-made-of).\n"
Results = dict[Contestant, list[Start]]


@dataclass(frozen=True)
class Measured:
    """Starts of everything, of what calls AWS over TLS, and of ours with one certificate to read."""

    plain: Results
    tls: Results
    one: Results


def contestants(built: Path, floor: Path, fake: str) -> Iterator[Contestant]:
    """All that are started in a round."""
    python = ROOT / ".venv" / "bench" / "bin" / "python"
    for function in functions(fake):
        yield Contestant(OURS, function, (built / function.resource / "bootstrap",))
        yield Contestant(THEIRS, function, (python, "-m", "awslambdaric", f"{function.peer}.handler"))
    yield Contestant(EMPTY_SIDE, Function(EMPTY, EMPTY_RESOURCE, dict), (floor,))


def trusting_one(every: Iterable[Contestant], authority: Path) -> dict[Contestant, Contestant]:
    """Of ours the same once more, with one certificate to read."""
    return {one: replace(one, authorities=authority) for one in every if one.side == OURS}


def empty_function(run: Path, register: Register) -> Path:
    """Builds the floor as the functions are built: in release, for this machine's processor."""
    target = f"{platform.machine()}-unknown-linux-gnu"
    command = ["cargo", "build", "--release", "--locked", "--package", EMPTY, "--target", target]
    register(Child(command, clean_environment(), run / "cargo.log", ROOT)).result(BUILD_SECONDS, print)
    return DEBUG.parent / target / "release" / EMPTY


def measure(
    runner: Runner, rounds: int, warm: int, all_of_them: list[Contestant], before: Contestant, what: str
) -> Results:
    """Starts each `rounds` times, round by round, after a round that does not count: it fills caches.

    Each comes after a start of `before`, and nobody after Python, whose memory the kernel may still be taking back.
    """
    results: Results = {contestant: [] for contestant in all_of_them}
    for number in range(rounds + 1):
        print(f"          {what}: round {number} of {rounds}", flush=True)
        for contestant in random.Random(number).sample(all_of_them, len(all_of_them)):
            runner.start(before, warm=0)
            start = runner.start(contestant, warm if number else 0)
            if number:
                results[contestant].append(start)
    return results


def same_calls(runner: Runner, fake: str, all_of_them: list[Contestant]) -> dict[str, dict[str, int]]:
    """The calls of each function; fails where boto3's are others."""
    calls: dict[str, dict[str, int]] = {}
    for contestant in all_of_them:
        found = runner.calls(fake, contestant)
        if (expected := calls.setdefault(contestant.function.crate, found)) != found:
            raise Failed(f"{contestant.function.crate}: {contestant.side} calls {found}, the other {expected}")
    return calls


def of_all(starts: list[Start], value: str) -> Spread:
    """The spread of a value of the starts."""
    return spread(getattr(start, value) for start in starts)


def less_cpu(starts: list[Start], others: list[Start]) -> Spread:
    """How much less CPU the others' starts took, round by round, until the first answer."""
    return spread(start.first_cpu_ms - other.first_cpu_ms for start, other in zip(starts, others, strict=True))


def by_side(results: Results, value: str) -> dict[str, dict[str, Spread]]:
    """The same by side and function, as a chart wants it."""
    sides: dict[str, dict[str, Spread]] = {}
    for contestant, starts in results.items():
        sides.setdefault(contestant.side, {})[contestant.function.crate] = of_all(starts, value)
    return sides


def tables(measured: Measured) -> str:
    """What starts cost, and invocations."""
    starts: list[list[Cell]] = []
    invocations: list[list[Cell]] = []
    for contestant, plain in measured.plain.items():
        tls, one = measured.tls.get(contestant), measured.one.get(contestant)
        name = f"{contestant.function.crate}, {contestant.side}" if tls else contestant.side
        cpu = of_all(plain, "poll_cpu_ms")
        sooner: Cell = of_all(one, "poll_ms") if one else "-"
        roots: Cell = less_cpu(plain, one) if one else "-"
        starts.append([name, of_all(plain, "poll_ms"), sooner, cpu, roots, of_all(tls or plain, "peak_mb")])
        warm = [milliseconds for start in plain for milliseconds in start.warm_ms]
        percentiles: list[Cell] = [percentile(warm, share) if warm else "-" for share in (0.5, 0.99)]
        over_tls = of_all(tls, "first_ms") if tls else "-"
        invocations.append([name, of_all(plain, "first_ms"), over_tls, *percentiles, of_all(plain, "warm_cpu_ms")])
    columns = ["", "first", "first over TLS", "warm p50", "warm p99", "CPU of a warm one"]
    return (
        table(["", "start ms", "with one authority", "CPU until then ms", "certificates, CPU ms", "memory MB"], starts)
        + "\nInvocations, in milliseconds:\n\n"
        + table(columns, invocations)
    )


def goals(results: Results, tls: Results, built: Path) -> str:
    """What was aimed at, and what came of it."""
    poll, peak = by_side(results, "poll_ms"), by_side(tls, "peak_mb")
    rows = []
    for name, resource in {one.function.crate: one.function.resource for one in results if one.side == OURS}.items():
        start, other = poll[OURS][name].median, poll[THEIRS][name].median
        binary, zipped = sizes(built, resource)
        limit = ZIPPED_MB.get(resource, ZIPPED_MB_OTHERS)
        rows += [
            [f"{name}: start", *goal(start, POLL_MS, "ms")],
            [f"{name}: times faster to start than boto3", *goal(other / start, TIMES_FASTER, "×", at_least=True)],
            [f"{name}: memory", *goal(peak[OURS][name].median, RESIDENT_MB, "MB")],
            [f"{name}: zipped, of {binary / 1e6:.1f} MB", *goal(zipped / 1e6, limit, "MB")],
        ]
    return table(["", "goal", "result", ""], rows)


def report(measured: Measured, calls: dict[str, dict[str, int]], built: Path, rounds: int, warm: int) -> str:
    """The block's text, with its charts."""
    events = "\n".join(
        f"- {name}: " + ", ".join(f"{count} {call}" for call, count in sorted(made.items()))
        for name, made in calls.items()
        if made
    )
    text = TEXT.format(events=events, starts=rounds, invocations=1 + warm, over_tls=1 + warm // OVER_TLS)
    plain, tls = measured.plain, measured.tls
    first = {side: values for side, values in by_side(plain, "first_ms").items() if side in (OURS, THEIRS)}
    over_tls = {f"{side}, over TLS": values for side, values in by_side(tls, "first_ms").items()}
    return (
        f"{text}\n{tables(measured)}\n{goals(plain, tls, built)}\n{MISSED}"
        + bars("startup", "From exec to the first poll", "ms, logarithmic", by_side(plain, "poll_ms"), log=True)
        + bars("startup-first", "First invocation", "ms, logarithmic", first | over_tls, log=True)
        + bars("startup-memory", "Most memory", "MB", by_side(tls, "peak_mb"))
    )


def main() -> int:
    """Builds, measures, and writes its block."""
    parser = command_line(__doc__)
    parser.add_argument("--starts", type=int, default=STARTS, help="of each function")
    parser.add_argument("--warm", type=int, default=WARM, help="invocations after each start's first")
    options = asked(parser)
    rounds, warm, logs = options.starts, options.warm, folder("startup")

    def measured(built: Path) -> str:
        (logs / "world.json").write_text(json.dumps(WORLD))
        with children() as register:
            floor = built / EMPTY_RESOURCE / "bootstrap" if options.built else empty_function(logs, register)
            fake = start_fake(logs, clean_environment(), register, scenario=logs / "world.json")
            with tls_front(fake, logs) as front:
                runner = Runner(logs, fake, front.authorities)
                every = list(contestants(built, floor, fake))
                calls = same_calls(runner, fake, every)
                trusting = trusting_one(every, front.one_authority)
                (empty,) = (one for one in every if one.side == EMPTY_SIDE)
                found = measure(runner, rounds, warm, [*every, *trusting.values()], empty, "starts")
                plain = {contestant: found[contestant] for contestant in every}
                one = {contestant: found[same] for contestant, same in trusting.items()}
                callers = [contestant for contestant in every if calls[contestant.function.crate]]
                over_tls = Runner(logs, front.address, front.authorities)
                tls = measure(over_tls, rounds, warm // OVER_TLS, callers, empty, "starts, over TLS")
        return report(Measured(plain, tls, one), calls, built, rounds, warm)

    return bench("startup", "Start-up", options, measured, lambda: versions("boto3", "awslambdaric"))


if __name__ == "__main__":
    sys.exit(main())
