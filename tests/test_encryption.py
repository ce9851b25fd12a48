"""What is stored is encrypted, with the customer's key if there is one; who uses it may; topics and queues are closed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
from awscli.customizations.cloudformation.yamlhelper import yaml_parse

import drain
from environment import ROOT
from local_stack import Stack, local_stack
from permissions import Statement, listed
from scan import EVERYTHING, KEY
from test_template import PARAMETERS
from transformed import PSEUDO, Template, transformed, typed

# Of each type that stores something the property that names the key.
KEYED = {
    "AWS::DynamoDB::Table": "SSESpecification",
    "AWS::Lambda::Function": "KmsKeyArn",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::SQS::Queue": "KmsMasterKeyId",
}
# The services that ask for the key in a role's name, with what they ask for at least.
ASKING = {
    "dynamodb": {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*"},
    "sns": {"kms:Decrypt", "kms:GenerateDataKey"},
    "sqs": {"kms:Decrypt", "kms:GenerateDataKey"},
}
SERVICES = {"events.amazonaws.com", "sns.amazonaws.com"}  # that fill queues
PLAIN = {"Bool": {"aws:SecureTransport": "false"}}
OF_THE_ACCOUNT = {"StringEquals": {"aws:SourceAccount": PSEUDO["AWS::AccountId"]}}
ACCOUNT = f"{PSEUDO['AWS::Region']}:{PSEUDO['AWS::AccountId']}"
LIMIT_SECONDS = 120


def of(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """The properties of a template's resources of one type."""
    return {name: resource["Properties"] for name, resource in typed(template, kind).items()}


def statements(properties: dict[str, Any]) -> Iterator[Statement]:
    """Of a role's own policies, or of the policy of something else."""
    documents = [one["PolicyDocument"] for one in properties.get("Policies", [properties])]
    yield from (statement for document in documents for statement in document["Statement"])


@pytest.fixture(scope="module")
def keyed() -> Template:
    """The template with everything in it, under a customer's key."""
    return transformed(**EVERYTHING)


def test_all_that_is_stored_is_under_the_key(keyed: Template) -> None:
    for kind, where in KEYED.items():
        stored = of(keyed, kind)
        assert stored, kind
        assert not [name for name, given in stored.items() if KEY not in json.dumps(given.get(where))], kind
    assert {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY} in [
        table["SSESpecification"] for table in of(keyed, "AWS::DynamoDB::Table").values()
    ]
    # The two exclude each other.
    assert not [name for name, queue in of(keyed, "AWS::SQS::Queue").items() if "SqsManagedSseEnabled" in queue]


def test_without_a_key_the_services_have_theirs() -> None:
    template = transformed()
    assert all(queue["SqsManagedSseEnabled"] is True for queue in of(template, "AWS::SQS::Queue").values())
    named = {name: topic.get("KmsMasterKeyId") for name, topic in of(template, "AWS::SNS::Topic").items()}
    assert named == {"DrainTopic": None, "OperationsTopic": None, "TagPolicyReportTopic": "alias/aws/sns"}
    others = (kind for kind in KEYED if kind not in ("AWS::SNS::Topic", "AWS::SQS::Queue"))
    assert not [name for kind in others for name, given in of(template, kind).items() if KEYED[kind] in given]
    assert "kms:" not in json.dumps(template)


def test_the_managed_key_is_not_for_other_accounts() -> None:
    """It admits none; so the central topic of an organization has no key, or the customer's."""
    (topic,) = [
        properties
        for name, properties in of(transformed(OrganizationId="o-abcdefghij"), "AWS::SNS::Topic").items()
        if name == "TagPolicyReportTopic"
    ]
    assert "KmsMasterKeyId" not in topic


def test_each_role_may_use_the_key_for_what_it_uses(keyed: Template) -> None:
    """For the services that it calls, or that call for it, and for no other."""
    checked = 0
    for name, role in of(keyed, "AWS::IAM::Role").items():
        used, granted = set(), {}
        for statement in statements(role):
            actions = listed(statement["Action"])
            if actions[0].startswith("kms:"):
                assert statement["Resource"] == KEY, name
                for service in listed(statement["Condition"]["StringEquals"]["kms:ViaService"]):
                    granted[re.sub(r"\.us-east-1\.amazonaws\.com$", "", service)] = set(actions)
            else:
                used |= {action.split(":")[0] for action in actions} & ASKING.keys()
        assert used == granted.keys(), name
        assert not [service for service in used if not granted[service] >= ASKING[service]], name
        checked += bool(used)
    assert checked >= 5


