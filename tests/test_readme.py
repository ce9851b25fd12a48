"""Every command of the pages is run, here or by the test that is named; and their links lead somewhere."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from conftest import Clients
from environment import DEBUG, LOCAL, ROOT, clean_environment
from local_stack import fake_aws
from pages import commands, done, run
from test_template import PARAMETERS

README = (ROOT / "README.md").read_text()
# First the README: the others' commands find what its own have made.
PAGES = [str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]]
PAGES.sort(key=lambda page: (page != "README.md", page))
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
    "target/debug/aws-fake --scenario demo": "local_stack.py starts it for every test",
    "cargo lambda watch": "test_events.py",
    "cargo lambda invoke": "test_events.py, with every sample event",
    "cargo test --test [a-z]+$": "make test runs all of it; test_suites_that_are_named_are_there",
    "cargo test --lib owner": "make test runs all of it",
    "aws cloudformation deploy --stack-name fleetkeeper-pipeline": "test_pipeline.py, as far as an emulator knows it",
    "aws cloudformation deploy --stack-name fleetkeeper-key": "test_encryption.py",
    "aws cloudformation deploy --stack-name fleetkeeper-(central|accounts)": "test_multi_account.py",
    "aws cloudformation describe-stacks": "test_deployed.py",
    "aws lambda invoke --function-name fleetkeeper-(tag-policy|ecs-metrics)": "test_tag_policy.py and test_ecs_metrics.py",
    "aws lambda invoke --function-name fleetkeeper-smoke-test": "test_smoke.py sends the same: the option is of AWS CLI 2",
    "cargo run --bin tag-policy-rules": "test_tag_policy.py",
    ".venv/judge/bin/python -m pytest tests/test_tag_policy.py$": "make test runs all of it",
    "aws sns subscribe": "test_spot.py",
    "aws autoscaling (describe-auto-scaling-instances|delete-lifecycle-hook)": "test_uninstall.py, in moto",
    "aws dynamodb delete-table": "test_uninstall.py",
    "sam delete": "test_uninstall.py",
    "sam package": "test_multi_account.py",
    "sam deploy --config-env": "test_pipeline.py, which reads the stages' tables",
    "aws s3 cp": "test_multi_account.py",
    "python3 examples/redrive.py": "test_redrive.py",
    "aws sqs receive-message": "test_redrive.py",
}
SIMULATE = "cargo run --bin simulate"
FIGURE = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def said() -> list[str]:
    """All commands of the pages."""
    return [command for page in PAGES for command in commands(page)]


def kind(command: str) -> str:
    """How a command is checked; empty if it is not."""
    if any(re.match(beginning, command) for beginning in ELSEWHERE):
        return "elsewhere"
    return next(
        (
            word
            for word in ("make", "aws autoscaling", "aws ec2", "aws sns", "cargo test", SIMULATE, "target/debug")
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
    (targets,) = re.findall(r"^make ([^&=]+?)(?: \w+=.*| &&.*)?$", command)
    answer = run(f"make --dry-run {targets}", clean_environment())
    assert answer.returncode == 0, answer.stderr


def test_aws_commands_are_understood() -> None:
    """In the pages' order: the hook is attached, an instance leaves, its hook is completed by hand."""
    with fake_aws(LOCAL / "readme") as endpoint:
        client = Clients(endpoint)("autoscaling")
        (group,) = client.describe_auto_scaling_groups(AutoScalingGroupNames=["prod-ecs"])["AutoScalingGroups"]
        leaving, staying, *_ = (instance["InstanceId"] for instance in group["Instances"])
        names = PLACEHOLDERS | {"i-0123456789abcdef0": leaving, "i-0b662ef9931388ba0": staying}
        for command in (c for c in said() if kind(c).startswith("aws")):
            for placeholder, name in names.items():
                command = command.replace(placeholder, name)
            if "complete-lifecycle-action" in command:
                client.terminate_instance_in_auto_scaling_group(InstanceId=leaving, ShouldDecrementDesiredCapacity=True)
            done(command, clean_environment() | {"AWS_ENDPOINT_URL": endpoint})


