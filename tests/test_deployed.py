"""The deployed stack drains an instance: the template's wiring, permissions aside, and the built function together."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import drain
import release
from local_stack import Stack, local_stack
from pages import commands, done

KEYS = {"timestamp", "level", "message", "function", "requestId"}
LIMIT_SECONDS = 180
# A drain takes half a minute, and is waited for until a pass has ended it, where nothing else does.
PASS_SECONDS = 120


@pytest.fixture(scope="module", params=["queue", "direct"])
def drained(request: pytest.FixtureRequest) -> Iterator[tuple[Stack, list[drain.Entry]]]:
    """A stack after one drain, for both ways that a lifecycle message can take to the function."""
    if request.param == "queue":  # the default, and so the stack that others share
        stack: Stack = request.getfixturevalue("stack")
        yield stack, drained_once(stack)
        return
    parameters = {"PassIntervalSeconds": PASS_SECONDS, "FirstPasses": request.param, "EcsMetricsDriver": "off"}
    with local_stack(parameters) as stack:
        yield stack, drained_once(stack)


def drained_once(stack: Stack) -> list[drain.Entry]:
    """The history, once an instance has left."""
    drain.attach_hook(stack)
    drain.scale_in(stack)
    return drain.wait_until_gone(stack, LIMIT_SECONDS)


def test_the_drain_is_right(drained: tuple[Stack, list[drain.Entry]]) -> None:
    stack, history = drained
    verdict = drain.judge(history, stack)
    assert verdict.passed, verdict.failed


def test_the_stack_says_its_version(stack: Stack) -> None:
    """As people ask it by docs/operations.md."""
    (command,) = (command for command in commands("docs/operations.md") if "describe-stacks" in command)
    assert done(command, stack.environment).strip() == release.version()


@pytest.mark.parametrize("drained", ["direct"], indirect=True)
def test_a_stopped_task_brings_the_next_look(drained: tuple[Stack, list[drain.Entry]]) -> None:
    """The rule, the first queue and its batching window together: the second pass had not come when it was over."""
    _, history = drained
    began, gone = drain.span(history)
    assert (gone - began).total_seconds() < PASS_SECONDS


def test_log_lines_are_json(drained: tuple[Stack, list[drain.Entry]]) -> None:
    stack, _ = drained
    log = stack.function_log("EcsDrainer")
    first = next(at for at, line in enumerate(log) if line.startswith("START RequestId"))
    lines = [json.loads(line) for line in log[first:] if line.startswith("{")]
    assert lines, "the function has logged nothing"
    for line in lines:
        assert KEYS <= line.keys(), line
    assert {line["function"] for line in lines} == {"ecs-drainer"}
