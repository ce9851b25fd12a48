"""Many accounts: the example's stack set says what the template takes, and reports reach a central account's topic."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from awscli.customizations.cloudformation.yamlhelper import yaml_parse

import build
import policy
import release
from environment import LOCAL, REGION, ROOT, client_settings
from local_stack import Stack, deploy, start
from moto_world import moto_server
from pages import commands, done, run
from processes import children, wait_for
from test_template import PARAMETERS, TEMPLATE
from transformed import typed

STACK_SET = yaml_parse((ROOT / "examples" / "stackset.yaml").read_text())
NESTED = yaml_parse((ROOT / "examples" / "nested.yaml").read_text())
CENTRAL = yaml_parse((ROOT / "examples" / "stackset-central.yaml").read_text())
RUN = LOCAL / "multi-account"
MEASURED, UNMEASURED = ["111111111111", "222222222222"], ["333333333333"]
CENTRAL_ACCOUNT = "999999999999"
ARN = f"arn:aws:sns:{REGION}:{CENTRAL_ACCOUNT}"
GIVEN: dict[str, Any] = {
    "AWS::NoValue": None,
    "AWS::Region": REGION,
    "TemplateUrl": "https://artifacts.s3.amazonaws.com/fleetkeeper.yaml",
    "AccountIds": MEASURED,
    "UnmeasuredAccountIds": UNMEASURED,
    "ReportTopicArn": f"{ARN}:reports",
    "ReportTopicKeyArn": f"arn:aws:kms:{REGION}:{CENTRAL_ACCOUNT}:key/0a1b2c3d-0000-4000-8000-000000000000",
    "OperationsTopicArn": f"{ARN}:operations",
}
# Lambda: a function's name. StackSets: `StackSet-`, the set's name, and a UUID with its hyphen.
LONGEST_FUNCTION, LONGEST_STACK = 64, len("StackSet-fleetkeeper-") + 36


def resolved(value: Any, holds: bool = True) -> Any:
    """A value with its parameters; its one condition holds or not."""
    if isinstance(value, list):
        return [one for part in value if (one := resolved(part, holds)) is not None]
    if not isinstance(value, dict):
        return value
    if "Ref" in value:
        return GIVEN[value["Ref"]]
    if "Fn::If" in value:
        return resolved(value["Fn::If"][1 if holds else 2], holds)
    return {key: resolved(part, holds) for key, part in value.items()}


SET = resolved(STACK_SET["Resources"]["Fleetkeeper"]["Properties"])
SAID = SET["Parameters"] + [
    said for group in SET["StackInstancesGroup"] for said in group.get("ParameterOverrides", [])
]


@pytest.mark.parametrize("said", SAID, ids=lambda said: said["ParameterKey"])
def test_what_the_stack_set_says_the_template_takes(said: dict[str, str]) -> None:
    taken = PARAMETERS[said["ParameterKey"]]
    assert re.fullmatch(taken.get("AllowedPattern", ".*"), said["ParameterValue"])
    assert said["ParameterValue"] in taken.get("AllowedValues", [said["ParameterValue"]])


def test_names_have_room_in_a_stack_set() -> None:
    """The stacks' own names would leave seven characters; those of nested stacks little more."""
    functions = typed(TEMPLATE, "AWS::Serverless::Function").values()
    names = [one["Properties"]["FunctionName"]["Fn::Sub"] for one in functions]
    assert all(name.startswith("${Name}-") and terms == {"Name": prefix()} for name, terms in names)
    longest = max(len(name) for name, _ in names) - len("${Name}")
    assert LONGEST_STACK + longest > LONGEST_FUNCTION, "or nobody would need NamePrefix"
    pattern = PARAMETERS["NamePrefix"]["AllowedPattern"]
    allowed = max(length for length in range(LONGEST_FUNCTION) if re.fullmatch(pattern, "x" * length))
    assert allowed + longest <= LONGEST_FUNCTION
    assert NESTED["Resources"]["Fleetkeeper"]["Properties"]["Parameters"]["NamePrefix"] == {"Ref": "AWS::StackName"}


