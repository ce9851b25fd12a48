//! Protections switched off, one at a time, to show that the checks see it: the function is as it is, but is told
//! something else, or not listened to, at the seam.

use aws_fake::FakeAws;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use clap::ValueEnum;
use serde_json::{Value, json};

/// A protection that is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Blinder {
    /// Every task's last status reads as the desired one: a drainer that goes by what ECS wants.
    LastStatus,
    /// Completions and heartbeats lose their token.
    Token,
    /// Heartbeats are not recorded, and nobody is told.
    Heartbeat,
    /// What must be read again after a time is read again at once.
    ReRead,
    /// Failed records are not named: the whole batch is acknowledged.
    PartialAnswers,
    /// The note on the container instance is not written, and nobody is told.
    Mark,
    /// Continuations are not published, and nobody is told.
    Continuation,
    /// A message that fails does not come back.
    Redelivery,
}

impl Blinder {
    /// As the command line names it.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether it has to do with this operation.
    pub(crate) fn is_about(self, operation: &str) -> bool {
        let operations: &[&str] = match self {
            Self::LastStatus => &["DescribeTasks"],
            Self::Token => &["CompleteLifecycleAction", "RecordLifecycleActionHeartbeat"],
            Self::Heartbeat => &["RecordLifecycleActionHeartbeat"],
            Self::Mark => &["PutAttributes"],
            Self::Continuation => &["PublishBatch"],
            Self::PartialAnswers | Self::Redelivery | Self::ReRead => &[],
        };
        operations.contains(&operation)
    }

    /// Makes the call, or something that looks like it.
    pub(crate) fn call(self, fake: &FakeAws, request: HttpRequest) -> HttpConnectorFuture {
        match self {
            Self::LastStatus => {
                let answer = HttpConnector::call(fake, request);
                HttpConnectorFuture::new(async move { rewritten(answer.await?, as_desired) })
            }
            Self::Token => HttpConnector::call(fake, without_token(request)),
            Self::Heartbeat => said(HEARTBEAT.to_owned()),
            Self::Mark => said(json!({"attributes": []}).to_string()),
            Self::Continuation => said(published(&text_of(&request))),
            Self::PartialAnswers | Self::Redelivery | Self::ReRead => HttpConnector::call(fake, request),
        }
    }

    /// What Lambda is told for what the function answered.
    pub(crate) fn answer(self, answer: Result<Value, String>) -> Result<Value, String> {
        match answer {
            Ok(Value::Object(mut fields)) if self == Self::PartialAnswers => {
                fields.remove("batchItemFailures");
                Ok(Value::Object(fields))
            }
            answer => answer,
        }
    }
}

const HEARTBEAT: &str = "<RecordLifecycleActionHeartbeatResponse><RecordLifecycleActionHeartbeatResult/>\
    <ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></RecordLifecycleActionHeartbeatResponse>";

fn text_of(request: &HttpRequest) -> String {
    String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned()
}

fn answer_of(text: String) -> Result<HttpResponse, ConnectorError> {
    http_response(text).ok_or_else(|| ConnectorError::user("no answer could be made".into()))
}

fn http_response(text: String) -> Option<HttpResponse> {
    Some(HttpResponse::new(200_u16.try_into().ok()?, SdkBody::from(text)))
}

/// An answer at once, and no call.
fn said(text: String) -> HttpConnectorFuture {
    HttpConnectorFuture::ready(answer_of(text))
}

/// Every message taken.
fn published(body: &str) -> String {
    let ids = body.split('&').filter_map(|pair| pair.split_once(".Id=").map(|(_, id)| id));
    let taken: Vec<_> =
        ids.map(|id| format!("<member><Id>{id}</Id><MessageId>m</MessageId></member>")).collect();
    let taken = taken.concat();
    format!(
        "<PublishBatchResponse><PublishBatchResult><Failed/><Successful>{taken}</Successful></PublishBatchResult>\
         <ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></PublishBatchResponse>"
    )
}

fn without_token(mut request: HttpRequest) -> HttpRequest {
    let body = text_of(&request);
    let kept: Vec<_> = body.split('&').filter(|pair| !pair.starts_with("LifecycleActionToken=")).collect();
    let body = kept.join("&");
    request.headers_mut().insert("content-length", body.len().to_string());
    *request.body_mut() = SdkBody::from(body);
    request
}

/// The answer with its JSON changed.
fn rewritten(answer: HttpResponse, change: fn(&mut Value)) -> Result<HttpResponse, ConnectorError> {
    let read = answer.body().bytes().and_then(|body| serde_json::from_slice::<Value>(body).ok());
    match read.filter(|_| answer.status().is_success()) {
        None => Ok(answer),
        Some(mut body) => {
            change(&mut body);
            answer_of(body.to_string())
        }
    }
}

fn as_desired(described: &mut Value) {
    let tasks = described.get_mut("tasks").and_then(Value::as_array_mut);
    for task in tasks.into_iter().flatten() {
        if let Some(desired) = task.get("desiredStatus").cloned() {
            task.as_object_mut().map(|task| task.insert("lastStatus".to_owned(), desired));
        }
    }
}
