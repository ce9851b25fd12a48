"""An update reaches a function by its alias: at once, or guarded by CodeDeploy as fits how often it is called."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import drain
from build import build
from environment import clean_environment
from local_stack import STACK_NAME, Stack, deploy, local_stack
from processes import Failed, children, wait_for
from scan import EVERYTHING
from test_template import PARAMETERS, RESOURCES
from transformed import Template, transformed, transformed_each, typed

# Of each function how its calls are shifted, and whether there are enough of them for an alarm to see a failure meanwhile.
STRATEGIES = {
    "EcsDrainer": ("Canary10Percent10Minutes", True),
    "SpotInterruption": ("AllAtOnce", False),
    "TagPolicy": ("AllAtOnce", False),
    "EcsMetrics": ("HalfForTenMinutes", True),
}
# Another value that a parameter may have. Others get one more of what they allow, the next number, or another word.
OTHER = {
    "AutoScalingGroupArns": "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:*:autoScalingGroupName/prod",
    "Clusters": "prod",
    "EcsMetricsClusters": "prod",
    "EcsMetricsExtraMetrics": "services",
    "EcsMetricsNamespace": "Mine",
    "KmsKeyArn": EVERYTHING["KmsKeyArn"],
    "OperationsTopicArn": "arn:aws:sns:us-east-1:123456789012:operations",
    "OwnerSourceTag": "FoundBy",
    "ReportSubject": "Tags",
    "ReportTopicArn": "arn:aws:sns:us-east-1:123456789012:reports",
    "RulesTableName": "rules",
    "TagPolicyVpcIds": "vpc-0123456789abcdef0",
    "TargetGroupTag": "group",
}
# What calls a function, and the property that says which.
CALLERS = {
    "AWS::Events::Rule": "Targets",
    "AWS::Lambda::EventSourceMapping": "FunctionName",
    "AWS::Lambda::Permission": "FunctionName",
    "AWS::SNS::Subscription": "Endpoint",
    "AWS::StepFunctions::StateMachine": "DefinitionSubstitutions",
}
LIMIT_SECONDS = 120


@pytest.fixture(scope="module")
def guarded() -> Template:
    """The template with everything in it, and so a guarded roll-out."""
    return transformed(**EVERYTHING)


def test_an_update_at_once_needs_no_code_deploy() -> None:
    template = transformed()
    assert not [name for name, resource in template["Resources"].items() if "CodeDeploy" in resource["Type"]]
    aliases = typed(template, "AWS::Lambda::Alias")
    assert {name.removesuffix("Aliaslive") for name in aliases} == STRATEGIES.keys()
    assert not [name for name, alias in aliases.items() if "UpdatePolicy" in alias]


@pytest.mark.parametrize("function", STRATEGIES)
def test_a_guarded_update_checks_shifts_and_goes_back(guarded: Template, function: str) -> None:
    strategy, watched = STRATEGIES[function]
    group = guarded["Resources"][f"{function}DeploymentGroup"]["Properties"]
    assert strategy in json.dumps(group["DeploymentConfigName"])
    assert group["AutoRollbackConfiguration"]["Enabled"]
    assert set(group["AutoRollbackConfiguration"]["Events"]) >= {"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"}
    alarms = [alarm["Name"]["Ref"] for alarm in group.get("AlarmConfiguration", {}).get("Alarms", [])]
    assert alarms == [f"{function}RollOutAlarm"] * watched
    update = guarded["Resources"][f"{function}Aliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    assert update["DeploymentGroupName"] == {"Ref": f"{function}DeploymentGroup"}
    assert update["BeforeAllowTrafficHook"] == {"Ref": "SmokeTest"}


def test_half_of_the_calls_of_ten_minutes_show_what_a_tenth_does_not(guarded: Template) -> None:
    shifted = guarded["Resources"]["HalfForTenMinutes"]["Properties"]["TrafficRoutingConfig"]["TimeBasedCanary"]
    share, calls = shifted["CanaryPercentage"] / 100, shifted["CanaryInterval"]  # one a minute
    assert (1 - share) ** calls < 0.001 < 0.3 < (1 - 0.1) ** calls


@pytest.mark.parametrize("function", [name for name, (_, watched) in STRATEGIES.items() if watched])
def test_the_alarm_is_about_the_new_version_only(guarded: Template, function: str) -> None:
    """One that an old version can set off would keep the old version's repair from being deployed."""
    alarm = guarded["Resources"][f"{function}RollOutAlarm"]["Properties"]
    (version,) = [name for name in typed(guarded, "AWS::Lambda::Version") if name.startswith(f"{function}Version")]
    assert {one["Name"]: one["Value"] for one in alarm["Dimensions"]} == {
        "FunctionName": {"Ref": function},
        "Resource": {"Fn::Sub": f"${{{function}}}:live"},
        "ExecutedVersion": {"Fn::GetAtt": [version, "Version"]},
    }
    assert (alarm["MetricName"], alarm["Threshold"], alarm["Period"]) == ("Errors", 0, 60)


