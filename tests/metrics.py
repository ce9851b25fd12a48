"""The metric writer from outside: start it, and read back what it has written, as anybody would."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from environment import ROOT
from local_stack import Stack, sent_now

NAMES = ("RunningTask", "PendingTask", "ActiveServices", "RegisteredContainerInstances")
SCHEDULED: dict[str, Any] = json.loads((ROOT / "events" / "ecs-metrics" / "schedule.json").read_text())
QUERIES = 500  # of one GetMetricData

# Values by time, of a metric of a cluster.
Series = dict[tuple[str, str], dict[datetime, float]]


def scheduled_event() -> dict[str, Any]:
    """A new one, as EventBridge sends it now."""
    return sent_now(SCHEDULED)


def minute_after(event: Mapping[str, Any]) -> datetime:
    """The minute that an event's invocation owns."""
    sent = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
    return sent.replace(second=0) + timedelta(minutes=1)


def read(
    stack: Stack, clusters: Iterable[str], begin: datetime, end: datetime, statistic: str = "Maximum", period: int = 1
) -> Series:
    """All four metrics of some clusters, from one moment to before another, by GetMetricData."""
    wanted = list(product(clusters, NAMES))
    found: Series = {}
    for first in range(0, len(wanted), QUERIES):
        some = wanted[first : first + QUERIES]
        queries = [query(f"q{at}", cluster, name, statistic, period) for at, (cluster, name) in enumerate(some)]
        pages = stack.client("cloudwatch").get_paginator("get_metric_data")
        for page in pages.paginate(MetricDataQueries=queries, StartTime=begin, EndTime=end):
            for result in page["MetricDataResults"]:
                values = found.setdefault(some[int(result["Id"][1:])], {})
                values.update(zip(result["Timestamps"], result["Values"], strict=True))
    return found


def query(id: str, cluster: str, name: str, statistic: str, period: int) -> dict[str, Any]:
    """One metric of one cluster."""
    dimensions = [{"Name": "ClusterName", "Value": cluster}]
    metric = {"Namespace": "ECS", "MetricName": name, "Dimensions": dimensions}
    return {"Id": id, "MetricStat": {"Metric": metric, "Stat": statistic, "Period": period}}


@dataclass
class Own:
    """What the writer has said of itself."""

    ticks: int
    skipped: int
    failed: int
    throttled: int
    lags: list[float]  # milliseconds


def own(stack: Stack) -> Own:
    """The sum of its own metrics, which CloudWatch would take out of its log."""
    documents = [document for document in log_lines(stack) if "_aws" in document]
    sums = {name: sum(int(document.get(name, 0)) for document in documents) for name in SUMS}
    lags = [lag for document in documents for lag in listed(document.get("TickLag", []))]
    return Own(*(sums[name] for name in SUMS), lags)


SUMS = ("Ticks", "SkippedTicks", "FailedTicks", "ThrottledCalls")


def listed(value: Any) -> list[float]:
    """A metric in the embedded format has one value, or a list of them."""
    return value if isinstance(value, list) else [value]


def log_lines(stack: Stack) -> Iterator[dict[str, Any]]:
    """The function's log, line by line; its invocations take minutes."""
    for line in stack.output("EcsMetrics"):
        if line.startswith("{"):
            yield json.loads(line)
