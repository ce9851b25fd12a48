"""The dashboard: one for all functions, that CloudWatch takes, and that shows every alarm."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from test_alarms import ALARMS, CLUSTERS_ALARMS, FILTERS, QUEUES
from test_template import FUNCTIONS, properties

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
LARGEST, OURS, COLUMNS, MOST_ALARMS, LONGEST_QUERY = 500, 100, 24, 100, 10_000
FIELDS = {"title", "region", "view", "stat", "period", "metrics", "annotations"}
PERIODS = {1, 5, 10, 20, 30, 60, 300}
NAMESPACES = {"ECS", "Fleetkeeper", "Fleetkeeper/my-stack", "AWS/Lambda", "AWS/SQS"}
DIMENSIONS = {"ClusterName", "FunctionName", "QueueName"}
TEXT, FILLED_IN = properties("Dashboard")["DashboardBody"]["Fn::Sub"]
VALUES = {
    "EcsMetricsNamespace": "ECS",
    "EcsMetricsPeriodSeconds": "5",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "my-stack",
}


def dashboard() -> dict[str, Any]:
    """The body with values filled in as CloudFormation does; resources stand for themselves."""
    return json.loads(re.sub(r"\$\{([\w:.]+)\}", lambda name: VALUES.get(name[1], name[1]), TEXT))


def graphs() -> list[dict[str, Any]]:
    """The properties of all metric widgets."""
    return [widget["properties"] for widget in dashboard()["widgets"] if widget["type"] == "metric"]


def test_nothing_lies_on_anything() -> None:
    body = dashboard()
    assert 0 < len(body["widgets"]) <= OURS < LARGEST
    taken: set[tuple[int, int]] = set()
    for widget in body["widgets"]:
        x, y, width, height = (widget[side] for side in ("x", "y", "width", "height"))
        assert x + width <= COLUMNS, widget
        squares = {(x + right, y + down) for right in range(width) for down in range(height)}
        assert not taken & squares, f"lies on another one: {widget}"
        taken |= squares


@pytest.mark.parametrize("graph", graphs(), ids=lambda graph: graph["title"])
def test_a_graph_is_one(graph: dict[str, Any]) -> None:
    """Searches, expressions of metrics that are there, and metrics with a statistic and a period."""
    assert graph.keys() <= FIELDS and graph["view"] == "timeSeries" and graph["region"] == "us-east-1"
    options = [metric[-1] if isinstance(metric[-1], dict) else {} for metric in graph["metrics"]]
    ids = {option["id"] for option in options if "id" in option}
    for metric, option in zip(graph["metrics"], options, strict=True):
        if "SEARCH" in option.get("expression", ""):
            search = r"""SEARCH\('\{"ECS",ClusterName\} MetricName="\w+"', 'Maximum', (\d+)\)"""
            (period,) = re.fullmatch(search, option["expression"]).groups()  # type: ignore[union-attr]
            assert int(period) in PERIODS
        elif "expression" in option:
            assert set(re.findall(r"[a-z]\w*", option["expression"])) <= ids
        else:
            namespace, name, *dimensions = metric[: len(metric) - bool(option)]
            assert namespace in NAMESPACES and name and set(dimensions[::2]) <= DIMENSIONS
            assert len(dimensions) % 2 == 0 and (dimensions or namespace == "Fleetkeeper/my-stack")
            assert graph["period"] in PERIODS and (graph["stat"] or option)


def test_it_names_what_there_is() -> None:
    """Functions, queues and log groups of the template; and metrics of filters."""
    shown = json.dumps(graphs())
    for function in FUNCTIONS:
        for name in ("Errors", "Throttles", "Duration", "Invocations"):
            assert json.dumps(["AWS/Lambda", name, "FunctionName", function])[:-1] in shown, function
    named = set(re.findall(r'"QueueName", "(\w+)\.QueueName"', shown))
    assert named == {name for name, queue in QUEUES.items() if queue.get("Condition") != "MailsReport"}
    filters = set(re.findall(r'"Fleetkeeper/my-stack", "(\w+)"', shown))
    assert filters == FILTERS.keys()


def test_duration_is_in_percent_of_the_timeout() -> None:
    (graph,) = (graph for graph in graphs() if "percent of the timeout" in graph["title"])
    named = [(metric[-2], metric[-1]["id"]) for metric in graph["metrics"] if len(metric) > 1]
    timeouts = {id: properties(function)["Timeout"] * 1_000 for function, id in named}
    drawn = [metric[0]["expression"].split(" / ") for metric in graph["metrics"] if len(metric) == 1]
    assert {id: int(by) * 100 for id, by in drawn} == timeouts and len(timeouts) == len(FUNCTIONS)
    assert [line["value"] for line in graph["annotations"]["horizontal"]] == [80], "where alarms go off"


def test_every_alarm_is_shown() -> None:
    """If it is made; those of clusters come by a list, and are not."""
    (widget,) = (widget["properties"] for widget in dashboard()["widgets"] if widget["type"] == "alarm")
    delimiter, arns = FILLED_IN["Alarms"]["Fn::Join"]
    assert widget["alarms"] == ["Alarms"] and delimiter == '", "' and len(arns) <= MOST_ALARMS
    shown = {}
    for arn in arns:
        condition, made, instead = arn.get("Fn::If", [None, arn, {"Ref": "AWS::NoValue"}])
        assert instead == {"Ref": "AWS::NoValue"}
        name, attribute = made["Fn::GetAtt"]
        assert attribute == "Arn"
        shown[name] = condition
    assert shown == {name: one.get("Condition") for name, one in ALARMS.items() if name not in CLUSTERS_ALARMS}


def test_the_newest_trouble_of_all_functions_is_shown() -> None:
    (widget,) = (widget["properties"] for widget in dashboard()["widgets"] if widget["type"] == "log")
    assert re.findall(r"SOURCE '(\w+)'", widget["query"]) == [f"{function}Logs" for function in FUNCTIONS]
    saved = properties("FailuresQuery")["QueryString"]
    (condition,) = re.findall(r"\| (filter .*)", saved)
    assert condition in widget["query"] and len(widget["query"]) < LONGEST_QUERY


def test_it_says_where_it_comes_from() -> None:
    first = dashboard()["widgets"][0]
    assert first["type"] == "text"
    for said in ("`my-stack`", "docs/runbook.md", "template.yaml", "Fleetkeeper"):
        assert said in first["properties"]["markdown"]


def test_new_clusters_come_by_themselves() -> None:
    """By searches, and by a variable whose choices are searched for."""
    body = dashboard()
    assert sum("SEARCH" in json.dumps(metric) for graph in graphs() for metric in graph["metrics"]) == 4
    (variable,) = body["variables"]
    assert variable["type"] == "property" and variable["property"] == variable["populateFrom"] == "ClusterName"
    assert variable["search"] == '{"ECS",ClusterName} MetricName="RunningTask"'
