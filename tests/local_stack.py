"""The whole stack on this machine: the fake AWS, the emulator, and template.yaml deployed to it by `sam deploy`.

    with local_stack({"PassIntervalSeconds": 5}) as stack:
        stack.client("autoscaling").set_desired_capacity(...)

Everything listens on 127.0.0.1 only and is gone when the block is left, whatever it was left by.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from build import architecture, build
from environment import DEBUG, LOCAL, ROOT, clean_environment, client_settings
from processes import Child, Failed, Register, children, free_port, wait_for

STACK_NAME = "fleetkeeper"
ARTIFACTS = "artifacts"
READY_SECONDS = 30
DEPLOY_SECONDS = 120
DEMO = ROOT / "crates" / "aws-fake" / "scenarios" / "demo.json"
# Only what the template needs: the emulator starts faster, and opens no other ports.
EMULATED = "cloudformation,s3,iam,kms,sts,lambda,sns,sqs,events,logs,dynamodb,cloudwatch,states"
# These services are the fake's, for the functions and for the AWS command line alike.
FAKED = {
    "ecs": "AWS_ENDPOINT_URL_ECS",
    "autoscaling": "AWS_ENDPOINT_URL_AUTO_SCALING",
    "ec2": "AWS_ENDPOINT_URL_EC2",
    "cloudtrail": "AWS_ENDPOINT_URL_CLOUDTRAIL",
    "cloudwatch": "AWS_ENDPOINT_URL_CLOUDWATCH",
    "elbv2": "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2",
}
# Files in the run's folder: what was called of the emulator, and of the fake, and the policies of the roles meanwhile.
CALLS = ("calls-emulator.jsonl", "calls-fake.jsonl")
POLICIES = "policies.json"
# Names the folders of the session's stacks, a line each; several processes may deploy.
RUNS = LOCAL / "runs"
# What only the metric writer calls of the fake, and what only reads what it has written.
METRICS_CALLS = {"DescribeClusters", "PutMetricData", "GetMetricData", "ListMetrics"}


@dataclass
class Stack:
    """A deployed stack and the fake AWS beside it."""

    environment: dict[str, str]
    fake: str
    emulator: str
    logs: Path
    outputs: dict[str, str] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A boto3 client of the fake (what it has) or of the emulator (everything else)."""
        return boto3.client(service, **client_settings(self.fake if service in FAKED else self.emulator))

    def emulated(self, service: str) -> Any:
        """A boto3 client of the emulator: alarms and dashboards are there, since CloudFormation makes them."""
        return boto3.client(service, **client_settings(self.emulator))

    def resources(self) -> list[dict[str, Any]]:
        """Everything that CloudFormation has made."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
        return [one for page in pages for one in page["StackResourceSummaries"]]

    def fire(self, function: str, event: Mapping[str, Any]) -> None:
        """Sends an event to the target of the function's schedule as EventBridge does: asynchronously."""
        events, name = self.client("events"), self.outputs[f"{function}Name"]
        rules = [rule["Name"] for rule in events.list_rules()["Rules"] if "ScheduleExpression" in rule]
        targets = [target["Arn"] for rule in rules for target in events.list_targets_by_rule(Rule=rule)["Targets"]]
        (arn,) = [target for target in targets if target.endswith(f":function:{name}:live")]
        self.client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=json.dumps(event).encode())

    def play(self, action: str, instance: str) -> None:
        """Has the fake do what no call can bring about: `interrupt` an instance, or `recommend_rebalance`."""
        script = json.dumps([{"action": {action: instance}}]).encode()
        answer_of(urllib.request.Request(f"{self.fake}/script", data=script, method="PUT"))

    def history(self) -> list[dict[str, Any]]:
        """Everything that has happened in the fake so far."""
        return get_json(f"{self.fake}/history")

    def function_log(self, function: str) -> list[str]:
        """Every line of the function's log group; of it by its name in the template."""
        pages = self.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=self.outputs[f"{function}LogGroup"])
        return [line for page in found for event in page["events"] for line in event["message"].splitlines()]

    def output(self, function: str) -> list[str]:
        """What the function has printed so far; its log group has it when the invocation is over."""
        file = self.logs / "output" / f"{self.outputs[f'{function}Name']}.log"
        return file.read_text().splitlines() if file.exists() else []

    def invocations(self, function: str) -> int:
        """How often the function has run, and ended."""
        return sum(line.startswith("END RequestId: ") for line in self.function_log(function))

    def mails(self) -> list[EmailMessage]:
        """What topics have sent to addresses so far."""
        files = sorted((self.logs / "mail").glob("*.eml"))
        return [message_from_bytes(file.read_bytes(), policy=modern) for file in files]

    def dead_letters(self) -> int:
        """Messages in the queues for what has failed for good."""
        sqs, attribute = self.client("sqs"), "ApproximateNumberOfMessages"
        urls = [url for name, url in self.outputs.items() if name.endswith(("DeadLetterQueueUrl", "FailureQueueUrl"))]
        answers = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[attribute]) for url in urls]
        return sum(int(answer["Attributes"][attribute]) for answer in answers)


