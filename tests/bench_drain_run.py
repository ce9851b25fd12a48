"""One drain in virtual time: the fake, a function under a runtime API, and the topic and queues between them.

All three go by a clock in a file (bench_drain_clock.c): the fake moves it by a call's latency, the function where it
would sleep, and this to the next thing that is due. So an hour takes seconds, and a seed is the same drain every time.
There is one environment of the function, which takes one event after the other.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from bench_drain_lines import SECOND, TOPIC, TOPIC_NAME, Event, Subscriptions
from bench_startup_run import PEERS, cpu_ms
from drain import CLUSTER, GROUP, leaving_instance, moment
from environment import ROOT, clean_environment, client_settings
from local_stack import answer_of, get_json, start_fake
from processes import Child, Failed, children
from runtime_api import RuntimeApi

CLOCK_SOURCE = ROOT / "tests" / "bench_drain_clock.c"
TASKS = 10  # on the instance that leaves
LATENCY_SECONDS = 0.02  # of a call
DELIVERY_SECONDS = (0.02, 0.1)  # of SNS and EventBridge
# Real time, for an event that makes thousands of calls.
INVOCATION_SECONDS = 300
START_SECONDS = 30
# What begins a drain, and is no call of the drainer.
OTHERS_CALLS = {"SetDesiredCapacity"}


@dataclass(frozen=True)
class Case:
    """A drain of an instance of a cluster, whose last task stops after so many seconds, or up to ten more."""

    instances: int
    seconds: int
    told_to_stop: bool = False  # else the tasks run until they end by themselves

    def __str__(self) -> str:
        return f"{self.seconds:,} s, {self.instances:,} instances"

    @property
    def heartbeat_seconds(self) -> int:
        """The hook's. The published fifteen minutes; two hours, the most there is, where these are not enough."""
        return 900 if self.seconds < 900 else 7_200

    def scenario(self, seed: int) -> dict[str, Any]:
        """As the fake reads it. The tasks stop at any time, and the last one in step with nobody's sleep."""
        dice = random.Random(seed)
        last = self.seconds + dice.uniform(0, 10)
        hook = {
            "topic": TOPIC_NAME,
            "metadata": json.dumps({"cluster": CLUSTER}),
            "heartbeat_seconds": self.heartbeat_seconds,
        }
        service: dict[str, Any] = {"name": "web", "tasks": self.instances}
        script: list[dict[str, Any]] = []
        if self.told_to_stop:
            service = {"name": "web", "tasks": self.instances * TASKS, "stop_seconds": [last / TASKS, last]}
        else:
            ends = [last, *(dice.uniform(0, last) for _ in range(TASKS - 2))]
            script = [{"action": {"run_task": {"on": GROUP, "ends_after_seconds": end}}} for end in ends]
        cluster = {"name": CLUSTER, "instances": self.instances, "hook": hook, "services": [service]}
        settings = {"seed": seed, "latency_seconds": LATENCY_SECONDS, "throttling": True}
        return {"settings": settings, "topics": [TOPIC_NAME], "clusters": [cluster], "script": script}


@dataclass(frozen=True)
class Drainer:
    """A function, how it is run, and what leads to it."""

    name: str
    command: Sequence[str | Path]
    wiring: Callable[[], Subscriptions]


def boto3_drainer(module: str, python: Path) -> Drainer:
    """A function of tests/peers under AWS's own runtime, as Lambda's Python runs it."""
    return Drainer(module, [python, "-m", "awslambdaric", f"{module}.handler"], Subscriptions)


def clock_library(folder: Path) -> Path:
    """Compiles what is preloaded into the functions."""
    library = folder / "clock.so"
    command: list[str | Path] = [
        os.environ.get("CC", "cc"),
        "-O2",
        "-shared",
        "-fPIC",
        "-o",
        library,
        CLOCK_SOURCE,
        "-ldl",
    ]
    subprocess.run(command, check=True)
    return library


@dataclass(frozen=True)
class Outcome:
    """What became of a drain."""

    calls: dict[str, int]
    invocations: int
    running_seconds: float  # of all invocations, in virtual time
    ended_by: str  # `call`, or `timeout`
    tasks_left: int  # that had not stopped when the hook was completed
    delay_seconds: float  # from the last task's end until then; of no meaning where tasks were left
    cpu_ms: float

    def counted(self) -> tuple[object, ...]:
        """What is the same every time."""
        return (self.calls, self.invocations, self.ended_by, self.tasks_left)


