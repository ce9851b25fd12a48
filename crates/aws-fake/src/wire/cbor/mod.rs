//! Smithy's rpc-v2-cbor: the operation is in the path, the parameters are CBOR, errors are named in the
//! header that the awsQuery clients of old look at, too.
//!
//! <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>

use bytes::Bytes;
use ciborium::value::Value as Item;
use http::{HeaderMap, HeaderValue, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Parameters, Request, Service, query_compatible,
    raw::{Format, Raw},
    respond, unknown_operation,
};
use crate::error::ApiError;
use reader::{Malformed, Reader};

mod reader;

/// The path of CloudWatch's operations.
const PATH: &str = "/service/GraniteServiceVersion20100801/operation/";
/// The protocol's name, in requests and answers.
const PROTOCOL: (&str, &str) = ("smithy-protocol", "rpc-v2-cbor");
/// The content type of both.
const CBOR: &str = "application/cbor";
/// CBOR's tag of seconds since the Unix epoch.
const EPOCH_SECONDS: u64 = 1;

/// A body as an operation's input.
pub(super) fn read_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, Malformed> {
    let mut reader = Reader::new(body);
    let read = T::deserialize(&mut reader)?;
    reader.end().map(|()| read)
}

/// Whether a path is one of this protocol's.
pub(super) fn is_path(path: &str) -> bool {
    path.starts_with(PATH)
}

/// Reads a request.
pub(super) fn read(path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Request, ApiError> {
    let operation = path.strip_prefix(PATH).ok_or_else(|| unknown_operation(Service::CloudWatch))?;
    let says = |name: &str, value: &str| headers.get(name).is_some_and(|header| header == value);
    if !says(PROTOCOL.0, PROTOCOL.1) || !says("content-type", CBOR) {
        return Err(ApiError::refused("UnknownOperationException", "The request is not rpc-v2-cbor."));
    }
    let parameters = Parameters::Raw(Raw::new(Format::Cbor, headers, body)?);
    Ok(Request { service: Service::CloudWatch, operation: operation.to_owned(), parameters })
}

/// Writes an answer. An operation without one has no body, and so no content type.
pub(super) fn write(answer: Result<Value, ApiError>, request_id: &str) -> Response<Bytes> {
    let mut response = match answer {
        Ok(Value::Null) => respond(200, None, request_id, Bytes::new()),
        Ok(answer) => respond(200, Some(CBOR), request_id, encode(&item(answer))),
        Err(error) => refusal(&error, request_id),
    };
    let (name, value) = PROTOCOL;
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

fn refusal(error: &ApiError, request_id: &str) -> Response<Bytes> {
    let body = query_compatible::body(error);
    let body = body.map(|(name, text)| (Item::Text(name.to_owned()), Item::Text(text)));
    let mut response = respond(error.status, Some(CBOR), request_id, encode(&Item::Map(body.into())));
    query_compatible::name(&mut response, error);
    response
}

fn encode(item: &Item) -> Bytes {
    let mut body = Vec::new();
    // Writing to memory does not fail.
    ciborium::into_writer(item, &mut body).ok();
    body.into()
}

/// An answer in CBOR, without its nulls. Dates are told by their names: CloudWatch has no other ones.
fn item(value: Value) -> Item {
    match value {
        Value::Null => Item::Null,
        Value::Bool(value) => Item::Bool(value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Item::Integer(whole.into()),
            None => Item::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Item::Text(text),
        Value::Array(items) => Item::Array(items.into_iter().map(item).collect()),
        Value::Object(members) => {
            let given = members.into_iter().filter(|(_, member)| !member.is_null());
            Item::Map(given.map(|(name, value)| member(name, value)).collect())
        }
    }
}

fn member(name: String, value: Value) -> (Item, Item) {
    let tagged = |date: Item| Item::Tag(EPOCH_SECONDS, Box::new(date));
    let value = match (name.as_str(), item(value)) {
        ("Timestamp", date) => tagged(date),
        ("Timestamps", Item::Array(dates)) => Item::Array(dates.into_iter().map(tagged).collect()),
        (_, other) => other,
    };
    (Item::Text(name), value)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_name_their_protocol() {
        let (protocol, cbor) = (PROTOCOL, ("content-type", CBOR));
        let rows = [
            ("all", "Op", vec![protocol, cbor], Ok("Op")),
            ("no protocol", "Op", vec![cbor], Err("UnknownOperationException")),
            ("no content type", "Op", vec![protocol], Err("UnknownOperationException")),
        ];
        for (case, operation, headers, expected) in rows {
            let headers = headers.into_iter().map(|(name, value)| (HeaderName::from_static(name), value));
            let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
            let read = read(&format!("{PATH}{operation}"), &headers.collect(), &[0xa0]);
            let told = read.as_ref().map(|request| request.operation.as_str());
            assert_eq!(told.map_err(|error| error.code.as_str()), expected, "{case}");
        }
    }

    #[test]
    fn answers_have_dates_and_no_nulls() {
        let answer = item(json!({"Label": "a", "None": null, "Timestamps": [1, 2.5], "Values": [1.0]}));
        let date = |date: Item| Item::Tag(EPOCH_SECONDS, Box::new(date));
        let expected = [
            ("Label", Item::Text("a".to_owned())),
            ("Timestamps", Item::Array(vec![date(1.into()), date(2.5.into())])),
            ("Values", Item::Array(vec![Item::Float(1.0)])),
        ];
        assert_eq!(
            answer,
            Item::Map(expected.map(|(name, item)| (Item::Text(name.to_owned()), item)).into())
        );
    }

    #[test]
    fn errors_are_named_twice() {
        let response = write(Err(ApiError::refused("MissingParameter", "m")), "r");
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap_or_default());
        assert_eq!((response.status().as_u16(), header("smithy-protocol")), (400, Some("rpc-v2-cbor")));
        assert_eq!(header("x-amzn-query-error"), Some("MissingParameter;Sender"));
        let body = String::from_utf8_lossy(response.body());
        assert!(body.contains("#MissingRequiredParameterException"), "{body}");
    }
}
