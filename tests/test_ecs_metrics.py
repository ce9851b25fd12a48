"""The deployed metric writer: a minute of 120 clusters by its schedule, and one by the state machine, side by side."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import metrics
from drain import moment
from local_stack import Stack, get_json, local_stack
from pages import commands, run
from processes import wait_for

# Each with other counts.
CLUSTERS = {f"c{number:03}": number % 7 for number in range(120)}
WORLD = {
    "clusters": [
        {
            "name": name,
            "instances": 1,
            "cpu": 4096,
            "memory": 16384,
            "services": [{"name": "web", "tasks": tasks, "cpu": 64, "memory": 64}],
        }
        for name, tasks in CLUSTERS.items()
    ]
}
# By rule, and by hand: what one takes, the other does not.
RULES_CLUSTER, PUBLISHED_CLUSTER = "c005", "c006"
DRIVEN = {
    "EcsMetricsDriver": "state-machine",
    "EcsMetricsClusters": RULES_CLUSTER,
    "EcsMetricsExtraMetrics": "launch-types,pending-age",
}
MINUTE, PERIOD = timedelta(minutes=1), timedelta(seconds=5)
LIMIT_SECONDS = 150  # the rest of one minute, the next, and some more
KEYS = {"timestamp", "level", "message", "function", "requestId"}


@dataclass
class Minute:
    """Two stacks after a minute that each has written."""

    scheduled: Stack
    minute: datetime
    driven: Stack
    executions: list[dict[str, Any]]

    def dues(self) -> list[datetime]:
        """When samples of the schedule's minute were due."""
        return [self.minute + PERIOD * tick for tick in range(12)]


@pytest.fixture(scope="module")
def minute() -> Iterator[Minute]:
    """Everything that happens, once. The emulator's own schedules begin a minute after they were made."""
    with contextlib.ExitStack() as stacks:
        scheduled = stacks.enter_context(local_stack({"EcsMetricsAlarmClusters": "c001,c-2"}, world=WORLD))
        # Where it is sent with the last second, the function's start takes the first sample's time.
        wait_for("the minute has some seconds left", lambda: datetime.now(timezone.utc).second < 55, 10)
        event = metrics.scheduled_event()
        for _ in range(2):
            scheduled.fire("EcsMetrics", event)
        driven = stacks.enter_context(local_stack(DRIVEN, world=WORLD))
        machine, machines = driven.outputs["EcsMetricsStateMachineArn"], driven.client("stepfunctions")
        for given in ({"ECSClusterName": PUBLISHED_CLUSTER}, {"clusters": []}):
            machines.start_execution(stateMachineArn=machine, input=json.dumps(given))

        def executions() -> list[dict[str, Any]] | None:
            listed = machines.list_executions(stateMachineArn=machine)["executions"]
            all_of_them = [machines.describe_execution(executionArn=one["executionArn"]) for one in listed]
            ended = sum(one["status"] != "RUNNING" for one in all_of_them)
            return all_of_them if ended >= 2 and len(all_of_them) >= 3 else None

        owned = metrics.minute_after(event)
        wait_for("the minute is over", lambda: datetime.now(timezone.utc) > owned + MINUTE, LIMIT_SECONDS, 1)
        found = wait_for("the state machine has ended, and its rule has fired", executions, LIMIT_SECONDS, 1)
        yield Minute(scheduled, owned, driven, found)


def test_every_sample_is_there_once(minute: Minute) -> None:
    """Two triggers, and then the emulator's own schedule: no more and no less than one of each."""
    end = minute.minute + MINUTE
    counts = metrics.read(minute.scheduled, CLUSTERS, minute.minute, end, "SampleCount")
    assert counts == {
        (cluster, name): dict.fromkeys(minute.dues(), 1.0) for cluster in CLUSTERS for name in metrics.NAMES
    }
    assert sum(map(len, counts.values())) == 12 * 120 * 4


def test_samples_have_the_clusters_counts(minute: Minute) -> None:
    found = metrics.read(minute.scheduled, CLUSTERS, minute.minute, minute.minute + MINUTE)
    for cluster, tasks in CLUSTERS.items():
        values = [set(found[cluster, name].values()) for name in metrics.NAMES]
        assert values == [{float(tasks)}, {0.0}, {1.0}, {1.0}], cluster


def test_data_are_as_they_were_sent(minute: Minute) -> None:
    """One by one, before CloudWatch sums them up."""
    begin = minute.minute.timestamp()
    stored = get_json(f"{minute.scheduled.fake}/metrics?namespace=ECS")
    ours = [datum for datum in stored if begin <= datum["timestamp"] < begin + 60]
    once = {(datum["name"], datum["dimensions"]["ClusterName"], datum["timestamp"]) for datum in ours}
    assert len(ours) == len(once) == 12 * 120 * 4
    kinds = {(datum["unit"], datum["resolution"], datum["timestamp"] % 5, *datum["dimensions"]) for datum in ours}
    assert kinds == {("Count", 1, 0, "ClusterName")}


def test_clusters_are_read_together(minute: Minute) -> None:
    """Two calls that read and one that writes, a sample; and two pages of names a minute at most."""
    calls = [entry for entry in minute.scheduled.history() if entry["what"] == "call"]
    begin = minute.minute - PERIOD / 2  # the fake's clock is not quite the function's
    ours = [call for call in calls if begin <= moment(call) < begin + MINUTE]
    made = Counter(call["operation"] for call in ours)
    assert (made["DescribeClusters"], made["PutMetricData"]) == (24, 12) and made["ListClusters"] <= 2, made
    assert not [call for call in calls if "error" in call]


