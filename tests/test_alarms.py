"""What on-call sees: every queue and function is watched, alarms lead to the runbook, symptoms to a query."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

import log_queries
from environment import ROOT
from test_template import FUNCTIONS, PARAMETERS, RESOURCES, TEMPLATE, properties
from transformed import transformed, typed

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
# Of what is deployed and watched, without tests.
CRATES = ["aws-helpers", *(crate for crate, _ in FUNCTIONS.values())]
FILES = (file for crate in CRATES for file in (ROOT / "crates").glob(f"{crate}/src/**/*.rs"))
SOURCES = "".join(file.read_text() for file in FILES if not {"tests", "tests.rs"} & {*file.relative_to(ROOT).parts})
_, _, CLUSTERS_ALARMS = RESOURCES["Fn::ForEach::ClustersAlarmed"]
# Who has started it waits for its answer, and tells: a pipeline, a roll-out, a person.
ANSWERS_FOR_ITSELF = {"SmokeTest"}
EIGHTY_PERCENT = 0.8
# Metrics: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
MOST_IN_AN_EXPRESSION = 10
LONGEST_DESCRIPTION = 1_024
MINUTE = 60
NUMBERS = {"three": 3, "five": 5}

# By a metric's namespace what its dimensions may be, as AWS and the functions write it.
DIMENSIONS: dict[str, list[set[str]]] = {
    "AWS/Events": [{"RuleName"}],
    "AWS/Lambda": [{"FunctionName"}, {"FunctionName", "Resource", "ExecutedVersion"}],
    "AWS/SNS": [{"TopicName"}],
    "AWS/SQS": [{"QueueName"}],
    "AWS/States": [{"StateMachineArn"}],
    "Fleetkeeper": [{"FunctionName"}],
    "Fleetkeeper/${AWS::StackName}": [set()],  # of the template's own filters
    "EcsMetricsNamespace": [{"ClusterName"}],
}
WRITTEN_BY_FUNCTIONS = {"Fleetkeeper", "EcsMetricsNamespace"}

ALARMS = typed(TEMPLATE, "AWS::CloudWatch::Alarm") | CLUSTERS_ALARMS
QUEUES = typed(TEMPLATE, "AWS::SQS::Queue")
TOPICS = typed(TEMPLATE, "AWS::SNS::Topic")
FILTERS = typed(TEMPLATE, "AWS::Logs::MetricFilter")
QUERIES = typed(TEMPLATE, "AWS::Logs::QueryDefinition")


def metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """Namespace, name and dimensions of each metric that an alarm watches."""
    given = alarm["Properties"]
    branches = [one.get("Fn::If", [None, one])[1] for one in given.get("Metrics", [])]
    return [one["MetricStat"]["Metric"] for one in branches if "MetricStat" in one] or [given]


def watched(alarm: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Namespace, name, and the resource that a dimension names, of each metric that an alarm watches."""
    for metric in metrics(alarm):
        named = json.dumps([dimension["Value"] for dimension in metric.get("Dimensions", [])])
        for resource in re.findall(r'"Ref": "(\w+)"|"Fn::GetAtt": \["(\w+)"', named) or [("", "")]:
            yield str(metric["Namespace"]), metric["MetricName"], "".join(resource)


def alarms_on(namespace: str, metric: str, resource: str) -> list[str]:
    """The alarms that watch a metric."""
    return [name for name, alarm in ALARMS.items() if (namespace, metric, resource) in watched(alarm)]


def redrives_to(given: dict[str, Any]) -> str | None:
    """Where what fails is put."""
    return given.get("RedrivePolicy", {}).get("deadLetterTargetArn", {}).get("Fn::GetAtt", [None])[0]


def failure_queues() -> set[str]:
    """Queues that something else puts its failures into."""
    keeping = [*QUEUES.values(), *typed(TEMPLATE, "AWS::SNS::Subscription").values()]
    functions = (properties(function)["EventInvokeConfig"]["DestinationConfig"]["OnFailure"] for function in FUNCTIONS)
    destinations = {failure["Destination"]["Fn::GetAtt"][0] for failure in functions}
    return destinations | {found for one in keeping if (found := redrives_to(one["Properties"]))}


@pytest.mark.parametrize("queue", QUEUES)
def test_every_queue_keeps_what_fails_or_is_kept_for_that(queue: str) -> None:
    kept = redrives_to(properties(queue))
    assert (kept in QUEUES) != (queue in failure_queues()), queue
    if not kept:
        assert properties(queue)["MessageRetentionPeriod"] == 14 * 24 * 3_600, "the longest"


