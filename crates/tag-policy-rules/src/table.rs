//! The calls.

use std::iter;
use std::time::Duration;

use aws_helpers::fault::{Fault, Kind};
use aws_helpers::sdk;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::ProvideCredentials;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};
use serde_json::Value;

use crate::decide::{self, Fate, Plan};
use crate::error::Error;
use crate::items;

/// Writes a call: `BatchWriteItem`.
const WRITES: usize = 25;
/// Calls for a batch, the first included: what `DynamoDB` leaves unprocessed is sent again.
const TRIES: u32 = 6;
/// Before the second try; doubled before each further one, so that all wait 6 s.
const PAUSE: Duration = Duration::from_millis(200);

const SCAN: &str = "dynamodb:Scan";
const WRITE: &str = "dynamodb:BatchWriteItem";

/// The table of rules.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
    region: String,
}

impl Table {
    /// Reads region and credentials as every AWS client does, and says what is missing: the SDK would, at the
    /// first call, say only that it cannot be sent.
    pub async fn connect(name: &str) -> Result<Self, Error> {
        let config = sdk::load("tag-policy-rules").await;
        if config.region().is_none() {
            return Err(Error::NoRegion);
        }
        let none = || Error::NoCredentials("no provider".to_owned());
        let credentials = config.credentials_provider().ok_or_else(none)?;
        let credentials = credentials.provide_credentials().await;
        credentials.map_err(|error| Error::NoCredentials(causes(&error)))?;
        Ok(Self::new(Client::new(&config), name))
    }

    /// The table of this name, behind a client.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        let region = client.config().region().map(ToString::to_string).unwrap_or_default();
        Self { client, name: name.to_owned(), region }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name and region, for people.
    #[must_use]
    pub fn place(&self) -> String {
        format!("table {} in {}", self.name, self.region)
    }

    /// All rules, in the order of their ids; those without one last.
    pub async fn rules(&self) -> Result<Vec<Value>, Error> {
        // Consistent: what was loaded a moment ago is shown.
        let scan = self.client.scan().table_name(&self.name).consistent_read(true);
        let mut items = scan.into_paginator().items().send();
        let mut rules = Vec::new();
        while let Some(item) = items.next().await {
            rules.push(items::rule(item.map_err(|error| self.failed(Fault::of(SCAN, error)))?));
        }
        rules.sort_by_key(|rule| decide::id(rule).map_or((true, 0), |id| (false, id)));
        Ok(rules)
    }

    /// Writes what a plan changes. First what is put: a function that reads in between finds too many rules,
    /// which at worst contradict each other, so that it only reports; never too few.
    pub async fn write(&self, plan: &Plan) -> Result<(), Error> {
        let put = [Fate::Added, Fate::Changed].into_iter().flat_map(|fate| plan.of(fate)).map(|change| {
            let put = PutRequest::builder().set_item(Some(items::item(&change.rule))).build()?;
            Ok(WriteRequest::builder().put_request(put).build())
        });
        let removed = plan.of(Fate::Removed).map(|change| {
            let removed = DeleteRequest::builder().set_key(Some(items::key(change.id))).build()?;
            Ok(WriteRequest::builder().delete_request(removed).build())
        });
        let writes: Vec<WriteRequest> =
            put.chain(removed).collect::<Result<_, _>>().map_err(|error| unsent(&error))?;
        let mut done = 0;
        for batch in writes.chunks(WRITES) {
            let (left, error) = self.send(batch.to_vec()).await;
            done += batch.len() - left;
            match error {
                None if left == 0 => (),
                // A call that was not answered may have been done.
                Some(fault) if done == 0 && fault.kind != Kind::Unavailable => return Err(self.failed(fault)),
                error => {
                    let slow = || format!("DynamoDB left {left} unprocessed {TRIES} times; try again later");
                    let reason = error.map_or_else(slow, |fault| fault.to_string());
                    let table = self.name.clone();
                    return Err(Error::Unfinished { table, done, all: writes.len(), reason });
                }
            }
        }
        Ok(())
    }

    /// Sends one batch until nothing is left. Answers how many writes are left, and the fault that left them.
    async fn send(&self, mut batch: Vec<WriteRequest>) -> (usize, Option<Fault>) {
        for wait in iter::once(None).chain((0..TRIES - 1).map(|n| Some(PAUSE * 2_u32.pow(n)))) {
            if let Some(wait) = wait {
                tokio::time::sleep(wait).await;
            }
            let request = self.client.batch_write_item().request_items(&self.name, batch.clone());
            match request.send().await {
                Ok(answer) => {
                    batch = answer.unprocessed_items.unwrap_or_default().into_values().flatten().collect();
                }
                Err(error) => return (batch.len(), Some(Fault::of(WRITE, error))),
            }
            if batch.is_empty() {
                break;
            }
        }
        (batch.len(), None)
    }

    fn failed(&self, fault: Fault) -> Error {
        Error::of(fault, &self.name, &self.region)
    }
}

/// Every request has its parts; the SDK's builders cannot know that.
fn unsent(error: &BuildError) -> Error {
    let code = "NotSent".to_owned();
    Error::Call(Fault { operation: WRITE, code, message: error.to_string(), kind: Kind::Invalid })
}

/// An error and its causes, in their own words.
fn causes(error: &dyn std::error::Error) -> String {
    let chain = iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
