"""The bench of the tag policy: its fleet and rules, one small run, and what it makes of its figures."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import product
from pathlib import Path

import pytest

import bench_report
import bench_tags as bench
import bench_tags_fleet as fleet
import bench_tags_runs as runs
from bench_tags_runs import Sample
from environment import DEBUG
from processes import Child, Failed, children

INSTANCES = 1_000
WORLDS = [(1_000, 0), (1_000, 50), (10_000, 0), (10_000, 50)]


def sample(cpu_s: float, peak_mb: float = 30) -> Sample:
    """Of a run that took so much."""
    return Sample(Counter(DescribeInstances=10, CreateTags=150), cpu_s, peak_mb, wall_s=2, fake_cpu_s=0.1)


def test_the_fleet_has_as_many_as_asked_for() -> None:
    for instances in (1, 100, 1_234, 100_000):
        kinds = fleet.kinds(instances)
        assert sum(kinds.values()) == instances and min(kinds.values()) >= 0, instances
    # By hand: 6 lack the project and the date, 2 all three.
    repairs = {("ProjectCode", "Proj007"): 10 + 6 + 2, ("Stage", "dev"): 8 + 2, ("Expires", "2026-01-02"): 8 + 6 + 2}
    assert fleet.repairs(100, "2026-01-02") == repairs
    assert sum(plan["count"] for plan in fleet.world(777, 0)["machines"]) == 777


def test_the_rules_are_sound(tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"Items": fleet.rules()}))
    answer = subprocess.run([DEBUG / "tag-policy-rules", "check", file], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_both_are_given_the_same_rules() -> None:
    (repair,) = [action for policy in fleet.policies(notify=False)["policies"] for action in policy["actions"]]
    assert repair["tags"].keys() == {rule["TagKey"]["S"] for rule in fleet.rules()} - {fleet.REPORTED}
    told = [policy["actions"][-1]["type"] for policy in fleet.policies(notify=True)["policies"]]
    assert told == ["notify"] * 3


@pytest.mark.skipif(not runs.CUSTODIAN.exists(), reason="only `make bench-tags` installs custodian")
def test_custodian_does_the_same() -> None:
    ours = runs.ours(DEBUG / "tag-policy", INSTANCES, 0)
    begin = partial(runs.custodian, INSTANCES, 0, limit_s=60)
    with begin(notify=False) as first, begin(notify=True) as second:
        quiet, theirs = first(), second()
    assert quiet is not None and theirs is not None
    assert quiet.calls["Publish"] == 0 and quiet.calls["CreateTags"] == theirs.calls["CreateTags"]
    assert 0 < quiet.wall_s and 0 < theirs.wall_s
    assert (theirs.calls["Publish"], theirs.calls["DescribeInstances"]) == (3, 1), theirs.calls
    assert ours.calls.total() < theirs.calls.total()
    assert 5 < ours.peak_mb < theirs.peak_mb and 0 < ours.cpu_s and 0 < theirs.cpu_s


def test_a_run_makes_few_calls() -> None:
    found = runs.ours(DEBUG / "tag-policy", INSTANCES, 0)
    # The rules, the fleet, the lock, one call for each set of instances that share missing tags, the report, the state.
    assert found.calls == Counter(Scan=1, DescribeInstances=1, UpdateItem=2, CreateTags=3, Publish=1)
    assert 0 < found.cpu_s and 0 < found.fake_cpu_s and found.wall_s < 30


@pytest.mark.parametrize("wanted", [{("Stage", "dev"): 11}, {("Stage", "dev"): 9, ("Stage", "prod"): 1}])
def test_a_run_that_writes_something_else_is_an_error(
    wanted: dict[tuple[str, str], int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = fleet.repairs
    monkeypatch.setattr(runs, "LOCAL", tmp_path)
    monkeypatch.setattr(fleet, "repairs", lambda *of: Counter({**whole(*of), **wanted}))
    with pytest.raises(Failed, match=r"written: Counter.*Proj007'\): 18"):
        runs.ours(DEBUG / "tag-policy", 100, 0)


def test_runs_that_call_something_else_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = iter([sample(1), dataclasses.replace(sample(1), calls=Counter(Scan=2))])
    monkeypatch.setattr(runs, "ours", lambda *_: next(samples))
    with pytest.raises(Failed, match="'Scan': 2.* in the first run"):
        bench.measure({(bench.OURS, 1_000, 0): 2}, Path(), 1)


def test_what_takes_minutes_is_measured_once() -> None:
    planned = bench.plan(bench.SIZES, 7)
    assert planned.keys() == set(product((bench.OURS, bench.QUIET, bench.TELLING), bench.SIZES, (0, 50)))
    assert {key[:2] for key, most in planned.items() if most == 1} == {(bench.QUIET, 100_000), (bench.TELLING, 100_000)}
    assert {most for key, most in planned.items() if key[0] == bench.OURS} == {7}


def test_both_custodians_run_at_the_same_time() -> None:
    groups = bench.beside(bench.plan([1_000, 10_000], 7))
    ours, theirs = [[(bench.OURS, *world)] for world in WORLDS], [
        [(bench.QUIET, *world), (bench.TELLING, *world)] for world in WORLDS
    ]
    assert sorted(groups) == sorted(ours + theirs)


def test_what_is_not_done_in_time_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[bool] = []

    def custodian(_instances: int, _latency: int, notify: bool, _limit: float) -> AbstractContextManager[object]:
        begun.append(notify)
        return nullcontext(lambda: None if notify else sample(1))

    monkeypatch.setattr(runs, "custodian", custodian)
    quiet, telling = (bench.QUIET, 1_000, 0), (bench.TELLING, 1_000, 0)
    found = bench.measure({quiet: 3, telling: 3}, Path(), 1)
    assert found == {quiet: [sample(1)] * 3, telling: None} and begun == [False, True, False, False]


@pytest.mark.skipif(not runs.CUSTODIAN.exists(), reason="only `make bench-tags` installs custodian")
def test_a_run_that_takes_too_long_is_ended() -> None:
    with runs.custodian(INSTANCES, 0, notify=False, limit_s=0) as custodian:
        assert custodian() is None


@pytest.mark.parametrize("seconds", [0.3, 0])
def test_cpu_is_of_one_process(seconds: float, tmp_path: Path) -> None:
    def burn(seconds: float, log: Path) -> Child:
        code = f"import time\nwhile time.process_time() < {seconds}: pass"
        return Child([sys.executable, "-S", "-c", code], {}, log, tmp_path)

    with children() as register:
        child, other = register(burn(seconds, tmp_path / "a")), register(burn(0.3 - seconds, tmp_path / "b"))
        other.process.wait(60)
        code, cpu, _ = runs.ended(child)
        assert code == 0 and (cpu >= 0.3) == (seconds == 0.3)


def test_growth_is_an_exponent() -> None:
    for power in (0, 0.5, 1, 2):
        found = bench.exponent({size: 3 * size**power for size in (1_000, 10_000, 100_000)})
        assert found == pytest.approx(power), power


def test_the_page_says_what_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_report, "lines", lambda *_: "")
    results: dict[bench.Key, list[Sample] | None] = {
        (bench.OURS, 10_000, 0): [sample(0.4), sample(0.6), sample(0.7)],
        (bench.QUIET, 10_000, 0): [sample(6.6)],
        (bench.TELLING, 10_000, 0): [sample(5.7)],
        (bench.TELLING, 100_000, 0): None,
    }
    lines = bench.text(results, limit_s=120).splitlines()
    for start, end in (
        ("| CPU at 10,000", "| **missed** |"),
        ("| memory at 10,000", "| met |"),
        (f"| less CPU than {bench.QUIET}", "11× | met |"),
        (f"| less CPU than {bench.TELLING}", "9.50× | **missed** |"),
        (f"| {bench.TELLING} | 10,000 | 0 | 1 | 160 | 5.70 | 9.50 | 30 | 2 |", "|"),
        (f"| {bench.TELLING} | 100,000 | 0 | 1 |  | not within 2 minutes", "|"),
        # 150 CreateTags, of which a hundred pass at once and ten a second.
        (f"| {bench.OURS} | 10,000 | 10 | 150 | 0 | 0 |", " 5 |"),
    ):
        assert [line for line in lines if line.startswith(start) and line.endswith(end)], (start, lines)
