"""Asks MiniStack's evaluator of policies; hence run with MiniStack's own Python.

Standard input is a list of cases, `{"statements": […], "calls": [{"action", "resource", "context"}, …]}`. The answer has for
each call of each case whether all statements together allow it, and which of them do so alone.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ministack.core.iam_evaluator import EvalContext, ParsedStatement, evaluate, parse_policy_document

from transformed import PSEUDO

ACCOUNT, REGION = PSEUDO["AWS::AccountId"], PSEUDO["AWS::Region"]
PRINCIPAL = f"arn:aws:sts::{ACCOUNT}:assumed-role/function/fleetkeeper"


def decide(statements: list[ParsedStatement], call: dict[str, Any]) -> dict[str, Any]:
    """On one call."""
    context = EvalContext(
        principal_arn=PRINCIPAL,
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=call["action"],
        resource_arn=call["resource"],
        region=REGION,
        service_context={key.lower(): value for key, value in call["context"].items()},
    )

    def allows(some: list[ParsedStatement]) -> bool:
        return evaluate(context, [some]).decision == "Allow"

    by = [number for number, statement in enumerate(statements) if allows([statement])]
    return {"allowed": allows(statements), "by": by}


def main() -> None:
    """Answers."""
    answer = []
    for case in json.load(sys.stdin):
        parsed = parse_policy_document({"Statement": case["statements"]})
        if len(parsed) != len(case["statements"]):
            raise SystemExit("a statement is neither Allow nor Deny")
        answer.append([decide(parsed, call) for call in case["calls"]])
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