class Run:
    """A function and a World, and the events between them."""

    def __init__(
        self, fake: str, api: RuntimeApi, wiring: Subscriptions, seed: int, given_up: threading.Event
    ) -> None:
        self.fake, self.api, self.wiring, self.given_up = fake, api, wiring, given_up
        self.invocations, self.running = 0, 0
        self._random = random.Random(seed)

    def play(self) -> None:
        """Until nothing waits anywhere, and nothing is due."""
        clock = self.clock()
        while times := [*(due for line in self.wiring.lines for due in line.due()), *clock["due"]]:
            if self.given_up.is_set():
                raise Failed("this drain was given up")
            clock = self.clock(max(min(times), clock["now"]))
            for line in self.wiring.lines:
                if any(due <= clock["now"] for due in line.due()):
                    began = clock["now"]
                    self.invoke(line.event(line.take(began)))
                    clock = self.clock()
                    self.running += clock["now"] - began

    def invoke(self, event: Event) -> None:
        """One invocation; nothing of it may fail."""
        self.invocations += 1
        answer = json.loads(self.api.invoke(json.dumps(event).encode(), INVOCATION_SECONDS).body)
        if answer and answer.get("batchItemFailures"):
            raise Failed(f"the function gives back {answer}")

    def clock(self, to: int | None = None) -> dict[str, Any]:
        """Moves the clock, and takes what has left the World to where it goes."""
        body = json.dumps({} if to is None else {"nanoseconds": to}).encode()
        answer = answer_of(urllib.request.Request(f"{self.fake}/clock", data=body, method="PUT"))
        for left in answer["left"]:
            event, message = left.get("event"), left.get("message", "")
            line = self.wiring.happened(event) if event else self.wiring.notified(message)
            if line:
                delivery = int(self._random.uniform(*DELIVERY_SECONDS) * SECOND)
                line.put(left["at"] + delivery, message or json.dumps(event))
        return {"now": answer["now"], "due": [answer["due"]] if "due" in answer else []}


def run(
    drainer: Drainer, case: Case, seed: int, library: Path, folder: Path, given_up: threading.Event
) -> Outcome:
    """One drain, from the instance that is to leave until nothing is left to happen, by the clock of the `library`.

    It fails when it is given up. Others may run beside it, in folders of their own.
    """
    scenario, clock = folder / "scenario.json", folder / "clock"
    scenario.write_text(json.dumps(case.scenario(seed)))
    environment = clean_environment()
    with RuntimeApi(drainer.name) as api, children() as register:
        fake = start_fake(folder, environment, register, "--clock", str(clock), scenario=scenario)
        environment |= {
            "AWS_ENDPOINT_URL": fake,
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "AWS_LAMBDA_FUNCTION_NAME": drainer.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "DRAIN_TOPIC_ARN": TOPIC,
            "SHARED_CLOCK": str(clock),
            "LD_PRELOAD": str(library),
        }
        function = register(Child(drainer.command, environment, folder / f"{drainer.name}.log", PEERS))
        api.alive = function.running
        api.first_poll(START_SECONDS)
        process = Path("/proc") / str(function.process.pid)
        # A session of its own: clients of the default one cannot be made side by side.
        scaling = boto3.Session().client("autoscaling", **client_settings(fake))
        scaling.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=case.instances - 1)
        before = cpu_ms(process)
        played = Run(fake, api, drainer.wiring(), seed, given_up)
        played.play()
        spent = cpu_ms(process) - before
        return outcome(played, get_json(f"{fake}/calls"), get_json(f"{fake}/history"), spent)


def outcome(played: Run, calls: dict[str, int], history: list[dict[str, Any]], cpu: float) -> Outcome:
    """What the history says of the one instance that has left."""
    instance = leaving_instance(history)
    (end,) = [entry for entry in history if entry["what"] == "hook_completed"]
    tasks = {entry["task"] for entry in history if entry["what"] == "task_started" and entry["instance"] == instance}
    stops = [moment(entry) for entry in history if entry["what"] == "task_stopped" and entry["task"] in tasks]
    return Outcome(
        calls={call: count for call, count in calls.items() if call not in OTHERS_CALLS},
        invocations=played.invocations,
        running_seconds=played.running / SECOND,
        ended_by=end["by"],
        tasks_left=end["tasks_not_stopped"],
        delay_seconds=(moment(end) - max(stops)).total_seconds(),
        cpu_ms=cpu,
    )
