"""The deployed tag policy: 200 mixed instances, a schedule's event, the same once more, the next, and a launch."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

import fleet
import policy
from environment import DEBUG, ROOT
from local_stack import Stack
from pages import commands, run
from policy import Run
from processes import wait_for

KEYS = {"timestamp", "level", "message", "function", "requestId"}
LAUNCH_SECONDS, KEPT_SECONDS = 30, 30
RULES = DEBUG / "tag-policy-rules"


WRITES = {"CreateTags", "DeleteTags", "StopInstances", "TerminateInstances"}


class Reports:
    """A queue that machines read the reports from."""

    def __init__(self, stack: Stack) -> None:
        self.sqs = stack.client("sqs")
        self.url = self.sqs.create_queue(QueueName="reports")["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]
        stack.client("sns").subscribe(
            TopicArn=stack.outputs["TagPolicyReportTopicArn"],
            Protocol="sqs",
            Endpoint=attributes["QueueArn"],
            Attributes={"RawMessageDelivery": "true"},
        )

    def read(self) -> list[dict[str, Any]]:
        """What has come since the last time."""
        messages = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]


@dataclass
class Story:
    """What came of each event, in their order."""

    stack: Stack
    dry: dict[str, Any]
    dry_calls: Counter[str]
    event: dict[str, Any]
    first: Run
    report: list[dict[str, Any]]
    state: dict[str, Any]
    repeated: Run
    second: Run
    silence: list[dict[str, Any]]
    launched: dict[str, policy.Tags]
    launch_calls: Counter[str]
    refused: list[dict[str, Any]]


@pytest.fixture(scope="module")
def story(stack: Stack) -> Story:
    """Everything that happens, once."""
    begun = len(stack.history())
    said = as_the_readme_says(stack)
    dry, dry_calls = json.JSONDecoder().raw_decode(said)[0], policy.calls(stack, begun)
    reports = Reports(stack)
    event = policy.scheduled_event()
    first, report = policy.run(stack, event), reports.read()
    state = stack.client("dynamodb").get_item(
        TableName=stack.outputs["TagPolicyStateTableName"], Key={"Id": {"S": "run#all"}}
    )["Item"]
    repeated = policy.run(stack, event)
    second, silence = policy.run(stack, policy.scheduled_event()), reports.read()

    launching = len(stack.history())
    answer = stack.client("ec2").run_instances(ImageId="ami-0abcdef1234567890", MinCount=3, MaxCount=3)
    launched = [instance["InstanceId"] for instance in answer["Instances"]]

    def tagged() -> dict[str, policy.Tags] | None:
        found = {one: tags for one, tags in policy.instances(stack).items() if one in launched}
        return found if not policy.lacking(found) else None

    tags = wait_for("the launched instances are tagged", tagged, LAUNCH_SECONDS, 0.2)
    calls = policy.calls(stack, launching)
    refused = [entry for entry in stack.history()[begun:] if entry["what"] == "call" and "error" in entry]
    return Story(stack, dry, dry_calls, event, first, report, state, repeated, second, silence, tags, calls, refused)


def as_the_readme_says(stack: Stack) -> str:
    """Checks and loads the rules, and makes a dry run, whose answer it is."""
    for command in commands("README.md"):
        if "tag-policy" in command:
            # Built already; cargo would only look whether it is.
            answer = run(command.replace("cargo run --bin tag-policy-rules --", str(RULES)), stack.environment)
            assert answer.returncode == 0, f"{command}\n{answer.stdout}{answer.stderr}"
    return answer.stdout


def test_a_dry_run_tells_and_changes_nothing(story: Story) -> None:
    assert story.dry["reportOnly"] == "dryRun"
    assert story.dry["counts"]["instancesRepaired"] > 0 and not WRITES & story.dry_calls.keys()


def test_all_is_repaired_and_nothing_else_touched(story: Story) -> None:
    checks = story.first.checks()
    assert all(checks.values()), [check for check, holds in checks.items() if not holds]


def test_launchers_are_found(story: Story) -> None:
    for kind, (_, launcher, _) in fleet.KINDS.items():
        assert {story.first.after[instance]["CreatedBy"] for instance in fleet.ids(kind)} == {launcher}, kind


def test_few_calls_are_made(story: Story) -> None:
    print(dict(story.first.calls), dict(story.second.calls))
    assert story.first.calls["CreateTags"] <= 12 and story.first.calls["LookupEvents"] <= 6
    assert not WRITES & story.repeated.calls.keys()
    assert not (WRITES | {"LookupEvents"}) & story.second.calls.keys()


def test_the_report_is_readable(story: Story) -> None:
    (mail,) = story.first.mails
    assert mail["Subject"] == "ACME Cloud Tagging Policy Report" and mail["To"] == policy.ADDRESS
    text = mail.get_content()
    for said in (f"{len(story.first.before)} instances", "ProjectCode = Proj007", policy.PERSON, "root"):
        assert said in text, text


def test_machines_read_the_same(story: Story) -> None:
    (report,) = story.report
    assert report["run"]["event"] == story.event["id"]
    counts = report["counts"]
    assert counts["instances"] == len(story.first.before) >= 200
    untagged = [instance for instance, tags in story.first.before.items() if not tags]
    assert (counts["untagged"], counts["failures"]) == (len(untagged), 0)
    assert counts["instancesRepaired"] == len(policy.lacking(story.first.before))


def test_the_state_is_kept(story: Story) -> None:
    assert story.state["EventId"] == {"S": story.event["id"]}
    assert story.state["Instances"] == {"N": str(len(story.first.before))}
    assert "ExpiresAt" in story.state


def test_the_same_event_again_does_nothing(story: Story) -> None:
    assert story.repeated.mails == [] and story.repeated.before == story.repeated.after


def test_nothing_to_do_is_not_reported(story: Story) -> None:
    assert story.second.mails == [] and story.silence == [] and story.second.before == story.second.after


def test_a_launch_is_tagged_at_once_and_without_look_ups(story: Story) -> None:
    assert len(story.launched) == 3
    assert {tags["CreatedBy"] for tags in story.launched.values()} == {policy.PERSON}
    assert story.launch_calls["LookupEvents"] == 0


def test_nothing_has_failed(story: Story) -> None:
    assert story.stack.dead_letters() == 0
    assert story.refused == []


def test_an_event_that_fails_three_times_is_kept(story: Story) -> None:
    stack, before = story.stack, story.stack.invocations("TagPolicy")
    broken = json.loads((ROOT / "events" / "tag-policy" / "bad-malformed.json").read_text())
    policy.deliver(stack, broken)
    sqs, url = stack.client("sqs"), stack.outputs["TagPolicyFailureQueueUrl"]
    (kept,) = wait_for("it is kept", lambda: sqs.receive_message(QueueUrl=url).get("Messages"), KEPT_SECONDS, 0.2)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=kept["ReceiptHandle"])
    assert json.loads(kept["Body"])["requestPayload"] == broken
    assert stack.invocations("TagPolicy") - before == 3


def test_log_lines_are_json(story: Story) -> None:
    log = story.stack.function_log("TagPolicy")
    lines = [json.loads(line) for line in log if line.startswith("{")]
    answers = [line for line in lines if line.get("function") == "tag-policy" and "requestId" in line]
    assert answers, "the function has logged nothing"
    for line in answers:
        assert KEYS <= line.keys(), line
