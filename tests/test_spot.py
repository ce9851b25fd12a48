"""The deployed stack and EC2's notices: a spot instance is emptied in its two minutes, a terminated one not waited for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

import drain
import spot
from drain import Entry, moment
from local_stack import Stack, local_stack
from pages import commands, run
from processes import wait_for

KEYS = {"timestamp", "level", "message", "function", "requestId"}
LIMIT_SECONDS = 60
QUEUES = ("FirstPassQueueUrl", "ContinuationQueueUrl", "UrgentQueueUrl")
COUNTS = tuple(f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed"))


@dataclass
class Story:
    """What came of each instance."""

    stack: Stack
    interrupted: str
    recommended: str
    terminated: str
    history: list[Entry]

    def of(self, instance: str, what: str, **fields: str) -> list[Entry]:
        """Entries about an instance."""
        found = (entry for entry in self.history if entry["what"] == what and entry.get("instance") == instance)
        return [entry for entry in found if fields.items() <= entry.items()]

    def log(self, function: str, instance: str) -> list[str]:
        """What a function has said of an instance."""
        lines = [json.loads(line) for line in self.stack.output(function) if line.startswith("{")]
        return [line["message"] for line in lines if line.get("instance") == instance]


@pytest.fixture(scope="module")
def story(spot_stack: Stack) -> Story:
    """Everything that happens, side by side."""
    stack = spot_stack
    for cluster in (drain.CLUSTER, spot.CLUSTER):
        drain.attach_hook(stack, cluster)
    interrupted, recommended = spot.instances(stack)
    terminated, *_ = spot.instances(stack, drain.GROUP)
    stack.client("elbv2").register_targets(
        TargetGroupArn=spot.target_group(stack), Targets=[{"Id": spot.ALONE}]
    )
    stack.play("recommend_rebalance", recommended)
    for instance in (interrupted, spot.ALONE):
        stack.play("interrupt", instance)
    stack.client("autoscaling").terminate_instance_in_auto_scaling_group(
        InstanceId=terminated, ShouldDecrementDesiredCapacity=True
    )
    draining = {"what": "container_instance_state", "instance": terminated, "status": "DRAINING"}

    def begun() -> bool:
        return any(draining.items() <= entry.items() for entry in stack.history())

    wait_for("the drain has begun", begun, LIMIT_SECONDS, 0.2)
    stack.client("ec2").terminate_instances(InstanceIds=[terminated])

    def ended() -> list[Entry] | None:
        history = stack.history()
        let_go = {entry["instance"] for entry in history if entry["what"] == "hook_completed"}
        told = all(spot.notices(stack, instance) for instance in (interrupted, spot.ALONE))
        return history if told and {interrupted, terminated} <= let_go else None

    return Story(stack, interrupted, recommended, terminated, wait_for("all is over", ended, LIMIT_SECONDS, 0.2))


def test_an_interrupted_instance_is_emptied_in_time(story: Story) -> None:
    """By the request and the hook together, in passes of the urgent queue: there are no others within two minutes."""
    checks = spot.judge(story.history, story.stack, story.interrupted)
    checks |= drain.judge(story.history, story.stack, story.interrupted).checks
    assert all(checks.values()), [check for check, holds in checks.items() if not holds]
    took = spot.times(story.history, story.interrupted)
    assert took.completed and took.completed < timedelta(seconds=30), took


def test_the_notice_says_what_was_done(story: Story) -> None:
    (notice,) = spot.notices(story.stack, story.interrupted)
    assert spot.TARGET_GROUP in notice.get_content(), notice.get_content()


def test_people_subscribe_as_the_readme_says(story: Story) -> None:
    (command,) = (command for command in commands("README.md") if command.startswith("aws sns subscribe"))
    topic = story.stack.outputs["OperationsTopicArn"]
    answer = run(command.replace('"$OPERATIONS_TOPIC_ARN"', topic), story.stack.environment)
    assert answer.returncode == 0, f"{command}\n{answer.stderr}"


def test_an_instance_of_no_cluster_leaves_its_target_group(story: Story) -> None:
    took = spot.times(story.history, spot.ALONE)
    assert took.left_target_group and took.left_target_group < spot.AT_ONCE
    assert len(spot.notices(story.stack, spot.ALONE)) == 1


def test_an_instance_of_no_cluster_is_looked_for_once(story: Story) -> None:
    """It was launched long ago: it is not registering any more."""
    said = story.log("EcsDrainer", spot.ALONE)
    assert len(said) == 1 and "waiting" not in said[0], said


def test_recommendations_are_ignored_by_default(story: Story) -> None:
    assert story.of(story.recommended, "rebalance_recommended")
    assert story.log("SpotInterruption", story.recommended) == []
    assert story.of(story.recommended, "container_instance_state", status="DRAINING") == []
    assert spot.notices(story.stack, story.recommended) == []


def test_a_terminated_instance_is_not_waited_for(story: Story) -> None:
    """The next look would come after three minutes, and tasks' events do not come here."""
    (end,) = story.of(story.terminated, "hook_completed")
    (gone,) = story.of(story.terminated, "container_instance_state", status="INACTIVE")
    assert end["by"] == "call" and moment(end) - moment(gone) < spot.AT_ONCE


