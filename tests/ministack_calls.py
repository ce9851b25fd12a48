"""Writes down what MiniStack is asked by the functions, and what it does as AWS in somebody's role: a line of JSON each.

A function is known by the name that it gives the SDK (`app/NAME` in the user agent); what Lambda does for it (polling,
logging, keeping what failed) by the function's name. What a service does in a role of its own is under the service's name, as
the role trusts it. Actions and resources are worked out by MiniStack's own part for permissions.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ministack import app
from ministack.core.iam_actions import dynamodb_resource_arns, extract_iam_action, extract_resource_arn
from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, lambda_svc, stepfunctions

# What Lambda needs to take messages from a queue: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
POLLING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
LOGGING = ("logs:CreateLogStream", "logs:PutLogEvents")
# Permitted under another's name: https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
UNDER = {"sns:PublishBatch": "sns:Publish"}
AGENT = re.compile(r"\bapp/(\S+)")


class Calls:
    """The file, to which each different call is written once."""

    def __init__(self, file: Path) -> None:
        self.file, self.seen, self.lock = file.open("a"), set[str](), threading.Lock()

    def note(self, caller: str, resource: str, *actions: str) -> None:
        """Writes a call down, if it is new."""
        for action in actions:
            line = json.dumps({"function": caller, "action": action, "resource": resource, "context": {}})
            with self.lock:
                if line not in self.seen:
                    self.seen.add(line)
                    self.file.write(f"{line}\n")
                    self.file.flush()


def expect(function: Callable[..., Any], *arguments: str) -> None:
    """Fails loudly when another version of MiniStack has another function there."""
    if function.__code__.co_varnames[: len(arguments)] != arguments:
        raise SystemExit(f"this version of MiniStack has another {function.__name__}; see tests/ministack_calls.py")


def record_calls(file: Path) -> None:
    """From now on."""
    calls = Calls(file)
    of_requests(calls)
    of_lambda(calls)
    of_services(calls)


def of_requests(calls: Calls) -> None:
    """What functions ask for."""
    expect(app._routing_params, "method", "path", "headers", "body", "query_params")

    def recorded(service: str, handler: Callable[..., Any]) -> Callable[..., Any]:
        async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
            answer = await handler(method, path, headers, body, query)
            # What is not there can be granted to nobody: some tests set functions to it.
            agent = AGENT.search(headers.get("x-amz-user-agent", ""))
            if agent and b"ResourceNotFound" not in (answer[2] or b""):
                parameters = app._routing_params(method, path, headers, body, query)
                action = extract_iam_action(service, method, path, headers, body, parameters) or f"{service}:?"
                where = (get_region(), get_account_id())
                if service == "dynamodb":
                    resources = dynamodb_resource_arns(body, *where)
                else:
                    resources = [extract_resource_arn(service, method, path, headers, body, parameters, *where)]
                if service == "lambda":
                    resources = [qualified(resource, path, query) for resource in resources]
                for resource in resources:
                    calls.note(agent[1], resource, UNDER.get(action, action))
            return answer

        return handle

    app.SERVICE_HANDLERS.update({name: recorded(name, handler) for name, handler in app.SERVICE_HANDLERS.items()})


def qualified(function: str, path: str, query: dict[str, Any]) -> str:
    """The ARN of a function with the version or alias that was asked for, which MiniStack leaves out."""
    named = re.search(r"/functions/(?:arn:[^/]*?:function:)?[^/:]+:([^/:]+)(?:/|$)", unquote(path))
    qualifier = named[1] if named else (query.get("Qualifier") or [""])[0]
    return f"{function}:{qualifier}" if qualifier else function


def of_lambda(calls: Calls) -> None:
    """What Lambda does in the functions' roles."""
    run, fail, log = lambda_svc._run_sqs_batch, lambda_svc._route_async_failure, lambda_svc._emit_lambda_logs
    expect(run, "esm", "func_rec", "event", "batch")
    expect(fail, "target_arn", "func_name", "event", "result")
    expect(log, "func", "request_id", "log_text")

    def run_recorded(esm: dict[str, Any], function: dict[str, Any], *rest: Any) -> None:
        calls.note(name_of(function), esm["EventSourceArn"], *POLLING)
        run(esm, function, *rest)

    def fail_recorded(target: str, name: str, *rest: Any) -> None:
        calls.note(name.split(":")[0], target, "sqs:SendMessage")
        fail(target, name, *rest)

    def log_recorded(function: dict[str, Any], *rest: Any, **named: Any) -> None:
        name = name_of(function)
        config = function.get("config") or function
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
        calls.note(name, f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{group}:log-stream:s", *LOGGING)
        log(function, *rest, **named)

    lambda_svc._run_sqs_batch, lambda_svc._route_async_failure = run_recorded, fail_recorded
    lambda_svc._emit_lambda_logs = log_recorded


def name_of(function: dict[str, Any]) -> str:
    """Of Lambda's record of a function."""
    return str((function.get("config") or function)["FunctionName"])


def of_services(calls: Calls) -> None:
    """What state machines and rules start."""
    call, start = stepfunctions._call_lambda, eventbridge._dispatch_to_stepfunctions
    expect(call, "func_ref", "event")
    expect(start, "arn", "payload")

    def call_recorded(function: str, event: Any) -> Any:
        calls.note("states.amazonaws.com", function, "lambda:InvokeFunction")
        return call(function, event)

    def start_recorded(arn: str, payload: Any) -> Any:
        calls.note("events.amazonaws.com", arn, "states:StartExecution")
        return start(arn, payload)

    stepfunctions._call_lambda, eventbridge._dispatch_to_stepfunctions = call_recorded, start_recorded
