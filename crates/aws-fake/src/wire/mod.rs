//! Wire formats: requests into an operation with parameters, answers into responses.
//!
//! ECS speaks awsJson1.1, Auto Scaling and SNS speak awsQuery: a form in, XML out. In between both are
//! JSON values; in a query's all leaves are text, as the form has them.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::{error::ApiError, json::given};

mod query;
mod xml;

/// The services of the World.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// Amazon ECS.
    Ecs,
    /// Amazon EC2 Auto Scaling.
    AutoScaling,
    /// Amazon SNS.
    Sns,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) service: Service,
    pub(crate) operation: String,
    pub(crate) parameters: Value,
}

const JSON: &str = "application/x-amz-json-1.1";

/// Reads a request: ECS names its operation in a header, the query services in the form.
pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Request, ApiError> {
    let Some(target) = headers.get("x-amz-target") else { return query::read(body) };
    let target = target.to_str().unwrap_or_default();
    let operation = target
        .strip_prefix("AmazonEC2ContainerServiceV20141113.")
        .ok_or_else(|| unknown_operation(Service::Ecs))?;
    let parameters = serde_json::from_slice(body)
        .map_err(|error| ApiError::refused("SerializationException", error.to_string()))?;
    Ok(Request { service: Service::Ecs, operation: operation.to_owned(), parameters })
}

/// Writes the answer of an operation.
pub(crate) fn write(
    request: &Request,
    answer: &Result<Value, ApiError>,
    request_id: &str,
) -> Response<Bytes> {
    let status = answer.as_ref().map_or_else(|error| error.status, |_| 200);
    let (content_type, body) = match (xml::namespace(request.service), answer) {
        (None, Ok(answer)) => (JSON, given(answer.clone()).to_string()),
        (None, Err(error)) => (JSON, json!({"__type": error.code, "message": error.message}).to_string()),
        (Some(namespace), Ok(answer)) => {
            ("text/xml", xml::answer(namespace, &request.operation, answer, request_id))
        }
        (Some(namespace), Err(error)) => ("text/xml", xml::error(namespace, error, request_id)),
    };
    respond(status, content_type, request_id, body)
}

/// Writes the refusal of a request that could not be read.
pub(crate) fn refuse(headers: &HeaderMap, error: ApiError, request_id: &str) -> Response<Bytes> {
    let service = if headers.contains_key("x-amz-target") { Service::Ecs } else { Service::AutoScaling };
    let request = Request { service, operation: String::new(), parameters: Value::Null };
    write(&request, &Err(error), request_id)
}

/// The refusal of an operation that is not there: each protocol has its own word for it.
pub(crate) fn unknown_operation(service: Service) -> ApiError {
    let code = if service == Service::Ecs { "UnknownOperationException" } else { "InvalidAction" };
    ApiError::refused(code, "The operation is not one of those that this World has.")
}

fn respond(status: u16, content_type: &str, request_id: &str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in [(CONTENT_TYPE.as_str(), content_type), ("x-amzn-requestid", request_id)] {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(name), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
