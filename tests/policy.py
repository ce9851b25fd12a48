"""Runs of the tag policy from outside: load rules, send events, and judge by what became of the tags."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import boto3

from environment import ROOT, client_settings
from local_stack import METRICS_CALLS, Stack, sent_now
from processes import wait_for

RULES: list[dict[str, Any]] = json.loads((ROOT / "examples" / "tag-rules.json").read_text())
KEYS = [rule["TagKey"] for rule in RULES]
SCHEDULED: dict[str, Any] = json.loads((ROOT / "events" / "tag-policy" / "scheduled.json").read_text())
ADDRESS = "cloud-team@example.com"
# Who launches instances while the stack is up: a person who came by single sign-on.
PERSON = "jane.doe@example.com"
CALLER = {"assumed_role": {"role": "AWSReservedSSO_PowerUser_0123456789abcdef", "session": PERSON}}
RUN_SECONDS = 60
LEAVING = {"shutting-down", "terminated"}

Tags = dict[str, str]


def load_rules(stack: Stack) -> None:
    """Into the table that the stack has made."""
    tables = boto3.resource("dynamodb", **client_settings(stack.emulator))
    with tables.Table(stack.outputs["TagPolicyRulesTableName"]).batch_writer() as batch:
        for rule in RULES:
            batch.put_item(Item=rule)


def scheduled_event() -> dict[str, Any]:
    """A new one, as EventBridge sends it now."""
    return sent_now(SCHEDULED)


def deliver(stack: Stack, event: Mapping[str, Any]) -> None:
    """To the target of the schedule's rule, as EventBridge does, asynchronously; until the function has run."""
    before = stack.invocations("TagPolicy")
    stack.fire("TagPolicy", event)
    wait_for("the tag policy has run", lambda: stack.invocations("TagPolicy") > before, RUN_SECONDS, 0.2)


def instances(stack: Stack) -> dict[str, Tags]:
    """Tags by instance, of those that are not on their way out; without those of AWS."""
    pages = stack.client("ec2").get_paginator("describe_instances").paginate()
    found = [one for page in pages for reservation in page["Reservations"] for one in reservation["Instances"]]
    return {one["InstanceId"]: own_tags(one) for one in found if one["State"]["Name"] not in LEAVING}


def own_tags(instance: Mapping[str, Any]) -> Tags:
    """An instance's tags without those of AWS."""
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def lacking(tags: Mapping[str, Tags]) -> list[str]:
    """Instances that lack a tag of the rules, or have it empty."""
    return [instance for instance, own in tags.items() if not all(own.get(key) for key in KEYS)]


def calls(stack: Stack, since: int) -> Counter[str]:
    """Calls that the fake has answered since so many entries of its history, the refused ones too.

    Those of the metric writer, which goes on beside the demo, are left out.
    """
    made = Counter(entry["operation"] for entry in stack.history()[since:] if entry["what"] == "call")
    return Counter({operation: count for operation, count in made.items() if operation not in METRICS_CALLS})


@dataclass
class Run:
    """What a run found, left, said and called."""

    before: dict[str, Tags]
    after: dict[str, Tags]
    calls: Counter[str]
    mails: list[EmailMessage]

    def checks(self) -> dict[str, bool]:
        """Was everything repaired, nothing else touched, and all of it reported?"""
        values = [(one, key, value) for one, own in self.before.items() for key, value in own.items() if value]
        return {
            "every instance has every tag that the rules ask for": lacking(self.after) == [],
            "no value was overwritten": all(self.after[one].get(key) == value for one, key, value in values),
            "one mail was sent": len(self.mails) == 1,
        }


def run(stack: Stack, event: Mapping[str, Any]) -> Run:
    """One scheduled run, looked at from both sides."""
    before, mails = instances(stack), len(stack.mails())
    begun = len(stack.history())
    deliver(stack, event)
    made = calls(stack, begun)
    return Run(before, instances(stack), made, stack.mails()[mails:])
