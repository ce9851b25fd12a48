"""boto3 drives every operation of the fake: its parsers and validators are made from AWS's own models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.exceptions
import pytest

from conftest import Clients

CLUSTER, GROUP, HOOK = "prod", "prod-ecs", "drain"
TOPIC = "arn:aws:sns:us-east-1:123456789012:drain"
UNKNOWN_ID = "0" * 32
UNKNOWN_INSTANCE = "i-00000000000000000"
PUT_HOOK = {
    "LifecycleHookName": HOOK,
    "AutoScalingGroupName": GROUP,
    "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
    "NotificationTargetARN": TOPIC,
    "RoleARN": "arn:aws:iam::123456789012:role/hook",
    "NotificationMetadata": '{"cluster":"prod"}',
    "HeartbeatTimeout": 900,
    "DefaultResult": "CONTINUE",
}


class World:
    """The demo scenario with what a test refers to."""

    def __init__(self, clients: Clients) -> None:
        self.ecs, self.asg, self.sns = clients("ecs"), clients("autoscaling"), clients("sns")
        self.members = self.ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
        self.member = self.members[0]
        self.tasks = self.ecs.list_tasks(cluster=CLUSTER, containerInstance=self.member)["taskArns"]
        described = self.ecs.describe_container_instances(cluster=CLUSTER, containerInstances=[self.member])
        self.instance = described["containerInstances"][0]["ec2InstanceId"]

    def hold(self) -> dict[str, str]:
        """Has the instance held by a hook; the parameters that name its lifecycle action."""
        self.asg.put_lifecycle_hook(**PUT_HOOK)
        self.asg.terminate_instance_in_auto_scaling_group(
            InstanceId=self.instance, ShouldDecrementDesiredCapacity=True
        )
        return {"LifecycleHookName": HOOK, "AutoScalingGroupName": GROUP, "InstanceId": self.instance}

    def state(self) -> str:
        """Of the instance, as Auto Scaling tells it."""
        (told,) = self.asg.describe_auto_scaling_instances(InstanceIds=[self.instance])["AutoScalingInstances"]
        return told["LifecycleState"]


@pytest.fixture
def world(fake: Clients) -> World:
    return World(fake)


def attribute(member: str, name: str = "fleetkeeper", value: str = "x") -> dict[str, str]:
    """One custom attribute."""
    return {"name": name, "value": value, "targetType": "container-instance", "targetId": member}


def list_pages(w: World) -> bool:
    pages = w.ecs.get_paginator("list_container_instances").paginate(
        cluster=CLUSTER, PaginationConfig={"PageSize": 1}
    )
    return [arn for page in pages for arn in page["containerInstanceArns"]] == w.members


def stop_a_task(w: World) -> bool:
    stopped = w.ecs.stop_task(cluster=CLUSTER, task=w.tasks[0], reason="test")["task"]
    listed = w.ecs.list_tasks(cluster=CLUSTER, containerInstance=w.member, desiredStatus="STOPPED")["taskArns"]
    return stopped["desiredStatus"] == "STOPPED" and listed == [w.tasks[0]]


def drain(w: World) -> bool:
    put = {"cluster": CLUSTER, "containerInstances": [w.member], "status": "DRAINING"}
    twice = [w.ecs.update_container_instances_state(**put) for _ in range(2)]
    return all(
        not answer["failures"] and answer["containerInstances"][0]["status"] == "DRAINING" for answer in twice
    )


def describe_tasks(w: World) -> bool:
    answer = w.ecs.describe_tasks(cluster=CLUSTER, tasks=[*w.tasks, UNKNOWN_ID])
    told = {task["taskArn"]: task["containerInstanceArn"] for task in answer["tasks"]}
    return told == dict.fromkeys(w.tasks, w.member) and [f["reason"] for f in answer["failures"]] == ["MISSING"]


def describe_members(w: World) -> bool:
    answer = w.ecs.describe_container_instances(cluster=CLUSTER, containerInstances=[w.member, UNKNOWN_ID])
    (told,) = answer["containerInstances"]
    counted = told["runningTasksCount"] + told["pendingTasksCount"] == len(w.tasks)
    return counted and told["agentConnected"] and [f["reason"] for f in answer["failures"]] == ["MISSING"]


def put_attributes(w: World) -> bool:
    w.ecs.put_attributes(cluster=CLUSTER, attributes=[attribute(w.member)])
    answer = w.ecs.describe_container_instances(cluster=CLUSTER, containerInstances=[w.member])
    (told,) = answer["containerInstances"]
    return {"name": "fleetkeeper", "value": "x"} in told["attributes"]


def find_by_filter(w: World) -> bool:
    expressions = (f"ec2InstanceId=={w.instance}", f"ec2InstanceId in [{w.instance}, {UNKNOWN_INSTANCE}]")
    asked = [w.ecs.list_container_instances(cluster=CLUSTER, filter=expression) for expression in expressions]
    return all(answer["containerInstanceArns"] == [w.member] for answer in asked)


def put_hook(w: World) -> bool:
    w.asg.put_lifecycle_hook(**PUT_HOOK)
    (hook,) = w.asg.describe_lifecycle_hooks(AutoScalingGroupName=GROUP)["LifecycleHooks"]
    return {key: hook[key] for key in PUT_HOOK} == PUT_HOOK and hook["GlobalTimeout"] == 90_000


def describe_groups(w: World) -> bool:
    (group,) = w.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"]
    states = [instance["LifecycleState"] for instance in group["Instances"]]
    return (group["MinSize"], group["DesiredCapacity"], group["MaxSize"], states) == (1, 3, 4, ["InService"] * 3)


def set_capacity(w: World) -> bool:
    w.asg.put_lifecycle_hook(**PUT_HOOK)
    w.asg.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=2)
    (group,) = w.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"]
    states = [instance["LifecycleState"] for instance in group["Instances"]]
    return group["DesiredCapacity"] == 2 and sorted(states) == ["InService", "InService", "Terminating:Wait"]


def heartbeat_and_complete(w: World) -> bool:
    action = w.hold()
    held = w.state()
    w.asg.record_lifecycle_action_heartbeat(**action)
    w.asg.complete_lifecycle_action(**action, LifecycleActionResult="CONTINUE")
    return held == "Terminating:Wait" and w.state() == "Terminating:Proceed"


def unknown_instances_are_left_out(w: World) -> bool:
    answer = w.asg.describe_auto_scaling_instances(InstanceIds=[w.instance, UNKNOWN_INSTANCE])
    return [told["InstanceId"] for told in answer["AutoScalingInstances"]] == [w.instance]


def publish_batch(w: World) -> bool:
    entries = [{"Id": str(number), "Message": "{}"} for number in range(10)]
    answer = w.sns.publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=entries)
    return [entry["Id"] for entry in answer["Successful"]] == [entry["Id"] for entry in entries]


WORKS: dict[str, Callable[[World], Any]] = {
    "ListClusters": lambda w: w.ecs.list_clusters()["clusterArns"][0].endswith(f":cluster/{CLUSTER}"),
    "ListContainerInstances: by instance": find_by_filter,
    "ListContainerInstances: pages": list_pages,
    "DescribeContainerInstances": describe_members,
    "UpdateContainerInstancesState: twice": drain,
    "ListTasks, StopTask": stop_a_task,
    "DescribeTasks": describe_tasks,
    "PutAttributes": put_attributes,
    "PutLifecycleHook, DescribeLifecycleHooks": put_hook,
    "DescribeAutoScalingGroups": describe_groups,
    "DescribeAutoScalingInstances": unknown_instances_are_left_out,
    "SetDesiredCapacity": set_capacity,
    "TerminateInstanceInAutoScalingGroup, RecordLifecycleActionHeartbeat, CompleteLifecycleAction": heartbeat_and_complete,
    "Publish": lambda w: w.sns.publish(TopicArn=TOPIC, Message="{}")["MessageId"],
    "PublishBatch": publish_batch,
}

NO_ACTION = {"LifecycleHookName": HOOK, "AutoScalingGroupName": GROUP, "InstanceId": UNKNOWN_INSTANCE}

REFUSED: dict[str, tuple[str, Callable[[World], Any]]] = {
    "an unknown cluster": ("ClusterNotFoundException", lambda w: w.ecs.list_container_instances(cluster="nope")),
    "a filter of another kind": (
        "InvalidParameterException",
        lambda w: w.ecs.list_container_instances(cluster=CLUSTER, filter="nonsense"),
    ),
    "101 container instances": (
        "InvalidParameterException",
        lambda w: w.ecs.describe_container_instances(cluster=CLUSTER, containerInstances=[UNKNOWN_ID] * 101),
    ),
    "no container instances": (
        "InvalidParameterException",
        lambda w: w.ecs.describe_container_instances(cluster=CLUSTER, containerInstances=[]),
    ),
    "an id that is none": (
        "InvalidParameterException",
        lambda w: w.ecs.describe_container_instances(cluster=CLUSTER, containerInstances=["i-1"]),
    ),
    "101 tasks": (
        "InvalidParameterException",
        lambda w: w.ecs.describe_tasks(cluster=CLUSTER, tasks=[UNKNOWN_ID] * 101),
    ),
    "11 container instances to drain": (
        "InvalidParameterException",
        lambda w: w.ecs.update_container_instances_state(
            cluster=CLUSTER, containerInstances=[UNKNOWN_ID] * 11, status="DRAINING"
        ),
    ),
    "attributes of an unknown target": (
        "TargetNotFoundException",
        lambda w: w.ecs.put_attributes(cluster=CLUSTER, attributes=[attribute(UNKNOWN_ID)]),
    ),
    "an attribute's value with a bracket": (
        "InvalidParameterException",
        lambda w: w.ecs.put_attributes(cluster=CLUSTER, attributes=[attribute(w.member, value="{}")]),
    ),
    "a heartbeat of no action": (
        "ValidationError",
        lambda w: w.asg.record_lifecycle_action_heartbeat(**NO_ACTION),
    ),
    "completing no action": (
        "ValidationError",
        lambda w: w.asg.complete_lifecycle_action(**NO_ACTION, LifecycleActionResult="CONTINUE"),
    ),
    "an unknown group": (
        "ValidationError",
        lambda w: w.asg.set_desired_capacity(AutoScalingGroupName="nope", DesiredCapacity=1),
    ),
    "a capacity above the greatest": (
        "ValidationError",
        lambda w: w.asg.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=5),
    ),
    "51 instances": (
        "ValidationError",
        lambda w: w.asg.describe_auto_scaling_instances(InstanceIds=[UNKNOWN_INSTANCE] * 51),
    ),
    "a heartbeat timeout of 29 s": (
        "ValidationError",
        lambda w: w.asg.put_lifecycle_hook(**PUT_HOOK | {"HeartbeatTimeout": 29}),
    ),
    "a message of more than 256 KiB": (
        "InvalidParameter",
        lambda w: w.sns.publish(TopicArn=TOPIC, Message="x" * (256 * 1024 + 1)),
    ),
    "11 messages": (
        "TooManyEntriesInBatchRequest",
        lambda w: w.sns.publish_batch(
            TopicArn=TOPIC, PublishBatchRequestEntries=[{"Id": str(n), "Message": "x"} for n in range(11)]
        ),
    ),
    "two messages with one id": (
        "BatchEntryIdsNotDistinct",
        lambda w: w.sns.publish_batch(
            TopicArn=TOPIC, PublishBatchRequestEntries=[{"Id": "a", "Message": "x"}] * 2
        ),
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
