"""The metric writer's part of the template: permissions, and the state machine."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from environment import ROOT, clean_environment
from test_template import PARAMETERS, TEMPLATE, properties, statements

MACHINE = ROOT / "statemachines" / "ecs-metrics.asl.json"


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
    assert substitutions["FunctionArn"] == {"Ref": "EcsMetrics.Alias"}
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
