"""The fake's target groups answer as moto's do, or a reason is given here.

moto knows nothing of interruptions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conftest import Clients
from environment import OWN
from moto_world import GROUP, furnish, moto_server
from test_fake_boto3 import UNKNOWN_INSTANCE
from test_fake_boto3_spot import OTHER, PORT, REFUSED, UNKNOWN_GROUP, WEB, Targets, at, spot_fake
from test_fake_moto import check_alike, left_out


def health(w: Targets, group: str, *targets: dict[str, Any]) -> Any:
    """The health of targets. Its words are not in capitals, by which words of the API are told from names."""
    some = {"Targets": list(targets)} if targets else {}
    answer = w.elb.describe_target_health(TargetGroupArn=group, **some)
    for told in answer["TargetHealthDescriptions"]:
        told["TargetHealth"] = {
            name: value if name == "Description" else value.replace(".", "_").upper()
            for name, value in told["TargetHealth"].items()
        }
    return answer


def terminate(w: Targets) -> Any:
    """The health of an instance that was terminated."""
    w.ec2.terminate_instances(InstanceIds=[w.two])
    return health(w, w.web, at(w.two))


def stop(w: Targets) -> Any:
    """The health of an instance that was stopped."""
    w.ec2.stop_instances(InstanceIds=[w.three])
    return health(w, w.web, at(w.three))


ASKED: dict[str, Callable[[Targets], Any]] = {
    "DescribeTargetGroups": lambda w: w.elb.describe_target_groups(),
    "DescribeTargetGroups by name": lambda w: w.elb.describe_target_groups(Names=[WEB, OTHER]),
    "DescribeTargetGroups by ARN": lambda w: w.elb.describe_target_groups(TargetGroupArns=[w.web]),
    "DescribeTargetHealth": lambda w: health(w, w.web),
    "DescribeTargetHealth of strangers": lambda w: health(w, w.other, at(w.one)),
    "DescribeTargetHealth of an unknown one": lambda w: health(w, w.other, at(UNKNOWN_INSTANCE)),
    "RegisterTargets": lambda w: w.register(w.other, at(w.one), at(w.two, 81)),
    "DescribeTargetHealth after RegisterTargets": lambda w: health(w, w.other),
    "DeregisterTargets": lambda w: w.deregister(w.other, at(w.two, 81)),
    "DeregisterTargets of a stranger": lambda w: w.deregister(w.other, at(w.three)),
    "DescribeTargetHealth after DeregisterTargets": lambda w: health(w, w.other, at(w.two, 81)),
    "DescribeTargetHealth after TerminateInstances": terminate,
    "DescribeTargetHealth after StopInstances": stop,
    "RegisterTargets of a stopped one": lambda w: w.register(w.other, at(w.three)),
    "DescribeTargetHealth of no group": lambda w: health(w, UNKNOWN_GROUP),
    **{f"refused: {what}": ask for what, (_, ask) in REFUSED.items() if "at once" not in what},
}

INITIAL = "DescribeTargetHealth after RegisterTargets"
NOT_CHECKED = {
    "a page of 401": "pages",
    "another's marker": "pages",
    "something else besides": "what is included",
    "registering nothing": "that there is a target",
    "registering an address": "ids",
    "registering an unknown instance": "that an instance is there",
    "registering a stopped instance": "that an instance is there",
    "registering an instance of another VPC": "that an instance is there",
    "a port that is none": "ports",
    "a zone of an instance": "what is for other kinds of targets",
    "deregistering nothing": "that there is a target",
    "deregistering an address": "ids",
}

DIFFERENCES: dict[str, str] = {
    **left_out(INITIAL, *(f"TargetHealthDescriptions[].TargetHealth.{name}" for name in ("Reason", "Description"))),
    f"{INITIAL}: TargetHealthDescriptions[].TargetHealth.State": "in moto a target is healthy at once",
    "DescribeTargetHealth after DeregisterTargets: TargetHealthDescriptions[].TargetHealth.State": (
        "in moto a target is gone at once; that it drains is what the fake is for"
    ),
    "DescribeTargetHealth after DeregisterTargets: TargetHealthDescriptions[].TargetHealth.Reason": "the same",
    "DeregisterTargets of a stranger: error": "a success by the API reference (API_DeregisterTargets, the note)",
    "refused: what is no ARN: error": "moto takes it for one; AWS was seen to say `is not a valid target group ARN`",
    **{f"refused: {what}: error": f"moto does not check {check}" for what, check in NOT_CHECKED.items()},
}


@pytest.fixture(scope="module")
def worlds() -> Iterator[tuple[Targets, Targets]]:
    """The fake's and moto's."""
    run = OWN
    with spot_fake(run) as fake, moto_server(run) as moto:
        furnish(moto)
        furnish_targets(moto)
        yield Targets(fake), Targets(moto)


def furnish_targets(moto: Clients) -> None:
    """A load balancer that sends requests to two target groups, the first of which has the group's instances."""
    elb, ec2 = moto("elbv2"), moto("ec2")
    instances = moto("autoscaling").describe_auto_scaling_instances()["AutoScalingInstances"]
    ids = [instance["InstanceId"] for instance in instances if instance["AutoScalingGroupName"] == GROUP]
    subnets = ec2.describe_subnets()["Subnets"]
    balancer = elb.create_load_balancer(Name="fake", Subnets=[subnet["SubnetId"] for subnet in subnets[:2]])
    for port, name in ((80, WEB), (PORT, OTHER)):
        plan = {"Name": name, "Port": port, "Protocol": "HTTP", "VpcId": subnets[0]["VpcId"], "TargetType": "instance"}
        (group,) = elb.create_target_group(**plan)["TargetGroups"]
        forward = {"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}
        (made,) = balancer["LoadBalancers"]
        elb.create_listener(LoadBalancerArn=made["LoadBalancerArn"], Port=port, Protocol="HTTP", DefaultActions=[forward])
        if name == WEB:
            elb.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[at(instance) for instance in ids])


def test_answers_are_alike(worlds: tuple[Targets, Targets]) -> None:
    check_alike(worlds, ASKED, DIFFERENCES)