@pytest.fixture(scope="module")
def key_policy() -> list[Statement]:
    """The policy of the example's key, for a stack of the usual name."""
    template = yaml_parse((ROOT / "examples" / "encryption-key.yaml").read_text())
    return [*statements({"PolicyDocument": filled(template["Resources"]["Key"]["Properties"]["KeyPolicy"])})]


def filled(value: Any) -> Any:
    """The policy with its parameters' values: their defaults, and an organization."""
    words = {**PSEUDO, "StackName": "fleetkeeper", "Names": "fleetkeeper", "OrganizationId": "o-abcdefghij"}
    if isinstance(value, list):
        return [filled(part) for part in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Sub" in value:
        return re.sub(r"\$\{([\w:]+)\}", lambda found: words[found[1]], listed(value["Fn::Sub"])[0])
    if "Fn::If" in value:
        return filled(value["Fn::If"][1])
    return words[value["Ref"]] if "Ref" in value else {key: filled(part) for key, part in value.items()}


def admits(policy: list[Statement], service: str, action: str, context: dict[str, str]) -> bool:
    """Whether a key's policy lets a service use the key for something."""
    for statement in policy:
        named = service in listed(statement["Principal"].get("Service", []))
        may = any(fnmatchcase(action, pattern) for pattern in listed(statement["Action"]))
        asked = statement.get("Condition", {}).get("ArnLike", {})
        if named and may and all(fnmatchcase(context.get(key, ""), pattern) for key, pattern in asked.items()):
            return True
    return False


def test_the_example_s_key_admits_the_services(keyed: Template, key_policy: list[Statement]) -> None:
    """The emulator encrypts nothing, so that nothing else would miss a grant."""
    asked = {
        (service, "kms:EncryptionContext:aws:sqs:arn", f"arn:aws:sqs:{ACCOUNT}:fleetkeeper-{queue['Ref']}-AbC")
        for policy in of(keyed, "AWS::SQS::QueuePolicy").values()
        for statement in statements(policy)
        if statement["Effect"] == "Allow"
        for service in listed(statement["Principal"]["Service"])
        for queue in policy["Queues"]
    }
    asked |= {
        ("logs.us-east-1.amazonaws.com", "kms:EncryptionContext:aws:logs:arn", f"arn:aws:logs:{ACCOUNT}:log-group:{name}")
        for name in (group["LogGroupName"] for group in of(keyed, "AWS::Logs::LogGroup").values())
    }
    topic = f"arn:aws:sns:{ACCOUNT}:fleetkeeper-OperationsTopic-AbC"
    asked |= {("cloudwatch.amazonaws.com", "kms:EncryptionContext:aws:sns:topicArn", topic)}
    assert {service for service, _, _ in asked} >= SERVICES and len(asked) > 15
    for service, key, arn in asked:
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            assert admits(key_policy, service, action, {key: arn}), (service, action, arn)
            assert not admits(key_policy, service, action, {key: arn.replace("123456789012", "210987654321")}), arn
            assert not admits(key_policy, service, action, {}), service


def test_the_example_s_key_asks_event_bridge_for_no_source(key_policy: list[Statement]) -> None:
    """It names none when it asks for a key, and would be shut out."""
    filling = [one for one in key_policy if "events.amazonaws.com" in json.dumps(one["Principal"])]
    assert filling and "aws:Source" not in json.dumps(filling)


def test_each_queue_has_one_policy_that_asks_for_tls(keyed: Template) -> None:
    """Of two for the same queue, the one that is written last would be in force alone."""
    policies = of(keyed, "AWS::SQS::QueuePolicy")
    covered = [queue["Ref"] for policy in policies.values() for queue in policy["Queues"]]
    assert sorted(covered) == sorted(of(keyed, "AWS::SQS::Queue"))
    for name, policy in policies.items():
        denied = [one for one in statements(policy) if one["Effect"] == "Deny"]
        assert [(one["Principal"], one["Action"], one["Condition"]) for one in denied] == [("*", "sqs:*", PLAIN)], name


def test_only_this_stack_s_topics_and_rules_fill_queues(keyed: Template) -> None:
    for name, policy in of(keyed, "AWS::SQS::QueuePolicy").items():
        for statement in statements(policy):
            if statement["Effect"] == "Allow":
                assert statement["Principal"].keys() == {"Service"}, name
                assert statement["Principal"]["Service"] in SERVICES and statement["Action"] == "sqs:SendMessage", name
                assert re.search(r'"(Fn::GetAtt|Ref)": ', json.dumps(statement["Condition"]["ArnEquals"])), name
                assert statement["Condition"]["StringEquals"] == OF_THE_ACCOUNT["StringEquals"], name


@pytest.mark.parametrize("choice", [{}, EVERYTHING], ids=["default", "everything"])
def test_topics_are_for_the_account_and_for_whom_it_names(choice: dict[str, str]) -> None:
    template = transformed(**choice)
    policies = of(template, "AWS::SNS::TopicPolicy")
    covered = [topic["Ref"] for policy in policies.values() for topic in policy["Topics"]]
    assert sorted(covered) == sorted(of(template, "AWS::SNS::Topic"))
    root = {"AWS": "arn:aws:iam::123456789012:root"}
    for name, policy in policies.items():
        denied = [one["Condition"] for one in statements(policy) if one["Effect"] == "Deny"]
        assert PLAIN in denied, name
        others = [one for one in statements(policy) if one["Effect"] == "Allow" and one["Principal"] != root]
        for statement in others:
            asked = statement["Condition"]
            assert name != "DrainTopicPolicy" and statement["Action"] == "sns:Publish", name
            if statement["Principal"] == {"AWS": "*"}:
                assert asked == {"StringEquals": {"aws:PrincipalOrgID": EVERYTHING["OrganizationId"]}}, name
            else:
                assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}, name
                assert asked["StringEquals"] == OF_THE_ACCOUNT["StringEquals"] and "aws:SourceArn" in asked["ArnLike"]
        organization = [one for one in others if one["Principal"] == {"AWS": "*"}]
        assert len(organization) == (name != "DrainTopicPolicy" and bool(choice)), name


