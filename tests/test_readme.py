"""Every command of the pages for people is run, here or by the test that is named; and their links lead somewhere."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from conftest import Clients
from environment import LOCAL, ROOT, clean_environment
from local_stack import fake_aws
from pages import commands, done, run

README = (ROOT / "README.md").read_text()
TALKING = ["README.md", "CONTRIBUTING.md"]
TALKING += [f"docs/{name}.md" for name in ("operations", "runbook", "multi-account", "pipeline", "security")]
ALL_PAGES = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
# What the reader has, and the demo's world has under another name.
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
    r"cargo test -p [a-z-]+$": "make test runs all of it",
    "cargo run -p tag-policy-rules": "test_tag_policy.py",
    ".venv/judge/bin/python -m pytest tests/test_tag_policy.py$": "make test runs all of it",
    "aws lambda invoke": "test_tag_policy.py and test_ecs_metrics.py",
    "aws sns subscribe": "test_spot.py",
    "aws autoscaling (describe-auto-scaling-instances|delete-lifecycle-hook)": "test_uninstall.py, in moto",
    "aws dynamodb delete-table": "test_uninstall.py",
    "sam delete": "test_uninstall.py",
    "aws cloudformation (deploy|describe-stacks)": "test_multi_account.py",
    "sam package": "test_multi_account.py",
    "sam deploy --config-env": "test_pipeline.py, which reads the stages' tables",
    "aws s3 cp": "test_multi_account.py",
    "python3 examples/redrive.py": "test_redrive.py",
    "aws sqs receive-message": "test_redrive.py",
}


def said() -> list[str]:
    """All commands of the pages."""
    return [command for page in TALKING if (ROOT / page).exists() for command in commands(page)]


def kind(command: str) -> str:
    """How a command is checked; empty if it is not."""
    if any(re.match(beginning, command) for beginning in ELSEWHERE):
        return "elsewhere"
    return next(
        (
            word
            for word in ("make", "aws autoscaling", "aws sns", "cargo test", "cargo run")
            if command.startswith(word)
        ),
        "",
    )


def test_every_command_is_checked() -> None:
    assert len(said()) > 30
    assert [command for command in said() if not kind(command)] == []


def test_nothing_is_said_to_be_checked_that_nobody_says() -> None:
    assert [beginning for beginning in ELSEWHERE if not any(re.match(beginning, command) for command in said())] == []


@pytest.mark.parametrize("command", sorted({c for c in said() if kind(c) == "make"}))
def test_make_targets_exist(command: str) -> None:
    (target,) = re.findall(r"^make (\S+)", command)
    answer = run(f"make --dry-run {target}", clean_environment())
    assert answer.returncode == 0, answer.stderr


def test_aws_commands_are_understood() -> None:
    """In the pages' order: the hook is attached, an instance leaves, its hook is completed by hand."""
    with fake_aws(LOCAL / "readme") as endpoint:
        client = Clients(endpoint)("autoscaling")
        for command in (c for c in said() if kind(c).startswith("aws")):
            for placeholder, name in PLACEHOLDERS.items():
                command = command.replace(placeholder, name)
            if "complete-lifecycle-action" in command:
                (group,) = client.describe_auto_scaling_groups(AutoScalingGroupNames=["prod-ecs"])["AutoScalingGroups"]
                leaving = group["Instances"][0]["InstanceId"]
                client.terminate_instance_in_auto_scaling_group(InstanceId=leaving, ShouldDecrementDesiredCapacity=True)
                command = command.replace("i-0123456789abcdef0", leaving)
            done(command, clean_environment() | {"AWS_ENDPOINT_URL": endpoint})


def test_the_number_of_calls_is_the_one_that_is_counted() -> None:
    (command,) = [c for c in commands("README.md") if kind(c) == "cargo test"]
    answer = run(command, clean_environment())
    counted = set(re.findall(r"300 s with 10 tasks in .*: (\d+) calls in (\d+) invocations", answer.stdout))
    stated = set(re.findall(r"makes (\d+) API calls in a cluster of any size, in (\d+) invocations", README))
    assert counted == stated and len(stated) == 1, answer.stdout + answer.stderr
    print(answer.stdout)


def test_the_fake_tells_its_options() -> None:
    answer = run("cargo run -p aws-fake -- --help", clean_environment())
    assert answer.returncode == 0 and "--scenario" in answer.stdout, answer.stderr


def anchors(page: str) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", ALL_PAGES)
def test_links_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text()):
        if re.match(r"[a-z]+://", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (folder / path).resolve() if path else ROOT / page
        assert file.exists(), target
        assert not anchor or anchor in anchors(str(file.relative_to(ROOT))), target


# Words in code that are paths of the repository: with a folder, or with one of these endings.
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:md|toml|yaml|yml))`")
# What is made, named in part, or of AWS.
NO_PATHS = {"packaged.yaml", "target/sbom"}


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/operations.md", "docs/multi-account.md"]
)
def test_paths_that_are_named_are_there(page: str) -> None:
    """From the root, or of the crate that the paragraph is about."""
    named = set(PATH.findall((ROOT / page).read_text())) - NO_PATHS
    places = [ROOT, ROOT / "docs", *ROOT.glob("crates/*/src")]
    assert [path for path in sorted(named) if not any((place / path).exists() for place in places)] == []
