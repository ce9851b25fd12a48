//! Whatever Lambda delivers → inner messages, one a record.
//!
//! Taken: SNS → Lambda, SQS with the raw inner message, SNS inside SQS, and an EventBridge event (by
//! itself or inside any of those), any number of records. A record that cannot be read fails alone.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsMessage};
use serde_json::Value;

/// Reasons that an error names: an event may hold any number of records, and Lambda logs the error.
const TOLD: usize = 10;

/// A record, or a whole event, that cannot be read. Never quotes the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct Malformed {
    /// Which record, e.g. `Records[2]` with the message's id where there is one.
    pub place: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A message that says what it is, and is wrong. Names fields, never quotes the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {field} {problem}")]
pub struct BadMessage {
    /// What the message claims to be.
    pub kind: &'static str,
    /// The field that is wrong.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// One record: where it stood, and its inner message.
#[derive(Clone, Debug)]
pub struct Record {
    /// Which record, for logs and errors.
    pub place: String,
    /// The inner message, always a JSON object.
    pub message: Result<Value, Malformed>,
    /// What SQS wants to hear of if the record fails.
    message_id: Option<String>,
}

/// An opened event.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Its records, in the order of delivery.
    pub records: Vec<Record>,
    /// Whether Lambda takes partial batch answers (SQS) or only success or failure (all else).
    batch: bool,
}

/// Opens an event. Fails as a whole only if it is no event at all.
pub fn open(event: Value) -> Result<Envelope, Malformed> {
    let Value::Object(mut fields) = event else {
        return Err(malformed("event", "is not a JSON object"));
    };
    let records = match fields.remove("Records") {
        None => {
            let record =
                Record { place: "event".to_owned(), message: Ok(Value::Object(fields)), message_id: None };
            return Ok(Envelope { records: vec![record], batch: false });
        }
        Some(Value::Array(records)) => records,
        Some(_) => return Err(malformed("event", "Records is not a list")),
    };
    let batch = records.iter().any(|record| record.pointer("/Sns").is_none());
    let records = records.into_iter().enumerate().map(|(at, record)| read(at, record)).collect();
    Ok(Envelope { records, batch })
}

impl Envelope {
    /// What Lambda is told: for SQS which records failed, so that only those come again; otherwise an
    /// error if any failed, so that the asynchronous event is retried and then kept aside.
    pub fn answer(&self, failed: &[(usize, String)]) -> Result<Value, String> {
        let whole = || {
            let mut lines: Vec<_> = failed.iter().take(TOLD).map(|(_, reason)| reason.clone()).collect();
            if failed.len() > TOLD {
                lines.push(format!("and {} more", failed.len() - TOLD));
            }
            Err(lines.join("; "))
        };
        if !self.batch {
            return if failed.is_empty() { Ok(Value::Null) } else { whole() };
        }
        let mut items = Vec::with_capacity(failed.len());
        for (at, _) in failed {
            let Some(id) = self.records.get(*at).and_then(|record| record.message_id.as_deref()) else {
                // Without an id SQS cannot be told; failing the batch loses nothing.
                return whole();
            };
            let mut item = BatchItemFailure::default();
            id.clone_into(&mut item.item_identifier);
            items.push(item);
        }
        let mut answer = SqsBatchResponse::default();
        answer.batch_item_failures = items;
        serde_json::to_value(answer).map_err(|error| error.to_string())
    }
}

/// The name of a kind of event, for a line of the log: what is longer than AWS's own, or has other characters, is not one,
/// and stays out of it.
#[must_use]
pub fn kind_name(text: &str) -> &str {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b" -_:.".contains(&byte);
    if (1..=60).contains(&text.len()) && text.bytes().all(is_name) { text } else { "one without a name" }
}

fn malformed(place: &str, reason: impl Into<String>) -> Malformed {
    Malformed { place: place.to_owned(), reason: reason.into() }
}

fn read(at: usize, record: Value) -> Record {
    let place = format!("Records[{at}]");
    if let Some(message) = record.pointer("/Sns/Message") {
        let message = match message.as_str() {
            Some(text) => parse(&place, text),
            None => Err(malformed(&place, "Sns.Message is not a string")),
        };
        return Record { place, message, message_id: None };
    }
    let message_id = record.pointer("/messageId").and_then(Value::as_str).map(str::to_owned);
    let place = match message_id.as_deref().filter(|id| is_id(id)) {
        Some(id) => format!("{place} ({id})"),
        None => place,
    };
    let body = match serde_json::from_value::<SqsMessage>(record) {
        Ok(SqsMessage { body: Some(body), .. }) => parse(&place, &body),
        _ => Err(malformed(&place, "is neither an SNS record nor an SQS message with a body")),
    };
    let message = body.and_then(|body| match notification(&body) {
        Some(text) => parse(&place, text),
        None => Ok(body),
    });
    Record { place, message, message_id }
}

