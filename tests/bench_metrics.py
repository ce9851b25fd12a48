"""`make bench-metrics`: how late the ticks of the deployed metric writer are, and what CPU they take.

A tick a second, for two minutes and what is left of a third, of 1, 100 and 1,000 clusters, one after the other. The figures
are this machine's, whose cores the fake and the emulator use, too; a Lambda of 128 MB has a fourteenth of a core.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import metrics
from environment import client_settings, isolate
from local_stack import Stack, local_stack
from processes import Failed, wait_for

# How many clusters, and the pattern of their names.
SIZES = {1: "b0000", 1_000: "b*", 100: "b00??"}
WORLD = {"clusters": [{"name": f"b{number:04}", "instances": 0} for number in range(max(SIZES))]}
PARAMETERS = {"EcsMetricsPeriodSeconds": 1, "EcsMetricsDriver": "off"}
START_SECONDS, SETTLE_SECONDS = 30, 1
# More than the function's timeout, and the answer may not be asked for twice.
PATIENCE = Config(read_timeout=300, retries={"total_max_attempts": 1})
COLUMNS = ("clusters", "ticks", "skipped", "data", "lag p50 ms", "p99 ms", "max ms", "CPU ms a tick", "MiB")


@dataclass
class Figures:
    """Of one run."""

    answer: dict[str, Any]
    cpu_ms: float  # of all ticks
    resident_mib: float

    def row(self, clusters: int) -> Iterator[str]:
        """As the table's columns say."""
        lag, counts = self.answer["lagMillis"], (self.answer[name] for name in ("ticks", "skipped", "data"))
        yield from (f"{count:,}" for count in (clusters, *counts))
        yield from (f"{lag[name]:.2f}" for name in ("p50", "p99", "max"))
        yield from (f"{self.cpu_ms / self.answer['ticks']:.2f}", f"{self.resident_mib:.1f}")


def cpu_ms(process: Path) -> float:
    """CPU time of all threads so far, in milliseconds; the scheduler counts it by the nanosecond."""
    spent = [(thread / "schedstat").read_text().split()[0] for thread in (process / "task").iterdir()]
    return sum(map(int, spent)) / 1e6


def resident_mib(process: Path) -> float:
    """Most memory that the process has had."""
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line)
    return int(status["VmHWM"].split()[0]) / 1024


def function_process(stack: Stack, clusters: str) -> Path | None:
    """The process that the emulator runs the function in with this setting."""
    marks = {f"AWS_LAMBDA_FUNCTION_NAME={stack.outputs['EcsMetricsName']}", f"CLUSTERS={clusters}"}
    marks.add(f"TMPDIR={stack.logs / 'tmp'}")
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_text(errors="replace").split("\0")
            if marks <= set(environment) and (entry / "comm").read_text().strip() == "bootstrap":
                return entry
        except OSError:
            continue  # has ended, or is somebody else's
    return None


def run(stack: Stack, clusters: str) -> Figures:
    """One invocation: its minute, and one that nobody else claims. Then it finds the next one taken."""
    lambdas = boto3.client("lambda", config=PATIENCE, **client_settings(stack.emulator))
    name, table = stack.outputs["EcsMetricsName"], stack.outputs["EcsMetricsLeaseTableName"]
    variables = lambdas.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    lambdas.update_function_configuration(
        FunctionName=name, Environment={"Variables": {**variables, "CLUSTERS": clusters}}
    )
    leases = boto3.resource("dynamodb", **client_settings(stack.emulator)).Table(table)
    event = metrics.scheduled_event()
    end = {"LeaseId": f"{metrics.minute_after(event) + timedelta(minutes=2):%Y-%m-%dT%H:%M:%SZ}"}
    leases.put_item(Item={**end, "RequestId": "bench"})
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(lambdas.invoke, FunctionName=name, Payload=json.dumps(event).encode())
        process = wait_for("the function runs", lambda: function_process(stack, clusters), START_SECONDS)
        time.sleep(SETTLE_SECONDS)  # what a start costs is another figure
        before = cpu_ms(process)
        payload = json.load(answer.result()["Payload"])
        spent = cpu_ms(process) - before
    leases.delete_item(Key=end)
    if "ticks" not in payload:
        raise Failed(f"the function answers {payload}")
    return Figures(payload, spent, resident_mib(process))


def main() -> int:
    """Prints the table."""
    isolate()
    table = Table(*COLUMNS, box=SIMPLE_HEAD)
    for column in table.columns:
        column.justify = "right"
    try:
        with local_stack(PARAMETERS, world=WORLD) as stack:
            for clusters, pattern in SIZES.items():
                print(f"          {clusters:,} clusters, a tick a second ...", flush=True)
                table.add_row(*run(stack, pattern).row(clusters))
    except (Failed, TimeoutError) as fault:
        print(f"FAIL: {fault}", file=sys.stderr)
        return 1
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
