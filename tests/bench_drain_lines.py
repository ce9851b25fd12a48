"""The ways from a topic and from ECS's events to a drainer, in the virtual time of bench_drain_run.py."""

from __future__ import annotations

import heapq
import itertools
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

SECOND = 1_000_000_000
# As template.yaml has them: the delays of the queues, the batching window, and the batch's size.
PASS_SECONDS, URGENT_SECONDS = 180, 15
WINDOW_SECONDS, BATCH = 1, 100
TOPIC_NAME = "ecs-drain"
TOPIC = f"arn:aws:sns:us-east-1:123456789012:{TOPIC_NAME}"
Event = dict[str, Any]


@dataclass
class Line:
    """A way from what is published to the function. Times are nanoseconds since the World began."""

    event: Callable[[list[str]], Event]
    delay: int = 0
    window: int = 0
    most: int = 1
    _waiting: list[tuple[int, int, str]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def put(self, at: int, body: str) -> None:
        """Something arrives."""
        heapq.heappush(self._waiting, (at + self.delay, next(self._numbers), body))

    def due(self) -> list[int]:
        """When the next batch goes, if one does: when its window ends, or it is full."""
        if not self._waiting:
            return []
        full = [seen for seen, _, _ in sorted(self._waiting)[self.most - 1 : self.most]]
        return [min([self._waiting[0][0] + self.window, *full])]

    def take(self, now: int) -> list[str]:
        """The batch: what can be seen, oldest first."""
        batch: list[str] = []
        while self._waiting and self._waiting[0][0] <= now and len(batch) < self.most:
            batch.append(heapq.heappop(self._waiting)[2])
        return batch


def sns_event(bodies: list[str]) -> Event:
    """As a topic invokes a function."""
    common: Event = {"Type": "Notification", "TopicArn": TOPIC, "Subject": None, "MessageAttributes": {}}
    notifications = ({**common, "MessageId": str(uuid.uuid4()), "Message": body} for body in bodies)
    records = [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": notification} for notification in notifications]
    return {"Records": records}


def sqs_event(bodies: list[str]) -> Event:
    """As a queue's batch comes."""
    source = {"eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue"}
    common = {**source, "awsRegion": "us-east-1", "receiptHandle": "-", "attributes": {}, "messageAttributes": {}}
    return {"Records": [{**common, "messageId": str(uuid.uuid4()), "body": body} for body in bodies]}


class Subscriptions:
    """The published designs': the topic invokes the function, and nobody listens to ECS."""

    def __init__(self) -> None:
        self.lines = [Line(sns_event)]

    def notified(self, body: str) -> Line | None:
        """Where a message of the topic goes."""
        return self.lines[0]

    def happened(self, event: Event) -> Line | None:
        """Where an event goes."""
        return None


class Queues(Subscriptions):
    """The template's: three queues whose filters read the body, and a rule for stopped tasks."""

    def __init__(self) -> None:
        window = WINDOW_SECONDS * SECOND
        delays = (0, PASS_SECONDS, URGENT_SECONDS)
        self.lines = [Line(sqs_event, delay * SECOND, window, BATCH) for delay in delays]

    def notified(self, body: str) -> Line | None:
        """By the fields that the subscriptions' filters look for."""
        first, continuation, urgent = self.lines
        message = json.loads(body)
        if "DrainPass" not in message:
            return first
        return urgent if "Until" in message else continuation

    def happened(self, event: Event) -> Line | None:
        """The rule takes what ECS says of tasks."""
        return self.lines[0] if event["source"] == "aws.ecs" else None
