"""After the page's `sam delete` nothing is left of a stack but the rules' table, which people have written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import policy
from environment import LOCAL, ROOT, clean_environment
from local_stack import ARTIFACTS, Stack, local_stack, sent_now
from moto_world import GROUP, furnish, moto_server
from pages import commands, done
from processes import wait_for

# Everything that a parameter makes, but the guarded roll-out: of what is CodeDeploy's the emulator has the names alone.
PARAMETERS = {
    "FirstPasses": "direct",
    "RebalanceRecommendations": "drain",
    "UntaggedAction": "stop",
    "ReportEmail": policy.ADDRESS,
    "EcsMetricsDriver": "state-machine",
    "EcsMetricsExtraMetrics": "capacity,services",
    "EcsMetricsAlarmClusters": "prod",
    "CreateSmokeTest": "yes",
}
UNINSTALL = commands("docs/operations.md", "Uninstall")
# What is a part of something else, and goes with it.
PARTS = {
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::Logs::MetricFilter",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}
# What MiniStack makes nothing of, and so cannot leave behind; see tests/ministack_as_aws.py.
NOT_MADE = {"AWS::Logs::QueryDefinition"}
Lister = Callable[[Stack], set[str]]


def lister(service: str, operation: str, path: str) -> Lister:
    """What an operation lists: the texts at a path of its answer, `Roles[].RoleName`; whole pages, if it has pages."""

    def listed(stack: Stack) -> set[str]:
        client = stack.emulated(service)
        paged = client.can_paginate(operation)
        answers = client.get_paginator(operation).paginate() if paged else [getattr(client, operation)()]
        return {text for answer in answers for text in texts(answer, path.split("."))}

    return listed


def texts(value: Any, path: list[str]) -> Iterator[str]:
    """The texts at a path; `name[]` is a list."""
    if not path:
        yield value
        return
    first, rest = path[0], path[1:]
    if not first.endswith("[]"):
        yield from texts(value[first], rest) if first in value else ()
        return
    for one in value.get(first[:-2], []):
        yield from texts(one, rest)


# By the type of a resource, who tells what there is of it.
LISTERS = {
    "AWS::CloudWatch::Alarm": lister("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName"),
    "AWS::CloudWatch::Dashboard": lister("cloudwatch", "list_dashboards", "DashboardEntries[].DashboardName"),
    "AWS::DynamoDB::Table": lister("dynamodb", "list_tables", "TableNames[]"),
    "AWS::Events::Rule": lister("events", "list_rules", "Rules[].Name"),
    "AWS::IAM::Role": lister("iam", "list_roles", "Roles[].RoleName"),
    "AWS::Lambda::EventSourceMapping": lister("lambda", "list_event_source_mappings", "EventSourceMappings[].UUID"),
    "AWS::Lambda::Function": lister("lambda", "list_functions", "Functions[].FunctionName"),
    "AWS::Logs::LogGroup": lister("logs", "describe_log_groups", "logGroups[].logGroupName"),
    "AWS::SNS::Subscription": lister("sns", "list_subscriptions", "Subscriptions[].SubscriptionArn"),
    "AWS::SNS::Topic": lister("sns", "list_topics", "Topics[].TopicArn"),
    "AWS::SQS::Queue": lister("sqs", "list_queues", "QueueUrls[]"),
    "AWS::StepFunctions::StateMachine": lister(
        "stepfunctions", "list_state_machines", "stateMachines[].stateMachineArn"
    ),
}


def inventory(stack: Stack) -> dict[str, set[str]]:
    """Everything that there is, by type."""
    return {kind: listed(stack) for kind, listed in LISTERS.items()}


@pytest.fixture(scope="module")
def left() -> Iterator[tuple[Stack, dict[str, set[str]]]]:
    """A stack that was used, and what is left of it once it is deleted."""
    with local_stack(PARAMETERS, yaml=True) as stack:
        used(stack)
        made = stack.resources()
        there = inventory(stack)
        unlisted = {(one["ResourceType"], one["PhysicalResourceId"]) for one in made if not is_listed(one, there)}
        assert unlisted == set(), "what is not looked for would not be missed"
        assert stored(stack), "sam deploy has uploaded nothing"
        (delete,) = [command for command in UNINSTALL if command.startswith("sam delete")]
        # SAM learns its bucket from its own stack, which the local stack does without.
        done(f"{delete} --no-prompts --s3-bucket {ARTIFACTS} --region us-east-1", stack.environment)
        yield stack, inventory(stack)


def used(stack: Stack) -> None:
    """Has every function run, so that it has logged, kept state and published."""
    policy.load_rules(stack)
    policy.deliver(stack, sent_now(policy.SCHEDULED))
    stack.play("interrupt", stack.client("ec2").describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"])
    name = f"{stack.outputs['EcsMetricsName']}:live"
    tick = (ROOT / "events" / "ecs-metrics" / "single-tick.json").read_bytes()
    stack.emulated("lambda").invoke(FunctionName=name, Payload=tick)
    for function in ("EcsDrainer", "SpotInterruption", "EcsMetrics"):
        wait_for(f"{function} has run", lambda name=function: stack.invocations(name) > 0, 120, 0.5)


def is_listed(resource: dict[str, Any], there: dict[str, set[str]]) -> bool:
    """Whether the inventory has a resource of the stack, or what it is a part of."""
    kind, name = resource["ResourceType"], resource["PhysicalResourceId"]
    return kind in PARTS | NOT_MADE or any(
        name in (one, one.rsplit("/", 1)[-1], one.rsplit(":", 1)[-1]) for one in there.get(kind, ())
    )


def stored(stack: Stack) -> set[str]:
    """The keys of what SAM has uploaded."""
    return {one["Key"] for one in stack.emulated("s3").list_objects_v2(Bucket=ARTIFACTS).get("Contents", [])}


@pytest.mark.parametrize("kind", LISTERS)
def test_nothing_is_left_behind(kind: str, left: tuple[Stack, dict[str, set[str]]]) -> None:
    stack, remaining = left
    kept = {stack.outputs["TagPolicyRulesTableName"]} if kind == "AWS::DynamoDB::Table" else set()
    assert remaining[kind] == kept


def test_no_artifact_is_left_in_the_bucket(left: tuple[Stack, dict[str, set[str]]]) -> None:
    assert stored(left[0]) == set()


def test_the_rules_are_left_and_go_last(left: tuple[Stack, dict[str, set[str]]]) -> None:
    stack, _ = left
    name = stack.outputs["TagPolicyRulesTableName"]
    assert stack.emulated("dynamodb").scan(TableName=name)["Count"] == len(policy.RULES)
    (delete,) = [command for command in UNINSTALL if "delete-table" in command]
    done(delete, stack.environment)
    assert LISTERS["AWS::DynamoDB::Table"](stack) == set()


def test_hooks_are_taken_away_first() -> None:
    """By the page's commands, in moto: a hook of a topic that is gone would keep instances until it times out."""
    with moto_server(LOCAL / "uninstall") as clients:
        topic = clients("sns").create_topic(Name="drain")["TopicArn"]
        furnish(clients)
        clients("autoscaling").put_lifecycle_hook(
            LifecycleHookName="drain",
            AutoScalingGroupName=GROUP,
            LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
            NotificationTargetARN=topic,
            RoleARN="arn:aws:iam::123456789012:role/hook",
        )
        environment = clean_environment() | {"AWS_ENDPOINT_URL": clients.endpoint}
        order = [command.split()[2] for command in UNINSTALL if command.startswith("aws autoscaling")]
        assert order == ["describe-auto-scaling-instances", "delete-lifecycle-hook"], (
            "drains end before their hook goes"
        )
        for command in UNINSTALL:
            if command.startswith("aws autoscaling"):
                done(command.replace("my-group", GROUP), environment)
        hooks = clients("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName=GROUP)["LifecycleHooks"]
        assert hooks == []
