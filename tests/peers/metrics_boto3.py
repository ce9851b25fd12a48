"""A metric writer with boto3: the counts of clusters, once a second, as high-resolution metrics.

    metrics_boto3.py batched|pairs ENDPOINT CLUSTERS SECONDS

`batched` describes a hundred clusters a call and puts a thousand data a call. `pairs` describes and puts each cluster
by itself, as a design does that has a machine for each, but in one process and without its starts. A tick that comes
later than the next is due is left out. A line of JSON tells of each; after the last one comes `{}`, and it waits for
the end of standard input. However long they take, there are a few.

Ticks are due at a moment of the second that others on the same machine leave to them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import boto3

DESCRIBED, PUT = 100, 1_000  # most that a call takes
METRICS = {
    "RunningTask": "runningTasksCount",
    "PendingTask": "pendingTasksCount",
    "ActiveServices": "activeServicesCount",
    "RegisteredContainerInstances": "registeredContainerInstancesCount",
}
OFFSET_SECONDS = {"batched": 0.3, "pairs": 0.5}
LEAST_TICKS = 3


def chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Parts of at most so many."""
    return (items[first : first + size] for first in range(0, len(items), size))


def data(described: dict[str, Any], at: datetime) -> list[dict[str, Any]]:
    """What is written of the clusters of an answer."""
    return [
        {
            "MetricName": metric,
            "Dimensions": [{"Name": "ClusterName", "Value": cluster["clusterName"]}],
            "Timestamp": at,
            "Value": cluster[count],
            "Unit": "Count",
            "StorageResolution": 1,
        }
        for cluster in described["clusters"]
        for metric, count in METRICS.items()
    ]


def tick(ecs: Any, cloudwatch: Any, clusters: Sequence[str], way: str, due: float) -> int:
    """One tick; answers how many data it has written."""
    at = datetime.fromtimestamp(due, timezone.utc)
    described = (
        data(ecs.describe_clusters(clusters=names), at)
        for names in chunks(clusters, 1 if way == "pairs" else DESCRIBED)
    )
    if way == "pairs":
        return sum(put(cloudwatch, values) for values in described)
    return put(cloudwatch, [value for values in described for value in values])


def put(cloudwatch: Any, values: list[dict[str, Any]]) -> int:
    """Writes; answers how many data."""
    for some in chunks(values, PUT):
        cloudwatch.put_metric_data(Namespace="ECS", MetricData=some)
    return len(values)


def main() -> None:
    """Ticks for so many seconds, and tells of each."""
    way, endpoint, clusters, seconds = sys.argv[1], sys.argv[2], sys.argv[3].split(","), float(sys.argv[4])
    ecs, cloudwatch = (boto3.client(service, endpoint_url=endpoint) for service in ("ecs", "cloudwatch"))
    offset = OFFSET_SECONDS[way]
    due = int(time.time()) + 1 + offset
    end, left = due + seconds, min(LEAST_TICKS, seconds)
    while due < end or left > 0:
        left -= 1
        time.sleep(max(0.0, due - time.time()))
        lag = time.time() - due
        written = tick(ecs, cloudwatch, clusters, way, due)
        next_due = max(due + 1, int(time.time() - offset) + offset)
        told = {"lag_ms": lag * 1_000, "cpu_ms": time.process_time() * 1_000}
        print(json.dumps({**told, "data": written, "skipped": round(next_due - due) - 1}), flush=True)
        due = next_due
    print("{}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
