"""Starts MiniStack so that its environment may play AWS's services, and so that it ends with its parent.

MiniStack refuses PutEvents with a source of `aws.…`, as AWS does. The events of ECS, Auto Scaling and EC2 come from
our fake, which is AWS here, and the deployed rules shall see them as they are. MiniStack also drops what a topic sends
to addresses; here it becomes files in the folder that MAILBOX names.

Run with MiniStack's own Python.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from ministack import app
from ministack.services import eventbridge, sns


def allow_aws_sources() -> None:
    """Makes `allow_aws_source` true by default; fails loudly when another version has no such parameter."""
    put_events = eventbridge._put_events
    if put_events.__code__.co_varnames[:2] != ("data", "allow_aws_source"):
        raise SystemExit("this version of MiniStack takes events in another way; see tests/ministack_as_aws.py")
    put_events.__defaults__ = (True,)


def deliver_mail(mailbox: Path) -> None:
    """Writes what a topic sends to addresses into the mailbox; the files' names are in the order of sending."""
    fan_out = sns._fanout
    if fan_out.__code__.co_varnames[:5] != ("topic_arn", "msg_id", "message", "subject", "message_structure"):
        raise SystemExit("this version of MiniStack publishes in another way; see tests/ministack_as_aws.py")
    numbers = itertools.count(1)

    def deliver(topic: str, id: str, message: str, subject: str, structure: str = "", *rest: Any, **named: Any) -> None:
        fan_out(topic, id, message, subject, structure, *rest, **named)
        for subscription in sns._topic_by_arn_any_scope(topic)["subscriptions"]:
            if subscription["protocol"] == "email":
                mail = EmailMessage()
                mail["To"], mail["Subject"] = subscription["endpoint"], subject or "AWS Notification Message"
                mail.set_content(sns._resolve_message_for_protocol(message, structure, "email"))
                name = f"{next(numbers):04}"
                (mailbox / name).write_bytes(bytes(mail))
                (mailbox / name).rename(mailbox / f"{name}.eml")  # whole, or not there

    sns._fanout = deliver


def end_with_parent() -> None:
    """Ends the whole process group, functions included, when standard input closes: the parent was killed."""
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    allow_aws_sources()
    deliver_mail(Path(os.environ["MAILBOX"]))
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.exit(app.main())
