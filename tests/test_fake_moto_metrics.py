"""CloudWatch and the clusters and services of ECS: the fake answers as moto does, or a reason is given here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import test_fake_boto3_metrics as metrics
from conftest import Clients
from environment import OWN
from local_stack import fake_aws
from moto_world import CLUSTER, furnish_services, moto_server
from test_fake_boto3_metrics import JSON, MINUTE, NAMESPACE
from test_fake_moto import check_alike, left_out

SERVICE, LIMITS = "web", ("minimumHealthy", "maximum")


class World(metrics.World):
    """CloudWatch as boto3 speaks to it by itself, and ECS."""

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients.endpoint, JSON)
        self.cloudwatch = self.lenient  # what is wrong with a question shall be said by who is asked
        self.ecs = clients("ecs")


ASKED: dict[str, Callable[[World], Any]] = {
    "PutMetricData": lambda w: w.put(*(w.datum(second=5 * tick, value=tick) for tick in range(12))),
    "PutMetricData of values": lambda w: w.put(several(w, Values=[1.0, 2.0], Counts=[2.0, 1.0])),
    "PutMetricData of a set": lambda w: w.put(
        several(w, StatisticValues={"SampleCount": 2, "Sum": 3, "Minimum": 1, "Maximum": 2})
    ),
    "PutMetricData of value and set": lambda w: w.put(
        w.datum(StatisticValues={"SampleCount": 2, "Sum": 3, "Minimum": 1, "Maximum": 2})
    ),
    "PutMetricData of value and values": lambda w: w.put(w.datum(Values=[1.0])),
    "PutMetricData of too few counts": lambda w: w.put(several(w, Values=[1.0, 2.0], Counts=[2.0])),
    "ListMetrics": lambda w: w.cloudwatch.list_metrics(Namespace=NAMESPACE, MetricName="RunningTask"),
    "ListMetrics of a cluster": lambda w: w.cloudwatch.list_metrics(
        Namespace=NAMESPACE, Dimensions=[{"Name": "ClusterName", "Value": CLUSTER}]
    ),
    "ListMetrics of nobody": lambda w: w.cloudwatch.list_metrics(Namespace="nobody"),
    "ListMetrics with no token": lambda w: w.cloudwatch.list_metrics(NextToken="x"),
    "GetMetricStatistics": lambda w: w.statistics(),
    "GetMetricStatistics: numbers": lambda w: numbers(w.statistics(Period=60)),
    "GetMetricStatistics of values": lambda w: numbers(w.statistics(MetricName="Several", Period=60)),
    "GetMetricStatistics of another unit": lambda w: w.statistics(Unit="Seconds"),
    "GetMetricStatistics of no statistics": lambda w: w.statistics(Statistics=[]),
    "GetMetricStatistics of no time": lambda w: w.statistics(EndTime=w.minute),
    "GetMetricData": lambda w: w.data(w.query()),
    "GetMetricData: numbers": lambda w: pairs(w.data(w.query())),
    "GetMetricData, oldest first": lambda w: pairs(w.data(w.query(), ScanBy="TimestampAscending")),
    "GetMetricData of no time": lambda w: w.data(w.query(), EndTime=w.minute),
    "GetMetricData of the wrong time": lambda w: w.data(w.query(), EndTime=w.minute - MINUTE),
    "GetMetricData of nothing": lambda w: w.data({"Id": "a"}),
    "DescribeClusters": lambda w: w.ecs.describe_clusters(clusters=[CLUSTER], include=["STATISTICS", "TAGS"]),
    "DescribeClusters of an unknown one": lambda w: w.ecs.describe_clusters(clusters=["nope"]),
    "DescribeClusters by ARN": lambda w: w.ecs.describe_clusters(clusters=w.ecs.list_clusters()["clusterArns"]),
    "DescribeClusters without a name": lambda w: w.ecs.describe_clusters(),
    "ListServices": lambda w: w.ecs.list_services(cluster=CLUSTER),
    "ListServices, daemons": lambda w: w.ecs.list_services(cluster=CLUSTER, schedulingStrategy="DAEMON"),
    "ListServices on Fargate": lambda w: w.ecs.list_services(cluster=CLUSTER, launchType="FARGATE"),
    "ListServices of no cluster": lambda w: w.ecs.list_services(cluster="nope"),
    "DescribeServices": lambda w: w.ecs.describe_services(cluster=CLUSTER, services=[SERVICE], include=["TAGS"]),
    "DescribeServices of an unknown one": lambda w: w.ecs.describe_services(cluster=CLUSTER, services=["nope"]),
    "DescribeServices of no cluster": lambda w: w.ecs.describe_services(cluster="nope", services=[SERVICE]),
    "ListContainerInstances by agent": lambda w: w.ecs.list_container_instances(
        cluster=CLUSTER, filter="agentConnected == true"
    ),
}

NOT_ASKED = "AWS and the fake have these empty unless they are asked for; moto leaves them out"

DIFFERENCES: dict[str, str] = {
    **left_out("GetMetricData", "Messages"),
    **left_out(
        "DescribeClusters",
        "clusters[].statistics",
        "clusters[].statistics[].name",
        "clusters[].statistics[].value",
        "clusters[].tags",
        "clusters[].capacityProviders",
        "clusters[].defaultCapacityProviderStrategy",
    ),
    **left_out("DescribeServices", "services[].createdAt"),
    **left_out("DescribeServices", "services[].placementConstraints", "services[].placementStrategy"),
    **left_out("DescribeServices", *(f"services[].deploymentConfiguration.{limit}Percent" for limit in LIMITS)),
    **dict.fromkeys(
        (
            f"DescribeClusters by ARN: clusters[].{name}"
            for name in ("statistics", "tags", "capacityProviders", "defaultCapacityProviderStrategy")
        ),
        NOT_ASKED,
    ),
    "DescribeClusters: clusters[].settings": "nobody asked for them: AWS answers an empty list then",
    "DescribeClusters by ARN: clusters[].settings": "the same",
    "DescribeClusters without a name: failures": "AWS takes `default`, which is missing here; moto says nothing",
    "DescribeClusters without a name: failures[].arn": "the same",
    "DescribeClusters without a name: failures[].reason": "the same",
    "DescribeServices: services[].deployments[].rolloutState": "in moto a deployment is never done",
    "GetMetricData: MetricDataResults[].Label": "the metric's name; moto puts the statistic behind it",
}


def several(w: World, **values: Any) -> dict[str, Any]:
    """A datum that has something else than a value."""
    return {key: value for key, value in w.datum(name="Several").items() if key != "Value"} | values


def numbers(answer: Any) -> Any:
    """The numbers of the one data point as names, which are compared literally."""
    (point,) = answer["Datapoints"]
    told = {f"{name}={number:g}": True for name, number in point.items() if name not in ("Timestamp", "Unit")}
    return {"ResponseMetadata": None, "told": told}


def pairs(answer: Any) -> Any:
    """The same for the times and values of a series, in their order."""
    (result,) = answer["MetricDataResults"]
    told = zip(result["Timestamps"], result["Values"], strict=True)
    return {"ResponseMetadata": None, "told": {f"{n}: {at.second}={value:g}": True for n, (at, value) in enumerate(told)}}


@pytest.fixture(scope="module")
def worlds() -> Iterator[tuple[World, World]]:
    """The fake's and moto's."""
    run = OWN
    with fake_aws(run) as fake, moto_server(run) as moto:
        furnish_services(moto)
        yield World(Clients(fake)), World(moto)


def test_answers_are_alike(worlds: tuple[World, World]) -> None:
    check_alike(worlds, ASKED, DIFFERENCES)
