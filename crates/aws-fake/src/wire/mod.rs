//! Wire formats: requests into an operation with parameters, answers into responses.
//!
//! ECS and CloudTrail speak awsJson1.1, DynamoDB awsJson1.0. Auto Scaling and SNS speak awsQuery: a form in,
//! XML out; EC2 a dialect of it. In between all are JSON values; in a query's all leaves are text, as the
//! form has them.

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
    /// Amazon EC2.
    Ec2,
    /// AWS CloudTrail.
    CloudTrail,
    /// Amazon DynamoDB.
    DynamoDb,
}

/// What the JSON services' targets begin with. CloudTrail has two names for itself.
const TARGETS: [(&str, Service); 4] = [
    ("AmazonEC2ContainerServiceV20141113.", Service::Ecs),
    ("CloudTrail_20131101.", Service::CloudTrail),
    ("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.", Service::CloudTrail),
    ("DynamoDB_20120810.", Service::DynamoDb),
];

impl Service {
    /// The service and the operation of a JSON request.
    fn of_target(target: &str) -> Option<(Self, &str)> {
        TARGETS.iter().find_map(|(prefix, service)| Some((*service, target.strip_prefix(prefix)?)))
    }

    /// The content type of its answers, if it speaks JSON.
    fn json(self) -> Option<&'static str> {
        match self {
            Self::Ecs | Self::CloudTrail => Some("application/x-amz-json-1.1"),
            Self::DynamoDb => Some("application/x-amz-json-1.0"),
            Self::AutoScaling | Self::Sns | Self::Ec2 => None,
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) service: Service,
    pub(crate) operation: String,
    pub(crate) parameters: Value,
}

/// Reads a request: the JSON services name their operation in a header, the query services in the form.
pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Request, ApiError> {
    let Some(target) = headers.get("x-amz-target") else { return query::read(body) };
    let target = target.to_str().unwrap_or_default();
    let (service, operation) = Service::of_target(target).ok_or_else(|| unknown_operation(Service::Ecs))?;
    let parameters = serde_json::from_slice(body)
        .map_err(|error| ApiError::refused("SerializationException", error.to_string()))?;
    Ok(Request { service, operation: operation.to_owned(), parameters })
}

/// Writes the answer of an operation.
pub(crate) fn write(
    request: &Request,
    answer: &Result<Value, ApiError>,
    request_id: &str,
) -> Response<Bytes> {
    let status = answer.as_ref().map_or_else(|error| error.status, |_| 200);
    let body = match (request.service.json(), answer) {
        (Some(_), Ok(answer)) => given(answer.clone()).to_string(),
        (Some(_), Err(error)) => json!({"__type": error.code, "message": error.message}).to_string(),
        (None, Ok(answer)) => xml::answer(request.service, &request.operation, answer, request_id),
        (None, Err(error)) => xml::error(request.service, error, request_id),
    };
    respond(status, request.service.json().unwrap_or("text/xml"), request_id, body)
}

/// Writes the refusal of a request that could not be read.
pub(crate) fn refuse(headers: &HeaderMap, error: ApiError, request_id: &str) -> Response<Bytes> {
    let target = headers.get("x-amz-target").map(|target| target.to_str().unwrap_or_default());
    let service = target.map_or(Service::AutoScaling, |target| {
        Service::of_target(target).map_or(Service::Ecs, |(service, _)| service)
    });
    let request = Request { service, operation: String::new(), parameters: Value::Null };
    write(&request, &Err(error), request_id)
}

/// The refusal of an operation that is not there: each protocol has its own word for it.
pub(crate) fn unknown_operation(service: Service) -> ApiError {
    let code = if service.json().is_some() { "UnknownOperationException" } else { "InvalidAction" };
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
