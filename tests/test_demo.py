"""The demo as a user starts it, and as a user ends it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from environment import ROOT
from processes import wait_for
from test_environment import HOSTILE

LIMIT_SECONDS = 900  # it may have to build


def start(log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """The demo with a hostile environment, in a group of its own, as a terminal would start it."""
    return subprocess.Popen(
        [sys.executable, "-u", ROOT / "tests" / "demo.py", *arguments],
        env=os.environ | HOSTILE,
        stdin=subprocess.DEVNULL,
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # A shell that runs us in the background has SIGINT ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def left_behind(log: Path) -> list[str]:
    """Processes that still have this run's marks: the emulator's, the fake's, functions'."""
    marks = [b"ministack_as_aws.py", b"aws-fake", b"bootstrap"]
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command, parent = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if any(mark in command for mark in marks) and f"FLEETKEEPER_RUN={log}".encode() in parent:
            found.append(command.decode(errors="replace"))
    return found


def test_it_shows_all_four_functions_and_says_so(tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    demo = start(log)
    assert demo.wait(LIMIT_SECONDS) == 0, log.read_text()
    text = log.read_text()
    for said in (
        *("ready", "in ECS", "Terminated", "the hook was completed exactly once"),
        *("Subject: ACME Cloud Tagging Policy Report", "ProjectCode = Proj007", "yes with the name of who launched"),
        *("# running  o pending", " ticks written, 0 missed, largest lag ", "yes every second has its sample"),
        *("EC2 sends a notice: it takes i-", "Subject: Spot interruption: i-", " s after the notice"),
        *("yes the hook was completed before the two minutes ended", "PASS"),
    ):
        assert said in text, text
    (chart,) = re.findall(r"^ \(tasks\).*?-> \(s\)", text, re.DOTALL | re.MULTILINE)
    assert chart.count("#") > 20 and "o" in chart.split("|", 1)[1], chart
    assert max(map(len, chart.splitlines())) <= 80, chart


def test_it_fails_when_the_drain_takes_too_long(tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    assert start(log, "--seconds", "1").wait(LIMIT_SECONDS) == 1, log.read_text()
    assert "FAIL: the instance is not gone after 1 seconds" in log.read_text()


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_nothing_behind(
    number: signal.Signals, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "demo.log"
    monkeypatch.setenv("FLEETKEEPER_RUN", str(log))
    demo = start(log)
    wait_for("the drain is on", lambda: "DRAINING" in log.read_text() or None, LIMIT_SECONDS, 0.2)
    assert len(left_behind(log)) >= 2, "there is something to leave behind"
    demo.send_signal(number)
    assert demo.wait(60) == status, log.read_text()
    assert left_behind(log) == []
