"""Filters and queries on lines that the deployed functions have written while things went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest

import drain
import log_queries
import metrics
import policy
import spot
from environment import ROOT, client_settings
from local_stack import Stack, local_stack
from processes import wait_for
from test_alarms import FILTERS, QUERIES
from test_template import FUNCTIONS, properties

LIMIT_SECONDS = 120
# Tasks that stop too late for the drain's time.
SLOW = {
    "name": drain.CLUSTER,
    "instances": 2,
    "max": 4,
    "cpu": 4096,
    "memory": 16384,
    "services": [
        {"name": "slow", "tasks": 2, "cpu": 256, "memory": 512, "start_seconds": [1, 1], "stop_seconds": [90, 90]}
    ],
}
FAULTS = [
    {"operation": "DeregisterTargets", "calls": "all", "kind": "access_denied"},
    {"operation": "LookupEvents", "calls": "all", "kind": "throttle"},
]
WORLD = {
    "clusters": [SLOW],
    "machines": spot.MACHINES,
    "target_groups": [{"name": spot.TARGET_GROUP, "group": drain.GROUP}],
    "settings": {"faults": FAULTS},
}
PARAMETERS = {"PassIntervalSeconds": 3, "DeadlineSeconds": 40, "EcsMetricsDriver": "off"}
FAULTY = {"RuleId": 9, "TagKey": "aws:Mine", "Action": "Update"}

# What each filter finds: every message begins so.
FOUND = {
    "EcsDrainerErrorLines": ("record failed",),
    "DrainsLate": ("waiting: ",),
    "DrainsGivenUp": ("hook completed: the deadline has come",),
    "SpotInterruptionErrorLines": ("not deregistered",),
    "TagRunsOnlyReported": ("run only reported",),
}
# As Lambda writes them about itself, which the emulator does not. The second is of its documentation:
# https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report
REPORTS = [
    {
        "time": "2026-01-01T00:00:00Z",
        "type": "platform.report",
        "record": {"requestId": "r", "status": status, "metrics": {"durationMs": duration, "maxMemoryUsedMB": 30}},
    }
    for status, duration in (("success", 101.51), ("timeout", 90_000.0))
]
# Of each query some of the answer: rows that must be there, by some of their fields.
ANSWERS: dict[str, list[dict[str, Any]]] = {
    "DrainQuery": [{"message": "set to DRAINING", "level": "INFO"}],
    "StuckDrainsQuery": [{"inCluster": drain.CLUSTER}],
    "EndedDrainsQuery": [{"level": "WARN", "result": "CONTINUE"}],
    "SpotNoticesQuery": [{"message": "drain requested", "instance": spot.ALONE}],
    "MetricTicksQuery": [{"failed": 0, "throttled": 0}],
    "TagRunsQuery": [
        {"message": "run only reported", "reason": "noRules"},
        {"message": "run only reported", "reason": "faultyRules"},
        {"message": "run ended", "reason": None},
    ],
    "ThrottledQuery": [{"function": "tag-policy"}],
    "FailuresQuery": [{"function": function} for function, _ in FUNCTIONS.values()],
    "InvocationsQuery": [{"invocations": 1, "longest": 90_000.0, "record.status": "timeout"}],
}
Lines = dict[str, list[log_queries.Line]]


def lines_of(stack: Stack) -> Lines:
    """What each function has said so far, in order, with the time as Logs Insights has it."""
    said = {function: [line for line in stack.output(function) if line.startswith("{")] for function in FUNCTIONS}
    return {function: [read(line) for line in lines] for function, lines in said.items()}


def read(text: str) -> log_queries.Line:
    """A line with the fields that Logs Insights adds."""
    line = json.loads(text)
    at = line["_aws"]["Timestamp"] / 1_000 if "_aws" in line else moment(line["timestamp"])
    return {**line, "@timestamp": at, "@message": text}


def moment(text: str) -> float:
    """Seconds since 1970."""
    return drain.moment({"at": text}).timestamp()


def invoke(stack: Stack, function: str, event: Any) -> None:
    """By hand, without waiting."""
    name = f"{stack.outputs[f'{function}Name']}:live"
    stack.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event).encode())


def go_wrong(stack: Stack) -> None:
    """A drain that comes to its end, a broken message, throttled calls, a cluster that is not there, and three runs."""
    drain.attach_hook(stack)
    drain.scale_in(stack)
    stack.client("sqs").send_message(QueueUrl=stack.outputs["FirstPassQueueUrl"], MessageBody="no JSON")
    spot.tag(stack, [spot.ALONE])
    invoke(stack, "SpotInterruption", {**sample("spot-interruption", "warning-without-time"), "detail": notice()})
    invoke(stack, "EcsMetrics", {"clusters": [drain.CLUSTER, "nowhere"]})
    # Of the minute that has begun, so that it begins at once.
    begun = (datetime.now(timezone.utc) - timedelta(minutes=1)).isoformat(timespec="seconds").replace("+00:00", "Z")
    invoke(stack, "EcsMetrics", {**metrics.scheduled_event(), "time": begun})
    policy.deliver(stack, policy.scheduled_event())
    tables = boto3.resource("dynamodb", **client_settings(stack.emulator))
    rules = tables.Table(stack.outputs["TagPolicyRulesTableName"])
    rules.put_item(Item=FAULTY)
    policy.deliver(stack, policy.scheduled_event())
    rules.delete_item(Key={"RuleId": FAULTY["RuleId"]})
    policy.load_rules(stack)
    policy.deliver(stack, policy.scheduled_event())


def notice() -> dict[str, str]:
    """EC2 takes an instance back."""
    return {"instance-id": spot.ALONE, "instance-action": "terminate"}


def sample(function: str, name: str) -> dict[str, Any]:
    """One of the sample events."""
    return json.loads((ROOT / "events" / function / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def lines() -> Iterator[Lines]:
    """Everything that happens, once."""
    with local_stack(PARAMETERS, world=WORLD) as stack:
        go_wrong(stack)

        def all_said() -> Lines | None:
            said = lines_of(stack)
            wanted = [begins for begun in FOUND.values() for begins in begun]
            messages = [str(line.get("message")) for one in said.values() for line in one]
            ticks = any("Ticks" in line for line in said["EcsMetrics"])
            return said if ticks and all(any(m.startswith(one) for m in messages) for one in wanted) else None

        yield wait_for("all has gone wrong", all_said, LIMIT_SECONDS, 0.5)


def of_groups(lines: Lines, groups: list[str]) -> list[log_queries.Line]:
    """The lines of some log groups, by the names of these in the template."""
    found = [line for function, said in lines.items() if f"{function}Logs" in groups for line in said]
    return sorted(found, key=lambda line: line["@timestamp"])


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_finds_its_lines_and_no_others(lines: Lines, name: str) -> None:
    matches = log_queries.filter_pattern(properties(name)["FilterPattern"])
    said = of_groups(lines, [properties(name)["LogGroupName"]["Ref"]])
    found = [line for line in said if matches(line)]
    assert found and len(found) < len(said)
    assert not [line for line in found if not line["message"].startswith(FOUND[name])], name
    alike = [line for line in said if str(line.get("message")).startswith(FOUND[name])]
    missed = [line["message"] for line in alike if line not in found]
    # A drain waits long before it is late; all other filters find each such line.
    assert bool(missed) == (name == "DrainsLate"), missed


def test_a_drain_is_late_from_80_percent_on(lines: Lines) -> None:
    waiting = [line for line in lines["EcsDrainer"] if line["message"].startswith("waiting: ") and "until" not in line]
    matches = log_queries.filter_pattern(properties("DrainsLate")["FilterPattern"])
    for line in waiting:
        assert matches(line) == (line["spent"] >= 80) == (line["level"] == "WARN"), line
    assert [line["spent"] for line in waiting] == sorted(line["spent"] for line in waiting)


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_answers(lines: Lines, name: str) -> None:
    query, groups = properties(name)["QueryString"], [group["Ref"] for group in properties(name)["LogGroupNames"]]
    (drained,) = {line["instance"] for line in lines["EcsDrainer"] if line["message"] == "set to DRAINING"}
    said = of_groups(lines, groups)
    if name == "StuckDrainsQuery":
        assert log_queries.run(query, said) == [], "all drains have ended"
        said = said[: next(at for at, line in enumerate(said) if line["message"].startswith("hook completed"))]
    rows = log_queries.run(query.replace("i-0123456789abcdef0", drained), [*said, *reports(name)])
    for expected in ANSWERS[name]:
        assert [row for row in rows if expected.items() <= row.items()], f"{expected} is not in {rows}"
    shown = {field for row in rows for field, value in row.items() if value is not None}
    never = {field for row in rows for field in row} - shown
    assert not never - SOMETIMES.get(name, set()), "what is asked for is in no line"


# Fields that lines have in other cases only.
SOMETIMES: dict[str, set[str]] = {"DrainQuery": {"kind"}, "FailuresQuery": {"cluster"}}


def reports(query: str) -> list[log_queries.Line]:
    """What the emulator does not write."""
    return [{**report, "@log": "group"} for report in REPORTS] if query == "InvocationsQuery" else []


def test_every_filter_and_query_is_tried() -> None:
    assert FOUND.keys() == FILTERS.keys() and ANSWERS.keys() == QUERIES.keys()