def test_log_lines_are_json(minute: Minute) -> None:
    lines = [line for line in metrics.log_lines(minute.scheduled) if line.get("function") == "ecs-metrics"]
    for line in lines:
        assert KEYS <= line.keys(), line


def test_a_doubled_trigger_adds_nothing(minute: Minute) -> None:
    """What it did not add, the samples show; this is that it was there."""
    said = [line.get("message") for line in metrics.log_lines(minute.scheduled)]
    assert said.count("skipped: another invocation owns the minute") == 1, said


def test_it_measures_itself(minute: Minute) -> None:
    own = metrics.own(minute.scheduled)
    assert own.ticks >= 12 and (own.skipped, own.failed, own.throttled) == (0, 0, 0)
    assert len(own.lags) >= 12


def test_a_sample_by_hand(minute: Minute) -> None:
    """As the README says, of a cluster that is not there."""
    (command,) = (command for command in commands("README.md") if "events/ecs-metrics" in command)
    answer = run(command, minute.scheduled.environment)
    assert answer.returncode == 0, f"{command}\n{answer.stderr}"
    said = json.JSONDecoder().raw_decode(answer.stdout)[0]
    assert (said["missing"], said["clusters"], said["data"]) == (["prod"], 0, 0), answer.stdout


def test_nothing_has_failed(minute: Minute) -> None:
    assert minute.scheduled.dead_letters() == 0
    assert minute.driven.dead_letters() == 0


def test_the_state_machine_takes_the_published_input(minute: Minute) -> None:
    """Twelve branches at their own moments, of the minute after its start's."""
    (execution,) = (one for one in minute.executions if PUBLISHED_CLUSTER in one["input"])
    begin = execution["startDate"].replace(second=0, microsecond=0) + MINUTE
    counts = metrics.read(minute.driven, [PUBLISHED_CLUSTER], begin, begin + MINUTE, "SampleCount")
    dues = [begin + PERIOD * tick for tick in range(12)]
    assert counts == {(PUBLISHED_CLUSTER, name): dict.fromkeys(dues, 1.0) for name in metrics.NAMES}


def test_a_branch_that_fails_does_not_fail_the_minute(minute: Minute) -> None:
    (execution,) = (one for one in minute.executions if json.loads(one["input"]) == {"clusters": []})
    assert execution["status"] == "SUCCEEDED", execution
    output = json.loads(execution["output"])
    assert len(output) == 12 and all(branch["error"]["Error"] == "EcsMetrics.Event" for branch in output), output


def test_the_rule_gives_the_state_machine_its_time(minute: Minute) -> None:
    given = [json.loads(one["input"]) for one in minute.executions]
    ours = [{"ECSClusterName": PUBLISHED_CLUSTER}, {"clusters": []}]
    by_rule = [one for one in given if one not in ours]
    assert by_rule and all(one.keys() == {"time"} for one in by_rule), given
    assert all(datetime.fromisoformat(one["time"].replace("Z", "+00:00")) for one in by_rule)


def test_an_extra_grants_its_reads(minute: Minute) -> None:
    """The rest of the policy is always there; test_template.py looks at it."""
    always, more = granted(minute.scheduled), granted(minute.driven)
    assert more - always == {"ecs:ListTasks", "ecs:DescribeTasks"} and always <= more


def granted(stack: Stack) -> set[str]:
    """Actions of the function's role."""
    function = stack.client("lambda").get_function_configuration(FunctionName=stack.outputs["EcsMetricsName"])
    role = function["Role"].rpartition("/")[2]
    policy = stack.client("iam").get_role_policy(RoleName=role, PolicyName="measure")["PolicyDocument"]
    actions = [statement["Action"] for statement in policy["Statement"]]
    return {one for action in actions for one in ([action] if isinstance(action, str) else action)}


def test_alarms_are_made_of_the_list(minute: Minute) -> None:
    """Of each cluster in it; none where it is empty."""
    made, without = alarms(minute.scheduled), alarms(minute.driven)
    clusters = {"PendingTasksOfc001Alarm", "NoSamplesOfc001Alarm", "PendingTasksOfc2Alarm", "NoSamplesOfc2Alarm"}
    assert made.keys() - without.keys() == clusters and len(without) > 40
    assert without.keys() - made.keys() == {"EcsMetricsStateMachineFailedAlarm"}
    for name, value in (("NoSamplesOfc001Alarm", "c001"), ("PendingTasksOfc2Alarm", "c-2")):
        alarm = made[name]
        assert alarm["Dimensions"] == [{"Name": "ClusterName", "Value": value}] and alarm["Period"] == 10


def alarms(stack: Stack) -> dict[str, dict[str, Any]]:
    """All, by their names in the template."""
    found = stack.emulated("cloudwatch").describe_alarms(MaxRecords=100)["MetricAlarms"]
    return {alarm["AlarmName"].split("-")[1]: alarm for alarm in found}


def test_the_dashboard_is_kept(minute: Minute) -> None:
    """With the alarms that there are."""
    cloudwatch, name = minute.scheduled.emulated("cloudwatch"), minute.scheduled.outputs["DashboardName"]
    body = json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])
    text, shown = (body["widgets"][place]["properties"] for place in (0, 1))
    assert "`fleetkeeper`" in text["markdown"] and "${" not in json.dumps(body)
    made = {alarm["AlarmArn"] for name, alarm in alarms(minute.scheduled).items() if "Of" not in name}
    assert set(shown["alarms"]) == made
