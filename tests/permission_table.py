"""The table of docs/security.md: who may do what. `make permissions` writes it anew, a test says when that is due."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from environment import ROOT
from permissions import Statement, listed, statements, trusts
from test_template import PARAMETERS, TEMPLATE
from transformed import typed

PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- permissions: begin -->", "<!-- permissions: end -->"
HEADER = "| who | may | on | if |\n|---|---|---|---|\n"
# Of which a condition speaks, in words.
OPERATORS = {"ArnLike": "is", "ArnEquals": "is", "StringEquals": "is", "StringLike": "is"}


def words(value: Any) -> str:
    """An expression of the template in words: names of parameters and resources, and the ends of ARNs."""
    if isinstance(value, list):
        return ", ".join(dict.fromkeys(words(part) for part in value))
    if isinstance(value, str):
        return "everything" if value == "*" else f"`{shortened(value)}`"
    ((function, given),) = value.items()
    if function == "Ref":
        return "this region" if given == "AWS::Region" else f"`{given}`"
    if function == "Fn::GetAtt":
        return f"`{given[0] if isinstance(given, list) else given.split('.')[0]}`"
    if function == "Fn::Sub":
        return f"`{shortened(given if isinstance(given, str) else given[0])}`"
    if function == "Fn::If":
        condition, one, other = given
        if other == {"Ref": "AWS::NoValue"}:
            return words(one)
        return f"{words(one)} if {held(condition)}, otherwise {words(other)}"
    # A list that is put together of a parameter.
    return " and ".join(f"those of `{name}`" for name in parameters(value)) or f"`{value}`"


def shortened(arn: str) -> str:
    """What an ARN says besides that it is of this account and region."""
    arn = re.sub(r"\$\{AWS::\w+\}", "*", arn)
    arn = re.sub(r"\$\{(\w+)(?:\.Arn)?\}", r"\1", arn)
    return arn.split(":", 5)[5] if arn.startswith("arn:*:") else arn


def parameters(value: Any) -> list[str]:
    """The parameters that an expression refers to, each once."""
    found = re.findall(r"'Ref': '(\w+)'", str(value))
    return list(dict.fromkeys(name for name in found if name in PARAMETERS))


def held(condition: str) -> str:
    """What it means that a condition of the template holds."""
    return sentence(TEMPLATE["Conditions"][condition])


def sentence(made: Any) -> str:
    """A condition's expression."""
    ((function, given),) = made.items()
    if function == "Condition":
        return held(given)
    if function in ("Fn::Or", "Fn::And"):
        return f" {function[4:].lower()} ".join(sentence(part) for part in given)
    negated = function == "Fn::Not"
    left, right = (given[0] if negated else made)["Fn::Equals"]
    name = f"`{parameters(left)[0]}`"
    if isinstance(right, dict):  # a list without a word is another one
        (word, _) = left["Fn::Join"][1]["Fn::Split"]
        return f"{name} has {word}"
    if right == "":
        return f"{name} is given" if negated else f"{name} is empty"
    return f"{name} is {'not ' if negated else ''}{right}"


def asked(statement: Statement) -> Iterator[str]:
    """The conditions of a statement."""
    for operator, keys in statement.get("Condition", {}).items():
        for key, value in keys.items():
            if operator == "Null":
                yield f"there is no `{key}`" if str(value).lower() == "true" else f"there is `{key}`"
            else:
                yield f"`{key}` {OPERATORS.get(operator, operator)} {words(value)}"


def rows() -> Iterator[tuple[str, str, str, str]]:
    """One for each statement of each role."""
    names = {
        function["Properties"]["Role"]["Fn::GetAtt"][0]: function["Properties"]["CodeUri"].split("/")[-1]
        for function in typed(TEMPLATE, "AWS::Serverless::Function").values()
    }
    for role, made in typed(TEMPLATE, "AWS::IAM::Role").items():
        who = names.get(role) or f"{', '.join(trusts(made)).replace('.amazonaws.com', '')} (`{role}`)"
        for statement in statements(made):
            condition, granted, _ = statement.get("Fn::If", ("", statement, None))
            if made.get("Condition"):
                condition = condition or made["Condition"]
            choice = [held(condition)] if condition else []
            if isinstance(granted["Action"], dict):
                deciding, one, other = granted["Action"]["Fn::If"]
                actions = f"{words(one)} if {held(deciding)}, otherwise {words(other)}"
            else:
                actions = words(listed(granted["Action"]))
            yield who, actions, words(listed(granted["Resource"])), "; ".join([*choice, *asked(granted)])


def table() -> str:
    """The table."""
    return HEADER + "".join(f"| {' | '.join(row)} |\n" for row in rows())


def main() -> None:
    """Writes it between its marks."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{PAGE} has no marks for the table"
    PAGE.write_text(f"{before}{BEGIN}\n{table()}{END}{after}")


if __name__ == "__main__":
    main()
