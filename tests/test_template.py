"""What the template grants is what the function calls, no more and no less; and what the emulator passes over."""

from __future__ import annotations

import re

from environment import ROOT

TEMPLATE = (ROOT / "template.yaml").read_text()
SOURCES = ROOT / "crates" / "ecs-drainer" / "src"
# A fault names its operation as a policy does.
OPERATION = r"\b(?:ecs|autoscaling|sns):[A-Z][a-z]\w+"


def section(name: str) -> str:
    """A resource's text."""
    (found,) = re.findall(rf"^  {name}:\n((?:    .*\n|\n)+)", TEMPLATE, re.MULTILINE)
    return found


def test_permissions_are_the_calls() -> None:
    called = {name for file in SOURCES.glob("*.rs") for name in re.findall(rf'"({OPERATION})"', file.read_text())}
    assert len(called) >= 12
    assert set(re.findall(OPERATION, section("EcsDrainerRole"))) == called


def test_stopping_tasks_is_granted_only_where_it_is_asked_for() -> None:
    role = section("EcsDrainerRole")
    conditional = role[role.index("- !If\n                - StopsStandaloneTasks") :]
    assert "ecs:StopTask" in conditional and role.count("ecs:StopTask") == 1


def test_the_loop_is_allowed_and_bounded() -> None:
    """MiniStack's CloudFormation passes over RecursiveLoop, so that no deployed test would miss it."""
    function = section("EcsDrainer")
    assert "RecursiveLoop: Allow" in function and "DEADLINE_SECONDS" in function


def test_queues_wait_longer_than_the_function_runs() -> None:
    (timeout,) = re.findall(r"Timeout: (\d+)", section("EcsDrainer"))
    for queue in ("FirstPassQueue", "ContinuationQueue"):
        (visible,) = re.findall(r"VisibilityTimeout: (\d+)", section(queue))
        assert int(visible) >= 2 * int(timeout), queue
