"""What the template grants is what the functions call, no more and no less; and what the emulator passes over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from awscli.customizations.cloudformation.yamlhelper import yaml_parse

from environment import ROOT

TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())
PARAMETERS, RESOURCES = TEMPLATE["Parameters"], TEMPLATE["Resources"]
# Of each function the crate, and how many different calls it makes at least.
FUNCTIONS = {"EcsDrainer": ("ecs-drainer", 12), "TagPolicy": ("tag-policy", 15), "EcsMetrics": ("ecs-metrics", 10)}
# A fault names its operation as a policy does.
OPERATION = r"\b(?:autoscaling|cloudtrail|cloudwatch|dynamodb|ec2|ecs|sns):[A-Z][a-z]\w+"
# What only a parameter's choice grants, by the condition of the statement.
BY_CHOICE = {
    "EcsDrainer": {"StopsStandaloneTasks": {"ecs:StopTask"}},
    "TagPolicy": {
        "ActsOnUntagged": {"ec2:DescribeInstanceAttribute", "ec2:StopInstances", "ec2:TerminateInstances"}
    },
    "EcsMetrics": {
        "ReadsInstances": {"ecs:ListContainerInstances"},
        "ReadsTasks": {"ecs:ListTasks", "ecs:DescribeTasks"},
        "WantsCapacity": {"ecs:DescribeContainerInstances"},
        "WantsServices": {"ecs:ListServices", "ecs:DescribeServices"},
    },
}
# A row of a page's table of settings: variable, meaning, default, allowed, parameter.
SETTING = re.compile(r"^\| `([A-Z_]+)` \|.*\| ([^|]+) \|[^|]+\| `(\w+)` \|$", re.MULTILINE)


def properties(name: str) -> dict[str, Any]:
    """A resource's properties."""
    return RESOURCES[name]["Properties"]


def statements(function: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of the function's role, each with the condition that it depends on."""
    for policy in properties(f"{function}Role")["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            condition, granted, _ = statement.get("Fn::If", ("", statement, None))
            yield condition, granted


def operations(found: object) -> set[str]:
    """All operations that are named somewhere in it."""
    return set(re.findall(OPERATION, found if isinstance(found, str) else json.dumps(found)))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_permissions_are_the_calls(function: str) -> None:
    crate, least = FUNCTIONS[function]
    sources = (ROOT / "crates" / crate / "src").rglob("*.rs")
    quoted = {word for file in sources for word in re.findall(r'"([a-z\d]+:\w+)"', file.read_text())}
    called = {word for word in quoted if re.fullmatch(OPERATION, word)}
    assert len(called) >= least
    assert operations(list(statements(function))) == called


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_a_parameter_grants_nothing_else_does(function: str) -> None:
    granted: dict[str, set[str]] = {}
    for condition, statement in statements(function):
        granted.setdefault(condition, set()).update(operations(statement))
    always = granted.pop("")
    assert granted == BY_CHOICE[function]
    assert not always & set().union(*granted.values())


def test_untagged_instances_are_stopped_or_terminated_as_the_parameter_says() -> None:
    """Never both, and never one of an Auto Scaling group, whatever the function believes."""
    (ending,) = (statement for _, statement in statements("TagPolicy") if statement["Sid"] == "EndUntagged")
    assert ending["Action"] == {"Fn::If": ["StopsUntagged", "ec2:StopInstances", "ec2:TerminateInstances"]}
    assert ending["Condition"] == {"Null": {"aws:ResourceTag/aws:autoscaling:groupName": "true"}}


def parameter(value: dict[str, Any]) -> str | None:
    """The parameter that a variable of the environment is, whole or joined."""
    name = value.get("Ref") or value.get("Fn::Join", ["", {}])[1].get("Ref")
    return name if name in PARAMETERS else None


@pytest.mark.parametrize("function", FUNCTIONS)
def test_parameters_are_what_the_page_says(function: str) -> None:
    """The page is compared with the function's settings by a test of its crate."""
    crate, _ = FUNCTIONS[function]
    rows = SETTING.findall((ROOT / "docs" / f"{crate}.md").read_text())
    variables = properties(function)["Environment"]["Variables"].items()
    given = {variable: name for variable, value in variables if (name := parameter(value))}
    given["AWS_LAMBDA_LOG_LEVEL"] = "LogLevel"  # which Lambda sets
    assert {variable: name for variable, _, name in rows} == given
    for variable, default, name in rows:
        assert str(PARAMETERS[name]["Default"]) == ("" if default == "empty" else default.strip("`")), variable


def test_every_parameter_has_a_group() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(PARAMETERS)


def test_the_loop_is_allowed_and_bounded() -> None:
    """MiniStack's CloudFormation passes over RecursiveLoop, so that no deployed test would miss it."""
    function = properties("EcsDrainer")
    assert function["RecursiveLoop"] == "Allow" and "DEADLINE_SECONDS" in function["Environment"]["Variables"]


def test_queues_wait_longer_than_the_function_runs() -> None:
    for queue in ("FirstPassQueue", "ContinuationQueue"):
        assert properties(queue)["VisibilityTimeout"] >= 2 * properties("EcsDrainer")["Timeout"], queue


def test_tables_can_be_restored_and_state_expires() -> None:
    """MiniStack's CloudFormation passes over both."""
    for table in ("TagPolicyRulesTable", "TagPolicyStateTable"):
        assert properties(table)["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, table
    for table in ("TagPolicyStateTable", "EcsMetricsLeaseTable"):
        expiry = {"AttributeName": "ExpiresAt", "Enabled": True}
        assert properties(table)["TimeToLiveSpecification"] == expiry, table


def test_what_people_have_written_outlives_the_stack() -> None:
    rules = RESOURCES["TagPolicyRulesTable"]
    assert rules["DeletionPolicy"] == rules["UpdateReplacePolicy"] == "Retain"
    assert rules["Condition"] == "MakesRulesTable", "or the stack cannot be deployed beside a table that is there"
