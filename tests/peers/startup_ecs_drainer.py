"""What `ecs-drainer` does with the event that it gets most: a task has stopped, on an instance that is not draining."""

import json
from typing import Any

import boto3

ecs = boto3.client("ecs")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Looks at the container instances of a batch of stopped tasks."""
    for record in event["Records"]:
        detail = json.loads(record["body"])["detail"]
        found = ecs.describe_container_instances(
            cluster=detail["clusterArn"], containerInstances=[detail["containerInstanceArn"]]
        )
        for instance in found["containerInstances"]:
            if instance["status"] == "DRAINING":
                raise NotImplementedError("the bench drains nothing")
    return {"batchItemFailures": []}
