//! The shapes that Lambda gives to a function and takes from it.

use serde_json::{Value, json};

use super::queue::Message;
use crate::world::{
    clock::Calendar,
    names::{ACCOUNT, REGION},
};

/// Which records of a batch are to come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// Each: the invocation failed.
    All,
    /// These.
    Named(Vec<String>),
}

impl Failed {
    pub(super) fn none() -> Self {
        Self::Named(Vec::new())
    }

    pub(super) fn has(&self, id: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(ids) => ids.iter().any(|failed| failed == id),
        }
    }

    /// Reads a function's answer as Lambda does: nothing or an empty list is success, an answer that names
    /// no record of the batch, or is no list, fails the whole batch.
    pub(super) fn read(answer: &Value, batch: &[Message]) -> Self {
        let failures = match answer.get("batchItemFailures") {
            None | Some(Value::Null) => return Self::none(),
            Some(Value::Array(failures)) => failures,
            Some(_) => return Self::All,
        };
        let id_of = |failure: &Value| {
            let id = failure.get("itemIdentifier")?.as_str()?;
            batch.iter().any(|message| &*message.id == id).then(|| id.to_owned())
        };
        failures.iter().map(id_of).collect::<Option<Vec<_>>>().map_or(Self::All, Self::Named)
    }
}

/// A batch of a queue.
pub(super) fn sqs_event(queue: &str, batch: &[Message], calendar: Calendar) -> Value {
    let records = batch.iter().map(|message| {
        let sent = calendar.epoch_seconds(message.sent_at) * 1_000.0;
        json!({
            "messageId": &*message.id,
            "receiptHandle": format!("{}-{}", message.id, message.receives),
            "body": &*message.body,
            "attributes": {
                "ApproximateReceiveCount": message.receives.to_string(),
                "ApproximateFirstReceiveTimestamp": format!("{sent:.0}"),
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "SentTimestamp": format!("{sent:.0}"),
            },
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"),
            "awsRegion": REGION,
        })
    });
    json!({"Records": records.collect::<Vec<_>>()})
}

/// One notification, from the topic itself.
pub(super) fn sns_event(topic: &str, subject: Option<&str>, message: &Message, calendar: Calendar) -> Value {
    json!({"Records": [{
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": format!("{topic}:8a1f0000-0000-4000-8000-000000000000"),
        "Sns": {
            "Type": "Notification",
            "MessageId": &*message.id,
            "TopicArn": topic,
            "Subject": subject,
            "Message": &*message.body,
            "Timestamp": calendar.rfc3339(message.sent_at),
            "SignatureVersion": "1",
            "Signature": "x",
            "SigningCertUrl": "x",
            "UnsubscribeUrl": "x",
            "MessageAttributes": {},
        },
    }]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::clock::Moment;

    #[test]
    fn answers_are_read_as_lambda_reads_them() {
        let message = |id: &str| Message {
            id: id.into(),
            body: "".into(),
            sent_at: Moment::ZERO,
            visible_at: Moment::ZERO,
            receives: 1,
        };
        let batch = [message("a"), message("b")];
        let rows = [
            (json!(null), Failed::none()),
            (json!({}), Failed::none()),
            (json!({"batchItemFailures": null}), Failed::none()),
            (json!({"batchItemFailures": []}), Failed::none()),
            (json!({"batchItemFailures": [{"itemIdentifier": "b"}]}), Failed::Named(vec!["b".into()])),
            (json!({"batchItemFailures": [{"itemIdentifier": "x"}]}), Failed::All),
            (json!({"batchItemFailures": [{"itemIdentifier": ""}]}), Failed::All),
            (json!({"batchItemFailures": "a"}), Failed::All),
        ];
        for (answer, expected) in rows {
            assert_eq!(Failed::read(&answer, &batch), expected, "{answer}");
        }
    }
}
