"""The functions whose start `make bench-startup` measures, and one start with its invocations."""

from __future__ import annotations

import copy
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import boto3

from environment import ROOT, clean_environment, client_settings
from local_stack import get_json, sent_now
from processes import Child, children
from runtime_api import SETTINGS, RuntimeApi

PEERS = ROOT / "tests" / "peers"
START_SECONDS = 30
MEMORY_MIB = 128  # as the function is told; nothing limits it to that
SCHEDULERS_COUNT = 2  # CPUCLOCK_SCHED, linux/posix-timers.h
TICK_SECONDS = 0.4  # of each second, in which its tick is asked for
MACHINE = "i-0123456789abcdef0"
COMPLETE = {"ProjectCode": "Proj001", "CreatedBy": "ops", "Expires": "2030-01-01"}
RULES: list[dict[str, Any]] = json.loads((ROOT / "examples" / "tag-rules.json").read_text())
# Everything that the events are about is there, and no event changes it: each invocation is like the one before.
WORLD: dict[str, Any] = {
    "settings": {"seed": 1, "latency_seconds": 0, "throttling": False},
    "clusters": [{"name": "prod", "instances": 1, "tags": COMPLETE, "services": [{"name": "web", "tasks": 2}]}],
    "machines": [{"ids": [MACHINE], "tags": COMPLETE, "launched_hours_ago": 100}],
    "tables": [
        {
            "name": "rules",
            "key": [{"name": "RuleId", "type": "N"}],
            "items": [
                {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in rule.items()}
                for rule in RULES
            ],
        },
        {"name": "state", "key": [{"name": "Id", "type": "S"}]},
    ],
}
Event = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Function:
    """One of ours: its crate, its name in the template, an event that it gets often, and settings beside those it needs."""

    crate: str
    resource: str
    event: Event
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """As the template gives them, or more of them."""
        return {**SETTINGS.get(self.resource, {}), **self.more}

    @property
    def peer(self) -> str:
        """The module of the boto3 function that makes the same calls."""
        return f"startup_{self.crate.replace('-', '_')}"


@dataclass(frozen=True, eq=False)
class Contestant:
    """A function as somebody wrote it, and how it is started."""

    side: str
    function: Function
    command: tuple[str | Path, ...]
    # Certificates that it trusts, and so reads, instead of the runner's.
    authorities: Path | None = None


def functions(fake: str) -> list[Function]:
    """All that run in everyday use; the smoke test does at a roll-out only."""
    return [
        Function("ecs-drainer", "EcsDrainer", stopped_task(fake)),
        Function("tag-policy", "TagPolicy", lambda: sent_now(sample("tag-policy/scheduled"))),
        Function("ecs-metrics", "EcsMetrics", tick, {"PERIOD_SECONDS": "1"}),
        Function("spot-interruption", "SpotInterruption", warning),
    ]


def sample(name: str) -> dict[str, Any]:
    """A sample event of the repository."""
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return event


def stopped_task(fake: str) -> Event:
    """A task has stopped on the cluster's instance, which stays as it is."""
    ecs = boto3.client("ecs", **client_settings(fake))
    (instance,) = ecs.list_container_instances(cluster="prod")["containerInstanceArns"]
    batch = sample("ecs-drainer/sqs-task-stopped")
    task = json.loads(batch["Records"][0]["body"])
    task["detail"]["containerInstanceArn"] = instance

    def event() -> dict[str, Any]:
        body = json.dumps({**task, "id": str(uuid.uuid4())})
        return {"Records": [{**batch["Records"][0], "messageId": str(uuid.uuid4()), "body": body}]}

    return event


def tick() -> dict[str, Any]:
    """The tick of this second. The function would wait for its beginning, and leave out one that is half over."""
    if (passed := time.time() % 1) > TICK_SECONDS:
        time.sleep(1 - passed)
    return {"clusters": ["prod"], "time": f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"}


def warning() -> dict[str, Any]:
    """EC2 is about to interrupt the machine."""
    event = copy.deepcopy(sample("spot-interruption/warning-terminate"))
    event["detail"]["instance-id"] = MACHINE
    return sent_now(event)


@dataclass
class Start:
    """Of one process: milliseconds from before it is made to its first poll, CPU until then, and what came after."""

    poll_ms: float
    poll_cpu_ms: float
    first_ms: float
    first_cpu_ms: float  # from the beginning until the first answer
    warm_ms: list[float] = field(default_factory=list)
    warm_cpu_ms: float = 0.0  # of one
    peak_mb: float = 0.0  # of 1,000,000 bytes, resident


@dataclass(frozen=True)
class Runner:
    """Starts functions against the fake at an address, one at a time."""

    folder: Path  # for logs
    endpoint: str
    ca_bundle: Path

    def environment(self, contestant: Contestant) -> dict[str, str]:
        """What Lambda tells a function, and where AWS is; nothing of the caller's, such as other certificates."""
        name, trusted = contestant.function.crate, str(contestant.authorities or self.ca_bundle)
        caller = clean_environment()
        kept = {name: value for name, value in caller.items() if name == "PATH" or name.startswith("AWS_")}
        return kept | {
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "AWS_ENDPOINT_URL": self.endpoint,
            "SSL_CERT_FILE": trusted,
            "AWS_CA_BUNDLE": trusted,
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MIB),
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        }

    def start(self, contestant: Contestant, warm: int) -> Start:
        """Starts a function, sends it an event, and then `warm` more; the process is ended after that."""
        function, command = contestant.function, contestant.command
        with RuntimeApi(function.crate) as api, children() as register:
            environment = self.environment(contestant)
            environment |= {"AWS_LAMBDA_RUNTIME_API": api.address, "_HANDLER": str(command[-1]), **function.settings}
            trusting = "-trusting-one" if contestant.authorities else ""
            log = self.folder / f"{function.crate}-{contestant.side}{trusting}.log"
            before = time.perf_counter_ns()
            child = register(Child(command, environment, log, PEERS))
            api.alive = child.running
            process = Path("/proc") / str(child.process.pid)
            polled = api.first_poll(START_SECONDS)
            poll_cpu = cpu_ms(process)
            start = Start((polled - before) / 1e6, poll_cpu, milliseconds(api, function.event), cpu_ms(process))
            if warm:
                before_cpu = cpu_ms(process)
                start.warm_ms = [milliseconds(api, function.event) for _ in range(warm)]
                start.warm_cpu_ms = (cpu_ms(process) - before_cpu) / warm
            start.peak_mb = peak_mb(process)
            return start

    def calls(self, fake: str, contestant: Contestant) -> dict[str, int]:
        """The calls of AWS that one start and one invocation make."""
        before = get_json(f"{fake}/calls")
        self.start(contestant, warm=0)
        after = get_json(f"{fake}/calls")
        return {call: count - before.get(call, 0) for call, count in after.items() if count != before.get(call, 0)}


def milliseconds(api: RuntimeApi, event: Event) -> float:
    """What one invocation takes."""
    return api.invoke(json.dumps(event()).encode()).nanoseconds / 1e6


def cpu_ms(process: Path) -> float:
    """CPU time of all threads so far, also of those that have ended; the scheduler counts it by the nanosecond."""
    clock = ~int(process.name) << 3 | SCHEDULERS_COUNT  # as clock_getcpuclockid(3) makes it, which Python has not
    return time.clock_gettime_ns(clock) / 1e6


def peak_mb(process: Path) -> float:
    """Most memory that the process has had resident, its binary's pages included."""
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line)
    return int(status["VmHWM"].split()[0]) * 1024 / 1e6