@pytest.mark.parametrize("subscription", typed(TEMPLATE, "AWS::SNS::Subscription"))
def test_every_subscription_keeps_what_it_cannot_deliver(subscription: str) -> None:
    """And the queue lets the topic put it there."""
    kept, topic = redrives_to(properties(subscription)), properties(subscription)["TopicArn"]
    policies = [policy["Properties"] for policy in typed(TEMPLATE, "AWS::SQS::QueuePolicy").values()]
    (policy,) = (policy for policy in policies if {"Ref": kept} in policy["Queues"])
    by_sns = {"Service": "sns.amazonaws.com"}
    allowed = [one for one in policy["PolicyDocument"]["Statement"] if one["Principal"] == by_sns]
    assert any(topic in one["Condition"]["ArnEquals"].values() for one in allowed), kept


@pytest.mark.parametrize("function", typed(TEMPLATE, "AWS::Serverless::Function"))
def test_every_function_keeps_what_fails(function: str) -> None:
    if function not in ANSWERS_FOR_ITSELF:
        given = properties(function)["EventInvokeConfig"]
        assert given["MaximumRetryAttempts"] == 2, "alarms, outputs and the runbook say: three times"
        destination = given["DestinationConfig"]["OnFailure"]
        assert destination["Type"] == "SQS" and destination["Destination"]["Fn::GetAtt"][0] in QUEUES


