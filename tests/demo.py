"""`make demo`: all three functions at work, to look at, on this machine, by nothing but the deployed stack."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table

import demo_metrics
import demo_tags
import drain
import policy
from environment import ROOT, isolate
from local_stack import Stack, local_stack
from processes import Failed, Terminated

COLUMNS = ("sec", "runs", "instance", "in ECS", "wanted", "left", "hook", "what happened")
NUMBERS = {"sec", "runs", "wanted", "left"}
LEGEND = (
    "runs: of the function; wanted: tasks that ECS still wants on the instance; "
    "left: tasks whose containers are still there"
)
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
    return (f"{now.seconds():.1f}", str(drain.passes(stack)), *now.row(), "; ".join(dict.fromkeys(news)))


def watch(stack: Stack, console: Console, seconds: float) -> list[drain.Entry]:
    """Shows the drain as it goes, and gives back the history when the instance is gone."""
    deadline = time.monotonic() + seconds
    seen, last = len(stack.history()), None
    with timeline(console) as show:
        while time.monotonic() < deadline:
            history = stack.history()
            row = line(history, seen, stack)
            if row and (row[1:-1] != last or row[-1]):
                show(row)
                last, seen = row[1:-1], len(history)
            if any(state.gone for state in drain.replay(history)):
                return history
            time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"the instance is not gone after {seconds:g} seconds")


@contextlib.contextmanager
def timeline(console: Console) -> Iterator[Callable[[tuple[str, ...]], None]]:
    """Takes rows: a growing table on a terminal, plain lines elsewhere."""
    console.print(LEGEND, style="dim", highlight=False)
    if not console.is_terminal:
        print(" | ".join(COLUMNS))
        yield lambda row: print(" | ".join(row), flush=True)
        return
    table = Table(box=SIMPLE_HEAD, expand=True, pad_edge=False, collapse_padding=True)
    for column in COLUMNS[:-1]:
        table.add_column(column, justify="right" if column in NUMBERS else "left", no_wrap=True)
    table.add_column(COLUMNS[-1], ratio=1)
    with Live(table, console=console, refresh_per_second=4):
        yield lambda row: table.add_row(*row)


def report(checks: Mapping[str, bool], console: Console) -> bool:
    """The checks; whether all of them hold."""
    for check, holds in checks.items():
        console.print(f"  [{'green' if holds else 'red'}]{'yes' if holds else 'NO ':3}[/] {check}")
    return all(checks.values())


def show_drain(stack: Stack, console: Console, seconds: float) -> drain.Verdict:
    """The first act: attach the hook, let an instance leave, watch."""
    print("$", shlex.join(drain.put_hook_command(stack)))
    drain.attach_hook(stack)
    before, after = drain.scale_in(stack)
    print(f"desired capacity of {drain.GROUP}: {before} -> {after}\n", flush=True)
    verdict = drain.judge(watch(stack, console, seconds), stack)
    calls = ", ".join(f"{operation} {count}" for operation, count in sorted(verdict.calls.items()))
    made = f"{drain.passes(stack)} invocations, {sum(verdict.calls.values())} API calls: {calls}"
    console.print(f"\n{made}", highlight=False)
    if verdict.seconds_after_last_stop is not None:
        print(f"hook completed {verdict.seconds_after_last_stop:.1f} s after the last task had stopped")
    return verdict


def show(console: Console, seconds: float, interval: int) -> bool:
    """The whole demo; whether all was right."""
    # Five seconds between passes instead of three minutes: a demo's tasks stop within seconds.
    parameters = {"PassIntervalSeconds": interval, "ReportEmail": policy.ADDRESS, **demo_metrics.PARAMETERS}
    with local_stack(parameters, say=print, quick=True, world=demo_tags.WORLD) as stack:
        first = demo_metrics.begin(stack)  # beside the other two
        console.rule("ecs-drainer: an instance leaves", align="left")
        drained = report(show_drain(stack, console, seconds).checks, console)
        console.rule("tag-policy: instances lack their tags", align="left")
        tagged = report(demo_tags.show(stack, console), console)
        console.rule("ecs-metrics: the cluster's tasks meanwhile", align="left")
        measured = report(demo_metrics.show(stack, console, first), console)
        passed = drained and tagged and measured
        console.print("[bold green]PASS[/]" if passed else "[bold red]FAIL[/]")
        print(f"logs: {stack.logs.relative_to(ROOT)}")
        return passed


def main() -> int:
    """The exit status: 0 when all was right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180, help="how long the drain may take (180)")
    parser.add_argument("--interval", type=int, default=5, help="seconds between two looks at a drain (5)")
    arguments = parser.parse_args()
    isolate()
    try:
        return 0 if show(Console(), arguments.seconds, arguments.interval) else 1
    except (Failed, TimeoutError) as fault:
        print(f"FAIL: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        print(f"ended by {str(interrupt) or 'Ctrl-C'}; nothing is left running", file=sys.stderr)
        return 143 if isinstance(interrupt, Terminated) else 130


if __name__ == "__main__":
    sys.exit(main())
