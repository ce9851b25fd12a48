"""boto3 drives the fake's EC2, its CloudTrail and the tags of its groups: what works, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from conftest import Clients
from environment import client_settings
from test_fake_boto3 import GROUP, UNKNOWN_INSTANCE

IMAGE = "ami-0abcdef1234567890"
LAUNCH = {"ImageId": IMAGE, "InstanceType": "t3.micro", "MinCount": 2, "MaxCount": 2}
ZONE = "us-east-1a"
NAME = {"Key": "Name", "Value": "web"}


class Machines:
    """Two machines, launched together, with what a test refers to."""

    def __init__(self, clients: Clients) -> None:
        self.ec2, self.asg, self.trail = clients("ec2"), clients("autoscaling"), clients("cloudtrail")
        no_retries = Config(retries={"total_max_attempts": 1})
        self.impatient = boto3.client("cloudtrail", config=no_retries, **client_settings(clients.endpoint))
        self.launched = self.launch(TagSpecifications=[{"ResourceType": "instance", "Tags": [NAME]}])
        self.ids = [instance["InstanceId"] for instance in self.launched["Instances"]]
        self.one = self.ids[0]

    def launch(self, **more: Any) -> Any:
        placed = {"Placement": {"AvailabilityZone": ZONE}}
        return self.ec2.run_instances(**LAUNCH | placed | more)

    def describe(self, **asked: Any) -> list[dict[str, Any]]:
        """Every instance of an answer."""
        answer = self.ec2.describe_instances(**asked)
        return [instance for reservation in answer["Reservations"] for instance in reservation["Instances"]]

    def tags(self) -> dict[str, str]:
        """Of the one instance."""
        (instance,) = self.describe(InstanceIds=[self.one])
        return {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}

    def find(self, key: str, value: str, **more: Any) -> list[dict[str, Any]]:
        """Events of the trail."""
        attribute = {"AttributeKey": key, "AttributeValue": value}
        return self.trail.lookup_events(LookupAttributes=[attribute], **more)["Events"]


@pytest.fixture
def machines(fake: Clients) -> Machines:
    return Machines(fake)


def named(name: str, *values: str) -> dict[str, Any]:
    """A filter."""
    return {"Name": name, "Values": list(values)}


def launch_answers(w: Machines) -> bool:
    first = w.launched["Instances"][0]
    placed = (first["Placement"]["AvailabilityZone"], first["State"]["Name"], first["Tags"], first["InstanceType"])
    return len(w.ids) == 2 and placed == (ZONE, "pending", [NAME], "t3.micro")


def launch_once(w: Machines) -> bool:
    twice = [w.launch(ClientToken="token")["ReservationId"] for _ in range(2)]
    return twice[0] == twice[1] != w.launched["ReservationId"]


def launch_into_subnet(w: Machines) -> bool:
    subnet = w.launched["Instances"][0]["SubnetId"]
    answer = w.ec2.run_instances(**LAUNCH, SubnetId=subnet)
    return answer["Instances"][0]["Placement"]["AvailabilityZone"] == ZONE


def describe_whole(w: Machines) -> bool:
    (one,) = w.describe(InstanceIds=[w.one])
    (interface,) = one["NetworkInterfaces"]
    attachment = interface["Attachment"]
    kinds = (one["RootDeviceType"], one["Operator"]["Managed"], attachment["DeviceIndex"])
    return kinds == ("ebs", False, 0) and attachment["AttachTime"] == one["LaunchTime"]


def describe_pages(w: Machines) -> bool:
    for _ in range(3):  # of five that may be launched at once
        w.launch(MinCount=4, MaxCount=4)
    pages = w.ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5})
    seen = [i["InstanceId"] for page in pages for r in page["Reservations"] for i in r["Instances"]]
    return sorted(seen) == sorted(i["InstanceId"] for i in w.describe()) and len(seen) == len(set(seen)) == 17


def describe_filtered(w: Machines) -> bool:
    by_tag = w.describe(Filters=[named("tag:Name", "web"), named("availability-zone", ZONE)])
    of_group = w.describe(Filters=[named("tag:aws:autoscaling:groupName", GROUP)])
    (vpc,) = {instance["VpcId"] for instance in by_tag}
    here = w.describe(Filters=[named("vpc-id", vpc), named("instance-state-name", "running", "pending")])
    return (len(by_tag), len(of_group), len(here)) == (2, 3, 5)


def tag_and_untag(w: Machines) -> bool:
    w.ec2.create_tags(Resources=w.ids, Tags=[{"Key": "Name", "Value": "a & b"}, {"Key": "empty", "Value": ""}])
    written = w.tags()
    w.ec2.delete_tags(Resources=w.ids, Tags=[{"Key": "Name", "Value": "other"}, {"Key": "empty"}])
    return written == {"Name": "a & b", "empty": ""} and w.tags() == {"Name": "a & b"}


def terminate_twice(w: Machines) -> bool:
    answers = [w.ec2.terminate_instances(InstanceIds=w.ids)["TerminatingInstances"] for _ in range(2)]
    changes = [(a["PreviousState"]["Name"], a["CurrentState"]["Name"]) for answer in answers for a in answer]
    return changes == [("pending", "shutting-down")] * 2 + [("shutting-down", "shutting-down")] * 2


def stop_a_running_one(w: Machines) -> bool:
    running = w.describe(Filters=[named("instance-state-name", "running")])[0]["InstanceId"]
    (change,) = w.ec2.stop_instances(InstanceIds=[running])["StoppingInstances"]
    return (change["PreviousState"]["Name"], change["CurrentState"]["Code"]) == ("running", 64)


def attributes(w: Machines) -> bool:
    kept = w.launch(DisableApiTermination=True)["Instances"][0]["InstanceId"]
    w.ec2.modify_instance_attribute(InstanceId=w.one, DisableApiStop={"Value": True})
    asked = [(kept, "disableApiTermination"), (kept, "disableApiStop"), (w.one, "disableApiStop")]
    answers = [w.ec2.describe_instance_attribute(InstanceId=id_, Attribute=name) for id_, name in asked]
    told = [next(a[key]["Value"] for key in a if key.startswith("DisableApi")) for a in answers]
    return told == [True, False, True]


def zones(w: Machines) -> bool:
    some = w.ec2.describe_availability_zones()["AvailabilityZones"]
    every = w.ec2.describe_availability_zones(AllAvailabilityZones=True)["AvailabilityZones"]
    statuses = {zone["OptInStatus"] for zone in every}
    return len(every) > len(some) and statuses == {"opt-in-not-required", "not-opted-in"}


def look_up(w: Machines) -> bool:
    (event,) = w.find("ResourceName", w.one)
    record = json.loads(event["CloudTrailEvent"])
    ids = [item["instanceId"] for item in record["responseElements"]["instancesSet"]["items"]]
    person = record["userIdentity"]
    return (ids, person["type"], person["userName"]) == (w.ids, "IAMUser", event["Username"])


def look_up_window(w: Machines) -> bool:
    at = w.find("ResourceName", w.one)[0]["EventTime"]
    inside = w.find("EventName", "RunInstances", StartTime=at, EndTime=at)
    return w.one in [resource["ResourceName"] for event in inside for resource in event["Resources"]]


def tag_a_group(w: Machines) -> bool:
    tag = {"ResourceId": GROUP, "ResourceType": "auto-scaling-group", "Key": "CreatedBy", "Value": "alice"}
    w.asg.create_or_update_tags(Tags=[tag | {"PropagateAtLaunch": False}])
    told = w.asg.describe_tags(Filters=[named("auto-scaling-group", GROUP), named("key", "CreatedBy")])["Tags"]
    return told == [tag | {"PropagateAtLaunch": False}]


WORKS: dict[str, Callable[[Machines], Any]] = {
    "RunInstances": launch_answers,
    "RunInstances: once a token": launch_once,
    "RunInstances: into a subnet": launch_into_subnet,
    "DescribeInstances": describe_whole,
    "DescribeInstances: pages": describe_pages,
    "DescribeInstances: filters": describe_filtered,
    "CreateTags, DeleteTags": tag_and_untag,
    "StopInstances": stop_a_running_one,
    "TerminateInstances: twice": terminate_twice,
    "ModifyInstanceAttribute, DescribeInstanceAttribute": attributes,
    "DescribeAvailabilityZones": zones,
    "LookupEvents: by resource": look_up,
    "LookupEvents: by name and time": look_up_window,
    "CreateOrUpdateTags, DescribeTags": tag_a_group,
}

REFUSED: dict[str, tuple[str, Callable[[Machines], Any]]] = {
    "an unknown instance": (
        "InvalidInstanceID.NotFound",
        lambda w: w.ec2.describe_instances(InstanceIds=[w.one, UNKNOWN_INSTANCE]),
    ),
    "an id that is none": ("InvalidInstanceID.Malformed", lambda w: w.ec2.describe_instances(InstanceIds=["i-x"])),
    "ids and a page's size": (
        "InvalidParameterCombination",
        lambda w: w.ec2.describe_instances(InstanceIds=[w.one], MaxResults=5),
    ),
    "a page of four": ("InvalidParameterValue", lambda w: w.ec2.describe_instances(MaxResults=4)),
    "a filter that is none": (
        "InvalidParameterValue",
        lambda w: w.ec2.describe_instances(Filters=[named("nonsense", "x")]),
    ),
    "a filter of 201 values": (
        "FilterLimitExceeded",
        lambda w: w.ec2.describe_instances(Filters=[named("vpc-id", *map(str, range(201)))]),
    ),
    "a tag of an unknown instance": (
        "InvalidInstanceID.NotFound",
        lambda w: w.ec2.create_tags(Resources=[w.one, UNKNOWN_INSTANCE], Tags=[NAME]),
    ),
    "a tag of AWS's": (
        "InvalidParameterValue",
        lambda w: w.ec2.create_tags(Resources=[w.one], Tags=[{"Key": "AWS:x", "Value": "y"}]),
    ),
    "51 tags": (
        "TagLimitExceeded",
        lambda w: w.ec2.create_tags(Resources=[w.one], Tags=[{"Key": str(n), "Value": ""} for n in range(51)]),
    ),
    "a tag for a trial": (
        "DryRunOperation",
        lambda w: w.ec2.create_tags(Resources=[w.one], Tags=[NAME], DryRun=True),
    ),
    "stopping one that starts": ("IncorrectInstanceState", lambda w: w.ec2.stop_instances(InstanceIds=[w.one])),
    "terminating an unknown one": (
        "InvalidInstanceID.NotFound",
        lambda w: w.ec2.terminate_instances(InstanceIds=[w.one, UNKNOWN_INSTANCE]),
    ),
    "terminating a protected one": (
        "OperationNotPermitted",
        lambda w: w.ec2.terminate_instances(
            InstanceIds=[w.launch(DisableApiTermination=True)["Instances"][0]["InstanceId"]]
        ),
    ),
    "an unknown attribute": (
        "InvalidParameterValue",
        lambda w: w.ec2.describe_instance_attribute(InstanceId=w.one, Attribute="kernel"),
    ),
    "two attributes at once": (
        "InvalidParameterCombination",
        lambda w: w.ec2.modify_instance_attribute(
            InstanceId=w.one, DisableApiStop={"Value": True}, DisableApiTermination={"Value": True}
        ),
    ),
    "a launch into an unknown zone": (
        "InvalidParameterValue",
        lambda w: w.launch(Placement={"AvailabilityZone": "us-west-9z"}),
    ),
    "an unknown zone": (
        "InvalidParameterValue",
        lambda w: w.ec2.describe_availability_zones(ZoneNames=["us-west-9z"]),
    ),
    "two attributes to look up": (
        "InvalidLookupAttributesException",
        lambda w: w.trail.lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "x"}] * 2
        ),
    ),
    "51 events": ("InvalidMaxResultsException", lambda w: w.find("EventName", "x", MaxResults=51)),
    "a time that ends before it begins": (
        "InvalidTimeRangeException",
        lambda w: w.find("EventName", "x", StartTime=2, EndTime=1),
    ),
    "another's token": (
        "InvalidNextTokenException",
        lambda w: w.find("EventName", "x", NextToken="nonsense"),
    ),
    "a third look-up in a second": (
        "ThrottlingException",
        lambda w: [w.impatient.lookup_events() for _ in range(4)],
    ),
    "a filter of groups that is none": (
        "ValidationError",
        lambda w: w.asg.describe_tags(Filters=[named("nonsense", "x")]),
    ),
}


@pytest.mark.parametrize("operation", WORKS)
def test_works(machines: Machines, operation: str) -> None:
    assert WORKS[operation](machines), operation


@pytest.mark.parametrize("what", REFUSED)
def test_is_refused(machines: Machines, what: str) -> None:
    code, ask = REFUSED[what]
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        ask(machines)
    assert refusal.value.response["Error"]["Code"] == code
