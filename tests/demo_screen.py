"""What the demo's acts share on the screen: a table that grows, checks, and a mail."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.message import EmailMessage

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from drain import Entry, Leaving
from local_stack import Stack

NUMBERS = {"sec", "runs", "wanted", "left"}
LOOK_SECONDS = 0.5

Row = tuple[str, ...]


@contextlib.contextmanager
def timeline(console: Console, columns: Sequence[str], legend: str) -> Iterator[Callable[[Row], None]]:
    """Takes rows: a growing table on a terminal, plain lines elsewhere."""
    console.print(legend, style="dim", highlight=False)
    if not console.is_terminal:
        print(" | ".join(columns))
        yield lambda row: print(" | ".join(row), flush=True)
        return
    table = Table(box=SIMPLE_HEAD, expand=True, pad_edge=False, collapse_padding=True)
    for column in columns[:-1]:
        table.add_column(column, justify="right" if column in NUMBERS else "left", no_wrap=True)
    table.add_column(columns[-1], ratio=1)
    with Live(table, console=console, refresh_per_second=4):
        yield lambda row: table.add_row(*row)


def watch(
    stack: Stack,
    show: Callable[[Row], None],
    states: Callable[[list[Entry]], Iterator[Leaving]],
    line: Callable[[Leaving, list[Entry]], Row],
    seconds: float,
) -> list[Entry]:
    """Shows an instance as it leaves, and gives back the history when it is gone.

    `states` are its states by a history; `line` is its state and what is new, as a row, whose first cell is the time.
    """
    deadline = time.monotonic() + seconds
    seen, last = len(stack.history()), None
    while time.monotonic() < deadline:
        history = stack.history()
        if replayed := list(states(history)):
            row = line(replayed[-1], history[seen:])
            if row[1:-1] != last or row[-1]:
                show(row)
                last, seen = row[1:-1], len(history)
            if replayed[-1].gone:
                return history
        time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"the instance is not gone after {seconds:g} seconds")


def narrate(entry: Entry, instance: str) -> str:
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


def news(entries: Sequence[Entry], instance: str) -> str:
    """All that some entries say, each thing once."""
    return "; ".join(dict.fromkeys(said for entry in entries if (said := narrate(entry, instance))))


def report(checks: Mapping[str, bool], console: Console) -> bool:
    """The checks; whether all of them hold."""
    for check, holds in checks.items():
        console.print(f"  [{'green' if holds else 'red'}]{'yes' if holds else 'NO ':3}[/] {check}")
    return all(checks.values())


def mail(sent: EmailMessage) -> Panel:
    """A mail as its reader sees it."""
    head = f"To: {sent['To']}\nSubject: {sent['Subject']}\n\n"
    return Panel(Text(head + sent.get_content().rstrip()), title="mail", title_align="left")
