//! Wire formats: requests into an operation with parameters, answers into responses.
//!
//! ECS and CloudTrail speak awsJson1.1, DynamoDB awsJson1.0. Auto Scaling, SNS and Elastic Load Balancing speak
//! awsQuery: a form in, XML out; EC2 a dialect of it. In between all are JSON values; in a query's all leaves are text, as the
//! form has them. CloudWatch speaks rpc-v2-cbor to the Rust SDK and awsJson1.0 to boto3; its parameters are left
//! as they are until somebody knows what they should be.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::{error::ApiError, json::text};

mod cbor;
mod query;
mod query_compatible;
mod raw;
mod xml;

use raw::Format;
pub(crate) use raw::Raw;

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
    /// Amazon CloudWatch.
    CloudWatch,
    /// Elastic Load Balancing, version 2.
    LoadBalancing,
}

/// What the JSON services' targets begin with. CloudTrail has two names for itself.
const TARGETS: [(&str, Service); 5] = [
    ("AmazonEC2ContainerServiceV20141113.", Service::Ecs),
    ("CloudTrail_20131101.", Service::CloudTrail),
    ("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.", Service::CloudTrail),
    ("DynamoDB_20120810.", Service::DynamoDb),
    ("GraniteServiceVersion20100801.", Service::CloudWatch),
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
            Self::DynamoDb | Self::CloudWatch => Some("application/x-amz-json-1.0"),
            Self::AutoScaling | Self::Sns | Self::Ec2 | Self::LoadBalancing => None,
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) service: Service,
    pub(crate) operation: String,
    pub(crate) parameters: Parameters,
}

/// What an operation is given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Parameters {
    /// Of most services.
    Json(Value),
    /// Of CloudWatch.
    Raw(Raw),
}

/// Reads a request: the JSON services name their operation in a header, the query services in the form,
/// the CBOR ones in the path.
pub(crate) fn read(path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Request, ApiError> {
    if cbor::is_path(path) {
        return cbor::read(path, headers, body);
    }
    let Some(target) = headers.get("x-amz-target") else { return query::read(body) };
    let target = target.to_str().unwrap_or_default();
    let (service, operation) = Service::of_target(target).ok_or_else(|| unknown_operation(Service::Ecs))?;
    let parameters = if service == Service::CloudWatch {
        Parameters::Raw(Raw::new(Format::Json, headers, body)?)
    } else {
        let parameters = serde_json::from_slice(body);
        let invalid =
            |error: serde_json::Error| ApiError::refused("SerializationException", error.to_string());
        Parameters::Json(parameters.map_err(invalid)?)
    };
    Ok(Request { service, operation: operation.to_owned(), parameters })
}

/// Writes the answer of an operation.
pub(crate) fn write(request: &Request, answer: Result<Value, ApiError>, request_id: &str) -> Response<Bytes> {
    let (service, operation) = (request.service, &request.operation);
    if matches!(&request.parameters, Parameters::Raw(raw) if raw.format == Format::Cbor) {
        return cbor::write(answer, request_id);
    }
    let status = answer.as_ref().map_or_else(|error| error.status, |_| 200);
    let body = match (service.json(), &answer) {
        (Some(_), Ok(Value::Null)) => "{}".to_owned(),
        (Some(_), Ok(answer)) => text(answer),
        (Some(_), Err(error)) if service == Service::CloudWatch => {
            text(&query_compatible::body(error).into_iter().collect())
        }
        (Some(_), Err(error)) => json!({"__type": error.code, "message": error.message}).to_string(),
        (None, Ok(answer)) => xml::answer(service, operation, answer, request_id),
        (None, Err(error)) => xml::error(service, error, request_id),
    };
    let mut response = respond(status, Some(service.json().unwrap_or("text/xml")), request_id, body);
    if let (Service::CloudWatch, Err(error)) = (service, &answer) {
        query_compatible::name(&mut response, error);
    }
    response
}

/// Writes the refusal of a request that could not be read.
pub(crate) fn refuse(path: &str, headers: &HeaderMap, error: ApiError, request_id: &str) -> Response<Bytes> {
    let target = headers.get("x-amz-target").map(|target| target.to_str().unwrap_or_default());
    let nothing = Parameters::Json(Value::Null);
    let (service, parameters) = match target {
        _ if cbor::is_path(path) => (Service::CloudWatch, Parameters::Raw(Raw::none(Format::Cbor))),
        Some(target) => (Service::of_target(target).map_or(Service::Ecs, |(service, _)| service), nothing),
        None => (Service::AutoScaling, nothing),
    };
    write(&Request { service, operation: String::new(), parameters }, Err(error), request_id)
}

/// The refusal of an operation that is not there: each protocol has its own word for it.
pub(crate) fn unknown_operation(service: Service) -> ApiError {
    let queries = [Service::AutoScaling, Service::Sns, Service::Ec2, Service::LoadBalancing];
    let is_query = queries.contains(&service);
    let code = if is_query { "InvalidAction" } else { "UnknownOperationException" };
    ApiError::refused(code, "The operation is not one of those that this World has.")
}

fn respond(
    status: u16,
    content_type: Option<&str>,
    request_id: &str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [(CONTENT_TYPE.as_str(), content_type), ("x-amzn-requestid", Some(request_id))];
    for (name, value) in headers {
        if let (Ok(name), Some(Ok(value))) = (http::HeaderName::try_from(name), value.map(str::parse)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
