"""boto3 drives the fake's CloudWatch, in both of its protocols; what is stored is read back raw, too.

boto3 itself chooses JSON, the Rust SDK CBOR. Here boto3 is made to speak either.
"""

from __future__ import annotations

import math
import urllib.parse
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import botocore.model
import pytest

from conftest import Clients
from environment import client_settings
from local_stack import get_json

CLUSTER, NAMESPACE, JSON = "prod", "ECS", "json"
MINUTE = timedelta(minutes=1)
FIVE = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"]


class World:
    """CloudWatch, and a minute that has passed for the data."""

    def __init__(self, endpoint: str, protocol: str) -> None:
        self.endpoint, self.protocol = endpoint, protocol
        self.cloudwatch = boto3.client("cloudwatch", **client_settings(endpoint))
        # boto3 would refuse some mistakes by itself.
        lenient = botocore.config.Config(disable_request_compression=True, parameter_validation=False)
        self.lenient = boto3.client("cloudwatch", config=lenient, **client_settings(endpoint))
        now = datetime.now(timezone.utc)
        self.minute = now.replace(second=0, microsecond=0) - MINUTE

    def datum(self, second: float = 0, value: float = 1.0, name: str = "RunningTask", **more: Any) -> dict[str, Any]:
        """A tick's datum, as the metric writer puts it."""
        return {
            "MetricName": name,
            "Dimensions": [{"Name": "ClusterName", "Value": CLUSTER}],
            "Timestamp": self.minute + timedelta(seconds=second),
            "Value": value,
            "Unit": "Count",
            "StorageResolution": 1,
        } | more

    def put(self, *data: dict[str, Any], namespace: str = NAMESPACE) -> Any:
        return self.cloudwatch.put_metric_data(Namespace=namespace, MetricData=list(data))

    def put_minute(self) -> None:
        """Twelve ticks: 0, 1, 2, … tasks."""
        self.put(*(self.datum(second=5 * tick, value=tick) for tick in range(12)))

    def statistics(self, **more: Any) -> Any:
        ask = {
            "Namespace": NAMESPACE,
            "MetricName": "RunningTask",
            "Dimensions": [{"Name": "ClusterName", "Value": CLUSTER}],
            "StartTime": self.minute,
            "EndTime": self.minute + MINUTE,
            "Period": 10,
            "Statistics": FIVE,
        }
        return self.cloudwatch.get_metric_statistics(**ask | more)

    def query(self, **more: Any) -> dict[str, Any]:
        metric = {
            "Namespace": NAMESPACE,
            "MetricName": "RunningTask",
            "Dimensions": [{"Name": "ClusterName", "Value": CLUSTER}],
        }
        return {"Id": "a", "MetricStat": {"Metric": metric, "Period": 10, "Stat": "Maximum"}} | more

    def data(self, *queries: dict[str, Any], **more: Any) -> Any:
        window = {"StartTime": self.minute, "EndTime": self.minute + MINUTE}
        return self.cloudwatch.get_metric_data(MetricDataQueries=list(queries), **window | more)

    def stored(self, **wanted: str) -> Any:
        """What the fake says that it has; without conditions how many."""
        query = f"?{urllib.parse.urlencode(wanted)}" if wanted else ""
        return get_json(f"{self.endpoint}/metrics{query}")



