"""The fake answers as moto does, wherever moto has the operation, or a reason is given here.

Compared is what both say: the fields of the fake's answer, the kinds of their values, and values that are words of the
API (states, codes). Fields that only moto has are left out: the fake has what the functions read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import botocore.exceptions
import botocore.parsers
import pytest

from conftest import Clients
from environment import OWN
from local_stack import fake_aws
from moto_world import CLUSTER, GROUP, furnish, moto_server
from test_fake_boto3 import PUT_HOOK, TOPIC, UNKNOWN_ID, UNKNOWN_INSTANCE, World, attribute

# A word of the API, in contrast to a name or an id.
WORD = re.compile(r"[A-Z_]{2,}|[A-Z][a-z]+(:?[A-Z][a-z]+)*|[A-Z][A-Za-z]+Exception|true|false")

Ask = Callable[[World], Any]

ASKED: dict[str, Ask] = {
    "ListClusters": lambda w: w.ecs.list_clusters(),
    "ListContainerInstances": lambda w: w.ecs.list_container_instances(cluster=CLUSTER),
    "ListContainerInstances by instance": lambda w: w.ecs.list_container_instances(
        cluster=CLUSTER, filter=f"ec2InstanceId=={w.instance}"
    ),
    "ListContainerInstances DRAINING": lambda w: w.ecs.list_container_instances(cluster=CLUSTER, status="DRAINING"),
    "ListContainerInstances of no cluster": lambda w: w.ecs.list_container_instances(cluster="nope"),
    "DescribeContainerInstances": lambda w: w.ecs.describe_container_instances(
        cluster=CLUSTER, containerInstances=[w.member]
    ),
    "DescribeContainerInstances of an unknown one": lambda w: w.ecs.describe_container_instances(
        cluster=CLUSTER, containerInstances=[UNKNOWN_ID]
    ),
    "DescribeContainerInstances of none": lambda w: w.ecs.describe_container_instances(
        cluster=CLUSTER, containerInstances=[]
    ),
    "ListTasks": lambda w: w.ecs.list_tasks(cluster=CLUSTER, containerInstance=w.member),
    "ListTasks of no cluster": lambda w: w.ecs.list_tasks(cluster="nope"),
    "DescribeTasks": lambda w: w.ecs.describe_tasks(cluster=CLUSTER, tasks=w.tasks[:1]),
    "DescribeTasks of an unknown one": lambda w: w.ecs.describe_tasks(cluster=CLUSTER, tasks=[UNKNOWN_ID]),
    "PutAttributes": lambda w: w.ecs.put_attributes(cluster=CLUSTER, attributes=[attribute(w.member)]),
    "PutAttributes of an unknown one": lambda w: w.ecs.put_attributes(
        cluster=CLUSTER, attributes=[attribute(UNKNOWN_ID)]
    ),
    "UpdateContainerInstancesState": lambda w: w.ecs.update_container_instances_state(
        cluster=CLUSTER, containerInstances=[w.member], status="DRAINING"
    ),
    "StopTask": lambda w: w.ecs.stop_task(cluster=CLUSTER, task=w.tasks[0], reason="test"),
    "ListTasks after StopTask": lambda w: w.ecs.list_tasks(
        cluster=CLUSTER, containerInstance=w.member, desiredStatus="STOPPED"
    ),
    "DescribeAutoScalingGroups": lambda w: w.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP]),
    "DescribeAutoScalingInstances": lambda w: w.asg.describe_auto_scaling_instances(InstanceIds=[w.instance]),
    "DescribeAutoScalingInstances of an unknown one": lambda w: w.asg.describe_auto_scaling_instances(
        InstanceIds=[UNKNOWN_INSTANCE]
    ),
    "PutLifecycleHook": lambda w: w.asg.put_lifecycle_hook(**PUT_HOOK),
    "DescribeLifecycleHooks": lambda w: w.asg.describe_lifecycle_hooks(AutoScalingGroupName=GROUP),
    "SetDesiredCapacity": lambda w: w.asg.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=3),
    "SetDesiredCapacity of no group": lambda w: w.asg.set_desired_capacity(
        AutoScalingGroupName="nope", DesiredCapacity=1
    ),
    "SetDesiredCapacity above the greatest": lambda w: w.asg.set_desired_capacity(
        AutoScalingGroupName=GROUP, DesiredCapacity=5
    ),
    "TerminateInstanceInAutoScalingGroup": lambda w: w.asg.terminate_instance_in_auto_scaling_group(
        InstanceId=w.instance, ShouldDecrementDesiredCapacity=True
    ),
    "Publish": lambda w: w.sns.publish(TopicArn=TOPIC, Message="{}"),
    "Publish too much": lambda w: w.sns.publish(TopicArn=TOPIC, Message="x" * 300_000),
    "PublishBatch": lambda w: w.sns.publish_batch(
        TopicArn=TOPIC, PublishBatchRequestEntries=[{"Id": "a", "Message": "{}"}]
    ),
    "PublishBatch of eleven": lambda w: w.sns.publish_batch(
        TopicArn=TOPIC, PublishBatchRequestEntries=[{"Id": str(n), "Message": "{}"} for n in range(11)]
    ),
    "PublishBatch with one id twice": lambda w: w.sns.publish_batch(
        TopicArn=TOPIC, PublishBatchRequestEntries=[{"Id": "a", "Message": "{}"}] * 2
    ),
}

# Where the two are known to differ, and why the fake is right or need not be.
def left_out(operation: str, *paths: str) -> dict[str, str]:
    """Fields of AWS's model that moto does not fill in."""
    return {f"{operation}: {path}": "moto leaves it out" for path in paths}


