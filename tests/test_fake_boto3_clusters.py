"""boto3 drives what the fake's ECS has for the metric writer: clusters, services, room, agents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import botocore.exceptions
import pytest

from conftest import Clients
from environment import OWN, clean_environment
from local_stack import start_fake
from processes import children

CLUSTER, COUNTED, SERVICE = "prod", "counted", "web"
ARN = "arn:aws:ecs:us-east-1:123456789012:"
SCENARIO = {
    "settings": {"seed": 7, "latency_seconds": 0.0},
    "clusters": [
        {
            "name": CLUSTER,
            "instances": 2,
            "cpu": 1024,
            "cluster_tags": {"team": "a"},
            "services": [
                {"name": SERVICE, "tasks": 3, "cpu": 512, "memory": 1024, "stop_seconds": [60, 60]},
                {"name": "full", "tasks": 2, "cpu": 1024, "waits": True, "rollout": "in_progress"},
                {"name": "broken", "tasks": 0, "rollout": "failed"},
                {"name": "log-agent", "daemon": True, "cpu": 0, "memory": 64},
            ],
        },
        {
            "name": COUNTED,
            "counts": {
                "running": 5,
                "pending": 1,
                "services": 2,
                "instances": 3,
                "statistics": {"RunningFargateTasksCount": 4},
            },
        },
        *({"name": f"c{number:03}", "counts": {}} for number in range(120)),
    ],
}


class World:
    """The scenario, by boto3."""

    def __init__(self, clients: Clients) -> None:
        self.ecs = clients("ecs")

    def cluster(self, name: str, *include: str) -> dict[str, Any]:
        (cluster,) = self.ecs.describe_clusters(clusters=[name], include=list(include))["clusters"]
        return cluster

    def counts(self, name: str) -> list[int]:
        told = self.cluster(name)
        kinds = ("runningTasks", "pendingTasks", "activeServices", "registeredContainerInstances")
        return [told[f"{kind}Count"] for kind in kinds]

    def service(self, name: str) -> dict[str, Any]:
        (service,) = self.ecs.describe_services(cluster=CLUSTER, services=[name])["services"]
        return service


@pytest.fixture
def world() -> Iterator[World]:
    run = OWN
    run.mkdir(parents=True, exist_ok=True)
    scenario = run / "clusters.json"
    scenario.write_text(json.dumps(SCENARIO))
    with children() as register:
        yield World(Clients(start_fake(run, clean_environment(), register, scenario=scenario)))


def count_counted(w: World) -> bool:
    pairs = {pair["name"]: pair["value"] for pair in w.cluster(COUNTED, "STATISTICS")["statistics"]}
    split = (pairs["runningEC2TasksCount"], pairs["RunningFargateTasksCount"], pairs["drainingFargateServiceCount"])
    return (w.counts(COUNTED), split) == ([5, 1, 2, 3], ("5", "4", "0"))


def find_tags(w: World) -> bool:
    told = w.cluster(CLUSTER, "TAGS", "SETTINGS", "CONFIGURATIONS", "ATTACHMENTS", "STATISTICS")
    return told["tags"] == [{"key": "team", "value": "a"}] and w.cluster(CLUSTER)["tags"] == []


def describe_many(w: World) -> bool:
    names = [f"c{number:03}" for number in range(98)]
    told = w.ecs.describe_clusters(clusters=[*names, "nope", f"{ARN}cluster/{CLUSTER}"])
    found = [cluster["clusterName"] for cluster in told["clusters"]]
    return found == [*names, CLUSTER] and told["failures"] == [{"arn": f"{ARN}cluster/nope", "reason": "MISSING"}]


def list_clusters(w: World) -> bool:
    pages = w.ecs.get_paginator("list_clusters").paginate()
    return [len(page["clusterArns"]) for page in pages] == [100, 22]


def list_services(w: World) -> bool:
    pages = w.ecs.get_paginator("list_services").paginate(cluster=CLUSTER, PaginationConfig={"PageSize": 3})
    names = [[arn.split("/")[-1] for arn in page["serviceArns"]] for page in pages]
    daemons = w.ecs.list_services(cluster=CLUSTER, schedulingStrategy="DAEMON", launchType="EC2", maxResults=100)
    return names == [["broken", "full", "log-agent"], [SERVICE]] and len(daemons["serviceArns"]) == 1


def describe_services(w: World) -> bool:
    told = w.ecs.describe_services(cluster=CLUSTER, services=[SERVICE, f"{ARN}service/{CLUSTER}/full", "nope"])
    found = {
        service["serviceName"]: [service[f"{kind}Count"] for kind in ("running", "pending", "desired")]
        for service in told["services"]
    }
    missing = [{"arn": f"{ARN}service/{CLUSTER}/nope", "reason": "MISSING"}]
    return (found, told["failures"]) == ({SERVICE: [3, 0, 3], "full": [0, 2, 2]}, missing)


def deployments(w: World) -> bool:
    seen = {
        name: [(made["status"], made["rolloutState"]) for made in w.service(name)["deployments"]]
        for name in (SERVICE, "full", "broken")
    }
    before = ("ACTIVE", "COMPLETED")
    return seen == {
        SERVICE: [("PRIMARY", "COMPLETED")],
        "full": [("PRIMARY", "IN_PROGRESS"), before],
        "broken": [("PRIMARY", "FAILED"), before],
    }


def wait_for_room(w: World) -> bool:
    tasks = w.ecs.list_tasks(cluster=CLUSTER, serviceName="full")["taskArns"]
    told = w.ecs.describe_tasks(cluster=CLUSTER, tasks=tasks)["tasks"]
    right = all(
        (task["lastStatus"], task["cpu"], task["containers"][0]["cpu"]) == ("PROVISIONING", "1024", "1024")
        and "containerInstanceArn" not in task
        and "startedAt" not in task
        and task["createdAt"]
        for task in told
    )
    return right and len(told) == 2 and w.counts(CLUSTER) == [5, 2, 4, 2]


def find_agents(w: World) -> bool:
    silent, others = (
        w.ecs.list_container_instances(cluster=CLUSTER, filter=f"agentConnected == {state}")["containerInstanceArns"]
        for state in ("false", "true")
    )
    return (len(silent), len(others)) == (0, 2)


def know_what_is_left(w: World) -> bool:
    members = w.ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
    told = w.ecs.describe_container_instances(cluster=CLUSTER, containerInstances=members)["containerInstances"]
    left = sorted(
        resource["integerValue"]
        for member in told
        for resource in member["remainingResources"]
        if resource["name"] == "CPU"
    )
    return left == [0, 512]


WORKS: dict[str, Callable[[World], Any]] = {
    "DescribeClusters: counts": count_counted,
    "DescribeClusters: tags": find_tags,
    "DescribeClusters: a hundred": describe_many,
    "ListClusters": list_clusters,
    "ListServices": list_services,
    "DescribeServices": describe_services,
    "DescribeServices: deployments": deployments,
    "DescribeTasks: no room": wait_for_room,
    "ListContainerInstances: agents": find_agents,
    "DescribeContainerInstances: room": know_what_is_left,
}

INVALID = "InvalidParameterException"

REFUSED: dict[str, tuple[str, Callable[[World], Any]]] = {
    "101 clusters": (INVALID, lambda w: w.ecs.describe_clusters(clusters=[CLUSTER] * 101)),
    "a pattern for a cluster": (INVALID, lambda w: w.ecs.describe_clusters(clusters=["prod-*"])),
    "pages of 101 clusters": (INVALID, lambda w: w.ecs.list_clusters(maxResults=101)),
    "11 services": (INVALID, lambda w: w.ecs.describe_services(cluster=CLUSTER, services=[SERVICE] * 11)),
    "no services": (INVALID, lambda w: w.ecs.describe_services(cluster=CLUSTER, services=[])),
    "services of no cluster": (
        "ClusterNotFoundException",
        lambda w: w.ecs.describe_services(cluster="nope", services=[SERVICE]),
    ),
    "pages of 101 services": (INVALID, lambda w: w.ecs.list_services(cluster=CLUSTER, maxResults=101)),
    "a list of no cluster": ("ClusterNotFoundException", lambda w: w.ecs.list_services(cluster="nope")),
    "an unknown state of agents": (
        INVALID,
        lambda w: w.ecs.list_container_instances(cluster=CLUSTER, filter="agentConnected == maybe"),
    ),
}


@pytest.mark.parametrize("operation", WORKS)
def test_works(world: World, operation: str) -> None:
    assert WORKS[operation](world), operation


@pytest.mark.parametrize("what", REFUSED)
def test_is_refused(world: World, what: str) -> None:
    code, ask = REFUSED[what]
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        ask(world)
    assert refusal.value.response["Error"]["Code"] == code


def test_a_default_cluster_is_assumed(world: World) -> None:
    told = world.ecs.describe_clusters()
    assert (told["clusters"], told["failures"]) == ([], [{"arn": f"{ARN}cluster/default", "reason": "MISSING"}])
