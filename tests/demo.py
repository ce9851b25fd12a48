"""`make demo`: a drain to look at, on this machine, with nothing but the deployed stack doing it."""

from __future__ import annotations

import argparse
import shlex
import sys
import time

from rich.console import Console
from rich.table import Table

import drain
from environment import isolate
from local_stack import Stack, local_stack
from processes import Failed, Terminated

COLUMNS = ("seconds", "passes", "instance", "container instance", "running", "not stopped", "hook", "what happened")
LOOK_SECONDS = 0.5


def narrate(entry: drain.Entry, instance: str) -> str:
    """What an entry of the history says to a reader; empty for what the columns show already."""
    here = entry.get("instance") == instance
    match entry["what"]:
        case "task_started" if not here:
            return f"{entry['group']} starts on another instance"
        case "task_stopped" if here:
            return f"{entry['group']} has stopped"
        case "task_killed":
            return f"{entry['group']} was KILLED in {entry['last_status']}"
        case "hook_completed" if here:
            return f"hook completed, {entry['tasks_not_stopped']} tasks left"
    return ""


def line(history: list[drain.Entry], seen: int, stack: Stack) -> tuple[str, ...] | None:
    """What is new since `seen` entries, as one row; None before the instance leaves."""
    states = list(drain.replay(history))
    if not states:
        return None
    now = states[-1]
    news = [said for entry in history[seen:] if (said := narrate(entry, now.instance))]
    return (f"{now.seconds:.1f}", str(drain.passes(stack)), *now.row(), "; ".join(dict.fromkeys(news)))


def new_table() -> Table:
    """The timeline, empty."""
    table = Table(title="One instance leaves", title_justify="left", expand=True)
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in ("seconds", "passes") else "left", overflow="fold")
    return table


def watch(stack: Stack, console: Console, seconds: float) -> list[drain.Entry]:
    """Shows the drain as it goes: a growing table on a terminal, plain lines elsewhere."""
    deadline = time.monotonic() + seconds
    history, seen, last = stack.history(), 0, None
    seen = len(history)
    table = new_table()
    with screen(table, console) as show:
        while time.monotonic() < deadline:
            history = stack.history()
            row = line(history, seen, stack)
            if row and row[1:] != last:
                show(row)
                last, seen = row[1:], len(history)
            if any(state.gone for state in drain.replay(history)):
                return history
            time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"the instance is not gone after {seconds:g} seconds")


class screen:  # noqa: N801 - used as a function
    """Shows rows: live on a terminal, as lines elsewhere."""

    def __init__(self, table: Table, console: Console) -> None:
        from rich.live import Live

        self.table, self.console = table, console
        self.live = Live(table, console=console, refresh_per_second=4) if console.is_terminal else None

    def __enter__(self):
        if self.live:
            self.live.start()
        else:
            self.console.print(" | ".join(COLUMNS))
        return self.show

    def show(self, row: tuple[str, ...]) -> None:
        """One more row."""
        if self.live:
            self.table.add_row(*row)
        else:
            self.console.print(" | ".join(row))

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()
