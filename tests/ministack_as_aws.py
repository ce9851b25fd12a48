"""Starts MiniStack so that its environment may play AWS's services, and so that it ends with its parent.

MiniStack refuses PutEvents with a source of `aws.…`, as AWS does. The events of ECS, Auto Scaling and EC2 come from
our fake, which is AWS here, and the deployed rules shall see them as they are. MiniStack also drops what a topic sends
to addresses; here it becomes files in the folder that MAILBOX names. It logs what a function prints when the invocation is
over; here that is in the folder OUTPUT at once. Its conditions do not know Fn::Join and Fn::Split, and SAM hears nothing of
its parameters. It keeps what fails of a function, and not of its aliases. It knows no saved queries and no alarms on
expressions, and would refuse the whole stack for them; here they are there, and never go off. And what is called goes to
the file CALLS.

Run with MiniStack's own Python.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import uuid
from email.message import EmailMessage
from pathlib import Path
from typing import IO, Any

from ministack import app
from ministack.core.lambda_runtime import ProvidedWorker
from ministack.services import eventbridge, lambda_svc, sns
from ministack.services.cloudformation import changesets, engine, handlers, language_extensions, provisioners, stacks

from ministack_calls import record_calls
from ministack_code_deploy import know_code_deploy


def allow_aws_sources() -> None:
    """Makes `allow_aws_source` true by default; fails loudly when another version has no such parameter."""
    put_events = eventbridge._put_events
    if put_events.__code__.co_varnames[:2] != ("data", "allow_aws_source"):
        raise SystemExit("this version of MiniStack takes events in another way; see tests/ministack_as_aws.py")
    put_events.__defaults__ = (True,)


def deliver_mail(mailbox: Path) -> None:
    """Writes what a topic sends to addresses into the mailbox; the files' names are in the order of sending."""
    fan_out = sns._fanout
    if fan_out.__code__.co_varnames[:5] != ("topic_arn", "msg_id", "message", "subject", "message_structure"):
        raise SystemExit("this version of MiniStack publishes in another way; see tests/ministack_as_aws.py")
    numbers = itertools.count(1)

    def deliver(topic: str, id: str, message: str, subject: str, structure: str = "", *rest: Any, **named: Any) -> None:
        fan_out(topic, id, message, subject, structure, *rest, **named)
        for subscription in sns._topic_by_arn_any_scope(topic)["subscriptions"]:
            if subscription["protocol"] == "email":
                mail = EmailMessage()
                mail["To"], mail["Subject"] = subscription["endpoint"], subject or "AWS Notification Message"
                mail.set_content(sns._resolve_message_for_protocol(message, structure, "email"))
                name = f"{next(numbers):04}"
                (mailbox / name).write_bytes(bytes(mail))
                (mailbox / name).rename(mailbox / f"{name}.eml")  # whole, or not there

    sns._fanout = deliver


class Copied:
    """A stream that is written to a file as it is read."""

    def __init__(self, stream: IO[bytes], file: IO[bytes]) -> None:
        self.stream, self.file = stream, file

    def readline(self) -> bytes:
        """The next line."""
        line = self.stream.readline()
        self.file.write(line)
        return line

    def close(self) -> None:
        """Closes both."""
        self.stream.close()
        self.file.close()


def show_output(folder: Path) -> None:
    """Copies what functions print to files of their names, line by line."""
    pump = ProvidedWorker._pump_output
    if pump.__code__.co_varnames[:3] != ("self", "stream", "log_queue"):
        raise SystemExit("this version of MiniStack reads output in another way; see tests/ministack_as_aws.py")

    def pump_copied(self: ProvidedWorker, stream: IO[bytes], log_queue: object) -> None:
        pump(self, Copied(stream, (folder / f"{self.func_name}.log").open("ab", buffering=0)), log_queue)

    ProvidedWorker._pump_output = pump_copied


