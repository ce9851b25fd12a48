"""`make demo`: all four functions at work, to look at, on this machine, by nothing but the deployed stack."""

from __future__ import annotations

import argparse
import shlex
import sys

from rich.console import Console

import demo_metrics
import demo_screen
import demo_spot
import demo_tags
import drain
import policy
import spot
from demo_screen import report
from environment import ROOT, isolate
from local_stack import Stack, local_stack
from processes import Failed, Terminated

COLUMNS = ("sec", "runs", "instance", "in ECS", "wanted", "left", "hook", "what happened")
LEGEND = (
    "runs: of the function; wanted: tasks that ECS still wants on the instance; "
    "left: tasks whose containers are still there"
)
# What each act needs to be there.
WORLD = {
    **demo_tags.WORLD,
    **spot.WORLD,
    "settings": {**demo_tags.WORLD["settings"], **spot.WORLD["settings"]},
}


def watch(stack: Stack, console: Console, seconds: float) -> list[drain.Entry]:
    """Shows the drain as it goes, and gives back the history when the instance is gone."""

    def line(now: drain.Leaving, entries: list[drain.Entry]) -> demo_screen.Row:
        news = demo_screen.news(entries, now.instance)
        return (f"{now.seconds():.1f}", str(drain.passes(stack)), *now.row(), news)

    with demo_screen.timeline(console, COLUMNS, LEGEND) as show:
        return demo_screen.watch(stack, show, drain.replay, line, seconds)


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
    with local_stack(parameters, say=print, world=WORLD) as stack:
        first = demo_metrics.begin(stack)  # beside the others
        console.rule("ecs-drainer: an instance leaves", align="left")
        drained = report(show_drain(stack, console, seconds).checks, console)
        console.rule("tag-policy: instances lack their tags", align="left")
        tagged = report(demo_tags.show(stack, console), console)
        console.rule("ecs-metrics: the cluster's tasks meanwhile", align="left")
        measured = report(demo_metrics.show(stack, console, first), console)
        console.rule("spot-interruption: EC2 wants an instance back", align="left")
        handed_over = report(demo_spot.show(stack, console, seconds), console)
        passed = drained and tagged and measured and handed_over
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