def prefix() -> dict[str, Any]:
    """What a name begins with."""
    return {"Fn::If": ["NamesByStack", {"Ref": "AWS::StackName"}, {"Ref": "NamePrefix"}]}


def test_transforms_need_the_accounts_own_roles() -> None:
    """Service-managed sets cannot make transforms with their usual role; nobody can without CAPABILITY_AUTO_EXPAND."""
    assert TEMPLATE["Transform"] and SET["PermissionModel"] == "SELF_MANAGED"
    assert set(SET["Capabilities"]) == {"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"}


def test_moto_makes_the_stack_set() -> None:
    """With the template's parameters; its resources are moto's to make elsewhere."""
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "fleetkeeper"}}
    body = {"Parameters": PARAMETERS, "Resources": {"Topic": topic}}
    own = ("StackSetName", "Description", "PermissionModel", "Capabilities", "Parameters")
    with moto_server(LOCAL / "multi-account-moto") as clients:
        formation = clients("cloudformation")
        formation.create_stack_set(**{name: SET[name] for name in own}, TemplateBody=json.dumps(body))
        for group in SET["StackInstancesGroup"]:
            targets = {"Accounts": group["DeploymentTargets"]["Accounts"], "Regions": group["Regions"]}
            overrides = group.get("ParameterOverrides", [])
            preferences = SET["OperationPreferences"]
            formation.create_stack_instances(
                StackSetName="fleetkeeper", **targets, ParameterOverrides=overrides, OperationPreferences=preferences
            )
        made = {one["Account"] for one in formation.list_stack_instances(StackSetName="fleetkeeper")["Summaries"]}
        unmeasured = formation.describe_stack_instance(
            StackSetName="fleetkeeper", StackInstanceAccount=UNMEASURED[0], StackInstanceRegion=REGION
        )["StackInstance"]
    assert made == {*MEASURED, *UNMEASURED}
    assert {"ParameterKey": "EcsMetricsDriver", "ParameterValue": "off"} in unmeasured["ParameterOverrides"]


def test_without_other_accounts_there_is_one_group() -> None:
    assert len(resolved(STACK_SET["Resources"]["Fleetkeeper"]["Properties"], holds=False)["StackInstancesGroup"]) == 1


