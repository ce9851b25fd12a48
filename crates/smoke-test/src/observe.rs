//! The invocations: an event → what a function answered, and the end of its log.

use aws_helpers::fault::Fault;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use serde_json::Value;

use crate::Clients;

/// As a policy names it.
pub(crate) const INVOKE: &str = "lambda:InvokeFunction";

/// What came back from an invocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The version that ran, if Lambda says so.
    pub version: Option<String>,
    /// Whether the function failed; then the payload says why.
    pub failed: bool,
    /// The function's answer; null if it is not JSON.
    pub payload: Value,
    /// The function's log lines, the last 4 KB of them (Lambda API, `LogResult`).
    pub log: Vec<Value>,
}

/// Invokes a function and waits for its answer.
pub async fn invoke(clients: &Clients, arn: &str, qualifier: &str, event: &Value) -> Result<Reply, Fault> {
    let request = clients.lambda.invoke().function_name(arn).qualifier(qualifier);
    let request = request.log_type(LogType::Tail).payload(Blob::new(event.to_string()));
    let output = request.send().await.map_err(|error| Fault::of(INVOKE, error))?;
    let payload = output.payload().map(Blob::as_ref).unwrap_or_default();
    Ok(Reply {
        version: output.executed_version().map(str::to_owned),
        failed: output.function_error().is_some(),
        payload: serde_json::from_slice(payload).unwrap_or_default(),
        log: output.log_result().map(lines).unwrap_or_default(),
    })
}

/// The lines that are JSON objects: the first one may be cut off.
fn lines(encoded: &str) -> Vec<Value> {
    let log = aws_smithy_types::base64::decode(encoded).unwrap_or_default();
    let lines = log.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    lines.filter(Value::is_object).collect()
}
