"""A spot notice from outside: furnish, interrupt, and judge by what the fake AWS has seen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import drain
from drain import Entry, moment
from environment import ROOT
from local_stack import DEMO, Stack

FUNCTION = "spot-interruption"
CLUSTER, GROUP, TARGET_GROUP = "spot", "spot-ecs", "shop"
TAG = "loadBalancerTargetGroup"
ADDRESS = "operations@example.com"
NOTICE = timedelta(minutes=2)
AT_ONCE = timedelta(seconds=5)  # with two cold starts, two queues' windows, and a machine that is busy elsewhere


# The group replaces an instance as soon as EC2 says that it wants it back. One has room for all tasks.
PLAN = {
    "name": CLUSTER,
    "instances": 2,
    "max": 6,
    "cpu": 4096,
    "memory": 16384,
    "capacity_rebalance": True,
    "services": [
        {"name": "shop", "tasks": 4, "cpu": 256, "memory": 512, "start_seconds": [1, 1], "stop_seconds": [2, 3]}
    ],
}
# What the fake begins with: this and the demo's clusters.
WORLD: dict[str, Any] = {
    "clusters": [*json.loads(DEMO.read_text())["clusters"], PLAN],
    "target_groups": [{"name": TARGET_GROUP, "group": GROUP}],
    "settings": {"state_events": True},
}
# One that no cluster knows, and those that the samples name.
ALONE = "i-0a10e000000000001"
SAMPLES = (ROOT / "events" / FUNCTION).glob("*.json")
SAMPLED = sorted({id for sample in SAMPLES for id in re.findall(r"\b(i-[0-9a-f]{17})\b", sample.read_text())})
MACHINES = [{"ids": [ALONE, *SAMPLED], "count": 1 + len(SAMPLED), "launched_hours_ago": 100}]
# No event of a task, and no pass in time but the urgent ones: what ends a drain is what is looked at.
PARAMETERS = {"TaskStoppedEvents": "DISABLED", "UrgentIntervalSeconds": 5, "EcsMetricsDriver": "off"}
TESTED = {**WORLD, "machines": MACHINES, "settings": {"state_events": True, "stopping_seconds": 1}}


def instances(stack: Stack, group: str = GROUP) -> list[str]:
    """A group's."""
    described = stack.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    return [instance["InstanceId"] for one in described["AutoScalingGroups"] for instance in one["Instances"]]


def target_group(stack: Stack) -> str:
    """The ARN of the target group, where the group's instances are targets."""
    (group,) = stack.client("elbv2").describe_target_groups(Names=[TARGET_GROUP])["TargetGroups"]
    return str(group["TargetGroupArn"])


def tag(stack: Stack, ids: Iterable[str]) -> None:
    """Tells the function where instances are targets."""
    tags = [{"Key": TAG, "Value": target_group(stack)}]
    stack.client("ec2").create_tags(Resources=list(ids), Tags=tags)


def tag_command(ids: Iterable[str], arn: str) -> list[str]:
    """The same by the AWS command line."""
    return ["aws", "ec2", "create-tags", "--resources", *ids, "--tags", f"Key={TAG},Value={arn}"]


def subscribe(stack: Stack) -> None:
    """Has the notices mailed."""
    topic = stack.outputs["OperationsTopicArn"]
    stack.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=ADDRESS)


def notices(stack: Stack, instance: str) -> list[EmailMessage]:
    """The mails about an instance."""
    to_us = [mail for mail in stack.mails() if mail["To"] == ADDRESS]
    return [mail for mail in to_us if instance in f"{mail['Subject']} {mail.get_content()}"]


@dataclass
class Interrupted(drain.Leaving):
    """An instance that EC2 interrupts, as it is after some entries of the history."""

    target: str = "in use"
    notice: str = "interrupted"

    def see(self, entry: Entry) -> None:
        """One more entry of the history."""
        if entry["what"] == "target_state" and entry["instance"] == self.instance:
            self.target = entry["state"]
        super().see(entry)

    def begins(self, entry: Entry) -> bool:
        """Whether it leaves with this entry, or has before."""
        return entry["what"] == self.notice and entry["instance"] == self.instance

    def row(self) -> tuple[str, ...]:
        """What is worth a line when it changes."""
        state, container_instance, *rest = super().row()
        return (state, container_instance, self.target, *rest)


@dataclass
class Times:
    """How long after the notice something happened; none if it did not."""

    left_target_group: timedelta | None
    draining: timedelta | None
    completed: timedelta | None


def times(history: list[Entry], instance: str) -> Times:
    """What the history says of an interrupted instance."""
    ours = [entry for entry in history if entry.get("instance") == instance]
    (began,) = (moment(entry) for entry in ours if entry["what"] == "interrupted")

    def first(what: str, **fields: str) -> timedelta | None:
        found = (entry for entry in ours if entry["what"] == what and fields.items() <= entry.items())
        return next((moment(entry) - began for entry in found if moment(entry) >= began), None)

    return Times(
        first("target_state", state="draining"),
        first("container_instance_state", status="DRAINING"),
        first("hook_completed"),
    )


def judge(history: list[Entry], stack: Stack, instance: str) -> dict[str, bool]:
    """Was all done at once, and the hook completed in time? Whether the drain is right, `drain.judge` says."""
    took = times(history, instance)
    return {
        "the instance left its target group at once": took.left_target_group is not None
        and took.left_target_group < AT_ONCE,
        "and was set to DRAINING": took.draining is not None and took.draining < AT_ONCE,
        "one notice was sent": len(notices(stack, instance)) == 1,
        "the hook was completed before the two minutes ended": took.completed is not None
        and took.completed < NOTICE,
    }