def test_the_drain_topic_refuses_everybody_else() -> None:
    """Auto Scaling publishes in the hook's role, which is the account's."""
    policy = of(transformed(), "AWS::SNS::TopicPolicy")["DrainTopicPolicy"]
    denied = [one for one in statements(policy) if one["Effect"] == "Deny"]
    outside = {"StringNotEquals": {"aws:PrincipalAccount": PSEUDO["AWS::AccountId"]}}
    (refusing,) = [one for one in denied if one["Condition"] == outside]
    assert refusing["Principal"] == "*" and "sns:Publish" in refusing["Action"]


@pytest.fixture(scope="module")
def under_key() -> Iterator[Stack]:
    """A stack under a customer's key."""
    choice = {"EcsMetricsDriver": "off", "PassIntervalSeconds": 5, "KmsKeyArn": KEY, "OrganizationId": "o-abcdefghij"}
    with local_stack(choice) as stack:
        yield stack


def test_the_deployed_queues_and_logs_are_under_the_key(under_key: Stack) -> None:
    """Asked by boto3; of the others the emulator passes over the key."""
    stack, sqs, logs = under_key, under_key.client("sqs"), under_key.client("logs")
    queues = [url for name, url in stack.outputs.items() if name.endswith("QueueUrl")]
    attributes = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"] for url in queues]
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/aws/lambda/fleetkeeper-")
    keys = [one.get("KmsMasterKeyId") for one in attributes]
    keys += [group.get("kmsKeyId") for page in pages for group in page["logGroups"]]
    assert len(keys) > 12 and set(keys) == {KEY}


def test_the_page_s_command_makes_the_key(under_key: Stack) -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    (command,) = re.findall(r"^aws cloudformation deploy .+$", page, re.MULTILINE)
    answer = subprocess.run(
        shlex.split(command), env=under_key.environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    name = re.search(r"--stack-name (\S+)", command)
    assert name
    (described,) = under_key.client("cloudformation").describe_stacks(StackName=name[1])["Stacks"]
    (output,) = described["Outputs"]
    assert re.fullmatch(str(PARAMETERS["KmsKeyArn"]["AllowedPattern"]), output["OutputValue"])
    kms = under_key.client("kms")
    policy = json.loads(kms.get_key_policy(KeyId=output["OutputValue"], PolicyName="default")["Policy"])
    assert kms.get_key_rotation_status(KeyId=output["OutputValue"])["KeyRotationEnabled"]
    assert [one["Sid"] for one in policy["Statement"]][-1] == "LogsAreKept", "no organization is admitted that nobody named"


def test_a_drain_goes_as_it_does_without(under_key: Stack) -> None:
    drain.attach_hook(under_key)
    drain.scale_in(under_key)
    verdict = drain.judge(drain.wait_until_gone(under_key, LIMIT_SECONDS), under_key)
    assert verdict.passed, verdict.failed
