"""Every sample event, sent to its function: as `cargo lambda invoke` sends it on a laptop, or where it is deployed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from environment import OWN, ROOT, clean_environment
from local_stack import FAKED, Stack, start_fake
from processes import Child, children, free_port, wait_for

FUNCTION = "ecs-drainer"
EVENTS = sorted((ROOT / "events" / FUNCTION).glob("*.json"))
# Where the others are deployed, and where their events are.
DEPLOYED = {
    "SpotInterruption": ("spot_stack", "spot-interruption"),
    "TagPolicy": ("stack", "tag-policy"),
    "EcsMetrics": ("stack", "ecs-metrics"),
}
BUILD_SECONDS = 900  # a debug build from nothing
INVOKE_SECONDS = 60


@pytest.fixture(scope="module")
def invoke() -> Iterator[list[str]]:
    """The command that sends an event; the function's AWS is the fake."""
    run = OWN
    run.mkdir(parents=True, exist_ok=True)
    with children() as register:
        fake = start_fake(run, clean_environment(), register)
        endpoints = [*FAKED.values(), "AWS_ENDPOINT_URL"]
        environment = clean_environment() | {name: fake for name in endpoints}
        environment |= {"DRAIN_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:drain", "SETTLE_SECONDS": "0"}
        address = ["--invoke-address", "127.0.0.1", "--invoke-port", str(free_port())]
        watch = ["cargo", "lambda", "watch", "--ignore-changes", *address]
        watching = register(Child(watch, environment, run / "cargo-lambda-watch.log", ROOT))
        command = ["cargo", "lambda", "invoke", FUNCTION, *address]

        def answers() -> bool:
            watching.running()
            # Before it listens, this fails at once; then it waits for the build.
            return "onnect" not in send(command, EVENTS[0], BUILD_SECONDS).stderr

        wait_for(f"{FUNCTION} is built and answers", answers, BUILD_SECONDS, interval=1)
        yield command


def send(command: list[str], event: Path, seconds: float = INVOKE_SECONDS) -> subprocess.CompletedProcess[str]:
    """One invocation."""
    return subprocess.run(
        [*command, "--data-file", str(event)],
        env=clean_environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.stem)
def test_sample_event(invoke: list[str], event: Path) -> None:
    """`bad-*` is answered with an error or with the ids of the records that failed, everything else with neither."""
    answer = send(invoke, event)
    failures = json.loads(answer.stdout or "null") if answer.returncode == 0 else None
    failed = answer.returncode != 0 or bool((failures or {}).get("batchItemFailures"))
    assert failed == event.stem.startswith("bad-"), answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("function", "event"),
    [
        (function, event)
        for function, (_, folder) in DEPLOYED.items()
        for event in sorted((ROOT / "events" / folder).glob("*.json"))
    ],
    ids=lambda part: getattr(part, "stem", part),
)
def test_sample_event_on_the_stack(request: pytest.FixtureRequest, function: str, event: Path) -> None:
    """Where they are deployed anyway, with the tables, topics and clusters that the events are about."""
    stack: Stack = request.getfixturevalue(DEPLOYED[function][0])
    answer = stack.client("lambda").invoke(FunctionName=stack.outputs[f"{function}Name"], Payload=event.read_bytes())
    assert ("FunctionError" in answer) == event.stem.startswith("bad-"), answer["Payload"].read().decode()
