"""The fake's DynamoDB answers as moto's does, or a reason is given here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conftest import Clients
from environment import OWN
from local_stack import fake_aws
from moto_world import moto_server
from test_fake_boto3_tables import REFUSED as REFUSED_TO_BOTO3
from test_fake_boto3_tables import TABLE, Tables, delete_request, put_request
from test_fake_moto import check_alike

ASKED: dict[str, Callable[[Tables], Any]] = {
    "DescribeTable": lambda w: w.dynamodb.describe_table(TableName=TABLE),
    "DescribeTable of none": lambda w: w.dynamodb.describe_table(TableName="nope"),
    "Scan": lambda w: w.dynamodb.scan(TableName=TABLE),
    "Scan by one": lambda w: w.dynamodb.scan(TableName=TABLE, Limit=1),
    "Scan by all": lambda w: w.dynamodb.scan(TableName=TABLE, Limit=3),
    "GetItem": lambda w: w.dynamodb.get_item(TableName=TABLE, Key={"Id": {"S": "a"}}),
    "GetItem of none": lambda w: w.dynamodb.get_item(TableName=TABLE, Key={"Id": {"S": "nope"}}),
    "PutItem": lambda w: w.put({"Id": {"S": "d"}, "List": {"L": [{"N": "1"}]}}),
    "PutItem over": lambda w: w.put({"Id": {"S": "d"}}, ReturnValues="ALL_OLD"),
    "PutItem once": lambda w: w.put({"Id": {"S": "e"}}, ConditionExpression="attribute_not_exists(Id)"),
    "UpdateItem": lambda w: w.update(ReturnValues="ALL_NEW"),
    "UpdateItem as it was": lambda w: w.update(ReturnValues="ALL_OLD"),
    "UpdateItem if": lambda w: w.update(
        ConditionExpression="#until < :until OR (#until = :until AND NOT Gone = :name)"
    ),
    "UpdateItem if not": lambda w: w.update(ConditionExpression="NOT (#until = :until)"),
    "UpdateItem if there is nothing": lambda w: w.update(
        Key={"Id": {"S": "nope"}}, ConditionExpression="Gone <> :name", UpdateExpression="SET #until = :until, #name = :name"
    ),
    "UpdateItem of none": lambda w: w.dynamodb.update_item(
        TableName=TABLE,
        Key={"Id": {"S": "f"}},
        UpdateExpression="SET Runs = if_not_exists(Runs, :one) + :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
        ReturnValues="ALL_NEW",
    ),
    "DeleteItem": lambda w: w.delete("f", ReturnValues="ALL_OLD"),
    "DeleteItem of none": lambda w: w.delete("f", ReturnValues="ALL_OLD"),
    "BatchWriteItem": lambda w: w.write([put_request("g"), delete_request("e")]),
    "BatchGetItem": lambda w: w.dynamodb.batch_get_item(
        RequestItems={TABLE: {"Keys": [{"Id": {"S": name}} for name in ("a", "g", "nope")]}}
    ),
    **{f"refused: {what}": ask for what, (_, ask) in REFUSED_TO_BOTO3.items()},
}

DIFFERENCES: dict[str, str] = {
    "Scan by all: LastEvaluatedKey.Id.S": "a full page has a key to go on from, even if it was the last (API_Scan)",
    "refused: a value that is not given: error": "moto crashes",
    "refused: a condition that is none: error": "moto crashes",
    "refused: 26 writes: error": "moto does not check the limit",
    "refused: two writes of one item: error": "moto does not compare puts with deletes",
}


@pytest.fixture(scope="module")
def worlds() -> Iterator[tuple[Tables, Tables]]:
    """The fake's and moto's."""
    run = OWN
    with fake_aws(run) as fake, moto_server(run) as moto:
        yield Tables(Clients(fake)), Tables(moto)


def test_answers_are_alike(worlds: tuple[Tables, Tables]) -> None:
    check_alike(worlds, ASKED, DIFFERENCES)
