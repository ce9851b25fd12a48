"""One drain from outside: attach the hook, scale in, watch, and judge by what the fake AWS has seen.

All that is shown and judged comes from the fake's history, the truth about tasks and not an answer that may be stale.
So the watcher makes no API calls of its own, which would use up the request rate and spoil the count.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from local_stack import METRICS_CALLS, Stack
from processes import wait_for

CLUSTER, GROUP, HOOK = "prod", "prod-ecs", "drain"
LAST_STATE = "Terminated"
# What a user of the group does, or the metric writer, and the drainer never: not counted as the drainer's calls.
OTHERS_CALLS = {"PutLifecycleHook", "SetDesiredCapacity", *METRICS_CALLS}

Entry = dict[str, Any]


def moment(entry: Entry) -> datetime:
    """When it happened. Python 3.10 reads six digits after the point, and no Z."""
    whole, _, fraction = entry["at"].rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")


def put_hook_command(stack: Stack, cluster: str = CLUSTER) -> list[str]:
    """What the README says: nothing but this is needed to have a group drained."""
    return [
        *("aws", "autoscaling", "put-lifecycle-hook", "--lifecycle-hook-name", HOOK),
        *("--auto-scaling-group-name", f"{cluster}-ecs"),
        *("--lifecycle-transition", "autoscaling:EC2_INSTANCE_TERMINATING"),
        *("--notification-target-arn", stack.outputs["DrainTopicArn"], "--role-arn", stack.outputs["HookRoleArn"]),
        *("--notification-metadata", f'{{"cluster":"{cluster}"}}'),
        *("--heartbeat-timeout", "900", "--default-result", "CONTINUE"),
    ]


def attach_hook(stack: Stack, cluster: str = CLUSTER) -> None:
    """By the AWS command line, as a user would."""
    subprocess.run(put_hook_command(stack, cluster), env=stack.environment, check=True, stdin=subprocess.DEVNULL)


def scale_in(stack: Stack) -> tuple[int, int]:
    """Asks for one instance less; the capacities before and after."""
    autoscaling = stack.client("autoscaling")
    (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"]
    before = group["DesiredCapacity"]
    autoscaling.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=before - 1)
    return before, before - 1


@dataclass
class Leaving:
    """The instance that leaves, as it is after some entries of the history."""

    instance: str = ""
    state: str = "InService"
    container_instance: str = "ACTIVE"
    hook: str = ""
    tasks: dict[str, str] = field(default_factory=dict)  # id → group, of those on it that have not stopped
    running: set[str] = field(default_factory=set)  # of those, the ones that ECS still counts
    began: datetime | None = None  # when it began to leave

    @property
    def gone(self) -> bool:
        """Whether the instance is terminated."""
        return self.state == LAST_STATE

    def seconds(self) -> float:
        """Since the instance began to leave; the fake runs on this machine's clock."""
        return (datetime.now(timezone.utc) - self.began).total_seconds() if self.began else 0.0

    def row(self) -> tuple[str, ...]:
        """What is worth a line when it changes."""
        return (self.state, self.container_instance, str(len(self.running)), str(len(self.tasks)), self.hook)

    def see(self, entry: Entry) -> None:
        """One more entry of the history."""
        what, task, here = entry["what"], entry.get("task", ""), entry.get("instance") == self.instance
        if what == "task_started" and here:
            self.tasks[task] = entry["group"]
            self.running.add(task)
        elif what == "task_stopping":
            self.running.discard(task)
        elif what == "task_stopped":
            self.tasks.pop(task, None)
            self.running.discard(task)
        elif what == "instance_state" and here:
            self.state = entry["state"]
        elif what == "container_instance_state" and here:
            self.container_instance = entry["status"]
        elif (what.startswith("hook_") or what == "heartbeat") and here:
            self.hook = {"hook_started": "waiting", "hook_completed": entry.get("result", "")}.get(what, "heartbeat")
        if self.begins(entry):
            self.began = self.began or moment(entry)

    def begins(self, entry: Entry) -> bool:
        """Whether it leaves with this entry, or has before."""
        return self.state.startswith("Terminat")


def leaving_instance(history: Iterable[Entry]) -> str | None:
    """The first instance that a hook holds."""
    return next((entry["instance"] for entry in history if entry["what"] == "hook_started"), None)


def replay(history: list[Entry], leaving: Leaving | None = None) -> Iterator[Leaving]:
    """The leaving instance after each entry, from when it begins to leave; unless said, the first that a hook holds."""
    now = leaving or Leaving(leaving_instance(history) or "")
    for entry in history:
        now.see(entry)
        if now.began:
            yield now


def span(history: list[Entry]) -> tuple[datetime, datetime]:
    """When the instance began to leave, and when it was gone."""
    instance = leaving_instance(history)
    states = [entry for entry in history if entry["what"] == "instance_state" and entry["instance"] == instance]
    leaving = [moment(entry) for entry in states if entry["state"].startswith("Terminat")]
    return leaving[0], leaving[-1]


@dataclass
class Verdict:
    """What came of a drain."""

    checks: dict[str, bool]
    calls: Counter[str]
    seconds_after_last_stop: float | None

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return not self.failed

    @property
    def failed(self) -> list[str]:
        """The checks that do not hold."""
        return [check for check, holds in self.checks.items() if not holds]


def judge(history: list[Entry], stack: Stack, instance: str | None = None) -> Verdict:
    """Was the hook completed once, by the function, and not before the last task had stopped?"""
    instance = instance or leaving_instance(history)
    ours = [entry for entry in history if entry.get("instance") == instance]
    began = next((moment(entry) for entry in ours if entry["what"] == "hook_started"), None)
    ends = [entry for entry in ours if entry["what"] == "hook_completed"]
    stops = [moment(entry) for entry in ours if entry["what"] == "task_stopped"]
    tasks = {entry["task"] for entry in ours if entry["what"] == "task_started"}
    killed = [entry for entry in history if entry["what"] == "task_killed" and entry["task"] in tasks]
    calls = [entry for entry in history if entry["what"] == "call" and began and moment(entry) >= began]
    after = (moment(ends[0]) - max(stops)).total_seconds() if ends and stops else None
    checks = {
        "the hook was completed exactly once": len(ends) == 1,
        "by a call, not by its timeout": [end["by"] for end in ends] == ["call"],
        "with CONTINUE": [end["result"] for end in ends] == ["CONTINUE"],
        "when no task was left": [end["tasks_not_stopped"] for end in ends] == [0],
        "after the last task had stopped": after is not None and after >= 0,
        "no task was killed": not killed,
        "no call was refused": not [call for call in calls if "error" in call],
        "no dead letters": stack.dead_letters() == 0,
    }
    counted = Counter(call["operation"] for call in calls if call["operation"] not in OTHERS_CALLS)
    return Verdict(checks, counted, after)


def passes(stack: Stack) -> int:
    """How often the function has run."""
    return stack.invocations("EcsDrainer")


def wait_until_gone(stack: Stack, seconds: float) -> list[Entry]:
    """The history, once the instance is terminated."""

    def gone() -> list[Entry] | None:
        history = stack.history()
        return history if any(state.gone for state in replay(history)) else None

    return wait_for("the instance is terminated", gone, seconds, interval=0.25)