@pytest.fixture(params=[JSON, "smithy-rpc-v2-cbor"])
def world(fake: Clients, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(botocore.model, "PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", [request.param])
    return World(fake.endpoint, request.param)


def store(w: World) -> bool:
    before = w.stored()
    w.put(w.datum(second=5, value=3), w.datum(second=10.25, value=-2.5, name="PendingTask"))
    (datum,) = w.stored(namespace=NAMESPACE, name="PendingTask")
    expected = {
        "namespace": NAMESPACE,
        "name": "PendingTask",
        "dimensions": {"ClusterName": CLUSTER},
        "timestamp": (w.minute + timedelta(seconds=10.25)).timestamp(),
        "value": -2.5,
        "unit": "Count",
        "resolution": 1,
    }
    is_whole = {name: datum[name] for name in expected} == expected
    return is_whole and (before, w.stored()) == ({"count": 0}, {"count": 2})


def store_without_time(w: World) -> bool:
    w.put({"MetricName": "m", "Value": 1})
    (datum,) = w.stored(name="m")
    age = datetime.now(timezone.utc).timestamp() - datum["timestamp"]
    return abs(age) < 30 and (datum["unit"], datum["resolution"]) == ("None", 60)


def store_packed(w: World) -> bool:
    """boto3 packs what has more than 10 KiB, unless it is told not to."""
    data = [w.datum(second=number % 60, name=f"m{number % 7}") for number in range(1_000)]
    sent = []
    w.cloudwatch.meta.events.register("before-send.*", lambda request, **_: sent.append(dict(request.headers)))
    w.put(*data)
    return sent[0]["Content-Encoding"] in (b"gzip", "gzip") and w.stored() == {"count": 1_000}


def store_unpacked(w: World) -> bool:
    w.lenient.put_metric_data(Namespace=NAMESPACE, MetricData=[w.datum()] * 1_000)
    return w.stored() == {"count": 1_000}


def store_many_values(w: World) -> bool:
    several = {"Values": [1.0, 2.5], "Counts": [3.0, 1.0]}
    of_set = {"StatisticValues": {"SampleCount": 2, "Sum": 3, "Minimum": 1, "Maximum": 2}}
    without = {key: value for key, value in w.datum().items() if key != "Value"}
    w.put(without | several, without | of_set)
    first, second = w.stored(name="RunningTask")
    return (first["values"], second["statistics"]) == ([[1.0, 3.0], [2.5, 1.0]], of_set["StatisticValues"])


def list_metrics(w: World) -> bool:
    w.put(*(w.datum(name=f"m{number}") for number in range(600)))
    w.put(w.datum(name="m7"))
    listed = w.cloudwatch.get_paginator("list_metrics")
    sizes = [len(page["Metrics"]) for page in listed.paginate(Namespace=NAMESPACE)]
    by_cluster = {"Dimensions": [{"Name": "ClusterName", "Value": CLUSTER}], "MetricName": "m7"}
    (metric,) = w.cloudwatch.list_metrics(**by_cluster)["Metrics"]
    expected = {"Namespace": NAMESPACE, "MetricName": "m7", "Dimensions": by_cluster["Dimensions"]}
    return sizes == [500, 100] and metric == expected


def get_statistics(w: World) -> bool:
    w.put_minute()
    told = w.statistics()
    points = sorted(told["Datapoints"], key=lambda point: point["Timestamp"])
    times = [point["Timestamp"] for point in points]
    expected = {"SampleCount": 2.0, "Average": 0.5, "Sum": 1.0, "Minimum": 0.0, "Maximum": 1.0, "Unit": "Count"}
    right = {key: value for key, value in points[0].items() if key != "Timestamp"} == expected
    return right and times == [w.minute + timedelta(seconds=10 * part) for part in range(6)]


def get_statistics_by_period(w: World) -> bool:
    w.put_minute()
    sizes = {1: 12, 5: 12, 10: 6, 20: 3, 30: 2, 60: 1, 300: 1}
    return all(len(w.statistics(Period=period)["Datapoints"]) == size for period, size in sizes.items())


def get_data(w: World) -> bool:
    w.put_minute()
    told = w.data(w.query(), w.query(Id="b", Label="never", MetricStat=w.query()["MetricStat"] | {"Unit": "Seconds"}))
    first, second = told["MetricDataResults"]
    newest_first = [11.0, 9.0, 7.0, 5.0, 3.0, 1.0]
    times = [w.minute + timedelta(seconds=second) for second in (50, 40, 30, 20, 10, 0)]
    right = (first["Values"], first["Timestamps"], first["StatusCode"]) == (newest_first, times, "Complete")
    return right and (second["Label"], second["Values"]) == ("never", [])


def get_data_by_pages(w: World) -> bool:
    w.put_minute()
    pages = w.cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[w.query(), w.query(Id="b")],
        StartTime=w.minute,
        EndTime=w.minute + MINUTE,
        MaxDatapoints=4,
        ScanBy="TimestampAscending",
    )
    values = [[result["Values"] for result in page["MetricDataResults"]] for page in pages]
    return values == [[[1.0, 3.0, 5.0, 7.0]], [[9.0, 11.0], [1.0, 3.0]], [[5.0, 7.0, 9.0, 11.0]]]


WORKS: dict[str, Callable[[World], Any]] = {
    "PutMetricData": store,
    "PutMetricData: now": store_without_time,
    "PutMetricData: 1,000 data, packed": store_packed,
    "PutMetricData: 1,000 data, not packed": store_unpacked,
    "PutMetricData: values, counts, sets": store_many_values,
    "ListMetrics": list_metrics,
    "GetMetricStatistics": get_statistics,
    "GetMetricStatistics: periods": get_statistics_by_period,
    "GetMetricData": get_data,
    "GetMetricData: pages": get_data_by_pages,
}

