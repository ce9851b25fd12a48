"""boto3 drives the fake's DynamoDB: what works, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.exceptions
import pytest

from conftest import Clients

TABLE, OTHER = "state", "rules"
UPDATE = {
    "Key": {"Id": {"S": "a"}},
    "UpdateExpression": "SET #until = :until, Who.#name = :name REMOVE Gone",
    "ExpressionAttributeNames": {"#until": "Until", "#name": "name"},
    "ExpressionAttributeValues": {":until": {"N": "7"}, ":name": {"S": "alice"}},
}


class Tables:
    """A table with three items, and an empty one with numbers for keys."""

    def __init__(self, clients: Clients) -> None:
        self.dynamodb = clients("dynamodb")
        for name, key, kind in ((TABLE, "Id", "S"), (OTHER, "RuleId", "N")):
            self.dynamodb.create_table(
                TableName=name,
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind}],
                BillingMode="PAY_PER_REQUEST",
            )
        for name in "abc":
            self.put({"Id": {"S": name}, "Gone": {"S": "x"}, "Who": {"M": {}}, "Number": {"N": "1"}})

    def put(self, item: dict[str, Any], **more: Any) -> Any:
        return self.dynamodb.put_item(TableName=TABLE, Item=item, **more)

    def get(self, name: str) -> Any:
        return self.dynamodb.get_item(TableName=TABLE, Key={"Id": {"S": name}}).get("Item")

    def update(self, **more: Any) -> Any:
        return self.dynamodb.update_item(TableName=TABLE, **UPDATE | more)

    def delete(self, name: str, **more: Any) -> Any:
        return self.dynamodb.delete_item(TableName=TABLE, Key={"Id": {"S": name}}, **more)

    def write(self, requests: list[dict[str, Any]]) -> Any:
        return self.dynamodb.batch_write_item(RequestItems={TABLE: requests})


@pytest.fixture
def tables(fake: Clients) -> Tables:
    return Tables(fake)


def put_request(name: str) -> dict[str, Any]:
    return {"PutRequest": {"Item": {"Id": {"S": name}}}}


def delete_request(name: str) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": {"Id": {"S": name}}}}


def scan_pages(w: Tables) -> bool:
    pages = w.dynamodb.get_paginator("scan").paginate(TableName=TABLE, PaginationConfig={"PageSize": 1})
    return sorted(item["Id"]["S"] for page in pages for item in page["Items"]) == ["a", "b", "c"]


def scan_by_size(w: Tables) -> bool:
    for name in "defg":
        w.put({"Id": {"S": name}, "Large": {"S": "x" * 350_000}})
    first = w.dynamodb.scan(TableName=TABLE)
    rest = w.dynamodb.scan(TableName=TABLE, ExclusiveStartKey=first["LastEvaluatedKey"])
    return first["Count"] + rest["Count"] == 7 and "LastEvaluatedKey" not in rest


def put_over(w: Tables) -> bool:
    types = {
        "Id": {"S": "a"},
        "Bytes": {"B": b"\x00\xff"},
        "Flag": {"BOOL": True},
        "List": {"L": [{"N": "1.5"}, {"NULL": True}]},
        "Set": {"SS": ["x", "y"]},
    }
    old = w.put(types, ReturnValues="ALL_OLD")["Attributes"]
    return old["Number"] == {"N": "1"} and w.get("a") == types


def put_on_condition(w: Tables) -> bool:
    w.put({"Id": {"S": "new"}}, ConditionExpression="attribute_not_exists(Id)")
    return w.get("new") == {"Id": {"S": "new"}}


def update_nested(w: Tables) -> bool:
    new = w.update(ReturnValues="ALL_NEW")["Attributes"]
    expected = {"Id": {"S": "a"}, "Until": {"N": "7"}, "Who": {"M": {"name": {"S": "alice"}}}, "Number": {"N": "1"}}
    return new == expected == w.get("a")


def update_creates(w: Tables) -> bool:
    simple = {"UpdateExpression": "SET Runs = if_not_exists(Runs, :one) + :one"}
    simple |= {"ExpressionAttributeValues": {":one": {"N": "1"}}}
    for _ in range(2):
        w.dynamodb.update_item(TableName=TABLE, Key={"Id": {"S": "new"}}, **simple)
    return w.get("new") == {"Id": {"S": "new"}, "Runs": {"N": "3"}}


def update_on_condition(w: Tables) -> bool:
    condition = "attribute_not_exists(#until) OR #until < :until OR (#until = :until AND NOT Gone <> :name)"
    w.update(ConditionExpression=condition)
    return w.get("a")["Until"] == {"N": "7"}


def delete_answers(w: Tables) -> bool:
    old = w.delete("a", ReturnValues="ALL_OLD", ConditionExpression="attribute_exists(Id)")["Attributes"]
    return old["Id"] == {"S": "a"} and w.get("a") is None and "Attributes" not in w.delete("a", ReturnValues="ALL_OLD")


def batches(w: Tables) -> bool:
    written = w.write([put_request("d"), delete_request("a")])
    keys = [{"Id": {"S": name}} for name in "abcd"]
    got = w.dynamodb.batch_get_item(RequestItems={TABLE: {"Keys": keys, "ConsistentRead": True}})
    ids = sorted(item["Id"]["S"] for item in got["Responses"][TABLE])
    return ids == ["b", "c", "d"] and written["UnprocessedItems"] == got["UnprocessedKeys"] == {}


def describe(w: Tables) -> bool:
    w.dynamodb.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"MaxAttempts": 1})
    table = w.dynamodb.describe_table(TableName=TABLE)["Table"]
    return (table["TableStatus"], table["ItemCount"]) == ("ACTIVE", 3)


WORKS: dict[str, Callable[[Tables], Any]] = {
    "CreateTable, DescribeTable": describe,
    "Scan: pages": scan_pages,
    "Scan: 1 MB": scan_by_size,
    "PutItem, GetItem: all types": put_over,
    "PutItem: on a condition": put_on_condition,
    "UpdateItem: nested": update_nested,
    "UpdateItem: creates": update_creates,
    "UpdateItem: on a condition": update_on_condition,
    "DeleteItem": delete_answers,
    "BatchWriteItem, BatchGetItem": batches,
}

REFUSED: dict[str, tuple[str, Callable[[Tables], Any]]] = {
    "a condition that does not hold": (
        "ConditionalCheckFailedException",
        lambda w: w.put({"Id": {"S": "a"}}, ConditionExpression="attribute_not_exists(Id)"),
    ),
    "an update on a condition that does not hold": (
        "ConditionalCheckFailedException",
        lambda w: w.update(ConditionExpression="#until = :until"),
    ),
    "an unknown table": (
        "ResourceNotFoundException",
        lambda w: w.dynamodb.scan(TableName="nope"),
    ),
    "a table that is there": ("ResourceInUseException", lambda w: Tables(lambda _: w.dynamodb)),
    "an item without the key": ("ValidationException", lambda w: w.put({"Number": {"N": "1"}})),
    "a key of another type": ("ValidationException", lambda w: w.put({"Id": {"N": "1"}})),
    "an empty key": ("ValidationException", lambda w: w.put({"Id": {"S": ""}})),
    "another key": (
        "ValidationException",
        lambda w: w.dynamodb.get_item(TableName=TABLE, Key={"Other": {"S": "a"}}),
    ),
    "an item of more than 400 KB": (
        "ValidationException",
        lambda w: w.put({"Id": {"S": "a"}, "Large": {"S": "x" * 410_000}}),
    ),
    "a number that is none": ("ValidationException", lambda w: w.put({"Id": {"S": "a"}, "Number": {"N": "x"}})),
    "a reserved word": (
        "ValidationException",
        lambda w: w.put({"Id": {"S": "a"}}, ConditionExpression="attribute_not_exists(Request)"),
    ),
    "a value that nobody uses": (
        "ValidationException",
        lambda w: w.update(ExpressionAttributeValues=UPDATE["ExpressionAttributeValues"] | {":x": {"S": "x"}}),
    ),
    "a value that is not given": ("ValidationException", lambda w: w.update(ConditionExpression="Gone = :nope")),
    "an update of the key": (
        "ValidationException",
        lambda w: w.update(UpdateExpression="SET Id = :name, #until = :until, Who.#name = :name"),
    ),
    "an update of what is not there": (
        "ValidationException",
        lambda w: w.update(UpdateExpression="SET Nothing.#name = :name, #until = :until"),
    ),
    "two paths into each other": (
        "ValidationException",
        lambda w: w.update(UpdateExpression="SET Who.#name = :name, Who = :until, #until = :until"),
    ),
    "a condition that is none": ("ValidationException", lambda w: w.update(ConditionExpression="Gone ==")),
    "26 writes": ("ValidationException", lambda w: w.write([put_request(str(number)) for number in range(26)])),
    "two writes of one item": ("ValidationException", lambda w: w.write([put_request("a"), delete_request("a")])),
    "101 reads": (
        "ValidationException",
        lambda w: w.dynamodb.batch_get_item(
            RequestItems={TABLE: {"Keys": [{"Id": {"S": str(number)}} for number in range(101)]}}
        ),
    ),
}


@pytest.mark.parametrize("operation", WORKS)
def test_works(tables: Tables, operation: str) -> None:
    assert WORKS[operation](tables), operation


@pytest.mark.parametrize("what", REFUSED)
def test_is_refused(tables: Tables, what: str) -> None:
    code, ask = REFUSED[what]
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        ask(tables)
    assert refusal.value.response["Error"]["Code"] == code
