"""What the fake can do is what is tried: by boto3 all of it, beside moto all that moto can."""

from __future__ import annotations

import re

import test_fake_boto3
import test_fake_boto3_clusters
import test_fake_boto3_machines
import test_fake_boto3_metrics
import test_fake_boto3_spot
import test_fake_boto3_tables
import test_fake_moto
import test_fake_moto_machines
import test_fake_moto_metrics
import test_fake_moto_spot
import test_fake_moto_tables
from environment import ROOT

SERVICES = ROOT / "crates" / "aws-fake" / "src" / "services"
BY_BOTO3 = (
    test_fake_boto3,
    test_fake_boto3_clusters,
    test_fake_boto3_machines,
    test_fake_boto3_metrics,
    test_fake_boto3_spot,
    test_fake_boto3_tables,
)
BESIDE_MOTO = (
    test_fake_moto,
    test_fake_moto_machines,
    test_fake_moto_metrics,
    test_fake_moto_spot,
    test_fake_moto_tables,
)
DRIVEN = " ".join(what for tried in BY_BOTO3 for what in tried.WORKS)
ASKED = {what.split(" ")[0] for asked in BESIDE_MOTO for what in asked.ASKED}
# Auto Scaling's answers to a hook, and look-ups in CloudTrail: moto has neither.
NOT_IN_MOTO = {"CompleteLifecycleAction", "RecordLifecycleActionHeartbeat", "LookupEvents"}

# Both worlds are furnished by these; what comes of them is compared by what is asked.
FURNISHING = {"CreateTable", "ModifyInstanceAttribute"}


def operations() -> set[str]:
    """Every operation that the fake's services name."""
    sources = "".join(file.read_text() for file in SERVICES.rglob("*.rs"))
    finders = re.findall(r"\bfn find\(.*?^}$", sources, re.DOTALL | re.MULTILINE)
    return {name for finder in finders for name in re.findall(r'^ +"([A-Z]\w+)" =>', finder, re.MULTILINE)}


def test_boto3_drives_every_operation() -> None:
    assert len(operations()) >= 50
    assert operations() - set(re.findall(r"[A-Z]\w+", DRIVEN)) == set()


def test_moto_is_asked_for_all_that_it_has() -> None:
    assert operations() - ASKED == NOT_IN_MOTO | FURNISHING
