"""The smallest drain of `make bench-drain`: it comes out as documented, and the same every time."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import Counter
from itertools import chain, repeat
from pathlib import Path

import pytest

import bench_drain
from bench_drain import TOLD_TO_STOP, Bench, Drains, measure, rows
from bench_drain_lines import SECOND, Line, Queues, sqs_event
from bench_drain_run import Case, Drainer, Outcome, boto3_drainer, clock_library, run
from environment import DEBUG, ROOT
from processes import Failed

# Where AWS's runtime for Python is.
PYTHON = ROOT / ".venv" / "bench" / "bin" / "python"
OURS = Drainer("ecs-drainer", [DEBUG / "ecs-drainer"], Queues)
HOUR_SECONDS = 3_600
SLEEPER = f"""
import time
began = time.time(), time.monotonic()
time.sleep({HOUR_SECONDS})
print(time.time() - began[0], time.monotonic() - began[1])
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clock that functions are given."""
    return clock_library(tmp_path_factory.mktemp("clock"))


def documented() -> tuple[int, int]:
    """Calls and invocations of a drain of 300 s, as the README has them."""
    readme = (ROOT / "README.md").read_text()
    found = re.search(r"A drain of 300 s .*?makes (\d+) API calls .*?in (\d+) invocations", readme, re.DOTALL)
    assert found, "the README says what a drain of 300 s takes"
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("told_to_stop", [False, True])
def test_a_drain_takes_no_more_than_is_documented(told_to_stop: bool, library: Path, tmp_path: Path) -> None:
    case = Case(50, 300, told_to_stop)
    outcome, again = (run(OURS, case, 1, library, tmp_path, threading.Event()) for _ in range(2))
    calls, invocations = documented()
    assert sum(outcome.calls.values()) <= calls, outcome.calls
    assert outcome.invocations <= invocations
    assert (outcome.ended_by, outcome.tasks_left) == ("call", 0)
    assert 0 < outcome.delay_seconds < 5
    assert outcome.cpu_ms > 0
    assert again.counted() == outcome.counted()


@pytest.mark.parametrize(("module", "passes"), [("drain_wait", 1), ("drain_loop", 50)])
def test_a_peer_drains(module: str, passes: int, library: Path, tmp_path: Path) -> None:
    peer = boto3_drainer(module, PYTHON)
    outcome = run(peer, Case(50, 300), 1, library, tmp_path, threading.Event())
    assert (outcome.ended_by, outcome.tasks_left) == ("call", 0), outcome
    assert outcome.invocations >= passes
    assert sum(outcome.calls.values()) > documented()[0], outcome.calls
    early = run(peer, Case(50, 300, told_to_stop=True), 1, library, tmp_path, threading.Event())
    assert early.tasks_left > 0, "what it is said to do wrong"


@pytest.mark.parametrize(
    ("outcomes", "told_to_stop", "said"),
    [
        ([Outcome({"ListTasks": 2}, 1, 2.5, "timeout", 0, 0.5, 1)], False, "seed 1: the hook ended by timeout"),
        ([Outcome({"ListTasks": 2}, 1, 2.5, "call", 3, 0.5, 1)], False, "seed 1: completed over 3 tasks"),
        ([Outcome({"ListTasks": 2}, 1, 2.5, "call", 3, 0.5, 1)], True, "seed 1: completed over 3 tasks"),
        ([Outcome({"ListTasks": calls}, 1, 2.5, "call", 0, 0.5, 1) for calls in (2, 2, 3)], False, "ListTasks.*after"),
    ],
    ids=["its time ran out", "over tasks", "over tasks that were told to stop", "another outcome of a seed"],
)
def test_what_no_drain_may_do_is_no_figure(
    outcomes: list[Outcome], told_to_stop: bool, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drained = chain(outcomes, repeat(outcomes[-1]))
    monkeypatch.setattr(bench_drain, "run", lambda *_: next(drained))
    with pytest.raises(Failed, match=said):
        Bench(tmp_path, runs=2).measure([OURS], {Case(50, 300, told_to_stop): None})


def test_two_run_at_a_time_until_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2, timeout=10)
    ended: list[int] = []

    def drain(_drainer: Drainer, _case: Case, seed: int, *rest: object) -> None:
        given_up = rest[-1]
        assert isinstance(given_up, threading.Event)
        if seed <= 2:
            together.wait()
        if seed == 1:
            raise Failed("seed 1 fails")
        assert given_up.wait(10)
        ended.append(seed)

    monkeypatch.setattr(bench_drain, "run", drain)
    with pytest.raises(Failed, match="seed 1 fails"):
        Bench(tmp_path, runs=7).measure([OURS], {Case(50, 300): None})
    assert 2 in ended and set(ended) <= {2, 3}, "whoever failed may have begun another before that was known"


def test_a_drain_that_is_given_up_ends(library: Path, tmp_path: Path) -> None:
    given_up = threading.Event()
    given_up.set()
    with pytest.raises(Failed, match="given up"):
        run(OURS, Case(50, 300), 1, library, tmp_path, given_up)


def test_all_seeds_run_but_of_the_longest_drains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: Counter[tuple[str, Case, int]] = Counter()

    def drain(drainer: Drainer, case: Case, seed: int, *_: object) -> Outcome:
        done[drainer.name, case, seed] += 1
        # A median of 20 and of 200, which is that of the second seed: twelve times as long is 240, and 2,400.
        calls = {1: 1, 2: 2, 3: 3}[seed] * (10 if drainer is OURS else 100)
        return Outcome({"ListTasks": calls}, 1, 2.5, "call", 0, 0.5, 1)

    monkeypatch.setattr(bench_drain, "run", drain)
    monkeypatch.setattr(bench_drain, "bars", lambda *_, **__: "")
    drainers = [OURS, *(boto3_drainer(peer, PYTHON) for peer in ("drain_wait", "drain_loop"))]
    measure(Bench(tmp_path, runs=3), drainers, [50, 500], [300, 3_600])
    every = [(drainer.name, case) for drainer in drainers for case in (Case(50, 300), Case(500, 300), TOLD_TO_STOP)]
    every += [(OURS.name, case) for case in (Case(50, 3_600), Case(500, 3_600))]
    expected = Counter({(*one, seed): 2 if seed == 1 else 1 for one in every for seed in (1, 2, 3)})
    once = [(name, case, 2) for name in ("drain_wait", "drain_loop") for case in (Case(50, 3_600), Case(500, 3_600))]
    assert done == expected + Counter(once)


def test_an_hour_is_over_at_once(library: Path, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    start = 1_767_225_600 * SECOND
    clock.write_bytes(start.to_bytes(8, sys.byteorder))
    environment = {"LD_PRELOAD": str(library), "SHARED_CLOCK": str(clock)}
    command = [sys.executable, "-c", SLEEPER]
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout
    assert [float(seconds) for seconds in printed.split()] == [HOUR_SECONDS, HOUR_SECONDS]
    assert int.from_bytes(clock.read_bytes(), sys.byteorder) == start + HOUR_SECONDS * SECOND


@pytest.mark.parametrize(
    ("arrivals", "due", "batch"),
    [
        ({"a": 10}, 111, "a"),
        ({"b": 20, "a": 10}, 111, "ab"),
        ({"a": 10, "b": 11, "c": 12, "d": 13}, 13, "abc"),
        ({"a": 10, "b": 200}, 111, "a"),
    ],
)
def test_batches_wait_for_their_window_or_until_they_are_full(arrivals: dict[str, int], due: int, batch: str) -> None:
    line = Line(sqs_event, delay=1, window=100, most=3)
    assert line.due() == []
    for body, at in arrivals.items():
        line.put(at, body)
    assert line.due() == [due]
    assert "".join(line.take(due)) == batch


def test_rows_compare_with_ours() -> None:
    def drains(calls: int, cpu_ms: float) -> Drains:
        outcome = Outcome({"ListTasks": calls}, 1, 2.5, "call", 0, 0.5, cpu_ms)
        return Drains({seed: outcome for seed in (1, 2)})

    found = rows(Case(50, 300), {"ecs-drainer": drains(10, 4), "drain_wait": drains(25, 30)})
    assert [row[1] for row in found] == ["`ecs-drainer`", "in-process wait"]
    assert [(row[3], row[8]) for row in found] == [(1, 1), (2.5, 7.5)]


def test_the_usual_seed_has_the_median_of_the_calls() -> None:
    calls = {1: 30, 2: 10, 3: 20}
    outcomes = {seed: Outcome({"ListTasks": count}, 1, 0, "call", 0, 0, 1) for seed, count in calls.items()}
    assert Drains(outcomes).usual_seed() == 3
