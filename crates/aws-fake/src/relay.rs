//! What leaves the World, handed on to real endpoints: notifications to SNS, events to the event bus.

use std::time::Duration;

use aws_config::{AppName, BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_eventbridge::{primitives::DateTime, types::PutEventsRequestEntry};
use aws_sdk_sns::types::MessageAttributeValue;
use aws_sdk_sns::{
    config::{Credentials, SharedCredentialsProvider},
    error::DisplayErrorContext,
};
use aws_smithy_async::{rt::sleep::TokioSleep, time::SystemTimeSource};
use futures::future::join_all;
use serde_json::Value;

use crate::world::{Departure, Outgoing, names};

/// Who notifies topics: lifecycle hooks.
const AUTO_SCALING: &str = "autoscaling.amazonaws.com";

/// Most entries of one `PutEvents`.
const MOST_EVENTS: usize = 10;

/// Clients of the endpoints; without an endpoint, what would go there is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Relay {
    sns: Option<aws_sdk_sns::Client>,
    events: Option<aws_sdk_eventbridge::Client>,
}

impl Relay {
    pub(crate) fn new(sns_endpoint: Option<&str>, events_endpoint: Option<&str>) -> Self {
        Self {
            sns: sns_endpoint.map(|url| aws_sdk_sns::Client::new(&in_role_of(AUTO_SCALING, &config(url)))),
            events: events_endpoint.map(|url| aws_sdk_eventbridge::Client::new(&config(url))),
        }
    }

    /// Hands everything on, all at once: neither topics nor buses promise an order.
    pub(crate) async fn hand_on(&self, departed: Vec<Outgoing>) {
        let mut events = Vec::new();
        let mut publishing = Vec::new();
        for outgoing in departed {
            match outgoing.what {
                notification @ Departure::Notification { .. } => publishing.push(self.publish(notification)),
                Departure::Event(event) => events.extend(entry(&event)),
            }
        }
        let putting = events.chunks(MOST_EVENTS).map(|entries| self.put(entries.to_vec()));
        futures::join!(join_all(publishing), join_all(putting));
    }

    async fn publish(&self, notification: Departure) {
        let (Some(sns), Departure::Notification { topic, subject, message, is_json, attributes }) =
            (&self.sns, notification)
        else {
            return;
        };
        // SNS takes subjects of less than 100 characters.
        let subject = subject.map(|subject| subject.chars().take(99).collect::<String>());
        let attributes = attributes.into_iter().filter_map(|(name, attribute)| {
            let value = MessageAttributeValue::builder().data_type(attribute.data_type);
            Some((name, value.set_string_value(attribute.value).build().ok()?))
        });
        let publish = sns.publish().topic_arn(&topic).set_subject(subject).message(message);
        let publish = publish.set_message_structure(is_json.then(|| "json".to_owned()));
        let published = publish.set_message_attributes(Some(attributes.collect())).send().await;
        if let Err(error) = published {
            tracing::error!(topic, error = %DisplayErrorContext(error), "publishing failed");
        }
    }

    async fn put(&self, entries: Vec<PutEventsRequestEntry>) {
        let Some(events) = &self.events else { return };
        match events.put_events().set_entries(Some(entries)).send().await {
            Ok(answer) if answer.failed_entry_count() > 0 => {
                tracing::error!(failed = answer.failed_entry_count(), "putting events failed");
            }
            Ok(_) => {}
            Err(error) => tracing::error!(error = %DisplayErrorContext(error), "putting events failed"),
        }
    }
}

/// The same for who publishes in a role, so that the calls of the other side's record can be held against it.
fn in_role_of(service: &'static str, config: &SdkConfig) -> SdkConfig {
    let mut config = config.to_builder();
    config.set_app_name(AppName::new(service).ok());
    config.build()
}

fn config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "aws-fake");
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(10)).build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(endpoint)
        .region(Region::from_static(names::REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .time_source(SystemTimeSource::new())
        .sleep_impl(TokioSleep::new())
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .timeout_config(timeouts)
        .build()
}

/// An envelope as `PutEvents` takes it; the bus makes its own id, account and region.
fn entry(event: &Value) -> Option<PutEventsRequestEntry> {
    let text = |name: &str| event.get(name)?.as_str();
    let time = text("time")?.parse::<jiff::Timestamp>().ok()?;
    let resources =
        event.get("resources")?.as_array()?.iter().filter_map(|arn| Some(arn.as_str()?.to_owned()));
    let entry = PutEventsRequestEntry::builder()
        .time(DateTime::from_millis(time.as_millisecond()))
        .source(text("source")?)
        .detail_type(text("detail-type")?)
        .detail(event.get("detail")?.to_string())
        .set_resources(Some(resources.collect()));
    Some(entry.build())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn envelopes_become_entries() {
        let event = json!({
            "time": "2026-01-01T00:00:01.500Z", "source": "aws.ecs", "detail-type": "ECS Task State Change",
            "resources": ["arn"], "detail": {"lastStatus": "STOPPED"},
        });
        let entry = entry(&event).expect("an entry");
        assert_eq!((entry.source(), entry.resources()), (Some("aws.ecs"), &["arn".to_owned()][..]));
        assert_eq!(entry.detail(), Some("{\"lastStatus\":\"STOPPED\"}"));
        assert_eq!(entry.time().map(|time| time.to_millis().ok()), Some(Some(1_767_225_601_500)));
        assert!(super::entry(&json!({})).is_none(), "no envelope");
    }
}
