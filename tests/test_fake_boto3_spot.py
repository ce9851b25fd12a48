"""boto3 drives the fake's target groups, and sees what a spot interruption does: what works, and what is refused."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from conftest import Clients
from environment import OWN, clean_environment, client_settings
from local_stack import DEMO, start_fake
from processes import children, wait_for
from test_fake_boto3 import GROUP, UNKNOWN_INSTANCE

WEB, OTHER = "web", "other"
PORT = 8080
STOPPED = "i-0123456789abcdef0"
ELSEWHERE = "i-0123456789abcdef1"
UNKNOWN_GROUP = f"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/nope/{'0' * 16}"
UNKNOWN_BALANCER = f"arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/nope/{'0' * 16}"
SOON = {"WaiterConfig": {"Delay": 0.1, "MaxAttempts": 100}}
# The demo's world with target groups. What leaves is gone soon, since time is real here.
SPOT = {
    "settings": {"stopping_seconds": 0, "latency_seconds": 0},
    "machines": [{"ids": [STOPPED], "state": "stopped"}, {"ids": [ELSEWHERE], "vpc": "vpc-1"}],
    "target_groups": [
        {"name": WEB, "group": GROUP, "deregistration_delay_seconds": 1},
        {"name": OTHER, "port": PORT},
    ],
}


@contextlib.contextmanager
def spot_fake(run: Path) -> Iterator[Clients]:
    """A fake with target groups."""
    run.mkdir(parents=True, exist_ok=True)
    demo, scenario = json.loads(DEMO.read_text()), run / "spot.json"
    scenario.write_text(json.dumps({**demo, **SPOT, "settings": {**demo["settings"], **SPOT["settings"]}}))
    with children() as register:
        yield Clients(start_fake(run, clean_environment(), register, scenario=scenario))


class Targets:
    """The group's instances, and two target groups: all of them are registered with the first."""

    def __init__(self, clients: Clients) -> None:
        self.endpoint = clients.endpoint
        self.elb, self.ec2, self.asg = clients("elbv2"), clients("ec2"), clients("autoscaling")
        no_retries = Config(retries={"total_max_attempts": 1})
        self.impatient = boto3.client("elbv2", config=no_retries, **client_settings(clients.endpoint))
        self.ids = sorted(instance["InstanceId"] for instance in self.group()["Instances"])
        self.one, self.two, self.three = self.ids
        self.web, self.other = (self.arn(name) for name in (WEB, OTHER))

    def group(self) -> dict[str, Any]:
        (group,) = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"]
        return group

    def arn(self, name: str) -> str:
        (group,) = self.elb.describe_target_groups(Names=[name])["TargetGroups"]
        return group["TargetGroupArn"]

    def register(self, group: str, *targets: dict[str, Any]) -> Any:
        return self.elb.register_targets(TargetGroupArn=group, Targets=list(targets))

    def deregister(self, group: str, *targets: dict[str, Any]) -> Any:
        return self.elb.deregister_targets(TargetGroupArn=group, Targets=list(targets))

    def health(self, group: str, *targets: dict[str, Any]) -> dict[tuple[str, int], str]:
        """State of the targets, of all unless some are named: by instance and port."""
        some = {"Targets": list(targets)} if targets else {}
        told = self.elb.describe_target_health(TargetGroupArn=group, **some)["TargetHealthDescriptions"]
        return {(t["Target"]["Id"], t["Target"]["Port"]): t["TargetHealth"]["State"] for t in told}

    def play(self, *steps: dict[str, Any]) -> None:
        """Hands the fake a script of what no call brings about."""
        url, body = f"{self.endpoint}/script", json.dumps(steps).encode()
        urllib.request.urlopen(urllib.request.Request(url, data=body, method="PUT"), timeout=10).close()  # noqa: S310

    def instance(self) -> dict[str, Any]:
        """The one instance, as EC2 tells of it."""
        (reservation,) = self.ec2.describe_instances(InstanceIds=[self.one])["Reservations"]
        return reservation["Instances"][0]