INVALID, MISSING, COMBINATION = "InvalidParameterValue", "MissingParameter", "InvalidParameterCombination"
VALIDATION = "ValidationError"


def put_with(**more: Any) -> Callable[[World], Any]:
    """Puts a datum that differs in this from one that is right."""
    return lambda w: w.put(w.datum(**more))


def without_value(**more: Any) -> Callable[[World], Any]:
    def ask(w: World) -> Any:
        return w.put({key: value for key, value in w.datum().items() if key != "Value"} | more)

    return ask


def dimensions(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in pairs]


REFUSED: dict[str, tuple[str, Callable[[World], Any]]] = {
    "1,001 data": (INVALID, lambda w: w.put(*[w.datum()] * 1_001)),
    "no data": (MISSING, lambda w: w.put()),
    "a request of more than a megabyte": (
        "RequestEntityTooLarge",
        lambda w: w.put(*[w.datum(Dimensions=dimensions(("d", "x" * 1_000)))] * 1_000),
    ),
    "a namespace of AWS": (INVALID, lambda w: w.put(w.datum(), namespace="AWS/ECS")),
    "a namespace with a colon": (INVALID, lambda w: w.put(w.datum(), namespace=":x")),
    "a long namespace": (INVALID, lambda w: w.put(w.datum(), namespace="x" * 256)),
    "no number": (INVALID, put_with(value=math.nan)),
    "an endless number": (INVALID, put_with(value=math.inf)),
    "more than 2^360": (INVALID, put_with(value=2.0**361)),
    "no value": (MISSING, without_value()),
    "value and values": (INVALID, put_with(Values=[1.0])),
    "value and set": (
        COMBINATION,
        put_with(StatisticValues={"SampleCount": 1, "Sum": 1, "Minimum": 1, "Maximum": 1}),
    ),
    "151 values": (INVALID, without_value(Values=[float(number) for number in range(151)])),
    "fewer counts than values": (INVALID, without_value(Values=[1.0, 2.0], Counts=[1.0])),
    "a resolution of 10": (INVALID, put_with(StorageResolution=10)),
    "an unknown unit": (INVALID, put_with(Unit="Tasks")),
    "31 dimensions": (INVALID, put_with(Dimensions=dimensions(*((f"d{n}", "x") for n in range(31))))),
    "an empty dimension": (INVALID, put_with(Dimensions=dimensions(("d", "")))),
    "an empty name of a dimension": (INVALID, put_with(Dimensions=dimensions(("", "x")))),
    "three weeks ago": (INVALID, put_with(second=-21 * 86_400)),
    "in three hours": (INVALID, put_with(second=3 * 3_600)),
    "statistics: a period of 7 s": (INVALID, lambda w: w.statistics(Period=7)),
    "statistics: no time": (INVALID, lambda w: w.statistics(EndTime=w.minute)),
    "statistics: 1,441 points": (
        COMBINATION,
        lambda w: w.statistics(Period=1, EndTime=w.minute + timedelta(seconds=1_441)),
    ),
    "data: 501 queries": (VALIDATION, lambda w: w.data(*(w.query(Id=f"q{n}") for n in range(501)))),
    "data: one id twice": (VALIDATION, lambda w: w.data(w.query(), w.query())),
    "data: a percentile": (
        VALIDATION,
        lambda w: w.data(w.query(MetricStat=w.query()["MetricStat"] | {"Stat": "p99"})),
    ),
    "data: a token of nobody": ("InvalidNextToken", lambda w: w.data(w.query(), NextToken="x")),
    "metrics: a token of nobody": (INVALID, lambda w: w.cloudwatch.list_metrics(NextToken="x")),
    "another operation": ("UnknownOperationException", lambda w: w.cloudwatch.describe_alarms()),
}

# JSON does not know these numbers.
NO_JSON = ("no number", "an endless number")


@pytest.mark.parametrize("operation", WORKS)
def test_works(world: World, operation: str) -> None:
    assert WORKS[operation](world), operation


@pytest.mark.parametrize("what", REFUSED)
def test_is_refused(world: World, what: str) -> None:
    code, ask = REFUSED[what]
    if world.protocol == JSON and what in NO_JSON:
        code = "SerializationException"
    world.cloudwatch = world.lenient
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        ask(world)
    assert refusal.value.response["Error"]["Code"] == code, what
    assert world.stored() == {"count": 0}, "nothing is kept of a refused call"
