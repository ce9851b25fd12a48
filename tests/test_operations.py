"""What the fake can do is what is tried: by boto3 all of it, beside moto all that moto can."""

from __future__ import annotations

import re

from environment import ROOT
from test_fake_boto3 import WORKS
from test_fake_moto import ASKED

SERVICES = ROOT / "crates" / "aws-fake" / "src" / "services"
# Auto Scaling's answers to a hook: moto has neither.
NOT_IN_MOTO = {"CompleteLifecycleAction", "RecordLifecycleActionHeartbeat"}


def operations() -> set[str]:
    """Every operation that the fake's services name."""
    sources = "".join((SERVICES / f"{service}.rs").read_text() for service in ("ecs", "autoscaling", "sns"))
    return set(re.findall(r'^ +"([A-Z]\w+)" =>', sources, re.MULTILINE))


def test_boto3_drives_every_operation() -> None:
    assert len(operations()) >= 18
    assert operations() - set(re.findall(r"[A-Z]\w+", " ".join(WORKS))) == set()


def test_moto_is_asked_for_all_that_it_has() -> None:
    assert operations() - {what.split(" ")[0] for what in ASKED} == NOT_IN_MOTO