Say = Callable[[str], None]


@contextlib.contextmanager
def local_stack(
    parameters: Mapping[str, object], say: Say = print, world: Mapping[str, Any] | None = None, yaml: bool = False
) -> Iterator[Stack]:
    """Builds, starts, deploys; ends everything at the end.

    `parameters` are the template's, `world` is what the fake begins with besides the demo's scenario; for `yaml` see
    `deploy`.
    """
    began = time.monotonic()
    run = LOCAL / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    run.mkdir(parents=True)
    (run / "empty.toml").touch()
    with RUNS.open("a") as runs:
        print(run, file=runs)
    with children() as register:
        with step(say, f"build ({architecture()})"):
            built = build(run, register, say)
        with step(say, "start the fake AWS and the emulator"):
            stack = start(run, register, world or {})
        with step(say, "sam deploy"):
            deploy(stack, built, parameters, register, yaml)
        say(f"{time.monotonic() - began:6.1f} s  ready")
        yield stack
        with contextlib.suppress(ClientError):  # deleted meanwhile
            keep_policies(stack)
    shutil.rmtree(run / "tmp", ignore_errors=True)  # the emulator's copies of the function; the logs stay


@contextlib.contextmanager
def fake_aws(run: Path, *arguments: str) -> Iterator[str]:
    """Only the fake, for as long as the block lasts; its address."""
    run.mkdir(parents=True, exist_ok=True)
    with children() as register:
        yield start_fake(run, clean_environment(), register, *arguments)


@contextlib.contextmanager
def step(say: Say, what: str) -> Iterator[None]:
    """Says what is being done, and what it took."""
    began = time.monotonic()
    say(f"          {what} ...")
    yield
    say(f"{time.monotonic() - began:6.1f} s  {what}: done")


def start(run: Path, register: Register, world: Mapping[str, Any]) -> Stack:
    """The fake and the emulator, each told where the other is."""
    port = free_port()
    emulator = f"http://127.0.0.1:{port}"
    environment = clean_environment() | {"AWS_ENDPOINT_URL": emulator}
    demo, scenario = json.loads(DEMO.read_text()), run / "scenario.json"
    scenario.write_text(json.dumps({**demo, **world, "settings": {**demo["settings"], **world.get("settings", {})}}))
    endpoints = ["--sns-endpoint", emulator, "--events-endpoint", emulator]
    recorded = ["--record", str(run / CALLS[1])]
    fake = start_fake(run, environment, register, *endpoints, *recorded, scenario=scenario)
    environment |= {variable: fake for variable in FAKED.values()}

    scratch, mailbox, output = (run / name for name in ("tmp", "mail", "output"))
    for folder in (scratch, mailbox, output):
        folder.mkdir()
    python = ROOT / ".venv" / "stack" / "bin" / "python"
    settings = {
        "BIND_HOST": "127.0.0.1",  # its default is every interface
        "IOT_MTLS_ENABLED": "0",  # listens on every interface, whatever BIND_HOST says
        "SFTP_ENABLED": "0",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "SERVICES": EMULATED,
        "TMPDIR": str(scratch),
        "MAILBOX": str(mailbox),
        "OUTPUT": str(output),
        "CALLS": str(run / CALLS[0]),
    }
    program = [python, ROOT / "tests" / "ministack_as_aws.py"]
    ministack = register(Child(program, environment | settings, run / "ministack.log", run))

    def ready() -> bool:
        ministack.running()
        with contextlib.suppress(OSError):
            return bool(get_json(f"{emulator}/_ministack/health"))
        return False

    wait_for("the emulator answers", ready, READY_SECONDS)
    return Stack(environment, fake, emulator, run)


