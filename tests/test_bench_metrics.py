"""The bench of the metric writers: a few ticks of each, their calls, and what it makes of its figures."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import bench_metrics as bench
import bench_metrics_runs as runs
import bench_report
from bench_metrics_runs import Figures, Mark
from environment import DEBUG
from processes import Failed

# More than one description takes, and so many data that one call takes them.
CLUSTERS = 150
SECONDS = 7
LAGS = ([0.1, 0.1, 3], [0.1, 2])


def test_ours_makes_few_calls() -> None:
    found = runs.ours(DEBUG / "ecs-metrics", CLUSTERS, runs.room(SECONDS))
    assert SECONDS - 1 <= found.ticks <= SECONDS + 1 and len(found.lags_ms) == found.ticks
    assert 0 < found.cpu_ms
    calls = found.calls
    assert calls["DescribeClusters"] == 2 * found.ticks and calls["PutMetricData"] == found.ticks, calls
    # Once a minute, and this is of one: the clusters' names, two pages, and the minute's lease.
    assert calls.total() <= 3 * found.ticks + 3, calls


def test_the_peers_do_the_same() -> None:
    with runs.boto3("batched", CLUSTERS, 2) as batched, runs.boto3("pairs", 3, 2) as pairs:
        shared, single = batched(), pairs()
    assert shared.ticks == 2 and shared.calls == Counter(DescribeClusters=4, PutMetricData=2)
    assert single.calls == Counter(DescribeClusters=3 * single.ticks, PutMetricData=3 * single.ticks)
    assert shared.peak_mb > 20


def test_too_few_data_are_an_error() -> None:
    with runs.boto3("batched", 2, 2) as theirs, pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "NAMES", ("RunningTask",))
        with pytest.raises(Failed, match="16 data were written, and not 4"):
            theirs()


def test_cpu_is_that_of_the_ticks_between() -> None:
    assert runs.cpu_a_tick([Mark(10, 100), Mark(11, 900), Mark(14, 112)]) == 3
    with pytest.raises(Failed, match="too few ticks; give it more --seconds"):
        runs.cpu_a_tick([Mark(1, 1)])


@pytest.mark.parametrize(
    ("wanted", "second", "made", "waited"),
    [
        (12, 0, 12, 0),
        (12, 43, 12, 0),
        (12, 44, 12, 16),  # too late in its minute
        (86, 20, 60 + 40, 0),  # the rest of its minute, and the next
        (86, 40, 60 + 60, 20),
        (120, 50, 120 + 10, 0),
    ],
)
def test_a_run_ends_with_its_minute(
    wanted: int, second: int, made: int, waited: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(runs.time, "time", lambda: 1_800_000_000 + second)
    monkeypatch.setattr(runs.time, "sleep", slept.append)
    assert runs.room(wanted) == made and sum(slept) == waited


def test_there_are_as_many_ticks_as_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def ours(_: Path, clusters: int, seconds: int) -> Figures:
        asked.append((clusters, seconds))
        return Figures(seconds + 10, 0, [0.1], 2, Counter(), 10)

    monkeypatch.setattr(runs, "room", lambda seconds: seconds)
    monkeypatch.setattr(runs, "ours", ours)
    monkeypatch.setattr(runs, "boto3", lambda *_: contextlib.nullcontext(lambda: ours(Path(), 0, 0)))
    found = bench.measure([1, bench.LONG_SIZE], 12, minutes=5, most=3, binary=Path())
    # 300 ticks in three runs; what one has made more, the next need not.
    own = [one for one in asked if one[0]]
    assert own == [(1, 12)] * 3 + [(bench.LONG_SIZE, seconds) for seconds in (100, 95, 85)]
    assert {len(made) for made in found.values()} == {3}


@pytest.mark.parametrize(
    ("clusters", "order"),
    [(100, "+batched +pairs ours -batched -pairs"), (1_000, "+batched ours -batched +pairs -pairs")],
)
def test_peers_work_beside_ours(clusters: int, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for pairs that take longer than what the others leave of a second."""
    done: list[str] = []

    def work(what: str) -> Figures:
        done.append(what)
        return Figures(60, 0, [0.1], 2, Counter(), 10)

    def boto3(way: str, *_: int) -> contextlib.AbstractContextManager[Callable[[], Figures]]:
        done.append(f"+{way}")
        return contextlib.nullcontext(lambda: work(f"-{way}"))

    monkeypatch.setattr(runs, "room", lambda seconds: seconds)
    monkeypatch.setattr(runs, "ours", lambda *_: work("ours"))
    monkeypatch.setattr(runs, "boto3", boto3)
    bench.measure([clusters], 12, minutes=1, most=1, binary=Path())
    assert " ".join(done) == order


def test_the_page_compares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_report, "lines", lambda *_: "")
    calls = {bench.OURS: 20, bench.BATCHED: 20, bench.PAIRS: 2_000}
    results = {
        (who, 100): [Figures(5, skipped, lags, cpu, Counter(PutMetricData=calls[who] // 2), peak) for lags in LAGS]
        for who, skipped, cpu, peak in ((bench.OURS, 0, 2, 10), (bench.BATCHED, 0, 20, 50), (bench.PAIRS, 1, 300, 50))
    }
    lines = bench.text(results).splitlines()
    for line in (
        f"| {bench.OURS} | 100 | 2 | 10 | 0 | 2 | 2 (2–2) | 10 (10–10) | 0.100 | 3 | 3 |",
        f"| {bench.BATCHED} | 100 | 10× | 5× | 1× |",
        f"| {bench.PAIRS} | 100 | 150× | 5× | 100× |",
    ):
        assert line in lines, (line, lines)