@pytest.mark.parametrize("queue", QUEUES)
def test_every_queue_has_alarms_on_age_and_depth(queue: str) -> None:
    (depth,) = alarms_on("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue)
    (age,) = alarms_on("AWS/SQS", "ApproximateAgeOfOldestMessage", queue)
    assert (depth, age) == (f"{queue}DepthAlarm", f"{queue}AgeAlarm")
    assert ALARMS[depth].get("Condition") == ALARMS[age].get("Condition")
    assert statistics(depth) == statistics(age) == {"Maximum"}
    if queue in failure_queues():
        assert properties_of(depth)["Threshold"] == 0
        left = properties(queue)["MessageRetentionPeriod"] - properties_of(age)["Threshold"]
        assert left == 3 * 24 * 3_600, "a weekend"


def properties_of(alarm: str) -> dict[str, Any]:
    """An alarm's, also one that is made for each cluster."""
    return ALARMS[alarm]["Properties"]


def statistics(alarm: str) -> set[str]:
    """Of the metrics that an alarm watches."""
    given = properties_of(alarm)
    return {one["MetricStat"]["Stat"] for one in given.get("Metrics", []) if "MetricStat" in one} or {given["Statistic"]}


@pytest.mark.parametrize(("queue", "delay"), [("ContinuationQueue", "PassInterval"), ("UrgentQueue", "UrgentInterval")])
def test_a_queues_delay_is_no_lateness(queue: str, delay: str) -> None:
    late = next(one for one in properties_of(f"{queue}AgeAlarm")["Metrics"] if "Expression" in one)
    assert late["Expression"] == {"Fn::Sub": f"age - ${{{delay}Seconds}}"}
    assert properties(queue)["DelaySeconds"] == {"Ref": f"{delay}Seconds"}


@pytest.mark.parametrize("function", typed(TEMPLATE, "AWS::Serverless::Function"))
def test_every_function_has_alarms_on_errors_throttles_and_duration(function: str) -> None:
    found = {name: alarms_on("AWS/Lambda", name, function) for name in ("Errors", "Throttles", "Duration")}
    found = {name: [alarm for alarm in names if "RollOut" not in alarm] for name, names in found.items()}
    if function in ANSWERS_FOR_ITSELF:
        assert found == dict.fromkeys(found, [])
        return
    assert found == {name: [f"{function}{name}Alarm"] for name in found}
    for counted in (properties_of(f"{function}{name}Alarm") for name in ("Errors", "Throttles")):
        assert (counted["Statistic"], counted["Threshold"]) == ("Sum", 0)
    milliseconds = properties(function)["Timeout"] * 1_000
    assert properties_of(f"{function}DurationAlarm")["Threshold"] == milliseconds * EIGHTY_PERCENT
    assert properties_of(f"{function}DurationAlarm")["Statistic"] == "Maximum"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_events_that_wait_for_a_function_have_an_alarm(function: str) -> None:
    """The drainer's wait in queues; the other functions are invoked asynchronously, and Lambda keeps theirs."""
    by_queue = any(event["Type"] == "SQS" for event in properties(function).get("Events", {}).values())
    found = alarms_on("AWS/Lambda", "AsyncEventAge", function)
    assert found == ([] if by_queue else [f"{function}AgeAlarm"])
    if found:
        most = properties(function)["EventInvokeConfig"]["MaximumEventAgeInSeconds"]
        assert properties_of(found[0])["Threshold"] <= most * 1_000 / 2, "or it tells when all is over"


def test_what_no_queue_keeps_is_told() -> None:
    """Of each rule, function and topic: what could not be put where failures go."""
    lost = {what for name, alarm in ALARMS.items() if name.endswith("LostAlarm") for what in watched(alarm)}
    for rule in typed(TEMPLATE, "AWS::Events::Rule"):
        schedules = {"MinuteRule", "MachineRule"}  # of which one is there
        assert ("AWS/Events", "InvocationsFailedToBeSentToDlq", rule) in lost or rule in schedules, rule
    for function in FUNCTIONS:
        assert ("AWS/Lambda", "DestinationDeliveryFailures", function) in lost
    assert ("AWS/SNS", "NumberOfNotificationsFailedToRedriveToDlq", "DrainTopic") in lost
    assert ("AWS/SNS", "NumberOfNotificationsFilteredOut-InvalidMessageBody", "DrainTopic") in lost


@pytest.mark.parametrize("topic", sorted(set(TOPICS) - {"DrainTopic"}))
def test_topics_for_people_tell_what_they_cannot_deliver(topic: str) -> None:
    assert alarms_on("AWS/SNS", "NumberOfNotificationsFailed", topic)


@pytest.mark.parametrize("metric", FILTERS)
def test_every_filter_has_an_alarm_of_its_stack_alone(metric: str) -> None:
    """A default value would cost 30 cents a month for nothing."""
    (made,) = properties(metric)["MetricTransformations"]
    alarm = properties_of(f"{metric}Alarm")
    assert made["MetricName"] == alarm["MetricName"] == metric and "DefaultValue" not in made
    assert made["MetricValue"] == "1" and (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 0)
    assert made["MetricNamespace"] == alarm["Namespace"] == {"Fn::Sub": "Fleetkeeper/${AWS::StackName}"}


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_is_one_that_cloudwatch_takes(name: str) -> None:
    given = properties_of(name)
    assert given["AlarmActions"] == {"Fn::If": ["TellsAlarms", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
    silence = given["TreatMissingData"] == "breaching"
    assert silence == (name in {"NoSamplesOf&{Cluster}Alarm", "EcsMetricsSilenceAlarm"}), "no data is no failure"
    looked_at = given["EvaluationPeriods"]
    said = re.search(r"(\w+) (?:of|times in) (\w+) minutes", words(given["AlarmDescription"]))
    some = [NUMBERS[word] for word in said.groups()] if said else [looked_at] * 2
    assert [given.get("DatapointsToAlarm", looked_at), looked_at] == some
    if "Metrics" in given:
        returned = [one for one in given["Metrics"] if "Fn::If" not in one and one.get("ReturnData", True)]
        assert len(returned) == 1 and len(given["Metrics"]) - 1 <= MOST_IN_AN_EXPRESSION
        ids = re.findall(r'"Id": "(\w+)"', json.dumps(given["Metrics"]))
        assert len(ids) == len(set(ids)) and all(re.fullmatch(r"[a-z]\w*", one) for one in ids)


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_is_about_a_metric_that_there_is(name: str) -> None:
    """Of any other CloudWatch takes the alarm, too, and has never any data for it."""
    for metric in metrics(ALARMS[name]):
        namespace = metric["Namespace"]
        (known,) = namespace.values() if isinstance(namespace, dict) else [namespace]
        assert {one["Name"] for one in metric.get("Dimensions", [])} in DIMENSIONS[known]
        if known in WRITTEN_BY_FUNCTIONS:
            assert f'"{metric["MetricName"]}"' in SOURCES


def test_alarms_of_what_is_not_made_are_not_made() -> None:
    """CloudFormation would refuse the stack; a choice between two has conditions of its own."""
    chosen = {"MinuteRule", "MachineRule", "RebalanceRule"}
    for name, alarm in ALARMS.items():
        for _, _, resource in watched(alarm):
            condition = RESOURCES.get(resource, {}).get("Condition")
            assert not condition or resource in chosen or alarm.get("Condition") == condition, name


def test_the_alarms_cost_what_the_runbook_says() -> None:
    """AWS bills each metric that an alarm reads, and three times as much where it is read more often than once a minute."""
    usual, often = 0, 0
    for alarm in typed(transformed(), "AWS::CloudWatch::Alarm").values():
        made = alarm["Properties"]
        stats = [entry["MetricStat"] for entry in made.get("Metrics", []) if "MetricStat" in entry] or [made]
        often += sum(int(stat["Period"]) < MINUTE for stat in stats)
        usual += sum(int(stat["Period"]) >= MINUTE for stat in stats)
    said = f"alarms watch {usual} metrics at 0.10 $ a month each, and {often} metrics every ten seconds at 0.30 $: "
    assert said + f"{usual * 0.1 + often * 0.3:.2f} $" in " ".join(RUNBOOK.split())


def words(text: Any) -> str:
    """A description in one line, whatever is filled in."""
    return text if isinstance(text, str) else text["Fn::Sub"]


def sections() -> dict[str, str]:
    """The runbook's, by heading."""
    _, *parts = re.split(r"^## (.+)$", RUNBOOK, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_leads_to_the_runbook(name: str) -> None:
    description = words(properties_of(name)["AlarmDescription"])
    assert len(description) <= LONGEST_DESCRIPTION
    leads = re.search(r"Runbook: ([^.]+)\.$", description.strip())
    assert leads and leads[1] in sections(), description
    assert f"`{name.replace('&{Cluster}', '…')}`" in sections()[leads[1]], leads[1]


def test_the_runbook_names_no_alarm_that_is_not_there() -> None:
    named = set(re.findall(r"`(\w+(?:…)?Alarm)`", RUNBOOK))
    assert named == {name.replace("&{Cluster}", "…") for name in ALARMS}


@pytest.mark.parametrize("heading", sections())
def test_every_symptom_has_alarms_and_a_query(heading: str) -> None:
    assert re.search(r"`\w+…?Alarm`", sections()[heading])
    named = set(re.findall(r"`(\w+Query)`", sections()[heading]))
    assert named and named <= QUERIES.keys()


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_is_in_the_runbook_under_its_name(name: str) -> None:
    folder, _, title = properties(name)["Name"]["Fn::Sub"].partition("/")
    assert folder == "${AWS::StackName}"
    assert f"`{name}`, *{title}*" in re.sub(r"\s+", " ", RUNBOOK)
    assert all(group["Ref"] in RESOURCES for group in properties(name)["LogGroupNames"])


def test_the_runbook_quotes_what_functions_say() -> None:
    """Each part of a line of the log, between what is filled in, stands in the sources."""
    quoted = re.findall(r"^\| `([a-zA-Z][^`]* [^`]*)`", RUNBOOK, re.MULTILINE)
    parts = [part.strip("; ") for line in quoted for part in re.split(r": |…", line)]
    assert len(quoted) >= 15
    assert [part for part in parts if " " in part and "service:" not in part and part not in SOURCES] == []


def test_filters_and_queries_look_for_what_functions_say() -> None:
    """A message that is looked for begins a text in the sources, and what is filled in there another."""
    asked = [*(properties(name)["FilterPattern"] for name in FILTERS), *(properties(name)["QueryString"] for name in QUERIES)]
    begun = re.findall(r'\$\.message = "([^"*]+)', "".join(asked))
    begun += [text for choice in re.findall(r"like /\^\(([^)]+)\)/", "".join(asked)) for text in choice.split("|")]
    assert len(begun) >= 15
    assert [part for text in begun for part in text.split(": ") if f'"{part}' not in SOURCES] == []


@pytest.mark.parametrize(
    "text",
    ['{ $.a == 1 }', '$.a = 1', '{ $.a NOT NULL }', '{ $.a = 1 && }', '{ ($.a = 1 }', "{ $.a = 'x' }"],
)
def test_a_pattern_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        log_queries.filter_pattern(text)


@pytest.mark.parametrize(
    "text", ["filter a === 1", "stats median(a)", "sort a", "explode a", "filter a like b", "filter a in 1"]
)
def test_a_query_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        log_queries.run(text, [{"a": 1}])


@pytest.mark.parametrize("period", PARAMETERS["EcsMetricsPeriodSeconds"]["AllowedValues"])
def test_alarms_see_every_sample(period: str) -> None:
    """The shortest period that has one, and that CloudWatch knows; for half a minute, and for a whole."""
    seconds = TEMPLATE["Mappings"]["Periods"][period]
    assert seconds["Alarm"] in {10, 20, 30, 60} and seconds["Alarm"] == max(int(period), 10)
    assert 30 <= seconds["Held"] * seconds["Alarm"] < 30 + seconds["Alarm"]
    assert seconds["Silent"] * seconds["Alarm"] == max(60, 2 * int(period))
