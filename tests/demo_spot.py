"""The demo's fourth act: EC2 wants a spot instance back, and what becomes of it in its last two minutes."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator

from rich.console import Console

import demo_screen
import drain
import spot
from local_stack import Stack

COLUMNS = ("sec", "instance", "in ECS", "target", "wanted", "left", "hook", "what happened")
LEGEND = "target: of the load balancer; wanted, left: tasks of the instance, as above"


def show(stack: Stack, console: Console, seconds: float) -> dict[str, bool]:
    """A notice comes: the instance leaves its target group, its tasks leave it, and nobody waits for its end."""
    drain.attach_hook(stack, spot.CLUSTER)
    spot.subscribe(stack)
    instance, *_ = spot.instances(stack)
    tag = spot.tag_command([instance], spot.target_group(stack))
    print("$", shlex.join(tag))
    subprocess.run(tag, env=stack.environment, check=True, stdin=subprocess.DEVNULL)
    print(f"EC2 sends a notice: it takes {instance} in two minutes\n", flush=True)

    def states(history: list[drain.Entry]) -> Iterator[drain.Leaving]:
        return drain.replay(history, spot.Interrupted(instance))

    def line(now: drain.Leaving, entries: list[drain.Entry]) -> demo_screen.Row:
        return (f"{now.seconds():.1f}", *now.row(), demo_screen.news(entries, instance))

    with demo_screen.timeline(console, COLUMNS, LEGEND) as row:
        stack.play("interrupt", instance)
        history = demo_screen.watch(stack, row, states, line, seconds)
    for sent in spot.notices(stack, instance):
        console.print(demo_screen.mail(sent))
    took = spot.times(history, instance)
    if took.left_target_group and took.draining and took.completed:
        left = (spot.NOTICE - took.completed).total_seconds()
        print(f"out of its target group {took.left_target_group.total_seconds():.1f} s after the notice,")
        print(f"DRAINING after {took.draining.total_seconds():.1f} s, let go {left:.1f} s before its end\n")
    drained = drain.judge(history, stack, instance)
    return spot.judge(history, stack, instance) | {"its drain holds all that the first act's does": drained.passed}
