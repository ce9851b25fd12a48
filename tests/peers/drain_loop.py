"""A drainer as the published one: as long as tasks are left it sleeps five seconds and publishes its message again."""

from __future__ import annotations

import time
from typing import Any

from drain_calls import leaving

SLEEP_SECONDS = 5


def handler(event: dict[str, Any], _context: object) -> None:
    """One pass."""
    for instance in leaving(event):
        found = instance.container_instance()
        instance.drain(found)
        if instance.has_tasks(found):
            time.sleep(SLEEP_SECONDS)
            instance.publish()
        else:
            instance.let_go()
