"""What the two boto3 drainers share: the calls of the published function."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3

TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
autoscaling = boto3.client("autoscaling")
ecs = boto3.client("ecs")
sns = boto3.client("sns")


@dataclass(frozen=True)
class Leaving:
    """A message of the hook: an instance that Auto Scaling wants to terminate."""

    message: dict[str, Any]
    topic: str

    @property
    def cluster(self) -> str:
        """From the hook's metadata, which costs no call."""
        cluster: str = json.loads(self.message["NotificationMetadata"])["cluster"]
        return cluster

    def container_instance(self) -> dict[str, Any]:
        """Looks through the cluster, a page after the other, until it is found."""
        for page in ecs.get_paginator("list_container_instances").paginate(cluster=self.cluster):
            arns = page["containerInstanceArns"]
            if not arns:
                continue
            described = ecs.describe_container_instances(cluster=self.cluster, containerInstances=arns)
            for instance in described["containerInstances"]:
                if instance["ec2InstanceId"] == self.message["EC2InstanceId"]:
                    found: dict[str, Any] = instance
                    return found
        raise LookupError(self.message["EC2InstanceId"])

    def drain(self, instance: dict[str, Any]) -> None:
        """Has ECS move the tasks of services, unless it does already."""
        if instance["status"] != "DRAINING":
            arns = [instance["containerInstanceArn"]]
            ecs.update_container_instances_state(cluster=self.cluster, containerInstances=arns, status="DRAINING")

    def has_tasks(self, instance: dict[str, Any]) -> bool:
        """As the published functions ask: for tasks whose desired status is RUNNING."""
        listed = ecs.list_tasks(cluster=self.cluster, containerInstance=instance["containerInstanceArn"])
        return bool(listed["taskArns"])

    def let_go(self) -> None:
        """Completes the hook."""
        autoscaling.complete_lifecycle_action(
            LifecycleHookName=self.message["LifecycleHookName"],
            AutoScalingGroupName=self.message["AutoScalingGroupName"],
            InstanceId=self.message["EC2InstanceId"],
            LifecycleActionResult="CONTINUE",
        )

    def publish(self) -> None:
        """Has the function run again."""
        sns.publish(TopicArn=self.topic, Message=json.dumps(self.message))


def leaving(event: dict[str, Any]) -> Iterator[Leaving]:
    """The instances that an event of SNS tells of."""
    for record in event["Records"]:
        message = json.loads(record["Sns"]["Message"])
        if message.get("LifecycleTransition") == TERMINATING:
            yield Leaving(message, record["Sns"]["TopicArn"])
