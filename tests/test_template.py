"""What the template grants is what the functions call, no more and no less; and what the emulator passes over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from awscli.customizations.cloudformation.yamlhelper import yaml_parse

from environment import ROOT
from transformed import typed

TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())
PARAMETERS, RESOURCES = TEMPLATE["Parameters"], TEMPLATE["Resources"]
# Of each function the crate, and how many different calls it makes at least.
FUNCTIONS = {
    "EcsDrainer": ("ecs-drainer", 12),
    "SpotInterruption": ("spot-interruption", 3),
    "TagPolicy": ("tag-policy", 15),
    "EcsMetrics": ("ecs-metrics", 10),
}
# And the one that tests them.
CALLING = FUNCTIONS | {"SmokeTest": ("smoke-test", 4)}
# Where a function's settings are, unless on the page of its name.
PAGES = {"SmokeTest": "pipeline"}
# A fault names its operation as a policy does.
SERVICES = "autoscaling|cloudtrail|cloudwatch|codedeploy|codepipeline|dynamodb|ec2|ecs|elasticloadbalancing|lambda|sns"
OPERATION = rf"\b(?:{SERVICES}):[A-Z][a-z]\w+"
# What only a parameter's choice grants, by the condition of the statement.
BY_CHOICE = {
    "EcsDrainer": {"StopsStandaloneTasks": {"ecs:StopTask"}},
    "SpotInterruption": {},
    "TagPolicy": {
        "ActsOnUntagged": {"ec2:DescribeInstanceAttribute", "ec2:StopInstances", "ec2:TerminateInstances"}
    },
    "EcsMetrics": {
        "ReadsInstances": {"ecs:ListContainerInstances"},
        "ReadsTasks": {"ecs:ListTasks", "ecs:DescribeTasks"},
        "WantsCapacity": {"ecs:DescribeContainerInstances"},
        "WantsServices": {"ecs:ListServices", "ecs:DescribeServices"},
    },
    "SmokeTest": {"GuardsRollOut": {"codedeploy:PutLifecycleEventHookExecutionStatus"}},
}
SPOT = "spot-interruption"
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


@pytest.mark.parametrize("function", CALLING)
def test_permissions_are_the_calls(function: str) -> None:
    crate, least = CALLING[function]
    sources = (ROOT / "crates" / crate / "src").rglob("*.rs")
    quoted = {word for file in sources for word in re.findall(r'"([a-z\d]+:\w+)"', file.read_text())}
    called = {word for word in quoted if re.fullmatch(OPERATION, word)}
    assert len(called) >= least
    assert operations([granted["Action"] for _, granted in statements(function)]) == called


@pytest.mark.parametrize("function", CALLING)
def test_what_a_parameter_grants_nothing_else_does(function: str) -> None:
    granted: dict[str, set[str]] = {}
    for condition, statement in statements(function):
        if called := operations(statement):
            granted.setdefault(condition, set()).update(called)
    always = granted.pop("")
    assert granted == BY_CHOICE[function]
    assert not always & set().union(*granted.values())


def test_untagged_instances_are_stopped_or_terminated_as_the_parameter_says() -> None:
    """Never both, and never one of an Auto Scaling group, whatever the function believes."""
    (ending,) = (statement for _, statement in statements("TagPolicy") if statement["Sid"] == "EndUntagged")
    assert ending["Action"] == {"Fn::If": ["StopsUntagged", "ec2:StopInstances", "ec2:TerminateInstances"]}
    assert ending["Condition"] == {"Null": {"aws:ResourceTag/aws:autoscaling:groupName": "true"}}


def parameter(value: dict[str, Any]) -> str | None:
    """The parameter that a variable of the environment is: whole, joined, or unless it is empty."""
    given = value.get("Fn::If", [value])[-1]
    name = given.get("Ref") or given.get("Fn::Join", ["", {}])[1].get("Ref")
    return name if name in PARAMETERS else None


@pytest.mark.parametrize("function", CALLING)
def test_parameters_are_what_the_page_says(function: str) -> None:
    """The page is compared with the function's settings by a test of its crate."""
    crate, _ = CALLING[function]
    rows = SETTING.findall((ROOT / "docs" / f"{PAGES.get(function, crate)}.md").read_text())
    variables = properties(function)["Environment"]["Variables"].items()
    given = {variable: name for variable, value in variables if (name := parameter(value))}
    given["AWS_LAMBDA_LOG_LEVEL"] = "LogLevel"  # which Lambda sets
    assert {variable: name for variable, _, name in rows} == given
    for variable, default, name in rows:
        # What the function cannot do without is the stack's own where the parameter is empty.
        stated = "" if default in ("empty", "required") else default.strip("`")
        assert str(PARAMETERS[name]["Default"]) == stated, variable


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
    # What is urgent comes back as soon as Lambda allows: within the two minutes of a spot notice.
    assert properties("UrgentQueue")["VisibilityTimeout"] == properties("EcsDrainer")["Timeout"] < 120


