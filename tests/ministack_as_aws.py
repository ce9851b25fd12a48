"""Starts MiniStack so that its environment may play AWS's services, and so that it ends with its parent.

MiniStack refuses PutEvents with a source of `aws.…`, as AWS does. The events of ECS and Auto Scaling come from our fake,
which is AWS here, and the deployed rules shall see them as they are.

Run with MiniStack's own Python.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from ministack import app
from ministack.services import eventbridge


def allow_aws_sources() -> None:
    """Makes `allow_aws_source` true by default; fails loudly when another version has no such parameter."""
    put_events = eventbridge._put_events
    if put_events.__code__.co_varnames[:2] != ("data", "allow_aws_source"):
        raise SystemExit("this version of MiniStack takes events in another way; see tests/ministack_as_aws.py")
    put_events.__defaults__ = (True,)


def end_with_parent() -> None:
    """Ends the whole process group, functions included, when standard input closes: the parent was killed."""
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    allow_aws_sources()
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.exit(app.main())
