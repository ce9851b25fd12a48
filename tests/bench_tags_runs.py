"""One run of the tag policy, or of cloud-custodian, over a fresh fleet: what it called, and what it took.

Both are whole processes, from their start to the end of what they do: a scheduled function is started for a run, and so
is custodian. The fake has a process of its own, whose CPU is counted apart.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import bench_tags_fleet as fleet
from bench_startup_run import cpu_ms, peak_mb
from environment import LOCAL, ROOT, clean_environment
from local_stack import get_json, sent_now, start_fake
from processes import Child, Failed, Register, children
from runtime_api import RuntimeApi

NAME, START_SECONDS, RUN_SECONDS = "tag-policy", 30, 300
CUSTODIAN = ROOT / ".venv" / "custodian" / "bin" / "python"
PEER = ROOT / "tests" / "peers" / "tags_custodian.py"
SCHEDULED: dict[str, Any] = json.loads((ROOT / "events" / "tag-policy" / "scheduled.json").read_text())
# Who one is: the fake has none of it, and custodian asks at its start, and for every policy with a `notify`.
IDENTITY = {
    "GetCallerIdentity": "<Account>123456789012</Account>",
    "ListAccountAliases": "<IsTruncated>false</IsTruncated><AccountAliases/>",
}


@dataclass(frozen=True)
class Sample:
    """What one run took."""

    calls: Counter[str]
    cpu_s: float
    peak_mb: float  # of 1,000,000 bytes, resident
    wall_s: float
    fake_cpu_s: float  # what the fake took meanwhile: on a busy machine a part of the wall time


@dataclass
class Fleet:
    """A fake with a fleet that nobody has repaired yet."""

    address: str
    instances: int
    folder: Path
    register: Register
    server: Path  # in /proc
    made_ms: float  # CPU that the fake took to be there
    day: str  # when it was there

    def start(self, command: Sequence[str | Path], variables: Mapping[str, str]) -> Child:
        """Starts a process that sees it as AWS."""
        environment = {**clean_environment(), "AWS_ENDPOINT_URL": self.address, **variables}
        return self.register(Child(command, environment, self.folder / "run.log", self.folder))

    def fake_cpu_s(self) -> float:
        """What the fake has taken since it was there."""
        return (cpu_ms(self.server) - self.made_ms) / 1_000

    def calls(self) -> Counter[str]:
        """What was called of it; refused calls are none that anybody can compare."""
        history = get_json(f"{self.address}/history")
        refused = [entry for entry in history if "error" in entry]
        tagged = [
            (instance, tag)
            for entry in history
            if entry["what"] == "tagged"
            for instance in entry["instances"]
            for tag in entry["tags"].items()
        ]
        written = Counter(tag for _, tag in tagged)
        # A run may begin on one day and end on another.
        wanted = [fleet.repairs(self.instances, day) for day in {self.day, today()}]
        if refused or written not in wanted or len(tagged) != len(set(tagged)):
            raise Failed(f"written: {written}, wanted: {wanted}, refused: {refused[:3]}; see {self.folder}")
        return Counter(entry["operation"] for entry in history if entry["what"] == "call")


@contextlib.contextmanager
def fresh(instances: int, latency_ms: int) -> Iterator[Fleet]:
    """A fleet for one run."""
    logs = LOCAL / "bench-tags"
    logs.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=logs))
    scenario = folder / "scenario.json"
    scenario.write_text(json.dumps(fleet.world(instances, latency_ms)))
    with children() as register:
        started: list[Child] = []

        def keep(child: Child) -> Child:
            started.append(child)
            return register(child)

        address = start_fake(folder, clean_environment(), keep, scenario=scenario)
        server = Path("/proc") / str(started[0].process.pid)
        yield Fleet(address, instances, folder, register, server, cpu_ms(server), today())
    shutil.rmtree(folder)  # a run that failed leaves its logs


def today() -> str:
    """As both write it."""
    return datetime.now(timezone.utc).date().isoformat()


@contextlib.contextmanager
def custodian(instances: int, latency_ms: int, notify: bool, limit_s: float) -> Iterator[Callable[[], Sample | None]]:
    """As from a crontab: `custodian run` with all that makes it fast.

    It is at work, and what is yielded waits for its end. That answers None when it was not done in time.
    """
    with ThreadPoolExecutor(1) as pool, fresh(instances, latency_ms) as world, identity() as (who, asked):
        policies, memory = world.folder / "policies.json", world.folder / "memory"
        policies.write_text(json.dumps(fleet.policies(notify)))
        variables = {"AWS_ENDPOINT_URL_STS": who, "AWS_ENDPOINT_URL_IAM": who}
        command: list[str | Path] = [CUSTODIAN, PEER, memory, "run", "--cache", "memory"]
        command += ["--output-dir", world.folder / "output", policies]
        began = time.monotonic()
        child = world.start(command, variables)
        ending = pool.submit(ended, child)

        def end() -> Sample | None:
            try:
                code, cpu, at = ending.result(began + limit_s - time.monotonic())
            except futures.TimeoutError:
                return None
            if code != 0:
                raise child.failure(f"ended with {code}")
            peak, fake_cpu = int(memory.read_text()) * 1024 / 1e6, world.fake_cpu_s()
            return Sample(world.calls() + asked, cpu, peak, at - began, fake_cpu)

        yield end


def ended(child: Child) -> tuple[int, float, float]:
    """Waits for the end: the exit code, the CPU seconds of this process and no other, and when it was."""
    _, status, usage = os.wait4(child.process.pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, time.monotonic()


def ours(binary: Path, instances: int, latency_ms: int) -> Sample:
    """As Lambda starts the function, and invokes it once by its schedule. It always sends its report."""
    with fresh(instances, latency_ms) as world, RuntimeApi(NAME) as api:
        settings = {
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "AWS_LAMBDA_FUNCTION_NAME": NAME,
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "RULES_TABLE": fleet.RULES_TABLE,
            "STATE_TABLE": fleet.STATE_TABLE,
            "REPORT_TOPIC_ARN": fleet.TOPIC,
        }
        event = json.dumps(sent_now(SCHEDULED)).encode()
        began = time.monotonic()
        child = world.start([binary], settings)
        api.alive = child.running
        api.first_poll(START_SECONDS)
        answer = json.loads(api.invoke(event, RUN_SECONDS).body)
        wall, peak = time.monotonic() - began, peak_mb(Path("/proc") / str(child.process.pid))
        child.process.kill()
        (_, cpu, _), fake_cpu = ended(child), world.fake_cpu_s()
        if answer["counts"]["failures"] or answer.get("reportOnly"):
            raise child.failure(f"answered {answer['counts']}")
        return Sample(world.calls(), cpu, peak, wall, fake_cpu)


@contextlib.contextmanager
def identity() -> Iterator[tuple[str, Counter[str]]]:
    """The address of STS and IAM, and what was asked of them."""
    asked: Counter[str] = Counter()

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            (operation,) = re.findall(r"Action=(\w+)", body)
            asked[operation] += 1
            result = f"<{operation}Result>{IDENTITY[operation]}</{operation}Result>"
            answer = f"<{operation}Response>{result}</{operation}Response>".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
