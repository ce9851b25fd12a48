"""Every command of the README is run, here or by the test that is named."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from conftest import Clients
from environment import LOCAL, ROOT, clean_environment
from local_stack import fake_aws

README = (ROOT / "README.md").read_text()
# What the README's reader has, and the demo's world has under another name.
PLACEHOLDERS = {
    "my-group": "prod-ecs",
    "my-cluster": "prod",
    '"$DRAIN_TOPIC_ARN"': "arn:aws:sns:us-east-1:123456789012:ecs-drain",
    '"$HOOK_ROLE_ARN"': "arn:aws:iam::123456789012:role/hook",
}
# Patterns, and who runs what they match.
ELSEWHERE = {
    "export AWS_ENDPOINT_URL": "test_events.py sets the same",
    "export DRAIN_TOPIC_ARN": "test_events.py sets the same",
    "cargo run -p aws-fake -- --scenario demo": "local_stack.py starts it for every test",
    "cargo lambda watch -p ecs-drainer": "test_events.py",
    "cargo lambda invoke": "test_events.py, with every sample event",
    "cargo test -p ecs-drainer$": "make test runs all of it",
    "cargo run -p tag-policy-rules": "test_tag_policy.py",
    "aws lambda invoke": "test_tag_policy.py and test_ecs_metrics.py",
    "aws sns subscribe": "test_spot.py",
}


def commands() -> list[str]:
    """The lines of all sh blocks, continued ones joined, without comments."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", README, re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [re.sub(r" +#.*", "", line).strip() for line in lines]


def run(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """One command of the README, in its folder."""
    return subprocess.run(
        shlex.split(command), env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )


def kind(command: str) -> str:
    """How a command is checked; empty if it is not."""
    if any(re.match(beginning, command) for beginning in ELSEWHERE):
        return "elsewhere"
    return next((word for word in ("make", "aws", "cargo test", "cargo run") if command.startswith(word)), "")


def test_every_command_is_checked() -> None:
    assert len(commands()) > 10
    assert [command for command in commands() if not kind(command)] == []


@pytest.mark.parametrize("command", [c for c in commands() if kind(c) == "make"])
def test_make_targets_exist(command: str) -> None:
    (target,) = re.findall(r"^make (\S+)", command)
    answer = run(f"make --dry-run {target}", clean_environment())
    assert answer.returncode == 0, answer.stderr


def test_aws_commands_are_understood() -> None:
    """In the README's order: the hook is attached, an instance leaves, its hook is completed by hand."""
    with fake_aws(LOCAL / "readme") as endpoint:
        client = Clients(endpoint)("autoscaling")
        for command in (c for c in commands() if kind(c) == "aws"):
            for placeholder, name in PLACEHOLDERS.items():
                command = command.replace(placeholder, name)
            if "complete-lifecycle-action" in command:
                (group,) = client.describe_auto_scaling_groups(AutoScalingGroupNames=["prod-ecs"])["AutoScalingGroups"]
                leaving = group["Instances"][0]["InstanceId"]
                client.terminate_instance_in_auto_scaling_group(
                    InstanceId=leaving, ShouldDecrementDesiredCapacity=True
                )
                command = command.replace("i-0123456789abcdef0", leaving)
            answer = run(command, clean_environment() | {"AWS_ENDPOINT_URL": endpoint})
            assert answer.returncode == 0, f"{command}\n{answer.stderr}"
            if "describe-lifecycle-hooks" in command:
                assert '"LifecycleHookName": "drain"' in answer.stdout


def test_the_number_of_calls_is_the_one_that_is_counted() -> None:
    (command,) = [c for c in commands() if kind(c) == "cargo test"]
    answer = run(command, clean_environment())
    counted = set(re.findall(r"300 s with 10 tasks in .*: (\d+) calls in (\d+) invocations", answer.stdout))
    stated = set(re.findall(r"makes (\d+) API calls in a cluster of any size, in (\d+) invocations", README))
    assert counted == stated and len(stated) == 1, answer.stdout + answer.stderr
    print(answer.stdout)


def test_the_fake_tells_its_options() -> None:
    answer = run("cargo run -p aws-fake -- --help", clean_environment())
    assert answer.returncode == 0 and "--scenario" in answer.stdout, answer.stderr