DIFFERENCES: dict[str, str] = {
    **left_out("DescribeContainerInstances", "containerInstances[].version", "containerInstances[].attachments"),
    **left_out("UpdateContainerInstancesState", "containerInstances[].version", "containerInstances[].attachments"),
    **left_out(
        "UpdateContainerInstancesState",
        "containerInstances[].attributes[].name",
        "containerInstances[].attributes[].value",
    ),
    **left_out("DescribeTasks", *(f"tasks[].{name}" for name in ("cpu", "memory", "createdAt", "startedAt"))),
    **left_out("StopTask", *(f"task.{name}" for name in ("cpu", "memory", "createdAt", "startedAt"))),
    **left_out("StopTask", "task.stopCode", "task.stoppingAt"),
    **left_out("TerminateInstanceInAutoScalingGroup", "Activity.Details"),
    **left_out("DescribeLifecycleHooks", "LifecycleHooks[].NotificationMetadata"),
    "ListContainerInstances of no cluster: error": "moto answers an empty list; ECS refuses unknown clusters everywhere",
    "DescribeContainerInstances of none: error": "moto has one code for all mistakes; ECS's here is of its API reference",
    "DescribeTasks: tasks[].lastStatus": "in moto a status moves on with each describe, as slowly as it is asked",
    "DescribeTasks of an unknown one: failures": "moto leaves unknown tasks out without a word",
    "DescribeTasks of an unknown one: failures[].arn": "the same",
    "DescribeTasks of an unknown one: failures[].reason": "the same",
    "PutAttributes: error": "moto knows targets by short id only; ECS takes ARNs too",
    "StopTask: task.lastStatus": "in moto a task stops at once; that it takes time is what the fake is for",
    "DescribeAutoScalingInstances: AutoScalingInstances[].HealthStatus": "in capitals in this answer, by the API's example",
    "SetDesiredCapacity of no group: error": "moto crashes",
    "SetDesiredCapacity above the greatest: error": "moto does not check the bounds",
}


@pytest.fixture(scope="module")
def worlds() -> Iterator[tuple[World, World]]:
    """The fake's and moto's."""
    run = OWN
    with fake_aws(run) as fake, moto_server(run) as moto:
        furnish(moto)
        yield World(Clients(fake)), World(moto)


def answer(ask: Callable[[Any], Any], world: Any) -> Any:
    """What is answered, or the error's code."""
    try:
        said = ask(world)
    except botocore.exceptions.ClientError as error:
        return {"error": error.response["Error"]["Code"]}
    except botocore.parsers.ResponseParserError:
        return {"error": "Crash"}  # moto's page about an internal error is no XML
    said.pop("ResponseMetadata")
    return said


def flatten(value: Any, path: str = "") -> dict[str, set[str]]:
    """Every path with the kinds of what is there: the words of the API themselves, otherwise the type's name."""
    found: dict[str, set[str]] = {}
    if isinstance(value, dict):
        parts = [(f"{path}.{name}" if path else name, part) for name, part in value.items()]
    elif isinstance(value, list):
        parts = [(f"{path}[]", part) for part in value]
        found[path] = {"some" if value else "none"}
    else:
        is_word = isinstance(value, str) and WORD.fullmatch(value)
        return {path: {value if is_word else type(value).__name__}}
    for name, part in parts:
        for inner, kinds in flatten(part, name).items():
            found.setdefault(inner, set()).update(kinds)
    return found


def differences(fake: Any, moto: Any) -> dict[str, str]:
    """Paths of the fake's answer where moto says something else."""
    ours, theirs = flatten(fake), flatten(moto)
    if "error" in theirs and "error" not in ours:
        return {"error": f"only moto refuses: {moto}"}
    return {
        path: f"fake {sorted(kinds)}, moto {sorted(theirs.get(path, {'nothing'}))}"
        for path, kinds in ours.items()
        if not kinds & theirs.get(path, set())
    }


def check_alike(worlds: tuple[Any, Any], asked: dict[str, Callable[[Any], Any]], known: dict[str, str]) -> None:
    """All in one test: later questions see what earlier ones have done, on both sides."""
    found = {}
    for what, ask in asked.items():
        fake, moto = (answer(ask, world) for world in worlds)
        found |= {f"{what}: {path}": said for path, said in differences(fake, moto).items()}
    unknown = {where: said for where, said in found.items() if where not in known}
    assert not unknown, "\n" + "\n".join(f"{where}: {said}" for where, said in unknown.items())
    over = known.keys() - found.keys()
    assert not over, f"no longer different, take them out of the table: {sorted(over)}"


def test_answers_are_alike(worlds: tuple[World, World]) -> None:
    check_alike(worlds, ASKED, DIFFERENCES)
