"""The bench of the metric writers: a few ticks of each, their calls, and what it makes of its figures."""

from __future__ import annotations

import contextlib
import time
from collections import Counter

import pytest

import bench_metrics as bench
import bench_metrics_runs as runs
import bench_report
from bench_metrics_runs import Figures, Mark
from environment import DEBUG
from processes import Failed

# More than one description takes, and so many data that one call takes them.
CLUSTERS = 150
NEEDED_SECONDS = 5


def test_ours_makes_few_calls() -> None:
    # An invocation with so little time ends with its minute.
    left = 60 - time.time() % 60
    time.sleep(left if left < NEEDED_SECONDS else 0)
    found = runs.ours(DEBUG / "ecs-metrics", CLUSTERS, NEEDED_SECONDS)
    assert found.ticks >= 1 and len(found.lag_ms) == len(runs.LAGS)
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
    with runs.boto3("batched", 2, 1) as theirs, pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "NAMES", ("RunningTask",))
        with pytest.raises(Failed, match="8 data were written, and not 2"):
            theirs()


def test_too_few_ticks_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    few = Figures(3, 0, (0.1, 2, 3), [], Counter(), 10)
    monkeypatch.setattr(runs, "boto3", lambda *_: contextlib.nullcontext(lambda: few))
    monkeypatch.setattr(runs, "ours", lambda *_: few)
    with pytest.raises(Failed, match="ecs-metrics, 100 clusters: 3 ticks are too few"):
        bench.measure([100], 1, 0, DEBUG / "ecs-metrics")


def test_windows_are_means_over_ticks() -> None:
    marks = [Mark(at=second, ticks=second, cpu_ms=3 * second) for second in range(16)]
    assert runs.windows(marks) == [3, 3, 3]
    # Ticks of two seconds: a window has three of them.
    marks = [Mark(at=2 * tick, ticks=tick, cpu_ms=7 * tick) for tick in range(7)]
    assert runs.windows(marks) == [7, 7]
    assert runs.windows([]) == []


def test_the_page_compares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_report, "lines", lambda *_: "")
    calls = {bench.OURS: 20, bench.BATCHED: 20, bench.PAIRS: 2_000}
    results = {
        (who, 100): Figures(10, skipped, (0.1, 2, 3), [cpu, cpu], Counter(PutMetricData=calls[who]), peak)
        for who, skipped, cpu, peak in ((bench.OURS, 0, 2, 10), (bench.BATCHED, 0, 20, 50), (bench.PAIRS, 1, 300, 50))
    }
    lines = bench.text(results).splitlines()
    for line in (
        f"| {bench.OURS} | 100 | 10 | 0 | 2 | 2 (2–2) | 10 | 0.100 | 2 | 3 |",
        f"| {bench.BATCHED} | 100 | 10× | 5× | 1× |",
        f"| {bench.PAIRS} | 100 | 150× | 5× | 100× |",
    ):
        assert line in lines, (line, lines)
