"""The fake's EC2 and the tags of its groups answer as moto's do, or a reason is given here.

moto has no look-ups in CloudTrail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conftest import Clients
from environment import OWN
from local_stack import fake_aws
from moto_world import GROUP, furnish, moto_server
from test_fake_boto3 import UNKNOWN_INSTANCE
from test_fake_boto3_machines import NAME, ZONE, Machines, named
from test_fake_moto import check_alike, left_out

GROUP_TAG = {"ResourceId": GROUP, "ResourceType": "auto-scaling-group", "Key": "team", "Value": "web"}


def protected(w: Machines) -> str:
    """An instance that may not be terminated."""
    instance = w.launch()["Instances"][0]["InstanceId"]
    w.ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": True})
    return instance


ASKED: dict[str, Callable[[Machines], Any]] = {
    "RunInstances": lambda w: w.launch(TagSpecifications=[{"ResourceType": "instance", "Tags": [NAME]}]),
    "RunInstances of none": lambda w: w.launch(MinCount=2, MaxCount=1),
    "RunInstances into no subnet": lambda w: w.ec2.run_instances(
        ImageId="ami-0abcdef1234567890", MinCount=1, MaxCount=1, SubnetId="subnet-00000000000000000"
    ),
    "DescribeInstances": lambda w: w.ec2.describe_instances(InstanceIds=w.ids),
    "DescribeInstances by tag": lambda w: w.ec2.describe_instances(Filters=[named("tag:Name", "web")]),
    "DescribeInstances by key": lambda w: w.ec2.describe_instances(Filters=[named("tag-key", "Na*")]),
    "DescribeInstances by zone": lambda w: w.ec2.describe_instances(Filters=[named("availability-zone", ZONE)]),
    "DescribeInstances by state": lambda w: w.ec2.describe_instances(
        Filters=[named("instance-state-name", "stopped")]
    ),
    "DescribeInstances of a group": lambda w: w.ec2.describe_instances(
        Filters=[named("tag:aws:autoscaling:groupName", GROUP)]
    ),
    "DescribeInstances by id": lambda w: w.ec2.describe_instances(Filters=[named("instance-id", w.one)]),
    "DescribeInstances by an unknown id": lambda w: w.ec2.describe_instances(
        Filters=[named("instance-id", UNKNOWN_INSTANCE)]
    ),
    "DescribeInstances by nonsense": lambda w: w.ec2.describe_instances(Filters=[named("nonsense", "x")]),
    "DescribeInstances of an unknown one": lambda w: w.ec2.describe_instances(InstanceIds=[UNKNOWN_INSTANCE]),
    "DescribeInstances of no id": lambda w: w.ec2.describe_instances(InstanceIds=["i-x"]),
    "DescribeInstances of ids and a page": lambda w: w.ec2.describe_instances(InstanceIds=[w.one], MaxResults=5),
    "DescribeAvailabilityZones": lambda w: w.ec2.describe_availability_zones(),
    "DescribeAvailabilityZones of one": lambda w: w.ec2.describe_availability_zones(ZoneNames=[ZONE]),
    "CreateTags": lambda w: w.ec2.create_tags(Resources=w.ids, Tags=[NAME, {"Key": "empty", "Value": ""}]),
    "CreateTags of an unknown one": lambda w: w.ec2.create_tags(Resources=[w.one, UNKNOWN_INSTANCE], Tags=[NAME]),
    "CreateTags of AWS's": lambda w: w.ec2.create_tags(Resources=[w.one], Tags=[{"Key": "aws:x", "Value": "y"}]),
    "CreateTags of 51": lambda w: w.ec2.create_tags(
        Resources=[w.one], Tags=[{"Key": str(number), "Value": ""} for number in range(51)]
    ),
    "CreateTags for a trial": lambda w: w.ec2.create_tags(Resources=[w.one], Tags=[NAME], DryRun=True),
    "DeleteTags of another value": lambda w: w.ec2.delete_tags(
        Resources=[w.one], Tags=[{"Key": "Name", "Value": "other"}]
    ),
    "DescribeInstances after DeleteTags": lambda w: w.ec2.describe_instances(
        Filters=[named("instance-id", w.one), named("tag:Name", "web")]
    ),
    "DeleteTags": lambda w: w.ec2.delete_tags(Resources=w.ids, Tags=[{"Key": "Name"}]),
    "DescribeInstances without the tag": lambda w: w.ec2.describe_instances(
        Filters=[named("instance-id", w.one), named("tag-key", "Name")]
    ),
    "DescribeInstanceAttribute": lambda w: w.ec2.describe_instance_attribute(
        InstanceId=w.one, Attribute="disableApiTermination"
    ),
    "DescribeInstanceAttribute to stop": lambda w: w.ec2.describe_instance_attribute(
        InstanceId=w.one, Attribute="disableApiStop"
    ),
    "DescribeInstanceAttribute of an unknown one": lambda w: w.ec2.describe_instance_attribute(
        InstanceId=UNKNOWN_INSTANCE, Attribute="disableApiTermination"
    ),
    "StopInstances of an unknown one": lambda w: w.ec2.stop_instances(InstanceIds=[UNKNOWN_INSTANCE]),
    "StopInstances": lambda w: w.ec2.stop_instances(
        InstanceIds=[w.describe(Filters=[named("tag:aws:autoscaling:groupName", GROUP)])[0]["InstanceId"]]
    ),
    "TerminateInstances of a protected one": lambda w: w.ec2.terminate_instances(InstanceIds=[protected(w)]),
    "TerminateInstances of an unknown one": lambda w: w.ec2.terminate_instances(InstanceIds=[UNKNOWN_INSTANCE]),
    "TerminateInstances": lambda w: w.ec2.terminate_instances(InstanceIds=w.ids),
    "CreateOrUpdateTags": lambda w: w.asg.create_or_update_tags(Tags=[GROUP_TAG | {"PropagateAtLaunch": True}]),
    "DescribeTags": lambda w: w.asg.describe_tags(Filters=[named("auto-scaling-group", GROUP), named("key", "team")]),
    "DescribeTags of another": lambda w: w.asg.describe_tags(Filters=[named("auto-scaling-group", "nope")]),
}

LAUNCHED = "Instances[].Operator.Managed"
DESCRIBED = f"Reservations[].{LAUNCHED}"
ZONES = tuple(f"AvailabilityZones[].{name}" for name in ("OptInStatus", "GroupName", "NetworkBorderGroup"))

DIFFERENCES: dict[str, str] = {
    **left_out("RunInstances", LAUNCHED),
    **left_out("DescribeInstances", DESCRIBED),
    **left_out("DescribeInstances by tag", DESCRIBED),
    **left_out("DescribeInstances by key", DESCRIBED),
    **left_out("DescribeInstances by zone", DESCRIBED, "Reservations[].RequesterId"),
    **left_out("DescribeInstances of a group", DESCRIBED, "Reservations[].RequesterId"),
    **left_out("DescribeInstances by id", DESCRIBED),
    **left_out("DescribeInstances after DeleteTags", DESCRIBED),
    **left_out("DescribeAvailabilityZones", *ZONES),
    **left_out("DescribeAvailabilityZones of one", *ZONES),
    "RunInstances of none: error": "moto launches as many as the greater number says",
    "DescribeInstances by nonsense: error": "moto crashes: it says which filters it has not",
    "CreateTags of an unknown one: error": "moto tags whatever it is told to, there or not",
    "CreateTags of AWS's: error": "moto lets everybody write AWS's tags",
}


@pytest.fixture(scope="module")
def worlds() -> Iterator[tuple[Machines, Machines]]:
    """The fake's and moto's."""
    run = OWN
    with fake_aws(run) as fake, moto_server(run) as moto:
        furnish(moto)
        yield Machines(Clients(fake)), Machines(moto)


def test_answers_are_alike(worlds: tuple[Machines, Machines]) -> None:
    check_alike(worlds, ASKED, DIFFERENCES)
