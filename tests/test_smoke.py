"""The smoke test where it is deployed: it finds a sound stack sound, and says what is wrong with one that is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from environment import ROOT
from local_stack import Stack, local_stack
from waiting import WAITING, Waiting, waiting

EVENTS = sorted((ROOT / "events" / "smoke-test").glob("*.json"))
FUNCTIONS = ["ecs-drainer", "spot-interruption", "tag-policy", "ecs-metrics"]


@pytest.fixture(scope="module")
def heard() -> Iterator[Waiting]:
    """Those who wait for a word."""
    with waiting() as words:
        yield words


@pytest.fixture(scope="module")
def smoke_stack(heard: Waiting) -> Iterator[Stack]:
    """A stack with a smoke test that tells them instead of AWS."""
    with local_stack({"CreateSmokeTest": "yes", "EcsMetricsDriver": "off"}) as stack:
        function, client = stack.outputs["SmokeTestName"], stack.client("lambda")
        variables = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        variables |= {f"AWS_ENDPOINT_URL_{service.upper()}": heard.address for service in WAITING}
        client.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
        yield stack


def send(stack: Stack, event: dict[str, Any]) -> tuple[bool, Any]:
    """Whether an invocation of the smoke test succeeded, and its answer."""
    answer = stack.client("lambda").invoke(
        FunctionName=stack.outputs["SmokeTestName"], Payload=json.dumps(event).encode()
    )
    return "FunctionError" not in answer, json.load(answer["Payload"])


def sample(name: str) -> dict[str, Any]:
    """One of the sample events."""
    return json.loads((ROOT / "events" / "smoke-test" / f"{name}.json").read_text())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.stem)
def test_sample_event(smoke_stack: Stack, event: Path) -> None:
    """As test_events.py does it for the other functions; here somebody must be there who waits."""
    succeeded, answer = send(smoke_stack, json.loads(event.read_text()))
    assert succeeded != event.stem.startswith("bad-"), answer


def test_a_sound_stack_is_found_sound(smoke_stack: Stack) -> None:
    succeeded, answer = send(smoke_stack, {})
    assert succeeded and answer["passed"], answer
    assert [one["function"] for one in answer["functions"]] == FUNCTIONS
    outcomes = {one["function"]: one["outcome"] for one in answer["functions"]}
    assert outcomes["ecs-drainer"] == "looked for an instance that is not there, and let it go"
    assert outcomes["ecs-metrics"] == "measured, clusters: 1, data written: 4"
    assert smoke_stack.dead_letters() == 0


@pytest.mark.parametrize(
    ("event", "operation", "field", "status"),
    [
        ("codepipeline-job", "PutJobSuccessResult", "jobId", None),
        ("codedeploy-hook", "PutLifecycleEventHookExecutionStatus", "deploymentId", "Succeeded"),
    ],
)
def test_whoever_waits_is_told(
    smoke_stack: Stack, heard: Waiting, event: str, operation: str, field: str, status: str | None
) -> None:
    heard.heard.clear()
    succeeded, answer = send(smoke_stack, sample(event))
    assert succeeded and answer["passed"], answer
    ((told, word),) = heard.heard
    assert told == operation and word[field] in json.dumps(sample(event)) and word.get("status") == status, word


def test_what_is_wrong_is_told_with_its_reason(smoke_stack: Stack, heard: Waiting) -> None:
    """Last, since it breaks the stack: the table of the rules is gone, and an alias is somewhere else."""
    smoke_stack.client("dynamodb").delete_table(TableName=smoke_stack.outputs["TagPolicyRulesTableName"])
    client, name = smoke_stack.client("lambda"), smoke_stack.outputs["SpotInterruptionName"]
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST")
    heard.heard.clear()

    succeeded, answer = send(smoke_stack, sample("codepipeline-job"))
    assert succeeded, answer  # the job was answered; that is all that Lambda needs to know
    ((told, word),) = heard.heard
    assert told == "PutJobFailureResult"
    reasons = word["failureDetails"]["message"].split("; ")
    assert [reason.split(" ")[0] for reason in reasons] == ["spot-interruption", "tag-policy"], reasons
    assert "version $LATEST answered instead of 1" in reasons[0], reasons
    assert "dynamodb:Scan failed: ResourceNotFoundException" in reasons[1], reasons

    # Before traffic the version itself is asked, wherever the alias is.
    send(smoke_stack, sample("codedeploy-hook"))
    assert heard.heard[-1][1]["status"] == "Failed"

    succeeded, answer = send(smoke_stack, {})
    assert not succeeded and answer["errorType"] == "SmokeTest.Failed", answer
