"""One run of a metric writer, ours or one with boto3: ticks of a second, and what each took.

Every run has a fake of its own, and is checked: as many data were written as its ticks have.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from bench_startup_run import cpu_ms, peak_mb
from environment import LOCAL, ROOT, clean_environment
from local_stack import get_json, start_fake
from metrics import NAMES, SCHEDULED
from processes import Child, Failed, Register, children, wait_for
from runtime_api import RuntimeApi

NAME, LEASES = "ecs-metrics", "leases"
PEER = ROOT / "tests" / "peers" / "metrics_boto3.py"
START_SECONDS = 30
MINUTE_SECONDS = 60
# What runs take to begin, and what our function leaves of its time.
BEGINNING_SECONDS, MARGIN_SECONDS = 5, 3
# How long a run may take beyond its time: the slowest writer's ticks take many seconds on a busy machine.
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Mark:
    """How far a writer was at a moment."""

    ticks: int
    cpu_ms: float


@dataclass(frozen=True)
class Figures:
    """Of one run."""

    ticks: int
    skipped: int
    lags_ms: list[float]
    cpu_ms: float  # a tick
    calls: Counter[str]
    peak_mb: float


def cpu_a_tick(marks: Sequence[Mark]) -> float:
    """CPU a tick in milliseconds, from the first mark to the last."""
    if len(marks) < 2:
        raise Failed("these are too few ticks; give it more --seconds")
    first, *_, last = marks
    return (last.cpu_ms - first.cpu_ms) / (last.ticks - first.ticks)


def room(seconds: int) -> int:
    """Waits until ticks can be made for so many seconds; answers for how many they will be, then or later.

    Our function owns minutes: after the one that it begins in it makes the ticks of whole ones, or none.
    """
    minutes, rest = divmod(seconds, MINUTE_SECONDS)
    left = MINUTE_SECONDS - time.time() % MINUTE_SECONDS
    if left < rest + BEGINNING_SECONDS:
        time.sleep(left)
        left = MINUTE_SECONDS
    return minutes * MINUTE_SECONDS + math.ceil(left) if minutes else rest


def names(clusters: int) -> list[str]:
    """What the clusters are called."""
    return [f"bench{number:04}" for number in range(clusters)]


@dataclass
class World:
    """A fake with so many clusters, and whoever measures them."""

    address: str
    clusters: int
    folder: Path
    register: Register

    def start(self, command: Sequence[str | Path], variables: Mapping[str, str]) -> Child:
        """Starts a process that sees it as AWS."""
        environment = {**clean_environment(), "AWS_ENDPOINT_URL": self.address, **variables}
        return self.register(Child(command, environment, self.folder / "run.log", self.folder))

    def calls(self, ticks: int) -> Counter[str]:
        """What was called of it, if that was enough."""
        wanted, found = ticks * self.clusters * len(NAMES), get_json(f"{self.address}/metrics")["count"]
        if found != wanted:
            raise Failed(f"{found} data were written, and not {wanted}; see {self.folder}")
        return Counter(get_json(f"{self.address}/calls"))


@contextmanager
def world(clusters: int, who: str) -> Iterator[World]:
    """For one run."""
    folder = LOCAL / "bench-metrics" / f"{os.getpid()}-{who}"
    folder.mkdir(parents=True, exist_ok=True)
    scenario = folder / "scenario.json"
    plan = {
        "settings": {"throttling": False, "latency_seconds": 0},
        "clusters": [{"name": name, "instances": 0} for name in names(clusters)],
        "tables": [{"name": LEASES, "key": [{"name": "LeaseId", "type": "S"}]}],
    }
    scenario.write_text(json.dumps(plan))
    with children() as register:
        yield World(start_fake(folder, clean_environment(), register, scenario=scenario), clusters, folder, register)
    shutil.rmtree(folder)  # a run that failed leaves its logs


def ours(binary: Path, clusters: int, seconds: int) -> Figures:
    """One invocation that makes ticks for so long."""
    with ThreadPoolExecutor(1) as pool, RuntimeApi(NAME) as api, world(clusters, NAME) as fake:
        settings = {
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "AWS_LAMBDA_FUNCTION_NAME": NAME,
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "CLUSTERS": "bench*",
            "PERIOD_SECONDS": "1",
            "LEASE_TABLE": LEASES,
        }
        child = fake.start([binary], settings)
        api.alive = child.running
        api.first_poll(START_SECONDS)
        process = Path("/proc") / str(child.process.pid)
        answering = pool.submit(api.invoke, json.dumps(event()).encode(), seconds + MARGIN_SECONDS)
        marks = []
        while not answering.done():
            time.sleep((0.5 - time.time()) % 1 or 1)  # to the next half second: ticks are due at whole ones
            child.running()
            marks.append(Mark(int(time.time()), cpu_ms(process)))
        answer = json.loads(answering.result().body)
        lags = reported(child)
        if answer.get("failed") != 0 or len(lags) != answer["ticks"] + answer["skipped"]:
            raise child.failure(f"answered {answer}, and reported {len(lags)} ticks")
        return Figures(
            answer["ticks"],
            answer["skipped"],
            lags,
            cpu_a_tick(marks[2:-2]),  # without the first call of each kind, and without a rest at the end
            fake.calls(answer["ticks"]),
            peak_mb(process),
        )


def reported(child: Child) -> list[float]:
    """How late each tick was in milliseconds, as our function writes it every ten seconds."""
    documents = (json.loads(line) for line in child.log_text().splitlines() if "TickLag" in line)
    lags = (document["TickLag"] for document in documents)
    return [one for some in lags for one in (some if isinstance(some, list) else [some])]


def event() -> dict[str, Any]:
    """The schedule's, of a minute ago: the minute after it is running."""
    sent = datetime.now(timezone.utc) - timedelta(minutes=1)
    return {**SCHEDULED, "time": sent.strftime("%Y-%m-%dT%H:%M:%SZ")}


@contextmanager
def boto3(way: str, clusters: int, seconds: int) -> Iterator[Callable[[], Figures]]:
    """The peer at work after its first tick, and how to wait for its end. It is told the clusters, and need not list them."""
    with world(clusters, way) as fake:
        command: list[str | Path] = [sys.executable, PEER, way, fake.address, ",".join(names(clusters)), str(seconds)]
        child = fake.start(command, {})

        def works() -> bool:
            child.running()
            return bool(ticks(child))

        def rests() -> bool:
            child.running()
            return ticks(child)[-1:] == [{}]

        def end() -> Figures:
            wait_for("the ticks are made", rests, seconds + PATIENCE_SECONDS, 0.5)
            made = ticks(child)[:-1]
            return Figures(
                len(made),
                sum(one["skipped"] for one in made),
                [one["lag_ms"] for one in made],
                cpu_a_tick([Mark(number, one["cpu_ms"]) for number, one in enumerate(made)]),
                fake.calls(len(made)),
                peak_mb(Path("/proc") / str(child.process.pid)),
            )

        wait_for("the first tick is made", works, PATIENCE_SECONDS, 0.1)
        yield end


def ticks(child: Child) -> list[dict[str, Any]]:
    """What the peer has told of its ticks so far, whole lines only; the last of all is empty."""
    whole, _, _ = child.log_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
