"""What `make guard` makes of a count; the counting itself is its own run."""

from __future__ import annotations

from pathlib import Path

import pytest

import guard
from build import LARGEST
from environment import ROOT, clean_environment
from processes import Failed, children


@pytest.mark.parametrize(
    ("now", "near"), [(100.0, True), (109.9, True), (110.1, False), (90.1, True), (89.9, False), (0.0, False)]
)
def test_a_count_may_be_a_tenth_off(now: float, near: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Less is wrong, too: the number would say nothing any more."""
    assert guard.holds("a", now, 100.0) is near
    assert ("write the new number" in capsys.readouterr().out) is not near


def test_every_function_is_counted_and_can_be_started() -> None:
    assert set(guard.START) == set(guard.SETTINGS) == set(LARGEST)
    examples = {path.stem for path in (ROOT / "crates").glob("*/examples/decide-*.rs")}
    assert set(guard.DECIDE) == examples


def test_what_says_no_count_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "FOLDER", tmp_path)
    monkeypatch.setattr(guard.shutil, "which", lambda name, path: "/bin/echo")
    with children() as register:
        child = guard.counted("a", Path("b"), clean_environment(), register)
        child.result(10)
        with pytest.raises(Failed, match="says no count"):
            guard.millions(child)
        monkeypatch.setattr(guard.shutil, "which", lambda name, path: None)
        with pytest.raises(Failed, match="valgrind is not there"):
            guard.counted("a", Path("b"), clean_environment(), register)
