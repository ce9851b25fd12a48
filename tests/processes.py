"""Child processes that cannot be left behind, and waiting with a deadline."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeVar

T = TypeVar("T")

GRACE_SECONDS = 5.0
SAY_SECONDS = 15.0
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Failed(Exception):
    """A command or a service did not do what it was started for; says where its log is."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end. Handled wherever Ctrl-C is, by pytest too."""


def wait_for(what: str, probe: Callable[[], T | None], seconds: float, interval: float = 0.05) -> T:
    """Asks until the answer is something other than None or False, and fails at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer is not None and answer is not False:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not after {seconds:g} seconds")
        time.sleep(interval)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Child:
    """A process in a group of its own: Ctrl-C does not reach it, `stop` reaches all that it started."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str], log: Path, cwd: Path) -> None:
        self.name = Path(command[0]).name
        self.log = log
        self._log_file: IO[bytes] = log.open("wb")
        # Standard input stays open as long as we live, so that a child can end itself when we are killed.
        self.process = subprocess.Popen(
            [str(part) for part in command],
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=self._log_file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def log_text(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace")

    def failure(self, what: str) -> Failed:
        """An error with the end of the log."""
        tail = "\n".join(self.log_text().splitlines()[-25:])
        return Failed(f"{self.name}: {what}; its log {self.log} ends:\n{tail}")

    def running(self) -> None:
        """Fails when it has ended."""
        if (code := self.process.poll()) is not None:
            raise self.failure(f"ended with {code}")

    def result(self, seconds: float, say: Callable[[str], None] | None = None) -> None:
        """Waits for a success; on long work says now and then that it goes on."""
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            try:
                code = self.process.wait(min(SAY_SECONDS, seconds - passed))
            except subprocess.TimeoutExpired:
                if say:
                    say(f"{time.monotonic() - began:6.0f} s  {self.name} is at work")
                continue
            if code != 0:
                raise self.failure(f"ended with {code}")
            return
        raise self.failure(f"still running after {seconds:g} seconds")

    def stop(self) -> None:
        """Ends the process group, gently and then not, and makes sure that nobody of it is left."""
        with contextlib.suppress(OSError):
            if self.process.stdin:
                self.process.stdin.close()
        try:
            for ending in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, ending)
                with contextlib.suppress(TimeoutError):
                    wait_for(f"{self.name} ends", self._gone, GRACE_SECONDS, 0.02)
                    return
            raise Failed(f"{self.name}: process group {self.process.pid} is still there after SIGKILL")
        finally:
            self._log_file.close()

    def _gone(self) -> bool:
        self.process.poll()  # takes the dead leader away, which would count as alive otherwise
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False


Register = Callable[[Child], Child]


@contextlib.contextmanager
def children() -> Iterator[Register]:
    """Everything registered is ended at the end, last one first, whatever ends it: an error, Ctrl-C, SIGTERM.

    Signals reach the main thread alone; another has to be told by it.
    """
    heard = ENDING_SIGNALS if threading.current_thread() is threading.main_thread() else ()
    alive: list[Child] = []

    def register(child: Child) -> Child:
        alive.append(child)
        return child

    def terminated(number: int, _frame: object) -> None:
        raise Terminated(signal.Signals(number).name)

    before = {number: signal.signal(number, terminated) for number in heard}
    try:
        yield register
    finally:
        # A second Ctrl-C would leave the rest behind; ending takes seconds at most.
        impatience = {n: signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, *heard) if heard}
        faults = [fault for child in reversed(alive) if (fault := _stop(child))]
        for number, handler in (impatience | before).items():
            signal.signal(number, handler)
        if faults:
            raise faults[0]


def _stop(child: Child) -> Failed | None:
    try:
        child.stop()
    except Failed as fault:
        return fault
    return None
