//! What CloudTrail has written down: calls, by whom, about what.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use super::{
    World, clock,
    identity::Identity,
    names::{self, ACCOUNT, REGION},
};
use crate::json::{given, put};

/// `LookupEvents` reaches back so far
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>).
const REMEMBERED: Duration = Duration::from_hours(90 * 24);

/// A call that CloudTrail has written down.
#[derive(Clone, Debug)]
pub struct TrailEvent {
    /// A UUID.
    pub id: String,
    /// When, in whole seconds.
    pub at: SystemTime,
    /// The service's address, for instance `ec2.amazonaws.com`.
    pub source: String,
    /// The operation.
    pub name: String,
    /// Who called.
    pub identity: Identity,
    /// What it was about: types (`AWS::EC2::Instance`) and names.
    pub resources: Vec<(String, String)>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// `requestParameters`.
    pub request: Value,
    /// `responseElements`; null when it failed.
    pub response: Value,
}

impl TrailEvent {
    /// The record as CloudTrail delivers it, and `LookupEvents` quotes it.
    pub fn to_json(&self) -> Value {
        let mut record = given(json!({
            "eventVersion": "1.10",
            "userIdentity": self.identity.to_json(),
            "eventTime": clock::seconds(self.at),
            "eventSource": self.source,
            "eventName": self.name,
            "awsRegion": REGION,
            "sourceIPAddress": "192.0.2.1",
            "userAgent": "aws-cli/2.31.0",
            "errorCode": self.error,
            "errorMessage": self.error.as_ref().map(|_| "The call failed."),
            "requestID": self.id,
            "eventID": self.id,
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Management",
        }));
        // These two are null, not left out, where there is nothing to say.
        put(&mut record, "requestParameters", self.request.clone());
        put(&mut record, "responseElements", self.response.clone());
        record
    }
}

/// Orders events by date, then as they were written.
pub(crate) type TrailKey = (SystemTime, u64);

/// All events, by date and by resource.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    events: BTreeMap<TrailKey, TrailEvent>,
    by_resource: BTreeMap<String, BTreeSet<TrailKey>>,
    written: u64,
}

impl Trail {
    pub(crate) fn add(&mut self, event: TrailEvent) {
        self.written += 1;
        let key = (event.at, self.written);
        for (_, name) in &event.resources {
            self.by_resource.entry(name.clone()).or_default().insert(key);
        }
        self.events.insert(key, event);
    }

    /// Events between two keys, both included, newest first; with a resource's name only those about it.
    pub(crate) fn between(
        &self,
        (from, to): (TrailKey, TrailKey),
        resource: Option<&str>,
    ) -> Box<dyn Iterator<Item = (TrailKey, &TrailEvent)> + '_> {
        if from > to {
            return Box::new(std::iter::empty());
        }
        let Some(resource) = resource else {
            return Box::new(self.events.range(from..=to).rev().map(|(key, event)| (*key, event)));
        };
        let keys =
            self.by_resource.get(resource).into_iter().flat_map(move |keys| keys.range(from..=to).rev());
        Box::new(keys.filter_map(|key| Some((*key, self.events.get(key)?))))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &TrailEvent> {
        self.events.values()
    }
}

impl World {
    /// The dates between which events can be looked up now.
    pub(crate) fn trail_reach(&self) -> (SystemTime, SystemTime) {
        let now = self.date();
        (now - REMEMBERED, now - self.settings.trail_delay)
    }

    /// The date.
    pub fn date(&self) -> SystemTime {
        self.calendar.date(self.now)
    }

    /// The date that was so long ago.
    pub fn ago(&self, age: Duration) -> SystemTime {
        self.date() - age
    }

    /// Writes a call into the trail: of anybody, about anything, at any date. The date is cut to seconds, and
    /// the event gets an id; the event as it was written is answered.
    pub fn write_trail(&mut self, mut event: TrailEvent) -> TrailEvent {
        let since = event.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        event.at = SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs());
        event.id = names::uuid(&mut self.ids);
        self.trail.add(event.clone());
        event
    }

    /// Leaves out what the calls so far were answered, as CloudTrail does where an answer is very large.
    pub fn forget_responses(&mut self) {
        self.trail.events.values_mut().for_each(|event| event.response = Value::Null);
    }

    /// Everything that is in the trail, oldest first.
    pub fn trail(&self) -> impl Iterator<Item = &TrailEvent> {
        self.trail.iter()
    }
}
