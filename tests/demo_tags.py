"""The demo's second act: instances without their tags, and what the deployed tag policy makes of them."""

from __future__ import annotations

import json
import shlex
import subprocess

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import policy
from demo_screen import mail
from drain import moment
from local_stack import Stack
from processes import wait_for

COMPLETE = {"ProjectCode": "Proj001", "CreatedBy": "ops", "Expires": "2030-01-01"}
MACHINES = [
    {"count": 3, "tags": {"Name": "web"}, "owner": policy.CALLER, "launched_hours_ago": 50},
    {"tags": {**COMPLETE, "ProjectCode": ""}, "launched_hours_ago": 60},
    {"count": 2, "owner": {"iam_user": "build"}, "launched_hours_ago": 70},
    {"count": 4, "tags": COMPLETE, "launched_hours_ago": 100},
]
WORLD = {"machines": MACHINES, "settings": {"caller": policy.CALLER}}
LAUNCH = [*("aws", "ec2", "run-instances", "--image-id", "ami-0abcdef1234567890", "--count", "2")]
LAUNCH_SECONDS = 30

Checks = dict[str, bool]


def show(stack: Stack, console: Console) -> Checks:
    """A schedule's event, its report, and a launch."""
    policy.load_rules(stack)
    console.print(rules())
    tags = policy.instances(stack)
    print(f"{len(tags)} instances, {len(policy.lacking(tags))} of them lack a tag of the rules; the schedule fires ...")
    run = policy.run(stack, policy.scheduled_event())
    for sent in run.mails:
        console.print(mail(sent))
    made = ", ".join(f"{operation} {count}" for operation, count in sorted(run.calls.items()))
    console.print(f"{sum(run.calls.values())} calls of EC2, Auto Scaling and CloudTrail: {made}\n", highlight=False)
    return run.checks() | launch(stack, console)


def rules() -> Table:
    """The rules as a table."""
    columns = ("RuleId", "TagKey", "Action", "Required", "Default")
    table = Table(*columns, box=SIMPLE_HEAD, title="rules: examples/tag-rules.json", title_justify="left")
    for rule in policy.RULES:
        table.add_row(*(str(rule.get(column, "")) for column in columns))
    return table


def launch(stack: Stack, console: Console) -> Checks:
    """Two instances, by the AWS command line; tagged as soon as the event has come."""
    print("$", shlex.join(LAUNCH))
    seen = len(stack.history())
    answer = subprocess.run(LAUNCH, env=stack.environment, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    launched = {instance["InstanceId"] for instance in json.loads(answer.stdout)["Instances"]}

    def tagged() -> dict[str, policy.Tags] | None:
        found = {one: own for one, own in policy.instances(stack).items() if one in launched}
        return found if found and not policy.lacking(found) else None

    found = wait_for("the launched instances are tagged", tagged, LAUNCH_SECONDS, 0.2)
    calls = [entry for entry in stack.history()[seen:] if entry["what"] == "call"]
    (ran, *_), (*_, wrote) = ([moment(c) for c in calls if c["operation"] == o] for o in ("RunInstances", "CreateTags"))
    table = Table("instance", *policy.KEYS, box=SIMPLE_HEAD)
    for instance, own in found.items():
        table.add_row(instance, *(own[key] for key in policy.KEYS))
    console.print(table)
    print(f"tagged {(wrote - ran).total_seconds():.1f} s after the launch\n")
    return {
        "launched instances have every tag, too": found.keys() == launched,
        "with the name of who launched them": {own["CreatedBy"] for own in found.values()} == {policy.PERSON},
        "without a look-up": "LookupEvents" not in {call["operation"] for call in calls},
        "nothing has failed for good": stack.dead_letters() == 0,
    }
