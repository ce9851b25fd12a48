"""A drainer that waits for the last task within one invocation, and hands on to another before Lambda ends it."""

from __future__ import annotations

import time
from typing import Any

from drain_calls import Leaving, leaving

SLEEP_SECONDS = 10
# A function runs for fifteen minutes at most; one more look must fit in.
LONGEST_SECONDS = 15 * 60 - 2 * SLEEP_SECONDS


def handler(event: dict[str, Any], _context: object) -> None:
    """Waits for each in turn."""
    end = time.monotonic() + LONGEST_SECONDS
    for instance in leaving(event):
        wait(instance, end)


def wait(instance: Leaving, end: float) -> None:
    """Lets the instance go, or gives the rest to another invocation."""
    found = instance.container_instance()
    instance.drain(found)
    while instance.has_tasks(found):
        if time.monotonic() >= end:
            return instance.publish()
        time.sleep(SLEEP_SECONDS)
    return instance.let_go()
