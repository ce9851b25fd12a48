"""What the template asks of logs, tried on lines: patterns of metric filters, and queries of Logs Insights.

Nothing that runs on this machine knows either language, so this knows what the template uses of them, as CloudWatch documents it,
and refuses everything else:

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

Line = dict[str, Any]
Test = Callable[[Line], bool]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"[^"]*")
      | (?P<pattern>/(?:[^/\\]|\\.)+/)
      | (?P<number>-?\d+(?:\.\d+)?)(?![\w.])
      | (?P<sign>&&|\|\||!=|>=|<=|[=<>()\[\],*])
      | (?P<word>[$@\w][\w.]*)
    )""",
    re.VERBOSE,
)
SECONDS = {"s": 1, "m": 60, "h": 3_600}


def tokens(text: str) -> list[str]:
    """All of it, or an error that shows the place."""
    found, at = [], 0
    while text[at:].strip():
        token = TOKEN.match(text, at)
        if not token:
            raise ValueError(f"not understood: {text[at:]}")
        found.append(token[0].strip())
        at = token.end()
    return found


def value_of(line: Line, field: str) -> Any:
    """A field by its path; none where it is missing."""
    found: Any = line
    for part in field.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def compared(sign: str, found: Any, wanted: Any) -> bool:
    """A comparison; one with what is missing, or of another type, does not hold."""
    if found is None or isinstance(found, str) != isinstance(wanted, str):
        return False
    return COMPARISONS[sign](found, wanted)


class Conditions:
    """Tokens that are read from the left; a subclass knows the single conditions."""

    both, either = "and", "or"

    def __init__(self, words: list[str]) -> None:
        self.words = words

    def take(self, *expected: str) -> str:
        """The next one; if said so, one of these."""
        if not self.words or (expected and self.words[0] not in expected):
            raise ValueError(f"{expected or 'something'} expected before {self.words}")
        return self.words.pop(0)

    def next_is(self, word: str) -> bool:
        """Whether it is this one, which is then taken."""
        return bool(self.words) and self.words[0] == word and bool(self.take())

    def any_of(self) -> Test:
        """Conditions of which one must hold."""
        tests = [self.all_of()]
        while self.next_is(self.either):
            tests.append(self.all_of())
        return lambda line: any(test(line) for test in tests)

    def all_of(self) -> Test:
        """Conditions that must all hold."""
        tests = [self.one()]
        while self.next_is(self.both):
            tests.append(self.one())
        return lambda line: all(test(line) for test in tests)

    def one(self) -> Test:
        """A condition, or some in parentheses."""
        if self.next_is("("):
            inner = self.any_of()
            self.take(")")
            return inner
        return self.condition()

    def condition(self) -> Test:
        """The single one."""
        raise NotImplementedError

    def constant(self) -> Any:
        """A text or a number."""
        word = self.take()
        return word[1:-1] if word.startswith('"') else float(word)


class OfFilter(Conditions):
    """`$.field = "text*"`, `$.field >= 80`, `$.field NOT EXISTS`."""

    both, either = "&&", "||"

    def condition(self) -> Test:
        field = self.take().removeprefix("$.")
        if self.next_is("NOT"):
            self.take("EXISTS")
            return lambda line: value_of(line, field) is None
        sign, wanted = self.take(*COMPARISONS), self.constant()
        if isinstance(wanted, str) and "*" in wanted and sign == "=":
            return lambda line: fnmatchcase(str(value_of(line, field) or ""), wanted)
        return lambda line: compared(sign, value_of(line, field), wanted)


class OfQuery(Conditions):
    """`field = "text"`, `field like /pattern/`, `field in ["a", "b"]`, `ispresent(field)`."""

    def condition(self) -> Test:
        field = self.take()
        if field == "ispresent":
            self.take("(")
            field = self.take()
            self.take(")")
            return lambda line: value_of(line, field) is not None
        if self.next_is("like"):
            word = self.take()
            if not word.startswith("/"):
                raise ValueError(f"no pattern: {word}")
            pattern = re.compile(word[1:-1])
            return lambda line: bool(pattern.search(str(value_of(line, field) or "")))
        if self.next_is("in"):
            self.take("[")
            wanted = [self.constant()]
            while self.next_is(","):
                wanted.append(self.constant())
            self.take("]")
            return lambda line: value_of(line, field) in wanted
        sign, one = self.take(*COMPARISONS), self.constant()
        return lambda line: compared(sign, value_of(line, field), one)