def let_conditions_join() -> None:
    """Works out Fn::Join and Fn::Split before conditions are evaluated, which take them for words otherwise."""
    evaluate = engine._evaluate_conditions
    if evaluate.__code__.co_varnames[:2] != ("template", "params"):
        raise SystemExit("this version of MiniStack evaluates conditions in another way; see tests/ministack_as_aws.py")

    def joined(value: Any, parameters: dict[str, Any]) -> Any:
        if isinstance(value, list):
            return [joined(part, parameters) for part in value]
        if not isinstance(value, dict):
            return value
        for function in ("Fn::Join", "Fn::Split"):
            if function in value:
                delimiter, source = value[function]
                source = parameters[source["Ref"]]["Value"].split(",") if "Ref" in source else joined(source, parameters)
                return delimiter.join(source) if function == "Fn::Join" else source.split(delimiter)
        return {key: joined(part, parameters) for key, part in value.items()}

    def evaluate_joined(template: dict[str, Any], parameters: dict[str, Any]) -> dict[str, bool]:
        return evaluate({**template, "Conditions": joined(template.get("Conditions", {}), parameters)}, parameters)

    for module in (changesets, engine, handlers, stacks):
        module._evaluate_conditions = evaluate_joined


def keep_failures_of_aliases() -> None:
    """Has an asynchronous invocation by an alias retried, and kept when it fails, as the alias's own configuration says."""
    invoke = lambda_svc.invoke_async_with_retry
    if invoke.__code__.co_varnames[:2] != ("func", "event"):
        raise SystemExit("this version of MiniStack invokes in another way; see tests/ministack_as_aws.py")

    def invoke_as_configured(function: dict[str, Any], event: dict[str, Any]) -> None:
        known = lambda_svc._functions[function["config"]["FunctionName"]]["event_invoke_configs"]
        invoke({**function, "event_invoke_config": next(iter(known.values()), None)}, event)

    lambda_svc.invoke_async_with_retry = invoke_as_configured


def allow_queries_and_expressions() -> None:
    """Makes saved queries, of which only the id is kept, and alarms on expressions, which are kept as those of a metric."""
    record, made = provisioners._cw_metric_alarm_record, provisioners._RESOURCE_HANDLERS
    if record.__code__.co_varnames[:2] != ("name", "props") or "AWS::Logs::QueryDefinition" in made:
        raise SystemExit("this version of MiniStack makes alarms or queries in another way; see tests/ministack_as_aws.py")

    def recorded(name: str, properties: dict[str, Any]) -> Any:
        if "Metrics" in properties:
            metric = {"Namespace": "expression", "MetricName": properties["Metrics"][0]["Expression"]}
            properties = {**{key: value for key, value in properties.items() if key != "Metrics"}, **metric}
        return record(name, properties)

    def create(_logical_id: str, _properties: dict[str, Any], _stack: str) -> tuple[str, dict[str, Any]]:
        return str(uuid.uuid4()), {}

    provisioners._cw_metric_alarm_record = recorded
    made["AWS::Logs::QueryDefinition"] = {"create": create, "delete": lambda _id, _properties: None}


def resolve_parameters() -> None:
    """Puts parameters' values into the resources before SAM sees them, as AWS::LanguageExtensions does ("resolves parameters to
    literal values during processing"): so SAM publishes a version of a function when only a parameter has changed.
    """
    apply = language_extensions.apply
    if apply.__code__.co_varnames[:2] != ("template", "parameters"):
        raise SystemExit("this version of MiniStack transforms in another way; see tests/ministack_as_aws.py")

    def resolved(value: Any, parameters: dict[str, Any]) -> Any:
        if isinstance(value, list):
            return [resolved(part, parameters) for part in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"Ref"} and value["Ref"] in parameters:
            return parameters[value["Ref"]]
        return {key: resolved(part, parameters) for key, part in value.items()}

    def apply_resolved(template: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
        lists = {name for name, one in template["Parameters"].items() if one["Type"] == "CommaDelimitedList"}
        values = {name: value.split(",") if name in lists else value for name, value in parameters.items()}
        applied = apply(template, parameters)
        return {**applied, "Resources": resolved(applied["Resources"], values)}

    language_extensions.apply = apply_resolved


def end_with_parent() -> None:
    """Ends the whole process group, functions included, when standard input closes: the parent was killed."""
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    allow_aws_sources()
    deliver_mail(Path(os.environ["MAILBOX"]))
    show_output(Path(os.environ["OUTPUT"]))
    let_conditions_join()
    resolve_parameters()
    know_code_deploy()
    keep_failures_of_aliases()
    allow_queries_and_expressions()
    record_calls(Path(os.environ["CALLS"]))
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.exit(app.main())