def allowed() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of the central account that lets somebody in, by its resource."""
    for name, resource in CENTRAL["Resources"].items():
        document = resource["Properties"].get("PolicyDocument") or resource["Properties"].get("KeyPolicy") or {}
        for statement in document.get("Statement", []):
            if statement["Effect"] == "Allow":
                yield f"{name}/{statement['Sid']}", statement


@pytest.mark.parametrize(("where", "statement"), [pytest.param(*one, id=one[0]) for one in allowed()])
def test_the_central_account_admits_only_the_accounts(where: str, statement: dict[str, Any]) -> None:
    """People and functions by organization and account; services by the account for which they speak."""
    if statement["Sid"] == "ThisAccountsPolicies":
        return
    equal = statement["Condition"]["StringEquals"]
    if "Service" in statement["Principal"]:
        assert equal["aws:SourceAccount"] == {"Ref": "AccountIds"}
        assert "aws:SourceArn" in statement["Condition"]["ArnLike"]
    else:
        assert equal["aws:PrincipalOrgID"] == {"Ref": "OrganizationId"}
        assert equal["aws:PrincipalAccount"] == {"Ref": "AccountIds"}


def test_everything_central_is_tls_only() -> None:
    policies = [one for one in CENTRAL["Resources"].values() if "PolicyDocument" in one["Properties"]]
    assert len(policies) == 3
    for one in policies:
        (denied,) = [said for said in one["Properties"]["PolicyDocument"]["Statement"] if said["Effect"] == "Deny"]
        assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.fixture(scope="module")
def member() -> Iterator[tuple[Stack, Any, str]]:
    """A stack whose topics are another account's; that account's client, and the queue where its reports arrive."""
    with children() as register:
        built = build.build(prepared(), register)
        stack = start(RUN, register, {})
        outputs = deployed_centrally(stack, built)

        def central(service: str) -> Any:
            """A client of the central account: the emulator takes its number for the key's id."""
            return boto3.client(service, **client_settings(stack.emulator) | {"aws_access_key_id": CENTRAL_ACCOUNT})

        queue = central("sqs").create_queue(QueueName="reports")["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{CENTRAL_ACCOUNT}:reports"
        central("sns").subscribe(TopicArn=outputs["ReportTopicArn"], Protocol="sqs", Endpoint=arn)
        topics = {name: outputs[name] for name in ("ReportTopicArn", "ReportTopicKeyArn", "OperationsTopicArn")}
        deploy(stack, built, {**topics, "NamePrefix": "fleet", "EcsMetricsDriver": "off"}, register)
        yield stack, central("sqs"), queue


def prepared() -> Path:
    """An empty folder for what the run leaves."""
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir(parents=True)
    (RUN / "empty.toml").touch()
    return RUN


def deployed_centrally(stack: Stack, built: Path) -> dict[str, str]:
    """Runs the page's commands as the central account; the outputs of its stack."""
    reader = RUN / "reader"
    (reader / ".aws-sam").mkdir(parents=True)
    (reader / ".aws-sam" / "build").symlink_to(built)
    for name in ("examples", "statemachines", "samconfig.toml"):
        (reader / name).symlink_to(ROOT / name)
    environment = stack.environment | {"AWS_ACCESS_KEY_ID": CENTRAL_ACCOUNT}
    outputs: dict[str, str] = {}
    for command in commands("docs/multi-account.md", "Deploy"):
        if command == "make build":
            continue  # as tests/build.py has done
        names = {"ARTIFACT_BUCKET": "ArtifactBucket", "REPORT_TOPIC_ARN": "ReportTopicArn"}
        names |= {"REPORT_TOPIC_KEY_ARN": "ReportTopicKeyArn", "OPERATIONS_TOPIC_ARN": "OperationsTopicArn"}
        known = {name: outputs[output] for name, output in names.items() if output in outputs}
        known["VERSION"] = release.version()
        if "examples/stackset.yaml" in command:  # sets are moto's, which reads no templates with them
            answer = run(command, environment, reader, **known)
            assert "Unrecognized resource types: [AWS::CloudFormation::StackSet]" in answer.stderr, answer.stderr
            continue
        done(command, environment, reader, **known)
        described = done("aws cloudformation describe-stacks --stack-name fleetkeeper-central", environment)
        (latest,) = json.loads(described)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in latest["Outputs"]}
    client = boto3.client("s3", **client_settings(stack.emulator) | {"aws_access_key_id": CENTRAL_ACCOUNT})
    stored = client.get_object(Bucket=outputs["ArtifactBucket"], Key=f"fleetkeeper-{release.version()}.yaml")
    uploaded = stored["Body"].read()
    assert b"NamePrefix" in uploaded and b"s3://" in uploaded
    return outputs


def test_a_report_reaches_the_central_account(member: tuple[Stack, Any, str]) -> None:
    stack, sqs, queue = member
    assert f":{CENTRAL_ACCOUNT}:" in stack.outputs["TagPolicyReportTopicArn"]
    policy.load_rules(stack)
    policy.deliver(stack, policy.scheduled_event())

    def received() -> str | None:
        messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        return messages[0]["Body"] if messages else None

    report = wait_for("the report arrives", received, 60)
    assert policy.KEYS[0] in report, "it says which tags"


def test_names_begin_as_the_stack_set_says(member: tuple[Stack, Any, str]) -> None:
    stack, _, _ = member
    assert stack.outputs["TagPolicyName"] == "fleet-tag-policy"
    assert stack.outputs["TagPolicyLogGroup"] == "/aws/lambda/fleet-tag-policy"
