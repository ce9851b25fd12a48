"""The metric writer's part of the template: permissions, the state machine, alarms, the dashboard."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from environment import ROOT, clean_environment
from test_template import PARAMETERS, RESOURCES, TEMPLATE, properties, statements

MACHINE = ROOT / "statemachines" / "ecs-metrics.asl.json"
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
LARGEST_DASHBOARD, OURS, COLUMNS = 500, 100, 24
FIELDS = {"title", "region", "view", "stat", "period", "metrics"}
PERIODS = {1, 5, 10, 20, 30, 60}


def test_metrics_are_written_to_one_namespace() -> None:
    (writing,) = (statement for _, statement in statements("EcsMetrics") if statement["Sid"] == "WriteMetrics")
    assert writing["Condition"] == {"StringEquals": {"cloudwatch:namespace": {"Ref": "EcsMetricsNamespace"}}}


def test_reads_are_of_this_accounts_clusters() -> None:
    measured = {"Fn::Sub": "arn:${AWS::Partition}:ecs:${AWS::Region}:${AWS::AccountId}:cluster/*"}
    for _, statement in statements("EcsMetrics"):
        if "ecs:" in json.dumps(statement["Action"]) and statement["Sid"] != "ListClusters":
            condition = statement.get("Condition", {}).get("ArnLike", {})
            assert measured in (statement["Resource"], condition.get("ecs:cluster"))


def test_each_extra_grants_its_own_reads() -> None:
    """A list has a word if it is another one without it, and so has no other word it."""
    words = re.findall(r"[a-z-]+", PARAMETERS["EcsMetricsExtraMetrics"]["AllowedPattern"])
    conditions = {name: made for name, made in TEMPLATE["Conditions"].items() if "Fn::Split" in json.dumps(made)}
    asked = {made["Fn::Not"][0]["Fn::Equals"][0]["Fn::Join"][1]["Fn::Split"][0] for made in conditions.values()}
    assert set(words) - asked == {"launch-types"}, "which costs no call"
    assert not [(one, other) for one in asked for other in words if one in other and one != other]


def test_the_function_outlives_no_third_minute() -> None:
    function = properties("EcsMetrics")
    assert function["Timeout"] == 240
    assert function["ReservedConcurrentExecutions"]["Fn::If"][:2] == ["DrivenBySchedule", 2]
    assert function["EventInvokeConfig"]["MaximumEventAgeInSeconds"] == 120


def test_no_log_level_drops_metrics() -> None:
    """Lambda takes a line without a level for INFO."""
    levels = TEMPLATE["Mappings"]["MetricsLogLevels"]
    assert list(levels) == PARAMETERS["LogLevel"]["AllowedValues"]
    assert {level["Level"] for level in levels.values()} == {"TRACE", "DEBUG", "INFO"}
    found = properties("EcsMetrics")["LoggingConfig"]["ApplicationLogLevel"]
    assert found == {"Fn::FindInMap": ["MetricsLogLevels", {"Ref": "LogLevel"}, "Level"]}


def states(machine: dict[str, Any]) -> dict[str, Any]:
    """All states of a machine and of those in it, by name."""
    found = dict(machine["States"])
    for state in machine["States"].values():
        found |= states(state["ItemProcessor"]) if "ItemProcessor" in state else {}
    return found


def test_each_branch_waits_for_a_moment_and_fails_alone() -> None:
    """That twelve of them come of a period of five seconds, test_ecs_metrics.py sees where it is deployed."""
    machine = json.loads(MACHINE.read_text())
    found = states(machine)
    (minute,) = (state for state in found.values() if state["Type"] == "Map")
    assert machine["QueryLanguage"] == "JSONata" and "[0..59][$ % ${PeriodSeconds} = 0]" in minute["Items"]
    (wait,) = (state for state in found.values() if state["Type"] == "Wait")
    assert wait["Timestamp"] == "{% $states.input %}" and "Seconds" not in wait, "waits that follow one another drift"
    (tick,) = (state for state in found.values() if state["Type"] == "Task")
    assert [caught["ErrorEquals"] for caught in tick["Catch"]] == [["States.ALL"]]


def test_the_template_fills_the_state_machine() -> None:
    placeholders = set(re.findall(r"\$\{(\w+)\}", MACHINE.read_text()))
    substitutions = properties("EcsMetricsStateMachine")["DefinitionSubstitutions"]
    assert placeholders == substitutions.keys()
    assert substitutions["FunctionArn"] == {"Fn::GetAtt": ["EcsMetrics", "Arn"]}
    assert substitutions["PeriodSeconds"] == {"Ref": "EcsMetricsPeriodSeconds"}


def test_the_state_machine_is_one(tmp_path: Path) -> None:
    """cfn-lint looks into definitions that stand in a template."""
    text = MACHINE.read_text().replace("${Partition}", "aws").replace("${PeriodSeconds}", "5")
    definition = json.loads(text.replace("${FunctionArn}", "arn:aws:lambda:us-east-1:123456789012:function:f"))
    role = "arn:aws:iam::123456789012:role/r"
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"StateMachineType": "EXPRESS", "RoleArn": role, "Definition": definition},
    }
    template = tmp_path / "template.json"
    command = ["cfn-lint", "--regions", "us-east-1", "--", str(template)]
    for broken in (False, True):
        if broken:
            definition["States"]["Minute"]["ItemProcessor"]["States"]["Tick"]["Next"] = "nowhere"
        template.write_text(json.dumps({"Resources": {"Machine": machine}}))
        answer = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
        assert (answer.returncode != 0) == broken, answer.stdout + answer.stderr


def alarms() -> dict[str, dict[str, Any]]:
    """Of the metric writer, by their names, those of each cluster too."""
    _, _, fragment = RESOURCES["Fn::ForEach::ClustersAlarmed"]
    found = {**RESOURCES, **fragment}
    return {
        name: alarm
        for name, alarm in found.items()
        if isinstance(alarm, dict)
        and alarm["Type"] == "AWS::CloudWatch::Alarm"
        and name.startswith(("EcsMetrics", "PendingTasksOf", "NoSamplesOf"))
    }


def test_alarms_tell_the_topic_and_only_while_something_is_written() -> None:
    assert len(alarms()) == 7
    for name, alarm in alarms().items():
        assert alarm["Condition"] in {"WritesMetrics", "WritesSelfMetrics", "AlarmsClusters"}, name
        assert alarm["Properties"]["AlarmActions"]["Fn::If"][1] == [{"Ref": "AlarmTopicArn"}], name
        silence = alarm["Properties"]["TreatMissingData"] == "breaching"
        assert silence == (name in {"NoSamplesOf&{Cluster}Alarm", "EcsMetricsSilenceAlarm"}), name


@pytest.mark.parametrize("period", PARAMETERS["EcsMetricsPeriodSeconds"]["AllowedValues"])
def test_alarms_see_every_sample(period: str) -> None:
    """The shortest period that has one, and that CloudWatch knows; for half a minute, and for a whole."""
    seconds = TEMPLATE["Mappings"]["Periods"][period]
    assert int(period) in PERIODS and seconds["Alarm"] == max(int(period), 10)
    assert 30 <= seconds["Held"] * seconds["Alarm"] < 30 + seconds["Alarm"]
    assert seconds["Silent"] * seconds["Alarm"] == max(60, 2 * int(period))


def dashboard(**values: str) -> dict[str, Any]:
    """The body with values filled in as CloudFormation does."""
    text = properties("EcsMetricsDashboard")["DashboardBody"]["Fn::Sub"]
    values = {"EcsMetricsNamespace": "ECS", "EcsMetricsPeriodSeconds": "5", "AWS::Region": "us-east-1", **values}
    return json.loads(re.sub(r"\$\{([\w:]+)\}", lambda name: values.get(name[1], "x"), text))


def test_the_dashboard_is_one() -> None:
    body = dashboard()
    assert 0 < len(body["widgets"]) <= OURS < LARGEST_DASHBOARD
    taken: set[tuple[int, int]] = set()
    for widget in body["widgets"]:
        x, y, width, height = (widget[side] for side in ("x", "y", "width", "height"))
        assert x + width <= COLUMNS, widget
        squares = {(x + right, y + down) for right in range(width) for down in range(height)}
        assert not taken & squares, f"lies on another one: {widget}"
        taken |= squares
        if widget["type"] == "metric":
            check_graph(widget["properties"])


def check_graph(graph: dict[str, Any]) -> None:
    """A metric widget's fields: a search, or metrics with a statistic and a period."""
    assert graph.keys() <= FIELDS and graph["view"] == "timeSeries" and graph["region"] == "us-east-1"
    for metric in graph["metrics"]:
        if isinstance(metric[0], dict):
            search = r"""SEARCH\('\{"ECS",ClusterName\} MetricName="\w+"', 'Maximum', (\d+)\)"""
            (period,) = re.fullmatch(search, metric[0]["expression"]).groups()  # type: ignore[union-attr]
            assert int(period) in PERIODS
        else:
            namespace, name, dimension, value, *more = metric
            assert namespace in {"ECS", "Fleetkeeper"} and dimension in {"ClusterName", "FunctionName"}
            assert name and value
            assert graph["period"] in PERIODS and (graph["stat"] or more)


def test_the_dashboard_says_where_it_comes_from() -> None:
    text = dashboard(**{"AWS::StackName": "my-stack", "EcsMetricsNamespace": "ECS"})["widgets"][0]
    assert text["type"] == "text"
    for said in ("my-stack", "`ECS`", "template.yaml", "Fleetkeeper"):
        assert said in text["properties"]["markdown"]


def test_new_clusters_come_into_the_dashboard_by_themselves() -> None:
    """By searches, and by a variable whose choices are searched for."""
    body = dashboard()
    searches = [metric for widget in body["widgets"] for metric in widget["properties"].get("metrics", [])]
    assert sum("SEARCH" in json.dumps(metric) for metric in searches) == 4
    (variable,) = body["variables"]
    assert variable["type"] == "property" and variable["property"] == variable["populateFrom"] == "ClusterName"
    assert variable["search"] == '{"ECS",ClusterName} MetricName="RunningTask"'
