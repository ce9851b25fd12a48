"""What fails for good is kept, whichever function it was sent to: on a stack of its own, in which nothing else happens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from environment import ROOT
from local_stack import Stack, local_stack
from processes import wait_for

# Of each function an event that it refuses, and where Lambda puts that after three attempts, in the function's role.
REFUSED = {
    "EcsDrainer": ("ecs-drainer/bad-sns-instance-missing", "FirstPassDeadLetterQueueUrl"),
    "SpotInterruption": ("spot-interruption/bad-without-instance", "SpotInterruptionFailureQueueUrl"),
    "TagPolicy": ("tag-policy/bad-launch-without-id", "TagPolicyFailureQueueUrl"),
    "EcsMetrics": ("ecs-metrics/bad-field", "EcsMetricsFailureQueueUrl"),
}
KEPT_SECONDS = 60


@pytest.fixture(scope="module")
def failing() -> Iterator[Stack]:
    """A stack whose functions have all been sent what they refuse, as the topic or EventBridge would: asynchronously."""
    with local_stack({"EcsMetricsDriver": "off"}) as stack:
        for function, (sample, _) in REFUSED.items():
            event = (ROOT / "events" / f"{sample}.json").read_bytes()
            name = f"{stack.outputs[f'{function}Name']}:live"
            stack.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=event)
        yield stack


@pytest.mark.parametrize("function", REFUSED)
def test_what_is_refused_is_kept(failing: Stack, function: str) -> None:
    _, queue = REFUSED[function]
    sqs, attribute = failing.client("sqs"), "ApproximateNumberOfMessages"

    def kept() -> bool:
        found = sqs.get_queue_attributes(QueueUrl=failing.outputs[queue], AttributeNames=[attribute])
        return int(found["Attributes"][attribute]) == 1

    wait_for(f"what {function} refused is in {queue}", kept, KEPT_SECONDS, 0.2)
