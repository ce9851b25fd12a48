"""What template.yaml grants, what was called, and what evaluators and AWS's own definitions say to both.

    decisions = decide([Case(statements, calls)])
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from policy_sentry.querying.actions import get_action_data

from environment import ROOT, clean_environment
from test_template import TEMPLATE
from transformed import PSEUDO, typed

ACCOUNT, REGION = PSEUDO["AWS::AccountId"], PSEUDO["AWS::Region"]
Statement = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """Something that a function, or a service in a role of the stack's, has called."""

    function: str
    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()
    # The function's environment, where a test of the crate made the call.
    variables: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        asked = f" {dict(self.context)}" if self.context else ""
        under = f" with {dict(self.variables)}" if self.variables else ""
        return f"{self.function}: {self.action} on {self.resource or 'what nobody knows'}{asked}{under}"


@dataclass
class Case:
    """Statements of one role, and calls that were made in it."""

    statements: list[Statement]
    calls: list[Call] = field(default_factory=list)


def recorded(file: Path) -> Iterator[Call]:
    """The calls of a file; everything is taken to one account."""
    for line in file.read_text().splitlines():
        call = json.loads(re.sub(r"(?<=:)\d{12}(?=:)", ACCOUNT, line))
        context, variables = (tuple(sorted(call.get(part, {}).items())) for part in ("context", "variables"))
        yield Call(call["function"], call["action"], call["resource"], context, variables)


def tool(venv: str, script: str, asked: object) -> Any:
    """What a script of ours answers that needs somebody else's library."""
    command = [ROOT / ".venv" / venv / "bin" / "python", ROOT / "tests" / script]
    done = subprocess.run(
        command, input=json.dumps(asked), env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def decide(cases: list[Case]) -> list[list[dict[str, Any]]]:
    """For each call of each case, whether it is allowed, and by which statements."""
    asked = [
        {
            "statements": case.statements,
            "calls": [
                {"action": call.action, "resource": call.resource, "context": supported(call)} for call in case.calls
            ],
        }
        for case in cases
    ]
    return tool("stack", "ministack_permissions.py", asked)


def listed(value: Any) -> list[Any]:
    """A list of what may be one or many."""
    return value if isinstance(value, list) else [value]


def statements(role: Mapping[str, Any]) -> list[Statement]:
    """Of all inline policies of a role."""
    policies = role["Properties"].get("Policies", [])
    return [one for policy in policies for one in listed(policy["PolicyDocument"]["Statement"])]


def callers(template: Mapping[str, Any]) -> dict[str, str]:
    """The role of each function by its crate, and of each service that has one to itself."""
    found: dict[str, str] = {}
    trusted: dict[str, list[str]] = {}
    for function in typed(template, "AWS::Serverless::Function").values():
        properties = function["Properties"]
        found[properties["CodeUri"].split("/")[-1]] = properties["Role"]["Fn::GetAtt"][0]
    for name, role in typed(template, "AWS::IAM::Role").items():
        for service in trusts(role):
            trusted.setdefault(service, []).append(name)
    return found | {service: names[0] for service, names in trusted.items() if len(names) == 1}


def trusts(role: Mapping[str, Any]) -> list[str]:
    """The services that may take a role."""
    documents = listed(role["Properties"]["AssumeRolePolicyDocument"]["Statement"])
    return [service for trust in documents for service in listed(trust["Principal"].get("Service", []))]


# What AWS's definitions say


@dataclass(frozen=True)
class Definition:
    """An action as the Service Authorization Reference has it."""

    # Patterns of the ARNs that a statement can name; none where the action supports no resources.
    resources: tuple[str, ...]
    # Condition keys besides the global ones.
    keys: frozenset[str]


# Which the reference leaves out, and AWS names all the same, as SAM's own example does:
# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/automating-updates-to-serverless-apps.html
LEFT_OUT = {
    "codedeploy:PutLifecycleEventHookExecutionStatus": "arn:${Partition}:codedeploy:${Region}:${Account}:"
    "deploymentgroup:${ApplicationName}/${DeploymentGroupName}",
}


@cache
def definition(action: str) -> Definition:
    """Of an action; fails on one that AWS does not have."""
    service, name = action.split(":")
    rows = (get_action_data(service, name) or {}).get(service)
    assert rows, f"AWS has no action {action}"
    formats = (row["resource_arn_format"] for row in rows if row["resource_arn_format"] != "*")
    formats = [*formats, LEFT_OUT[action]] if action in LEFT_OUT else [*formats]
    keys = (key for row in rows for key in row["condition_keys"])
    return Definition(tuple(formats), frozenset(key for key in keys if not key.startswith("aws:")))


def names(pattern: str, text: str) -> bool:
    """Whether a text is of a definition's pattern, whose variables are written `${Name}`."""
    parts = (re.escape(part) for part in re.split(r"\$\{\w+\}", pattern))
    return re.fullmatch(".+".join(parts), text, re.IGNORECASE) is not None


def supported(call: Call) -> dict[str, str]:
    """What of a call's context AWS tells a policy: keys that the action does not have are never there."""
    keys = definition(call.action).keys
    return {
        key: value
        for key, value in call.context
        if key.startswith("aws:") or any(names(known, key) for known in keys)
    }


def is_known(call: Call) -> bool:
    """Whether the call's resource is one that the action can be about."""
    formats = definition(call.action).resources
    # Some actions may be about a thing, and about none: ListTasks of an instance, or of a cluster.
    if call.resource == "*":
        return not formats or bool(definition(call.action).keys)
    return any(names(pattern, call.resource) for pattern in formats)


# What calls imply


# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
OF_TABLES = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


def implied(calls: Iterable[Call], key: str) -> list[Call]:
    """What SNS, SQS and DynamoDB ask of KMS in the caller's name where a key of one's own encrypts.

    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    """
    asked = {
        "sns:Publish": ("kms:GenerateDataKey", "kms:Decrypt"),
        "sqs:SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"),
        "sqs:ReceiveMessage": ("kms:Decrypt",),
    }
    found = []
    for call in calls:
        service = call.action.split(":")[0]
        via = ("kms:ViaService", f"{service}.{REGION}.amazonaws.com")
        actions = OF_TABLES if service == "dynamodb" else asked.get(call.action, ())
        found += [Call(call.function, action, key, (via,), call.variables) for action in actions]
    return list(dict.fromkeys(found))