@pytest.fixture
def targets() -> Iterator[Targets]:
    with spot_fake(OWN) as fake:
        yield Targets(fake)


def at(instance: str, port: int | None = None) -> dict[str, Any]:
    """A target."""
    return {"Id": instance} if port is None else {"Id": instance, "Port": port}


def describe_groups(w: Targets) -> bool:
    (web,) = w.elb.describe_target_groups(TargetGroupArns=[w.web])["TargetGroups"]
    (balancer,) = web["LoadBalancerArns"]
    of_balancer = w.elb.describe_target_groups(LoadBalancerArn=balancer)["TargetGroups"]
    told = (web["TargetGroupName"], web["Port"], web["TargetType"], web["Matcher"]["HttpCode"])
    return told == (WEB, 80, "instance", "200") and {group["TargetGroupName"] for group in of_balancer} == {WEB, OTHER}


def group_pages(w: Targets) -> bool:
    pages = list(w.elb.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 1}))
    return [len(page["TargetGroups"]) for page in pages] == [1, 1]


def register(w: Targets) -> bool:
    w.register(w.other, at(w.one), at(w.one, 81), at(w.one))
    return w.health(w.other) == {(w.one, PORT): "initial", (w.one, 81): "initial"}


def healthy_ones(w: Targets) -> bool:
    w.elb.get_waiter("target_in_service").wait(TargetGroupArn=w.web, **SOON)
    (told,) = w.elb.describe_target_health(TargetGroupArn=w.web, Targets=[at(w.one)], Include=["All"])[
        "TargetHealthDescriptions"
    ]
    health = (told["HealthCheckPort"], told["TargetHealth"], told["AnomalyDetection"]["Result"])
    return health == ("80", {"State": "healthy"}, "normal")


def health_of_strangers(w: Targets) -> bool:
    (told,) = w.elb.describe_target_health(TargetGroupArn=w.other, Targets=[at(w.one)])["TargetHealthDescriptions"]
    return told["TargetHealth"]["Reason"] == "Target.NotRegistered" and w.health(w.other) == {}


def deregister(w: Targets) -> bool:
    for _ in range(2):
        w.deregister(w.web, at(w.one))
    (told,) = w.elb.describe_target_health(TargetGroupArn=w.web, Targets=[at(w.one)])["TargetHealthDescriptions"]
    w.elb.get_waiter("target_deregistered").wait(TargetGroupArn=w.web, Targets=[at(w.one)], **SOON)
    drained = told["TargetHealth"]["Reason"] == "Target.DeregistrationInProgress"
    return drained and set(w.health(w.web)) == {(instance, 80) for instance in w.ids if instance != w.one}


def deregister_another_port(w: Targets) -> bool:
    w.deregister(w.web, at(w.one, PORT), at(UNKNOWN_INSTANCE))
    return set(w.health(w.web).values()) == {"healthy"}


def terminated_ones_drain(w: Targets) -> bool:
    w.ec2.terminate_instances(InstanceIds=[w.one])
    return w.health(w.web)[w.one, 80] == "draining"


def interrupted(w: Targets) -> bool:
    before = w.instance().get("InstanceLifecycle")
    w.play({"action": {"recommend_rebalance": w.one}}, {"action": {"interrupt": w.one}})
    wait_for("the interruption", lambda: w.instance().get("InstanceLifecycle") == "spot", 10)
    # The warning itself is no reason to stop anything.
    stays = w.instance()["State"]["Name"] == "running" and w.health(w.web, at(w.one)) == {(w.one, 80): "healthy"}
    return before is None and stays