def start_fake(
    run: Path, environment: Mapping[str, str], register: Register, *arguments: str, scenario: str | Path = "demo"
) -> str:
    """The fake AWS on a port of its own choice; its address."""
    program = DEBUG / "aws-fake"
    if not program.exists():
        raise Failed(f"{program} is not there; `make rust` builds it")
    command = [program, "--scenario", scenario, "--exit-with-stdin", *arguments]
    fake = register(Child(command, environment, run / "aws-fake.log", run))

    def listening() -> str | None:
        fake.running()
        lines = [line for line in fake.log_text().splitlines() if line.startswith('{"listening"')]
        return json.loads(lines[0])["listening"] if lines else None

    return wait_for("the fake listens", listening, READY_SECONDS)


def deploy(
    stack: Stack, built: Path, parameters: Mapping[str, object], register: Register, yaml: bool = False
) -> None:
    """`sam deploy` as on AWS, with every choice spelled out, so that nobody's samconfig.toml plays a part.

    It packs JSON, which SAM and the emulator read faster than YAML; but `sam delete` finds only YAML again.
    """
    stack.client("s3").create_bucket(Bucket=ARTIFACTS)
    overrides = {"Architecture": architecture(), **parameters}
    command = ["sam", "deploy", "--template-file", built / "template.json"]
    command += ["--config-file", stack.logs / "empty.toml", "--stack-name", STACK_NAME, "--s3-bucket", ARTIFACTS]
    command += ["--region", stack.environment["AWS_REGION"], "--capabilities", "CAPABILITY_IAM"]
    command += ["--language-extensions", "--no-confirm-changeset", "--no-progressbar"]
    command += [] if yaml else ["--use-json"]
    command += ["--parameter-overrides"]
    command += [f"{name}={value}" for name, value in overrides.items()]
    register(Child(command, stack.environment, stack.logs / "sam-deploy.log", ROOT)).result(DEPLOY_SECONDS)

    described = stack.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    stack.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    keep_policies(stack)
    # MiniStack's CloudFormation passes over RecursiveLoop, and its Lambda would cut the loop after 16 passes.
    name = stack.outputs["EcsDrainerName"]
    stack.client("lambda").put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")


def keep_policies(stack: Stack) -> None:
    """Writes down what the emulator has made of the roles' policies, by the roles' names in the template.

    An update may change them: what was granted at any time is kept.
    """
    file = stack.logs / POLICIES
    policies: dict[str, list[Any]] = json.loads(file.read_text()) if file.exists() else {}
    iam = stack.emulated("iam")
    for role in stack.resources():
        if role["ResourceType"] == "AWS::IAM::Role":
            name = role["PhysicalResourceId"]
            documents = (
                iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
            )
            granted = policies.setdefault(role["LogicalResourceId"], [])
            granted += [part for document in documents for part in document["Statement"] if part not in granted]
    file.write_text(json.dumps(policies))


def sent_now(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample of a scheduled event as EventBridge would send it now."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {**sample, "id": str(uuid.uuid4()), "time": now}


def get_json(url: str) -> Any:
    """The JSON at a loopback address."""
    return answer_of(urllib.request.Request(url))


def answer_of(request: urllib.request.Request) -> Any:
    """The JSON that answers; no proxy is asked, whatever the caller's environment says."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        return json.load(answer)