def test_of(conditions: Conditions) -> Test:
    """What all the tokens say."""
    test = conditions.any_of()
    if conditions.words:
        raise ValueError(f"left over: {conditions.words}")
    return test


def filter_pattern(text: str) -> Test:
    """A metric filter's pattern for lines of JSON."""
    inner = re.fullmatch(r"\{(.*)\}", text.strip())
    if not inner:
        raise ValueError(f"no pattern for JSON: {text}")
    return test_of(OfFilter(tokens(inner[1])))


AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "max": max,
    "min": min,
    "sum": sum,
    "latest": lambda values: values[-1],
    "count": len,
}


def alias(text: str) -> tuple[str, str]:
    """An expression and its name, which is itself unless one is given."""
    expression, _, name = text.partition(" as ")
    return expression.strip(), name.strip() or expression.strip()


def listed(text: str) -> list[str]:
    """Parts between commas that stand in no parentheses."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", text)]


def key_of(line: Line, expression: str) -> Any:
    """What a line is grouped by: a field, or its time cut to so many seconds."""
    if cut := re.fullmatch(r"bin\((\d+)([smh])\)", expression):
        seconds = int(cut[1]) * SECONDS[cut[2]]
        return int(value_of(line, "@timestamp")) // seconds * seconds
    return value_of(line, expression)


def stats(rows: list[Line], text: str) -> list[Line]:
    """Groups of lines, each with its aggregates; `latest` goes by the lines' order."""
    wanted, _, by = text.partition(" by ")
    keys = [alias(one) for one in listed(by)] if by else []
    groups: dict[tuple[Any, ...], list[Line]] = {}
    for row in rows:
        groups.setdefault(tuple(key_of(row, expression) for expression, _ in keys), []).append(row)
    found = []
    for values, members in groups.items():
        group = dict(zip((name for _, name in keys), values, strict=True))
        for expression, name in map(alias, listed(wanted)):
            call = re.fullmatch(r"(\w+)\(([@\w.]+|\*)\)", expression)
            if not call or call[1] not in AGGREGATES:
                raise ValueError(f"not understood: {expression}")
            taken = members if call[2] == "*" else [value_of(row, call[2]) for row in members]
            present = [one for one in taken if one is not None]
            group[name] = AGGREGATES[call[1]](present) if present else None
        found.append(group)
    return found


def ordered(rows: list[Line], text: str) -> list[Line]:
    """By a field, which comes first where it is missing."""
    parts = re.fullmatch(r"([@\w.]+) (asc|desc)", text)
    if not parts:
        raise ValueError(f"not understood: {text}")
    field = parts[1]
    order = sorted(rows, key=lambda row: (value_of(row, field) is not None, value_of(row, field)))
    return order[::-1] if parts[2] == "desc" else order


def run(query: str, lines: list[Line]) -> list[Line]:
    """The rows that a query answers with, of lines in the order of their times."""
    rows, shown = lines, None
    for command in re.split(r"\s*\n\s*\|\s*", query.strip()):
        word, _, rest = command.partition(" ")
        if word == "filter":
            test = test_of(OfQuery(tokens(rest)))
            rows = [row for row in rows if test(row)]
        elif word == "stats":
            rows, shown = stats(rows, rest), None
        elif word == "fields":
            shown = listed(rest)
        elif word == "sort":
            rows = ordered(rows, rest)
        elif word == "limit":
            rows = rows[: int(rest)]
        else:
            raise ValueError(f"not understood: {command}")
    if shown is None:
        return rows
    return [{field: value_of(row, field) for field in shown} for row in rows]