def test_code_deploy_may_move_each_alias_and_start_the_check(guarded: Template) -> None:
    (policy,) = guarded["Resources"]["RollOutRole"]["Properties"]["Policies"]
    granted = {one["Sid"]: json.dumps(one["Resource"]) for one in policy["PolicyDocument"]["Statement"]}
    assert set(re.findall(r'"\$\{(\w+)\.Arn\}:\*"', granted["MoveAliases"])) == STRATEGIES.keys()
    assert granted["CheckFirst"] == json.dumps({"Fn::GetAtt": ["SmokeTest", "Arn"]})


@pytest.mark.parametrize(
    "choice",
    [{}, {"FirstPasses": "direct", "EcsMetricsDriver": "state-machine", "RebalanceRecommendations": "drain"}],
    ids=["default", "other ways"],
)
def test_everything_calls_the_alias(choice: dict[str, str]) -> None:
    called = set()
    for name, resource in transformed(**choice)["Resources"].items():
        target = json.dumps(resource["Properties"].get(CALLERS.get(resource["Type"], ""), ""))
        for function in STRATEGIES:
            assert f'"{function}"' not in target, f"{name} calls the newest version of {function}, whatever the alias says"
            called |= {function} & set(re.findall(rf'"Ref": "({function})Aliaslive"', target))
    assert called == STRATEGIES.keys()


def test_the_state_machine_may_call_the_alias(guarded: Template) -> None:
    (policy,) = guarded["Resources"]["EcsMetricsStateMachineRole"]["Properties"]["Policies"]
    assert policy["PolicyDocument"]["Statement"][0]["Resource"] == {"Ref": "EcsMetricsAliaslive"}


def test_the_guarded_template_is_one(guarded: Template, tmp_path: Path) -> None:
    """`sam validate` and cfn-lint see the default only, in which SAM makes nothing of CodeDeploy."""
    file = tmp_path / "template.json"
    for broken in (False, True):
        template = json.loads(json.dumps(guarded))
        if broken:
            del template["Resources"]["HalfForTenMinutes"]["Properties"]["TrafficRoutingConfig"]["Type"]
        file.write_text(json.dumps(template))
        command = ["cfn-lint", "--regions", "us-east-1", "--", str(file)]
        answer = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)
        assert bool(answer.returncode) == broken, answer.stdout


def settings(function: str) -> list[str]:
    """The parameters that are among a function's properties, those of its roll-out aside."""
    given = {**RESOURCES[function]["Properties"]}
    given.pop("DeploymentPreference")
    given.pop("ReservedConcurrentExecutions", None)  # the function's, whatever its version
    return [name for name in re.findall(r'"Ref": "(\w+)"', json.dumps(given)) if name in PARAMETERS]


def other(name: str) -> str:
    """A value of the parameter that is not its default."""
    parameter = PARAMETERS[name]
    default = str(parameter["Default"])
    allowed = [str(value) for value in parameter.get("AllowedValues", []) if str(value) != default]
    if name in OTHER or allowed:
        return OTHER.get(name) or allowed[0]
    return str(int(default) + 1) if default.isdigit() else "other"


def versions(template: Template) -> dict[str, str]:
    """Of each function the name of its version in the template: another name is another version."""
    found = typed(template, "AWS::Lambda::Version").items()
    return {version["Properties"]["FunctionName"]["Ref"]: name for name, version in found}


def test_every_setting_makes_a_version() -> None:
    """A function whose setting has changed, and not its version, would go on with the old one."""
    names = sorted({name for function in STRATEGIES for name in settings(function)})
    assert len(names) > 30
    before, *changed = [versions(one) for one in transformed_each([{}, *({name: other(name)} for name in names)])]
    for name, after in zip(names, changed, strict=True):
        same = {function for function in STRATEGIES if after[function] == before[function]}
        assert not {function for function in same if name in settings(function)}, name


