//! Publishing.

use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

use crate::{Clients, TOPIC, code, prod};

#[tokio::test(start_paused = true)]
async fn sns_publishes_within_its_limits() {
    let Clients { fake, sns, .. } = prod(1);
    let value = MessageAttributeValue::builder().data_type("String").string_value("v").build().unwrap();
    let publish = |topic: &str| sns.publish().topic_arn(topic).message("<m & m>");
    assert!(publish(TOPIC).message_attributes("k", value).send().await.unwrap().message_id().is_some());
    assert_eq!(code(publish("arn:aws:sns:us-east-1:123456789012:x").send().await), "NotFound");
    let entry = |id: &str, message: &str| {
        PublishBatchRequestEntry::builder().id(id).message(message).build().unwrap()
    };
    let batch = |entries: Vec<_>| {
        sns.publish_batch().topic_arn(TOPIC).set_publish_batch_request_entries(Some(entries)).send()
    };
    let published = batch((0..10).map(|i| entry(&format!("m{i}"), "{}")).collect()).await.unwrap();
    assert_eq!((published.successful().len(), published.failed().len()), (10, 0));
    let half = "x".repeat(140_000);
    let rows = [
        ("none", vec![], "EmptyBatchRequest"),
        ("eleven", (0..11).map(|i| entry(&format!("m{i}"), "{}")).collect(), "TooManyEntriesInBatchRequest"),
        ("twice", vec![entry("a", "{}"), entry("a", "{}")], "BatchEntryIdsNotDistinct"),
        ("an id's character", vec![entry("a.b", "{}")], "InvalidBatchEntryId"),
        ("too long", vec![entry("a", &half), entry("b", &half)], "BatchRequestTooLong"),
    ];
    for (case, entries, expected) in rows {
        assert_eq!(code(batch(entries).await).trim_end_matches("Exception"), expected, "{case}");
    }
    assert_eq!(fake.with(|world| world.take_outbox().len()), 11);
}

#[tokio::test(start_paused = true)]
async fn sns_keeps_subjects_and_structures() {
    let Clients { fake, sns, .. } = prod(1);
    let value =
        MessageAttributeValue::builder().data_type("String").string_value("ä".repeat(100)).build().unwrap();
    let parts = r#"{"default": "d", "sqs": "s"}"#;
    let publish = || sns.publish().topic_arn(TOPIC).message(parts).message_attributes("k", value.clone());
    publish().subject("Tags: 3 of 4").message_structure("json").send().await.unwrap();
    let long = "x".repeat(100);
    for subject in ["", " x", "a\nb", "a\tb", "ä", &long] {
        assert_eq!(code(publish().subject(subject).send().await), "InvalidParameter", "{subject:?}");
    }
    publish().subject(&long[1..]).send().await.unwrap();
    for message in ["text", "[]", "{}", r#"{"default": 1}"#, r#"{"default": "d", "sqs": {}}"#] {
        let refused = code(publish().message(message).message_structure("json").send().await);
        assert_eq!(refused, "InvalidParameter", "{message}");
    }
    assert_eq!(code(publish().message_structure("xml").send().await), "InvalidParameter");
    // 262,144 bytes: with the attribute's name, type and value, an ä having two.
    let largest = 262_144 - "kString".len() - 200;
    publish().message("x".repeat(largest)).send().await.unwrap();
    assert_eq!(code(publish().message("x".repeat(largest + 1)).send().await), "InvalidParameter");
    fake.with(|world| {
        let first = world.published_to("drain").next().unwrap();
        assert_eq!((first.subject.as_deref(), first.is_json), (Some("Tags: 3 of 4"), true));
        let told = ["sqs", "lambda", "email"].map(|protocol| first.text_for(protocol));
        assert_eq!(told, ["s", "d", "d"]);
        assert_eq!(first.attributes["k"].data_type, "String");
        assert_eq!(world.published().len(), 3);
    });
}
