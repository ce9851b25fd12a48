//! DynamoDB by the SDK's own client, in paused time: pages, conditions, updates, batches, limits, errors.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{collections::HashMap, fmt::Debug};

use aws_fake::{FakeAws, scenario::Scenario, world::tables::TablePlan};
use aws_sdk_dynamodb::{
    Client,
    error::ProvideErrorMetadata,
    types::{
        AttributeDefinition, AttributeValue, BillingMode, DeleteRequest, KeySchemaElement, KeyType,
        KeysAndAttributes, PutRequest, ReturnValue, ScalarAttributeType, TableDescription, WriteRequest,
    },
};
use serde_json::json;

type Item = HashMap<String, AttributeValue>;

const RULES: &str = "rules";
const STATE: &str = "state";

fn world(unprocessed: f64) -> (FakeAws, Client) {
    let state = TablePlan::new(STATE, "Id", "S");
    let scenario = Scenario::new(1).set(|settings| settings.unprocessed = unprocessed);
    let fake = FakeAws::new(scenario.table(TablePlan::new(RULES, "RuleId", "N")).table(state));
    let client = Client::new(&fake.sdk_config());
    (fake, client)
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn item(pairs: &[(&str, AttributeValue)]) -> Item {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn id(value: &str) -> Item {
    item(&[("Id", text(value))])
}

fn code<T: Debug, E: ProvideErrorMetadata + Debug>(answer: Result<T, E>) -> String {
    answer.expect_err("a refusal").code().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn scans_have_pages() {
    let (fake, client) = world(0.0);
    fake.with(|world| {
        for rule in 1..=30 {
            assert!(world.put_item(RULES, &json!({"RuleId": {"N": rule.to_string()}, "TagKey": {"S": "k"}})));
        }
        let large = "x".repeat(300_000);
        for number in 0..7 {
            assert!(world.put_item(STATE, &json!({"Id": {"S": number.to_string()}, "Large": {"S": large}})));
        }
    });
    let rows = [
        (RULES, None, vec![30]),
        (RULES, Some(8), vec![8, 8, 8, 6]),
        (RULES, Some(15), vec![15, 15, 0]),
        (STATE, None, vec![3, 3, 1]),
        (STATE, Some(2), vec![2, 2, 2, 1]),
    ];
    for (table, limit, expected) in rows {
        let mut pages = client.scan().table_name(table).set_limit(limit).into_paginator().send();
        let (mut sizes, mut seen) = (Vec::new(), Vec::new());
        while let Some(page) = pages.next().await {
            let page = page.expect("a page");
            sizes.push(page.items().len());
            seen.extend(
                page.items().iter().map(|item| format!("{:?}", item.get("RuleId").or(item.get("Id")))),
            );
        }
        let in_order = seen.is_sorted();
        seen.sort();
        seen.dedup();
        let each = if table == RULES { 30 } else { 7 };
        assert_eq!((sizes, seen.len()), (expected, each), "{table} by {limit:?}");
        assert!(!in_order, "{table}: a scan has no order");
    }
    let wrong = client.scan().table_name(RULES).exclusive_start_key("Id", text("x"));
    assert_eq!(code(wrong.send().await), "ValidationException");
}

#[tokio::test(start_paused = true)]
async fn one_lock_at_a_time() {
    let (fake, client) = world(0.0);
    let condition = "attribute_not_exists(EventTime) OR EventTime < :time OR (EventTime = :time AND Event <> :event) OR (Event = :event AND #until < :now AND #request = :request)";
    let lock = |event: &str, time: &str, now: i64| {
        client
            .update_item()
            .table_name(STATE)
            .key("Id", text("run"))
            .update_expression("SET Event = :event, EventTime = :time, #request = :request, #until = :until")
            .condition_expression(condition)
            .expression_attribute_names("#until", "Until")
            .expression_attribute_names("#request", "Request")
            .expression_attribute_values(":event", text(event))
            .expression_attribute_values(":time", text(time))
            .expression_attribute_values(":request", text("r"))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":until", number(now + 600))
            .return_values(ReturnValue::AllOld)
            .send()
    };
    let rows = [
        ("the first", "a", "2026-01-01T00:00:00Z", 0, true),
        ("again", "a", "2026-01-01T00:00:00Z", 10, false),
        ("after it was lost", "a", "2026-01-01T00:00:00Z", 700, true),
        ("another of the same time", "b", "2026-01-01T00:00:00Z", 700, true),
        ("a later one", "c", "2026-01-01T01:00:00Z", 701, true),
        ("an earlier one", "d", "2026-01-01T00:30:00Z", 99_999, false),
    ];
    let mut before: Option<String> = None;
    for (case, event, time, now, locked) in rows {
        let answer = lock(event, time, now).await;
        match answer {
            Ok(answer) => {
                let old =
                    answer.attributes().and_then(|old| old.get("Event")).and_then(|old| old.as_s().ok());
                assert_eq!((old, locked), (before.as_ref(), true), "{case}");
                before = Some(event.to_owned());
            }
            answer => assert_eq!(
                (code(answer), locked),
                ("ConditionalCheckFailedException".to_owned(), false),
                "{case}"
            ),
        }
    }
    let expected = json!({"Id": {"S": "run"}, "Event": {"S": "c"}, "EventTime": {"S": "2026-01-01T01:00:00Z"}, "Request": {"S": "r"}, "Until": {"N": "1301"}});
    assert_eq!(fake.with(|world| world.items(STATE)), [expected]);
}

#[tokio::test(start_paused = true)]
async fn items_come_and_go() {
    let (_, client) = world(0.0);
    let owned = item(&[("Id", text("r-1")), ("Owner", text("alice")), ("ExpiresAt", number(7))]);
    let put = || client.put_item().table_name(STATE).set_item(Some(owned.clone()));
    assert_eq!(put().send().await.expect("put").attributes(), None);
    let once = put().condition_expression("attribute_not_exists(Id)").send().await;
    assert_eq!(code(once), "ConditionalCheckFailedException");
    let old = put().return_values(ReturnValue::AllOld).send().await.expect("put again");
    assert_eq!(old.attributes(), Some(&owned));
    let get = || client.get_item().table_name(STATE).set_key(Some(id("r-1"))).send();
    assert_eq!(get().await.expect("got").item(), Some(&owned));
    let update =
        client.update_item().table_name(STATE).set_key(Some(id("r-1"))).return_values(ReturnValue::AllNew);
    let update =
        update.update_expression("SET Names.#first = :name").expression_attribute_names("#first", "first");
    let update = update.expression_attribute_values(":name", text("a"));
    assert_eq!(code(update.clone().send().await), "ValidationException", "there is nothing to go into");
    let into = update.update_expression("SET #first = :name REMOVE Owner").send().await;
    assert_eq!(code(into), "ValidationException", "Owner is reserved");
    let delete =
        || client.delete_item().table_name(STATE).set_key(Some(id("r-1"))).return_values(ReturnValue::AllOld);
    assert_eq!(delete().send().await.expect("deleted").attributes(), Some(&owned));
    assert_eq!(delete().send().await.expect("nothing to delete").attributes(), None);
    assert_eq!(get().await.expect("got nothing").item(), None);
}

#[tokio::test(start_paused = true)]
async fn batches_leave_some_undone() {
    for unprocessed in [0.0, 0.5, 1.0] {
        let (fake, client) = world(unprocessed);
        let put = |number: usize| {
            let put = PutRequest::builder().item("Id", text(&number.to_string())).build().unwrap();
            WriteRequest::builder().put_request(put).build()
        };
        let mut left: Vec<_> = (0..25).map(put).collect();
        let mut rounds = 0;
        while !left.is_empty() {
            let answer = client.batch_write_item().request_items(STATE, left).send().await.expect("written");
            left = answer.unprocessed_items.unwrap_or_default().remove(STATE).unwrap_or_default();
            rounds += 1;
        }
        let expected = if unprocessed < 0.1 {
            1..=1
        } else if unprocessed < 0.9 {
            2..=12
        } else {
            25..=25
        };
        assert!(expected.contains(&rounds), "{unprocessed}: {rounds} rounds");
        assert_eq!(fake.with(|world| world.items(STATE).len()), 25);
        let keys = (0..30).map(|number| id(&number.to_string())).collect();
        let mut left = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build().ok();
        let mut got = 0;
        while let Some(keys) = left {
            let answer = client.batch_get_item().request_items(STATE, keys).send().await.expect("got");
            got += answer.responses().and_then(|found| found.get(STATE)).map_or(0, Vec::len);
            left = answer.unprocessed_keys.unwrap_or_default().remove(STATE);
            assert!(left.as_ref().is_none_or(|left| left.consistent_read() == Some(true)));
        }
        assert_eq!(got, 25, "five are not there");
    }
}

#[tokio::test(start_paused = true)]
async fn writes_are_refused() {
    let (fake, client) = world(0.0);
    let put = |item: Item| client.put_item().table_name(STATE).set_item(Some(item));
    let update = |expression: &str| {
        let update =
            client.update_item().table_name(STATE).set_key(Some(id("x"))).update_expression(expression);
        update.expression_attribute_values(":v", text("v"))
    };
    let large = "x".repeat(400 * 1_024);
    let invalid = "ValidationException";
    assert_eq!(code(put(item(&[("Other", text("x"))])).send().await), invalid, "no key");
    assert_eq!(code(put(item(&[("Id", number(1))])).send().await), invalid, "a key of another type");
    assert_eq!(code(put(id("")).send().await), invalid, "an empty key");
    assert_eq!(code(put(id(&"x".repeat(2_049))).send().await), invalid, "a long key");
    assert_eq!(
        code(put(item(&[("Id", text("x")), ("Large", text(&large))])).send().await),
        invalid,
        "too large"
    );
    assert_eq!(
        code(put(item(&[("Id", text("x")), ("N", AttributeValue::N("x".into()))])).send().await),
        invalid
    );
    assert_eq!(
        code(put(id("x")).expression_attribute_values(":v", text("v")).send().await),
        invalid,
        "unused"
    );
    assert_eq!(code(put(id("x")).table_name("nope").send().await), "ResourceNotFoundException");
    assert_eq!(code(put(id("x")).return_values(ReturnValue::AllNew).send().await), invalid);
    assert_eq!(code(update("SET Id = :v").send().await), invalid, "a key is not changed");
    assert_eq!(code(update("SET Request = :v").send().await), invalid, "reserved");
    let other = client.get_item().table_name(STATE).key("Other", text("x")).send().await;
    assert_eq!(code(other), invalid, "an unknown key");
    let keys = |number: usize| {
        KeysAndAttributes::builder()
            .set_keys(Some((0..number).map(|n| id(&n.to_string())).collect()))
            .build()
            .unwrap()
    };
    assert_eq!(code(client.batch_get_item().request_items(STATE, keys(101)).send().await), invalid);
    let twice = KeysAndAttributes::builder().keys(id("a")).keys(id("a")).build().unwrap();
    assert_eq!(code(client.batch_get_item().request_items(STATE, twice).send().await), invalid);
    let delete = |key: &str| {
        let delete = DeleteRequest::builder().key("Id", text(key)).build().unwrap();
        WriteRequest::builder().delete_request(delete).build()
    };
    let deletes = (0..26).map(|number| delete(&number.to_string())).collect::<Vec<_>>();
    assert_eq!(code(client.batch_write_item().request_items(STATE, deletes).send().await), invalid);
    let mixed = vec![delete("a"), delete("")];
    assert_eq!(code(client.batch_write_item().request_items(STATE, mixed).send().await), invalid);
    assert!(fake.with(|world| world.items(STATE).is_empty()), "nothing was written");
    let largest = "x".repeat(400 * 1_024 - "IdxLarge".len());
    put(item(&[("Id", text("x")), ("Large", text(&largest))])).send().await.expect("just not too large");
}

#[tokio::test(start_paused = true)]
async fn tables_are_made() {
    let (_, client) = world(0.0);
    let part =
        |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let of = |name: &str, kind| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
    };
    let create = client.create_table().table_name("new").billing_mode(BillingMode::PayPerRequest);
    let create = create.key_schema(part("a", KeyType::Hash)).key_schema(part("b", KeyType::Range));
    let create = create
        .attribute_definitions(of("a", ScalarAttributeType::S))
        .attribute_definitions(of("b", ScalarAttributeType::N));
    create.clone().send().await.expect("made");
    assert_eq!(code(create.send().await), "ResourceInUseException");
    let key = item(&[("a", text("x")), ("b", number(1))]);
    client.put_item().table_name("new").set_item(Some(key.clone())).send().await.expect("put");
    let half = client.get_item().table_name("new").key("a", text("x")).send().await;
    assert_eq!(code(half), "ValidationException");
    let found = client.get_item().table_name("new").set_key(Some(key.clone())).send().await.expect("got");
    assert_eq!(found.item(), Some(&key));
    let table = client.describe_table().table_name("new").send().await.expect("described");
    assert_eq!(table.table().and_then(TableDescription::item_count), Some(1));
    assert_eq!(code(client.describe_table().table_name("nope").send().await), "ResourceNotFoundException");
}