/// Whether a message's id can stand in an error: SQS makes UUIDs. What else is sent in its place is not repeated.
fn is_id(text: &str) -> bool {
    (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The message inside an SNS envelope, as a queue without raw delivery receives it.
fn notification(body: &Value) -> Option<&str> {
    let is_notification = body.get("Type")?.as_str()? == "Notification";
    body.get("TopicArn").filter(|_| is_notification)?;
    body.get("Message")?.as_str()
}

fn parse(place: &str, text: &str) -> Result<Value, Malformed> {
    match serde_json::from_str(text) {
        Ok(message @ Value::Object(_)) => Ok(message),
        Ok(_) => Err(malformed(place, "the message is JSON, but not an object")),
        // The position only: serde_json's words could repeat what stands in the message.
        Err(error) => Err(malformed(
            place,
            format!("the message is not JSON (line {}, column {})", error.line(), error.column()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sns(message: &str) -> Value {
        json!({"EventSource": "aws:sns", "Sns": {"Type": "Notification", "MessageId": "m", "Message": message}})
    }

    fn sqs(id: &str, body: &str) -> Value {
        json!({"messageId": id, "receiptHandle": "r", "body": body, "eventSource": "aws:sqs"})
    }

    fn wrapped(message: &str) -> String {
        json!({"Type": "Notification", "TopicArn": "arn:aws:sns:x:1:t", "Message": message}).to_string()
    }

    /// Every record as its message's `n`, or the reason why there is none.
    fn opened(event: Value) -> Result<Vec<Result<i64, String>>, String> {
        let envelope = open(event).map_err(|error| error.to_string())?;
        let number = |message: Value| message["n"].as_i64().unwrap_or(-1);
        let read = envelope.records.into_iter();
        Ok(read.map(|record| record.message.map(number).map_err(|error| error.to_string())).collect())
    }

    #[test]
    fn every_wrapping_gives_its_inner_messages() {
        let not_json = |place: &str| Err(format!("{place}: the message is not JSON (line 1, column 2)"));
        for (name, event, expected) in [
            ("EventBridge", json!({"source": "aws.ecs", "n": 1}), vec![Ok(1)]),
            ("SNS", json!({"Records": [sns(r#"{"n":1}"#)]}), vec![Ok(1)]),
            ("two of SNS", json!({"Records": [sns(r#"{"n":1}"#), sns(r#"{"n":2}"#)]}), vec![Ok(1), Ok(2)]),
            ("SQS, raw", json!({"Records": [sqs("a", r#"{"n":1}"#)]}), vec![Ok(1)]),
            ("SNS in SQS", json!({"Records": [sqs("a", &wrapped(r#"{"n":7}"#))]}), vec![Ok(7)]),
            (
                "mixed, one broken",
                json!({"Records": [sqs("a", "{x"), sqs("b", &wrapped("{x")), sqs("c", r#"{"n":3}"#)]}),
                vec![not_json("Records[0] (a)"), not_json("Records[1] (b)"), Ok(3)],
            ),
            (
                "a body that is no object",
                json!({"Records": [sqs("a", "7")]}),
                vec![Err("Records[0] (a): the message is JSON, but not an object".to_owned())],
            ),
            (
                "neither",
                json!({"Records": [{"kinesis": {}}]}),
                vec![Err("Records[0]: is neither an SNS record nor an SQS message with a body".to_owned())],
            ),
            ("an id that is none", json!({"Records": [sqs("a secret", "{x")]}), vec![not_json("Records[0]")]),
            (
                "SNS without text",
                json!({"Records": [{"Sns": {"Message": 5}}]}),
                vec![Err("Records[0]: Sns.Message is not a string".to_owned())],
            ),
            (
                "a message that only looks like a notification",
                json!({"Records": [sqs("a", r#"{"Type":"Notification","n":4}"#)]}),
                vec![Ok(4)],
            ),
            ("no records", json!({"Records": []}), vec![]),
        ] {
            assert_eq!(opened(event), Ok(expected), "{name}");
        }
    }

    #[test]
    fn only_a_name_is_named() {
        const NONE: &str = "one without a name";
        for (text, expected) in [
            ("EC2 Instance Rebalance Recommendation", "EC2 Instance Rebalance Recommendation"),
            ("autoscaling:EC2_INSTANCE_LAUNCH", "autoscaling:EC2_INSTANCE_LAUNCH"),
            (&"x".repeat(61), NONE),
            ("", NONE),
            ("two\nlines", NONE),
            ("\u{202e}", NONE),
            (r#""quoted""#, NONE),
        ] {
            assert_eq!(kind_name(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_event_fails_as_a_whole() {
        for (event, expected) in [
            (json!([1]), "event: is not a JSON object"),
            (json!(null), "event: is not a JSON object"),
            (json!({"Records": 5}), "event: Records is not a list"),
        ] {
            assert_eq!(opened(event), Err(expected.to_owned()));
        }
    }

    #[test]
    fn an_answer_tells_sqs_which_records_failed_and_fails_all_else() {
        let two = json!({"Records": [sqs("a", "{}"), sqs("b", "{}")]});
        let anonymous = json!({"Records": [{"body": "{}"}]});
        let failure = |at: usize| (at, format!("no {at}"));
        for (name, event, failed, expected) in [
            ("SQS, none", two.clone(), vec![], Ok(json!({"batchItemFailures": []}))),
            ("SQS, one", two, vec![failure(1)], Ok(json!({"batchItemFailures": [{"itemIdentifier": "b"}]}))),
            ("SQS without an id", anonymous, vec![failure(0)], Err("no 0".to_owned())),
            ("SNS, none", json!({"Records": [sns("{}")]}), vec![], Ok(Value::Null)),
            ("SNS, one", json!({"Records": [sns("{}")]}), vec![failure(0)], Err("no 0".to_owned())),
            ("EventBridge, one", json!({"source": "x"}), vec![failure(0)], Err("no 0".to_owned())),
            (
                "SNS, too many to name",
                json!({"Records": [sns("{}")]}),
                vec![failure(0); 1_000],
                Err(format!("{}and 990 more", "no 0; ".repeat(10))),
            ),
        ] {
            assert_eq!(open(event).unwrap().answer(&failed), expected, "{name}");
        }
    }
}