WORKS: dict[str, Callable[[Targets], Any]] = {
    "DescribeTargetGroups": describe_groups,
    "DescribeTargetGroups: pages": group_pages,
    "RegisterTargets": register,
    "DescribeTargetHealth": healthy_ones,
    "DescribeTargetHealth: of strangers": health_of_strangers,
    "DescribeTargetHealth: of what was terminated": terminated_ones_drain,
    "DeregisterTargets: twice, and until they are gone": deregister,
    "DeregisterTargets: at another port, and an unknown one": deregister_another_port,
    "DescribeAutoScalingGroups: capacity rebalancing": lambda w: w.group()["CapacityRebalance"] is False,
    "DescribeInstances: an interrupted one": interrupted,
}

REFUSED: dict[str, tuple[str, Callable[[Targets], Any]]] = {
    "an unknown target group": (
        "TargetGroupNotFound",
        lambda w: w.elb.describe_target_groups(TargetGroupArns=[w.web, UNKNOWN_GROUP]),
    ),
    "an unknown name": ("TargetGroupNotFound", lambda w: w.elb.describe_target_groups(Names=[WEB, "nope"])),
    "an unknown load balancer": (
        "LoadBalancerNotFound",
        lambda w: w.elb.describe_target_groups(LoadBalancerArn=UNKNOWN_BALANCER),
    ),
    "names and ARNs at once": (
        "ValidationError",
        lambda w: w.elb.describe_target_groups(Names=[WEB], TargetGroupArns=[w.web]),
    ),
    "a page of 401": ("ValidationError", lambda w: w.elb.describe_target_groups(PageSize=401)),
    "another's marker": ("ValidationError", lambda w: w.elb.describe_target_groups(Marker="nonsense")),
    "what is no ARN": ("ValidationError", lambda w: w.health("web")),
    "health of no group": ("TargetGroupNotFound", lambda w: w.health(UNKNOWN_GROUP)),
    "something else besides": (
        "ValidationError",
        lambda w: w.elb.describe_target_health(TargetGroupArn=w.web, Include=["Nonsense"]),
    ),
    "registering with no group": ("TargetGroupNotFound", lambda w: w.register(UNKNOWN_GROUP, at(w.one))),
    "registering nothing": ("ValidationError", lambda w: w.register(w.web)),
    "registering an address": ("ValidationError", lambda w: w.register(w.web, at("10.0.0.1"))),
    "registering an unknown instance": ("InvalidTarget", lambda w: w.register(w.web, at(UNKNOWN_INSTANCE))),
    "registering a stopped instance": ("InvalidTarget", lambda w: w.register(w.web, at(STOPPED))),
    "registering an instance of another VPC": ("InvalidTarget", lambda w: w.register(w.web, at(ELSEWHERE))),
    "a port that is none": ("ValidationError", lambda w: w.register(w.web, at(w.one, 65_536))),
    "a zone of an instance": (
        "ValidationError",
        lambda w: w.register(w.web, at(w.one) | {"AvailabilityZone": "all"}),
    ),
    "1,001 targets": (
        "TooManyTargets",
        lambda w: w.register(w.web, *(at(w.one, port) for port in range(1_000, 1_998))),
    ),
    "deregistering from no group": ("TargetGroupNotFound", lambda w: w.deregister(UNKNOWN_GROUP, at(w.one))),
    "deregistering nothing": ("ValidationError", lambda w: w.deregister(w.web)),
    "deregistering an address": ("ValidationError", lambda w: w.deregister(w.web, at("10.0.0.1"))),
    "a 41st look at once": (
        "Throttling",
        lambda w: [w.impatient.describe_target_groups() for _ in range(120)],
    ),
    "a 21st registration at once": (
        "Throttling",
        lambda w: [w.impatient.deregister_targets(TargetGroupArn=w.web, Targets=[at(w.one)]) for _ in range(60)],
    ),
}


@pytest.mark.parametrize("operation", WORKS)
def test_works(targets: Targets, operation: str) -> None:
    assert WORKS[operation](targets), operation


@pytest.mark.parametrize("what", REFUSED)
def test_is_refused(targets: Targets, what: str) -> None:
    code, ask = REFUSED[what]
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        ask(targets)
    assert refusal.value.response["Error"]["Code"] == code