def seconds(text: str) -> dict[str, int]:
    """Fields and constants of a Rust source by name: durations in seconds, whole numbers as they are."""
    found = re.findall(r"\b(\w+): (?:Duration(?: = Duration)?::from_(secs|mins)\()?(\d+)\)?[,;]", text)
    return {name: int(number) * (60 if unit == "mins" else 1) for name, unit, number in found}


def test_worlds_are_wired_as_the_stack_is() -> None:
    """Faults, scale and whole worlds are tried on queues in the tests' own process; they prove nothing of other ones."""
    queues = {name: properties(f"{name}Queue") for name in ("FirstPass", "Continuation", "Urgent")}
    sources = {name: event["Properties"] for name, event in properties("EcsDrainer")["Events"].items()}
    assert sources.keys() == queues.keys()
    assert all(source["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for source in sources.values())
    ((window, batch),) = {(one["MaximumBatchingWindowInSeconds"], one["BatchSize"]) for one in sources.values()}
    concurrency = {name: source["ScalingConfig"]["MaximumConcurrency"] for name, source in sources.items()}
    visible = {name: queue["VisibilityTimeout"] for name, queue in queues.items()}
    assert visible["FirstPass"] == visible["Continuation"] and concurrency["Continuation"] == concurrency["Urgent"]
    (receipts,) = {queue["RedrivePolicy"]["maxReceiveCount"] for queue in queues.values()}
    crates = ROOT / "crates"
    wiring = (crates / "aws-fake" / "src" / "plumbing" / "mod.rs").read_text()
    (defaults,) = re.findall(r"^impl Default for PlumbingSettings \{$.*?^\}$", wiring, re.DOTALL | re.MULTILINE)
    assert seconds(defaults) == {
        "pass_interval": PARAMETERS["PassIntervalSeconds"]["Default"],
        "urgent_interval": PARAMETERS["UrgentIntervalSeconds"]["Default"],
        "batching_window": window,
        "max_batch": batch,
        "visibility_timeout": visible["FirstPass"],
        "urgent_visibility_timeout": visible["Urgent"],
        "max_receive": receipts,
        "first_concurrency": concurrency["FirstPass"],
        "max_concurrency": concurrency["Urgent"],
        "function_timeout": properties("EcsDrainer")["Timeout"],
    }
    spot = seconds((crates / "simulation" / "src" / "wiring.rs").read_text())
    assert spot["SPOT_TIMEOUT"] == properties("SpotInterruption")["Timeout"]
    drainer = seconds((crates / "ecs-drainer" / "src" / "decide.rs").read_text())
    assert (drainer["REDELIVERY"], drainer["URGENT_REDELIVERY"]) == (visible["FirstPass"], visible["Urgent"])


def passes(policy: dict[str, Any], message: dict[str, Any]) -> bool:
    """Whether a filter that only asks which fields there are lets a message through."""
    return all((field in message) == asked["exists"] for field, (asked,) in policy.items())


@pytest.mark.parametrize("first", ["FirstPassByQueue", "FirstPassDirect"])
def test_every_message_of_the_topic_goes_to_one_queue(first: str) -> None:
    """By the samples; the parameter FirstPasses takes one of the two ways."""
    samples = {
        first: ("sqs-terminating", "sqs-drain-request", "sqs-drain-request-until"),
        "ContinuationByQueue": ("sqs-continuation",),
        "UrgentByQueue": ("sns-continuation-urgent",),
    }
    for subscription, names in samples.items():
        for name in names:
            (record,) = json.loads((ROOT / "events" / "ecs-drainer" / f"{name}.json").read_text())["Records"]
            message = json.loads(record["body"] if "body" in record else record["Sns"]["Message"])
            taken = [one for one in samples if passes(properties(one)["FilterPolicy"], message)]
            assert taken == [subscription], name
    for subscription in samples:
        assert properties(subscription)["FilterPolicyScope"] == "MessageBody", subscription


def matches(pattern: Any, found: Any) -> bool:
    """Whether an event has what a rule's pattern asks for: fields with one of some values, or fields that there are."""
    if isinstance(pattern, dict):
        return isinstance(found, dict) and all(matches(asked, found.get(field)) for field, asked in pattern.items())
    return found in pattern or (pattern == [{"exists": True}] and found is not None)


# Of each rule on events a sample.
HEARD = {
    "TaskStoppedRule": "ecs-drainer/eventbridge-task-stopped",
    "LifecycleRule": "ecs-drainer/eventbridge-terminating",
    "TerminatedRule": "ecs-drainer/eventbridge-terminated",
    "SpotInterruptionRule": "spot-interruption/warning-terminate",
    "RebalanceRule": "spot-interruption/rebalance",
    "LaunchRule": "tag-policy/launch",
}


@pytest.mark.parametrize("rule", HEARD)
def test_an_event_is_for_its_rule_alone(rule: str) -> None:
    event = json.loads((ROOT / "events" / f"{HEARD[rule]}.json").read_text())
    made = {name: properties(name) for name in typed(TEMPLATE, "AWS::Events::Rule")}
    patterns = {name: given["EventPattern"] for name, given in made.items() if "ScheduleExpression" not in given}
    assert patterns.keys() == HEARD.keys()
    assert [name for name, pattern in patterns.items() if matches(pattern, event)] == [rule]


def rules() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every rule with its targets."""
    for name, rule in typed(TEMPLATE, "AWS::Events::Rule").items():
        yield from ((name, target) for target in rule["Properties"]["Targets"])


def test_rules_may_send_what_they_send() -> None:
    """The emulator lets everybody send everything."""
    policies = [resource["Properties"] for resource in RESOURCES.values() if isinstance(resource, dict)]
    allowed = {
        (rule, queue["Ref"])
        for policy in policies
        for queue in policy.get("Queues", [])
        for rule in re.findall(r'\["(\w+Rule)", "Arn"\]', json.dumps(policy["PolicyDocument"]))
    }
    invoked = {
        (resource["Properties"]["SourceArn"]["Fn::GetAtt"][0], json.dumps(resource["Properties"]["FunctionName"]))
        for resource in typed(TEMPLATE, "AWS::Lambda::Permission").values()
        if resource["Properties"]["Principal"] == "events.amazonaws.com"
    }
    for rule, target in rules():
        kept = target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]
        assert (rule, kept) in allowed, f"{rule} may not send to {kept}"
        if "RoleArn" not in target:
            queue = target["Arn"].get("Fn::GetAtt", [None])[0]
            assert (rule, queue or json.dumps(target["Arn"])) in allowed | invoked, f"{rule} may not reach {target['Arn']}"


def test_a_spot_notice_is_tried_while_the_instance_is_there() -> None:
    seconds = [properties("SpotInterruption")["EventInvokeConfig"]["MaximumEventAgeInSeconds"]]
    seconds += [target["RetryPolicy"]["MaximumEventAgeInSeconds"] for _, target in rules() if target["Id"] == SPOT]
    assert seconds == [120] * 3


def test_the_spot_function_publishes_where_its_settings_say() -> None:
    variables = properties("SpotInterruption")["Environment"]["Variables"]
    allowed = [granted["Resource"] for _, granted in statements("SpotInterruption") if granted["Action"] == "sns:Publish"]
    assert allowed == [variables["DRAIN_TOPIC_ARN"], variables["NOTICE_TOPIC_ARN"]]


def test_rebalance_recommendations_are_for_those_who_ask() -> None:
    assert PARAMETERS["RebalanceRecommendations"]["Default"] == "ignore"
    assert TEMPLATE["Conditions"]["DrainsOnRebalance"] == {
        "Fn::Equals": [{"Ref": "RebalanceRecommendations"}, "drain"]
    }
    assert RESOURCES["RebalanceRule"]["Condition"] == "DrainsOnRebalance"


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