def test_the_number_of_calls_is_the_one_that_is_counted() -> None:
    (command,) = [c for c in commands("README.md") if kind(c) == "cargo test"]
    answer = run(command, clean_environment())
    counted = set(re.findall(r"300 s with 10 tasks in .*: (\d+) calls in (\d+) invocations", answer.stdout))
    stated = set(re.findall(r"makes (\d+) API calls in a cluster of any size, in (\d+) invocations", README))
    assert counted == stated and len(stated) == 1, answer.stdout + answer.stderr
    print(answer.stdout)


def test_the_fake_tells_its_options() -> None:
    (command,) = {c for c in said() if kind(c) == "target/debug"}
    answer = done(command.replace("target/debug", str(DEBUG)), clean_environment())
    assert "--scenario" in answer


@pytest.mark.parametrize("command", [c for c in said() if kind(c) == SIMULATE])
def test_the_simulation_takes_its_options(command: str) -> None:
    """Built already, as the fake is. Some worlds show that as well as a thousand."""
    fewer = re.sub(r"(--seeds) \d+", r"\1 20", command)
    done(fewer.replace(f"{SIMULATE} --", str(DEBUG / "simulate")), clean_environment())


@pytest.mark.parametrize("command", sorted({c for c in said() if kind(c) == "cargo test"}))
def test_tests_that_are_named_are_there(command: str) -> None:
    """Without one that its name is a part of, cargo runs none, and is content."""
    ((suite, named),) = re.findall(r"--test (\S+) (\S+)", command)
    files = (ROOT / "crates").glob(f"*/tests/{suite}/**/*.rs")
    tests = [f"{file.stem}::{test}" for file in files for test in re.findall(r"\bfn (\w+)\(", file.read_text())]
    assert any(named in test for test in tests)


def test_suites_that_are_named_are_there() -> None:
    suites = {suite for command in said() for suite in re.findall(r"^cargo test --test (\S+)", command)}
    crates = ROOT / "crates"
    there = {file.stem for file in crates.glob("*/tests/*.rs")}
    assert suites and suites <= there | {file.parent.name for file in crates.glob("*/tests/*/main.rs")}


def test_measured_figures_are_the_benches_own() -> None:
    """The figures of one contestant are in one line, with its name, of what `make bench` and `make costs` write."""
    (section,) = re.findall(r"^## Measured$(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")][2:]
    parts = [part for _, *cells in rows for cell in cells for part in cell.split(";")]
    lines = "".join((ROOT / "docs" / page).read_text() for page in ("benchmarks.md", "costs.md")).splitlines()

    def is_there(part: str) -> bool:
        figures, _, name = part.strip(" )").partition("(")
        said = set(FIGURE.findall(figures))
        return bool(said) and any(name in line and said <= set(FIGURE.findall(line)) for line in lines)

    assert len(parts) >= 14
    assert [part for part in parts if not is_there(part)] == []


def anchors(page: str) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
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
NO_PATHS = {"packaged.yaml", "table/RulesTableName"}


@pytest.mark.parametrize("page", PAGES)
def test_paths_that_are_named_are_there(page: str) -> None:
    """From the root, or of the crate that the paragraph is about."""
    found = set(PATH.findall((ROOT / page).read_text())) - NO_PATHS
    named = {path for path in found if not path.startswith("target/")}  # what is made there is not there yet
    places = [ROOT, ROOT / "docs", *ROOT.glob("crates/*/src")]
    assert [path for path in sorted(named) if not any((place / path).exists() for place in places)] == []


def test_parameters_that_are_named_are_there() -> None:
    """With a value, or in the first column of a table of parameters."""
    text = "".join((ROOT / page).read_text() for page in PAGES)
    named = set(re.findall(r"`([A-Z][a-z]\w*)=[^`]*`", text))
    for table in re.findall(r"^\| parameter \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE):
        named |= {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert len(named) > 20 and named <= PARAMETERS.keys()