@pytest.fixture(scope="module")
def updated(request: pytest.FixtureRequest) -> Iterator[tuple[Stack, dict[str, str]]]:
    """A stack of which one parameter of the drainer has been changed, and which version was live before."""
    choice = {"RollOut": request.param, "EcsMetricsDriver": "off", "PassIntervalSeconds": 5}
    with local_stack(choice) as stack:
        before = live(stack)
        update(stack, {**choice, "PassIntervalSeconds": 6})
        yield stack, before


at_once_and_guarded = pytest.mark.parametrize("updated", ["at-once", "guarded"], indirect=True)


def update(stack: Stack, parameters: dict[str, object]) -> None:
    """Deploys the stack once more."""
    with children() as register:
        deploy(stack, build(stack.logs, register), parameters, register)


def live(stack: Stack) -> dict[str, str]:
    """Of each function the version that is called."""
    client, names = stack.client("lambda"), {function: stack.outputs[f"{function}Name"] for function in STRATEGIES}
    aliases = {function: client.get_alias(FunctionName=name, Name="live") for function, name in names.items()}
    return {function: alias["FunctionVersion"] for function, alias in aliases.items()}


def versions_run(stack: Stack) -> list[str]:
    """The version of each of the drainer's invocations, in order."""
    started = (re.fullmatch(r"START RequestId: \S+ Version: (\S+)", line) for line in stack.function_log("EcsDrainer"))
    return [start[1] for start in started if start]


@at_once_and_guarded
def test_an_update_releases_what_has_changed(updated: tuple[Stack, dict[str, str]]) -> None:
    stack, before = updated
    after = live(stack)
    assert {function for function in STRATEGIES if after[function] != before[function]} == {"EcsDrainer"}
    client, name = stack.client("lambda"), stack.outputs["EcsDrainerName"]
    for version, seconds in (("live", "6"), (after["EcsDrainer"], "6"), (before["EcsDrainer"], "5")):
        found = client.get_function_configuration(FunctionName=name, Qualifier=version)
        assert found["Environment"]["Variables"]["PASS_INTERVAL_SECONDS"] == seconds, version


@at_once_and_guarded
def test_the_new_version_drains(updated: tuple[Stack, dict[str, str]]) -> None:
    stack, _ = updated
    drain.attach_hook(stack)
    drain.scale_in(stack)
    verdict = drain.judge(drain.wait_until_gone(stack, LIMIT_SECONDS), stack)
    assert verdict.passed, verdict.failed
    assert versions_run(stack)[-1] == live(stack)["EcsDrainer"]


def test_a_drain_goes_on_while_the_stack_is_updated() -> None:
    """Its continuation is in a queue when the new version comes, which finishes it. The messages of both are the same."""
    choice = {"EcsMetricsDriver": "off", "PassIntervalSeconds": 45, "TaskStoppedEvents": "DISABLED"}
    with local_stack(choice) as stack:
        drain.attach_hook(stack)
        drain.scale_in(stack)
        wait_for("the first pass has passed on", lambda: drain.passes(stack) >= 1, LIMIT_SECONDS)
        before = live(stack)["EcsDrainer"]
        update(stack, {**choice, "LogLevel": "DEBUG"})
        after = live(stack)["EcsDrainer"]
        verdict = drain.judge(drain.wait_until_gone(stack, LIMIT_SECONDS), stack)
        assert verdict.passed, verdict.failed
        run = versions_run(stack)
        assert before != after and (run[0], run[-1]) == (before, after)


@pytest.mark.parametrize("updated", ["guarded"], indirect=True)
def test_a_version_that_fails_the_check_gets_no_calls(updated: tuple[Stack, dict[str, str]]) -> None:
    """The smoke test's dry run finds no rules table; CloudFormation goes back, and the alias has not moved."""
    stack, _ = updated
    before, checks = live(stack), stack.invocations("SmokeTest")
    assert checks == 1, "the sound update was not checked, or more often than once"
    choice = {"RollOut": "guarded", "EcsMetricsDriver": "off", "PassIntervalSeconds": 6}
    with pytest.raises(Failed):
        update(stack, {**choice, "CreateRulesTable": "no", "RulesTableName": "nowhere"})
    assert live(stack) == before
    cloudformation = stack.client("cloudformation")
    (described,) = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    assert described["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    events = cloudformation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"] == "UPDATE_FAILED"]
    reasons = {event["LogicalResourceId"]: event.get("ResourceStatusReason", "") for event in failed}
    assert "BeforeAllowTraffic: Failed" in reasons["TagPolicyAliaslive"], reasons