def test_nothing_is_left_to_do(story: Story) -> None:
    """No message in a queue, but the continuation of the drain that was ended, which comes after three minutes."""
    sqs = story.stack.client("sqs")

    def left() -> dict[str, int]:
        urls = {queue: story.stack.outputs[queue] for queue in QUEUES}
        found = {
            queue: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTS))["Attributes"]
            for queue, url in urls.items()
        }
        return {queue: sum(int(count) for count in counts.values()) for queue, counts in found.items()}

    wait_for("the queues are empty", lambda: left() == dict.fromkeys(QUEUES, 0) | {QUEUES[1]: 1}, LIMIT_SECONDS, 0.5)
    assert story.stack.dead_letters() == 0


def test_log_lines_are_json(story: Story) -> None:
    lines = [json.loads(line) for line in story.stack.function_log("SpotInterruption") if line.startswith("{")]
    ours = [line for line in lines if line.get("function") == spot.FUNCTION]
    assert ours, "the function has logged nothing"
    for line in ours:
        assert KEYS <= line.keys(), line


@pytest.fixture(scope="module")
def asked() -> Iterator[Stack]:
    """A stack whose owner wants recommendations to be followed, and has a topic."""
    topic = f"arn:aws:sns:us-east-1:000000000000:{spot.CLUSTER}"
    more = {"RebalanceRecommendations": "drain", "OperationsTopicArn": topic}
    with local_stack({**spot.PARAMETERS, **more}, world=spot.TESTED) as deployed:
        yield deployed


def test_recommendations_are_followed_where_that_is_wanted(asked: Stack) -> None:
    """The instance is emptied, without a deadline of its own; it stays where it is."""
    instance, *_ = spot.instances(asked)
    asked.play("recommend_rebalance", instance)

    def emptied() -> list[Entry] | None:
        history = asked.history()
        states = list(drain.replay(history, spot.Interrupted(instance, notice="rebalance_recommended")))
        return history if states and states[-1].container_instance == "DRAINING" and not states[-1].tasks else None

    history = wait_for("the instance is empty", emptied, LIMIT_SECONDS, 0.2)
    ours = [entry for entry in history if entry.get("instance") == instance]
    assert not [entry for entry in ours if entry["what"] == "hook_started" or entry.get("state") == "draining"], ours


def test_a_topic_of_ones_own_is_told(asked: Stack) -> None:
    assert asked.outputs["OperationsTopicArn"].endswith(f":{spot.CLUSTER}")
    topics = [topic["TopicArn"] for topic in asked.client("sns").list_topics()["Topics"]]
    assert not [topic for topic in topics if "OperationsTopic" in topic], topics
    function = asked.client("lambda").get_function_configuration(FunctionName=asked.outputs["SpotInterruptionName"])
    assert function["Environment"]["Variables"]["NOTICE_TOPIC_ARN"] == asked.outputs["OperationsTopicArn"]
