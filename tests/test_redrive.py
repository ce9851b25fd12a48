"""A drill: a version that cannot start is rolled out, all it should have done fails for good, and is done after all.

Rolled back to the version before, by the alias, and handed in again by the commands of docs/operations.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import drain
import policy
import spot
from environment import ROOT
from local_stack import STACK_NAME, Stack, local_stack
from pages import commands, done
from processes import wait_for

COMMANDS = [command for command in commands("docs/operations.md") if "redrive.py" in command]
# A setting of each function that stops it at start.
BREAKS = {"EcsDrainer": "SETTLE_SECONDS", "TagPolicy": "ACTION_CAP", "SpotInterruption": "REBALANCE"}
FAILURES = ("FirstPassDeadLetterQueue", "TagPolicyFailureQueue", "SpotInterruptionFailureQueue")
LIMIT_SECONDS = 90
SKIPPED = "skipped: transition is not the terminating one"


@dataclass
class Drill:
    """What was seen at each step."""

    stack: Stack
    failed: dict[str, int]
    shown: str
    left: dict[str, int]
    discarded: str
    handed_in: str
    history: list[drain.Entry]


def kept(stack: Stack) -> dict[str, int]:
    """Messages in the failure queues, those that somebody is looking at too."""
    sqs, names = stack.client("sqs"), ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answers = {
        queue: sqs.get_queue_attributes(QueueUrl=stack.outputs[f"{queue}Url"], AttributeNames=names)["Attributes"]
        for queue in FAILURES
    }
    return {queue: sum(int(count) for count in counts.values()) for queue, counts in answers.items()}


def roll_out(stack: Stack, function: str, **variables: str) -> str:
    """A new version with other variables, which the alias points to; the version before."""
    client, name = stack.client("lambda"), stack.outputs[f"{function}Name"]
    before = client.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    now = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {**now, **variables}})
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    version = client.publish_version(FunctionName=name)["Version"]
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
    return str(before)


def roll_back(stack: Stack, function: str, version: str) -> None:
    """The alias points to an earlier version."""
    name = stack.outputs[f"{function}Name"]
    stack.client("lambda").update_alias(FunctionName=name, Name="live", FunctionVersion=version)


def set_patience(stack: Stack, attempts: int, seconds: int) -> None:
    """How often a first pass is tried, and how long from one attempt to the next: an hour in all, as deployed."""
    sqs, url = stack.client("sqs"), stack.outputs["FirstPassQueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    redrive = json.dumps({**json.loads(found["RedrivePolicy"]), "maxReceiveCount": attempts})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": str(seconds)})


def notify(stack: Stack) -> None:
    """A spot notice, as EventBridge sends it; the emulator's own sends it once and keeps nothing."""
    name, event = stack.outputs["SpotInterruptionName"], ROOT / "events" / spot.FUNCTION / "warning-without-time.json"
    stack.client("lambda").invoke(FunctionName=f"{name}:live", InvocationType="Event", Payload=event.read_bytes())


def redrive(stack: Stack, command: str) -> str:
    """One of the page's commands, and what it prints."""
    return done(command.replace("fleetkeeper", STACK_NAME), stack.environment)


def by_lambda(event: dict[str, Any]) -> str:
    """A failed invocation as Lambda keeps it, for the drainer with FirstPasses=direct."""
    context = {"condition": "RetriesExhausted", "approximateInvokeCount": 3}
    return json.dumps({"version": "1.0", "requestContext": context, "requestPayload": event, "responsePayload": None})


@pytest.fixture(scope="module")
def drill() -> Iterator[Drill]:
    """Everything that happens, once."""
    parameters = {"PassIntervalSeconds": 5, "EcsMetricsDriver": "off", "ReportEmail": policy.ADDRESS}
    with local_stack(parameters) as stack:
        policy.load_rules(stack)
        drain.attach_hook(stack)
        set_patience(stack, attempts=2, seconds=1)
        before = {function: roll_out(stack, function, **{name: "nonsense"}) for function, name in BREAKS.items()}
        drain.scale_in(stack)
        stack.fire("TagPolicy", policy.scheduled_event())
        notify(stack)
        failed = wait_for("all has failed for good", lambda: some(kept(stack)), LIMIT_SECONDS, 0.2)
        dry, again, discard = COMMANDS
        shown, left = redrive(stack, dry), kept(stack)

        set_patience(stack, attempts=20, seconds=180)
        for function, version in before.items():
            roll_back(stack, function, version)
        event = json.loads((ROOT / "events" / "ecs-drainer" / "sns-launching.json").read_text())
        url = stack.outputs["FirstPassDeadLetterQueueUrl"]
        stack.client("sqs").send_message(QueueUrl=url, MessageBody=by_lambda(event))
        discarded, handed_in = redrive(stack, discard), redrive(stack, again)
        history = drain.wait_until_gone(stack, LIMIT_SECONDS)
        yield Drill(stack, failed, shown, left, discarded, handed_in, history)


def some(counts: dict[str, int]) -> dict[str, int] | None:
    """These, if there is something everywhere."""
    return counts if all(counts.values()) else None


def test_all_is_kept_and_can_be_looked_at(drill: Drill) -> None:
    assert drill.left == drill.failed
    for queue in FAILURES:
        assert len(re.findall(rf"^{queue} .*: left$", drill.shown, re.MULTILINE)) == drill.failed[queue], drill.shown


def test_the_reason_is_told(drill: Drill) -> None:
    """Where Lambda has noted it."""
    (line,) = (line for line in drill.shown.splitlines() if line.startswith("TagPolicy"))
    assert "the function's log" not in line, line


def test_the_drain_is_done_after_all(drill: Drill) -> None:
    verdict = drain.judge(drill.history, drill.stack)
    assert verdict.passed, verdict.failed


def test_the_run_is_done_after_all(drill: Drill) -> None:
    def tagged() -> bool:
        return policy.lacking(policy.instances(drill.stack)) == []

    wait_for("every instance is tagged", tagged, LIMIT_SECONDS, 0.2)


def test_what_lambda_has_kept_goes_to_the_function(drill: Drill) -> None:
    """As the event that it was, and not in its envelope."""
    assert "FirstPassDeadLetterQueue" in drill.handed_in and ": to EcsDrainer" in drill.handed_in

    def skipped() -> bool:
        return any(SKIPPED in line for line in drill.stack.output("EcsDrainer"))

    wait_for("the function has read it", skipped, LIMIT_SECONDS, 0.2)


def test_what_is_discarded_is_not_done(drill: Drill) -> None:
    assert ": discarded" in drill.discarded and "SpotInterruption" not in drill.handed_in
    said = drill.stack.output("SpotInterruption")
    assert any("nonsense" in line for line in said) and not [line for line in said if "drain requested" in line], said


def test_a_report_that_was_not_mailed_can_be_read(drill: Drill) -> None:
    """By the runbook's command. That SNS puts it there, is for AWS: the emulator's mails always arrive."""
    (command,) = (command for command in commands("docs/runbook.md") if "receive-message" in command)
    url = drill.stack.outputs["ReportDeadLetterQueueUrl"]
    drill.stack.client("sqs").send_message(QueueUrl=url, MessageBody="200 instances")
    # Version 1 of the command line has addresses of its own for SQS, whatever AWS_ENDPOINT_URL says.
    here = f"{command} --endpoint-url {drill.stack.emulator}"
    assert "200 instances" in done(here, drill.stack.environment, REPORT_DEAD_LETTER_QUEUE_URL=url)


def test_nothing_is_left(drill: Drill) -> None:
    assert kept(drill.stack) == dict.fromkeys(FAILURES, 0)
