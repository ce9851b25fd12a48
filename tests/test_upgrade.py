"""Drains in flight when another version of the drainer takes over, deployed: the continuations are what that has written.

The hook tells nobody, so that nothing else begins these drains.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import drain
from environment import ROOT
from local_stack import DEMO, Stack, local_stack
from processes import wait_for

# As the first version wrote it, with every field that it had.
RECORDED = ROOT / "crates" / "ecs-drainer" / "src" / "event" / "continuations" / "1.json"
LIMIT_SECONDS = 180


def before(message: dict[str, Any]) -> None:
    """Of the time when continuations had no version."""
    del message["DrainVersion"]


def later(message: dict[str, Any]) -> None:
    """Of a version that is not known yet: only the core is as it was."""
    message["DrainVersion"] += 1
    message.update({field: {"another": "form"} for field in ("Count", "DrainingSince", "WaitsFor", "Unheard")})


FORMS = [before, later]


def in_seconds(seconds: float) -> str:
    """So many seconds from now, as a message tells it."""
    return f"{datetime.now(timezone.utc) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def continuation(stack: Stack, held: drain.Entry) -> dict[str, Any]:
    """The recorded one, of an instance that a hook holds."""
    ecs = stack.client("ecs")
    chosen = f"ec2InstanceId == {held['instance']}"
    (arn,) = ecs.list_container_instances(cluster=drain.CLUSTER, filter=chosen)["containerInstanceArns"]
    message = json.loads(RECORDED.read_text())
    terms = {"HeartbeatSeconds": 900, "HeldUntil": in_seconds(900), "Limit": in_seconds(90_000)}
    hook = {"Group": drain.GROUP, "Name": drain.HOOK, "Token": held["token"], "Terms": terms}
    message |= {"EC2InstanceId": held["instance"], "Cluster": drain.CLUSTER, "ContainerInstance": arn, "Hook": hook}
    message |= {"FirstSeen": in_seconds(-1), "NotBefore": in_seconds(0)}
    # What a drain has that is not interrupted, and has not been set to DRAINING yet.
    for field in ("Until", "LaunchedAt", "DrainingSince", "Count", "WaitsFor"):
        del message[field]
    return message


@pytest.fixture(scope="module")
def drained() -> Iterator[tuple[Stack, dict[str, drain.Verdict]]]:
    """One drain for each form, and what came of it."""
    (cluster,) = json.loads(DEMO.read_text())["clusters"]
    roomy = {"clusters": [cluster | {"instances": 3 + len(FORMS), "max": 9}]}
    with local_stack({"PassIntervalSeconds": 5, "EcsMetricsDriver": "off"}, world=roomy) as stack:
        autoscaling, sns = stack.client("autoscaling"), stack.client("sns")
        autoscaling.put_lifecycle_hook(
            LifecycleHookName=drain.HOOK,
            AutoScalingGroupName=drain.GROUP,
            LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
            HeartbeatTimeout=900,
            DefaultResult="ABANDON",
        )
        (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[drain.GROUP])["AutoScalingGroups"]
        fewer = group["DesiredCapacity"] - len(FORMS)
        autoscaling.set_desired_capacity(AutoScalingGroupName=drain.GROUP, DesiredCapacity=fewer)
        held = wait_for("the hook holds them", lambda: entries(stack, "hook_started", len(FORMS)), LIMIT_SECONDS)
        for form, entry in zip(FORMS, held):
            message = continuation(stack, entry)
            form(message)
            sns.publish(TopicArn=stack.outputs["DrainTopicArn"], Message=json.dumps(message))
        wait_for("both are let go", lambda: entries(stack, "hook_completed", len(FORMS)), LIMIT_SECONDS)
        history = stack.history()
        verdicts = {form.__name__: drain.judge(history, stack, entry["instance"]) for form, entry in zip(FORMS, held)}
        yield stack, verdicts


def entries(stack: Stack, what: str, many: int) -> list[drain.Entry] | None:
    """Those of the history, once there are so many."""
    found = [entry for entry in stack.history() if entry["what"] == what]
    return found if len(found) >= many else None


@pytest.mark.parametrize("form", [form.__name__ for form in FORMS])
def test_a_drain_that_another_version_began_is_ended(
    drained: tuple[Stack, dict[str, drain.Verdict]], form: str
) -> None:
    _, verdicts = drained
    assert verdicts[form].passed, verdicts[form].failed


def test_a_later_version_is_told_in_the_log(drained: tuple[Stack, dict[str, drain.Verdict]]) -> None:
    stack, _ = drained
    told = [line for line in stack.function_log("EcsDrainer") if "of a later version of this function" in line]
    assert len(told) == 1, "its own continuations are of its own version"
    assert json.loads(told[0])["version"] == json.loads(RECORDED.read_text())["DrainVersion"] + 1
