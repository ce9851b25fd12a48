"""The demo's third act: what the deployed metric writer has written while the drain went on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from plotille import Figure
from rich.console import Console

import drain
import metrics
from local_stack import Stack
from processes import wait_for

PARAMETERS = {"EcsMetricsPeriodSeconds": 1, "EcsMetricsClusters": drain.CLUSTER}
BEGIN_SECONDS = 10
AFTER_SECONDS = 4  # shown of what comes after the drain
WIDTH, HEIGHT = 62, 14  # with the axis less than 80 columns
RUNNING, PENDING = "#", "o"  # as good in a log without colours
SECOND = timedelta(seconds=1)

Points = Mapping[datetime, float]


def begin(stack: Stack) -> datetime:
    """Sends the schedule's event, a minute before the emulator would; the first sample's time."""
    stack.fire("EcsMetrics", metrics.scheduled_event())
    asked = datetime.now(timezone.utc)
    return wait_for("a sample is written", lambda: min(tasks(stack, asked)[0], default=None), BEGIN_SECONDS, 0.2)


def tasks(stack: Stack, begin: datetime) -> tuple[Points, Points]:
    """Running and pending tasks by the second, from a moment until now."""
    found = metrics.read(stack, [drain.CLUSTER], begin, datetime.now(timezone.utc) + SECOND)
    running, pending = (found.get((drain.CLUSTER, name), {}) for name in ("RunningTask", "PendingTask"))
    return running, pending


def show(stack: Stack, console: Console, first: datetime) -> dict[str, bool]:
    """The chart and the figures."""
    running, pending = tasks(stack, first)
    began, gone = drain.span(stack.history())
    print(chart(running, pending, began, gone))
    print(f"  {RUNNING} running  {PENDING} pending; seconds since the instance began to leave\n")
    written, expected = len(running), round((max(running) - min(running)) / SECOND) + 1
    own = metrics.own(stack)
    figures = f"{written} ticks written, {expected - written} missed, largest lag {max(own.lags):.1f} ms"
    console.print(figures, highlight=False)
    return {
        "every second has its sample": written == expected,
        "on the second": not any(at.microsecond for at in running),
        "tasks on their way were seen pending": max(pending.values()) > 0,
        "no tick has failed": own.failed == own.skipped == 0,
    }


def chart(running: Points, pending: Points, began: datetime, gone: datetime) -> str:
    """Both by the second, over the drain and a little longer; without colours."""
    end = int((gone - began).total_seconds()) + AFTER_SECONDS
    most = max(running.values())
    figure = Figure()
    figure.with_colors, figure.origin = False, False
    figure.width, figure.height = min(WIDTH, end + 1), min(HEIGHT, int(most) + 1)
    figure.set_x_limits(0, end)
    figure.set_y_limits(0, most + 1)
    figure.x_label, figure.y_label = "s", "tasks"
    figure.x_ticks_fkt = figure.y_ticks_fkt = lambda low, _high: f"{low:.0f}"
    for points, marker in ((running, RUNNING), (pending, PENDING)):
        seconds = {(at - began).total_seconds(): value for at, value in points.items()}
        shown = {at: value for at, value in seconds.items() if 0 <= at <= end}
        figure.plot(list(shown), list(shown.values()), interp=None, marker=marker)
    empty = "\N{BRAILLE PATTERN BLANK}"
    return "\n".join(line.replace(empty, " ").rstrip() for line in figure.show().splitlines())
