#!/usr/bin/env python3
"""Hands what is in a stack's failure queues in again, or only shows it, or throws it away.

    python3 redrive.py STACK                        # all queues
    python3 redrive.py STACK --queue TagPolicy      # those whose name begins so
    python3 redrive.py STACK --dry-run              # only says what is there, and why
    python3 redrive.py STACK --discard              # says it, and deletes it

It needs boto3, as AWS CloudShell has it. A message is deleted when it has been handed in, and not before: what is
interrupted may be handed in twice, which every function bears. SQS's own redrive moves messages back to a queue, and so
serves only what came from that queue: Lambda puts a failed invocation into an envelope, which the drainer would take for a
message that is not for it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import boto3

# Failure queues, by their outputs: of a queue, which is sent to, or of a function, which is invoked.
OF_QUEUES = {
    "FirstPassDeadLetterQueue": "FirstPassQueue",
    "ContinuationDeadLetterQueue": "ContinuationQueue",
    "UrgentDeadLetterQueue": "UrgentQueue",
}
OF_FUNCTIONS = {
    "SpotInterruptionFailureQueue": "SpotInterruption",
    "TagPolicyFailureQueue": "TagPolicy",
    "EcsMetricsFailureQueue": "EcsMetrics",
}
# Its failed invocations may be among the dead letters of the queue: the topic invokes it with FirstPasses=direct.
DIRECT = "EcsDrainer"
ALIAS = "live"
LONGEST = 300  # characters of a reason
HIDDEN_SECONDS = 120  # so long nobody else sees a message that is being handed in


class Stack:
    """A deployed stack, by its outputs."""

    def __init__(self, name: str) -> None:
        described = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        self.sqs, self.functions = boto3.client("sqs"), boto3.client("lambda")

    def messages(self, queue: str) -> Iterator[dict[str, Any]]:
        """Those that are there now: what fails again meanwhile is not handed in once more."""
        url, seen = self.outputs[f"{queue}Url"], set[str]()
        while True:
            received = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=1,
                AttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            fresh = [message for message in received if message["MessageId"] not in seen]
            seen.update(message["MessageId"] for message in fresh)
            yield from fresh
            if not fresh:
                return

    def hand_in(self, queue: str, body: str) -> str:
        """Where it went."""
        envelope = read(body)
        if queue in OF_QUEUES and "requestPayload" not in envelope:
            target = OF_QUEUES[queue]
            # Without the queue's own delay: it has waited long enough.
            self.sqs.send_message(QueueUrl=self.outputs[f"{target}Url"], MessageBody=body, DelaySeconds=0)
            return target
        function = OF_FUNCTIONS.get(queue, DIRECT)
        event = json.dumps(envelope["requestPayload"]) if "requestPayload" in envelope else body
        self.functions.invoke(
            FunctionName=self.called(self.outputs[f"{function}Name"]), InvocationType="Event", Payload=event.encode()
        )
        return function

    def called(self, function: str) -> str:
        """By its alias, as everybody calls it; where the stack comes from the Application Repository, there is none."""
        try:
            self.functions.get_alias(FunctionName=function, Name=ALIAS)
        except self.functions.exceptions.ResourceNotFoundException:
            return function
        return f"{function}:{ALIAS}"

    def delete(self, queue: str, message: dict[str, Any]) -> None:
        """It has been handed in, or is not wanted."""
        self.sqs.delete_message(QueueUrl=self.outputs[f"{queue}Url"], ReceiptHandle=message["ReceiptHandle"])

    def show_again(self, queue: str, message: dict[str, Any]) -> None:
        """It stays where it is."""
        handle = {"QueueUrl": self.outputs[f"{queue}Url"], "ReceiptHandle": message["ReceiptHandle"]}
        self.sqs.change_message_visibility(**handle, VisibilityTimeout=0)


def read(body: str) -> dict[str, Any]:
    """The fields of a message; none if it is no JSON object."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def reason(message: dict[str, Any]) -> str:
    """Why it is here, as far as it says: Lambda tells in the body, EventBridge in attributes, a queue not at all."""
    answer = read(message["Body"]).get("responsePayload")
    if isinstance(answer, dict) and "errorMessage" in answer:
        return line(f"{answer.get('errorType', 'error')}: {answer['errorMessage']}")
    attributes = message.get("MessageAttributes", {})
    told = [attributes[name]["StringValue"] for name in ("ERROR_CODE", "ERROR_MESSAGE") if name in attributes]
    return line(": ".join(told)) or "the function's log says why"


def line(text: str) -> str:
    """One line that a terminal only shows: a message may come from anybody."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST]


def since(message: dict[str, Any]) -> str:
    """Since when it is here."""
    sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, timezone.utc)
    return sent.isoformat(timespec="seconds")


def main() -> int:
    """Goes through the queues; 1 if something could not be handed in."""
    parser = argparse.ArgumentParser(description="Hands in again what is in a stack's failure queues.")
    parser.add_argument("stack")
    parser.add_argument("--queue", default="", help="only failure queues whose output begins so")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="only say what is there")
    how.add_argument("--discard", action="store_true", help="say what is there, and delete it")
    options = parser.parse_args()
    every = [*OF_QUEUES, *OF_FUNCTIONS]
    queues = [name for name in every if name.startswith(options.queue)]
    if not queues:
        parser.error(f"--queue {options.queue}: no failure queue begins so; there are {', '.join(every)}")
    stack, failed = Stack(options.stack), 0
    for queue in queues:
        messages = stack.messages(queue)
        # What is shown and left comes again at once.
        for message in list(messages) if options.dry_run else messages:
            if options.dry_run:
                stack.show_again(queue, message)
                done = "left"
            else:
                try:
                    done = "discarded" if options.discard else f"to {stack.hand_in(queue, message['Body'])}"
                    stack.delete(queue, message)
                except Exception as fault:  # whatever it was, the others are handed in, and this one stays
                    done, failed = f"NOT handed in: {fault}", failed + 1
            print(f"{queue} {message['MessageId']} since {since(message)}: {reason(message)}: {done}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
