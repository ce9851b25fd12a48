"""CodeDeploy for MiniStack, which has none: as much of it as CloudFormation uses to update a function's alias.

Before an alias with an update policy moves, the function that the policy names is started, and has to say `Succeeded`;
otherwise the update fails, and CloudFormation goes back. Traffic is not shifted in steps, and no alarm is watched.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, provisioners, stacks

HOOK_SECONDS = 180  # CodeDeploy itself waits for an hour
KINDS = ("Application", "DeploymentConfig", "DeploymentGroup")
TARGET = "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus"


class CodeDeploy:
    """The deployments under way, and the address that hooks report to."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}
        self.heard = threading.Condition()
        self.policies: dict[str, dict[str, str]] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Takes what hooks say of an execution."""
        deploy = self

        class Handler(BaseHTTPRequestHandler):
            """One call."""

            def do_POST(self) -> None:
                """Keeps the status."""
                word = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                execution = word.get("lifecycleEventHookExecutionId", "")
                known = self.headers["X-Amz-Target"] == TARGET and execution in deploy.said
                if known:
                    with deploy.heard:
                        deploy.said[execution] = word["status"]
                        deploy.heard.notify_all()
                body = json.dumps({"lifecycleEventHookExecutionId": execution} if known else {"__type": "unknown"}).encode()
                self.send_response(200 if known else 400)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                """The emulator's own log is enough."""

        return Handler

    def serve(self) -> None:
        """Listens, and has functions find the way here."""
        os.environ["AWS_ENDPOINT_URL_CODEDEPLOY"] = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def note(self, template: dict[str, Any], conditions: dict[str, bool]) -> None:
        """Keeps what the update policies of the template name, and has each alias wait for it."""
        self.policies = {}
        for name, resource in template["Resources"].items():
            policy = resource.get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate", {})
            self.policies[name] = {key: referred(value, conditions) for key, value in policy.items()}
            if policy:
                resource["DependsOn"] = [*self.policies[name].values()]

    def check(self, stack: str, alias: str) -> None:
        """Starts the check before an alias moves, and waits for its word; raises if that is not `Succeeded`."""
        hook = self.policies.get(alias, {}).get("BeforeAllowTrafficHook")
        if not hook:
            return
        name = cloudformation._stacks.get(stack)["_resources"][hook]["PhysicalResourceId"]
        deployment, execution = f"d-{uuid.uuid4().hex[:9].upper()}", str(uuid.uuid4())
        self.said[execution] = ""
        event = {"DeploymentId": deployment, "LifecycleEventHookExecutionId": execution}
        endpoint = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"
        client = boto3.client("lambda", endpoint_url=endpoint, region_name=os.environ["AWS_REGION"])
        client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event).encode())
        with self.heard:
            self.heard.wait_for(lambda: self.said[execution], HOOK_SECONDS)
        if self.said[execution] != "Succeeded":
            raise ValueError(f"CodeDeploy {deployment}: BeforeAllowTraffic: {self.said[execution] or 'no word in time'}")


def referred(value: dict[str, Any], conditions: dict[str, bool]) -> str:
    """The resource that is referred to, unconditionally or by a condition."""
    if "Fn::If" in value:
        condition, yes, no = value["Fn::If"]
        return referred(yes if conditions[condition] else no, conditions)
    return str(value["Ref"])


def know_code_deploy() -> None:
    """Makes its resources, of which only the names are kept, and has it move aliases."""
    made, deploy_stack, blocks = provisioners._RESOURCE_HANDLERS, stacks._deploy_stack_async, stacks._runs_on_worker_thread
    update: Callable[..., Any] = made["AWS::Lambda::Alias"]["update"]
    sound = deploy_stack.__code__.co_varnames[:3] == ("stack_name", "stack_id", "template")
    if not sound or update.__code__.co_varnames[:5] != ("physical_id", "old_props", "new_props", "stack_name", "logical_id"):
        raise SystemExit("this version of MiniStack deploys in another way; see tests/ministack_code_deploy.py")
    deploy = CodeDeploy()
    deploy.serve()

    def create(logical: str, _properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
        return f"{stack}-{logical}-{uuid.uuid4().hex[:12].upper()}", {}

    for kind in KINDS:
        same = {"create": create, "update": lambda id, *_: (id, {}), "delete": lambda _id, _properties: None}
        made[f"AWS::CodeDeploy::{kind}"] = same

    def deploy_noted(stack: str, id: str, template: dict[str, Any], *rest: Any, **named: Any) -> Any:
        deploy.note(template, cloudformation._stacks.get(stack)["_conditions"])
        return deploy_stack(stack, id, template, *rest, **named)

    def update_checked(id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str | None = None) -> Any:
        if old.get("FunctionVersion") != new.get("FunctionVersion"):
            deploy.check(stack, logical_id or "")
        return update(id, old, new, stack, logical_id=logical_id)

    changesets._deploy_stack_async = deploy_noted
    made["AWS::Lambda::Alias"]["update"] = update_checked
    stacks._runs_on_worker_thread = lambda kind: kind == "AWS::Lambda::Alias" or blocks(kind)