# The world of a test of a crate: its variables are what the template would have set


def given(call: Call, choice: int) -> tuple[dict[str, str], dict[str, str]]:
    """The parameters and the resources' names with which the template gives a function these variables.

    Where a topic is the stack's own or another one, the choice is 1 for the one and 2 for the other.
    """
    crates = {
        name: made["Properties"]["CodeUri"].split("/")[-1]
        for name, made in typed(TEMPLATE, "AWS::Serverless::Function").items()
    }
    (function,) = (TEMPLATE["Resources"][name]["Properties"] for name, crate in crates.items() if crate == call.function)
    parameters: dict[str, str] = {}
    prefix = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:fleetkeeper"
    resources = {name: f"{prefix}-{crate}" for name, crate in crates.items()}
    expressions = function["Environment"]["Variables"]
    for variable, value in call.variables:
        expression = expressions.get(variable)
        if isinstance(expression, dict) and "Fn::If" in expression:
            expression = expression["Fn::If"][choice]
        for name in references(expression):
            (parameters if name in TEMPLATE["Parameters"] else resources)[name] = value
    return parameters, resources


def references(expression: Any) -> list[str]:
    """What an expression refers to."""
    if isinstance(expression, list):
        return [name for part in expression for name in references(part)]
    if not isinstance(expression, dict):
        return []
    return [expression["Ref"]] if "Ref" in expression else references(list(expression.values()))


def placed(value: Any, resources: Mapping[str, str]) -> Any:
    """The same with the ARNs of resources, by the names that a world gives them; what it has not, nobody calls."""
    if isinstance(value, list):
        return [placed(part, resources) for part in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Sub" in value:
        return re.sub(r"\$\{(\w+)(?:\.Arn)?\}", lambda name: placed({"Ref": name[1]}, resources), value["Fn::Sub"])
    if "Ref" in value or "Fn::GetAtt" in value:
        name = value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0]
        known = resources.get(name)
        if known is None:
            return f"arn:aws:none:{REGION}:{ACCOUNT}:{name}"
        return known if known.startswith("arn:") else f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{known}"
    return {key: placed(part, resources) for key, part in value.items()}
