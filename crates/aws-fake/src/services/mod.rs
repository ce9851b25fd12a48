//! One call: faults, throttling, the operation itself, and the record of it.
//!
//! An operation is thin: a typed input that refuses unknown parameters, then the World.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    buckets::Bucket,
    error::ApiError,
    faults::FaultKind,
    json::given,
    wire::{Parameters, Request, Service, unknown_operation},
    world::World,
};

mod autoscaling;
mod cloudtrail;
mod cloudwatch;
mod dynamodb;
mod ec2;
mod ecs;
mod group_tags;
mod hooks;
mod load_balancing;
mod sns;
pub(crate) mod subject;

/// What becomes of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is answered after this long.
    Answered(Duration),
    /// It is never answered.
    Ignored,
    /// It dies.
    Killed,
}

type Answer = Result<Value, ApiError>;
type Operation = fn(&mut World, Value) -> Answer;
/// An operation with its parameters.
type Call<'r> = Box<dyn FnOnce(&mut World) -> Answer + 'r>;

/// Does one call.
pub(crate) fn call(world: &mut World, request: &Request) -> (Answer, Fate) {
    let fault = world.faults.strike(&request.operation, &mut world.rng);
    let answer = answer(world, request, fault);
    let error = answer.as_ref().err().map(|error| &error.code);
    world.record("call", given(json!({"operation": request.operation, "error": error})));
    let latency = world.settings.latency;
    let fate = match fault {
        Some(FaultKind::TimeoutBefore | FaultKind::TimeoutAfter) => Fate::Ignored,
        Some(FaultKind::KillBefore | FaultKind::KillAfter) => Fate::Killed,
        Some(FaultKind::Latency(more)) => Fate::Answered(latency + more),
        _ => Fate::Answered(latency),
    };
    (answer, fate)
}

fn answer(world: &mut World, request: &Request, fault: Option<FaultKind>) -> Answer {
    let (bucket, operation) = prepare(request).ok_or_else(|| unknown_operation(request.service))?;
    match fault {
        Some(FaultKind::Throttle) => Err(throttled(request.service)),
        Some(FaultKind::ServerError) => Err(server_error(request.service)),
        Some(FaultKind::AccessDenied) => Err(denied(request)),
        Some(FaultKind::Invalid) => Err(invalid(request)),
        Some(FaultKind::TimeoutBefore | FaultKind::KillBefore) => Ok(Value::Null),
        _ if world.settings.throttling && !world.buckets.take(bucket, world.now) => {
            Err(throttled(request.service))
        }
        _ => operation(world),
    }
}

fn prepare(request: &Request) -> Option<(Bucket, Call<'_>)> {
    let operation = request.operation.as_str();
    match &request.parameters {
        Parameters::Json(parameters) => {
            let (bucket, found) = find(request.service, operation, parameters)?;
            Some((bucket, Box::new(move |world| found(world, parameters.clone()))))
        }
        Parameters::Raw(parameters) => {
            let (bucket, found) = cloudwatch::find(operation)?;
            Some((bucket, Box::new(move |world| found(world, parameters))))
        }
    }
}

fn find(service: Service, operation: &str, parameters: &Value) -> Option<(Bucket, Operation)> {
    match service {
        Service::Ecs => ecs::find(operation),
        Service::AutoScaling => autoscaling::find(operation).map(|found| (Bucket::AutoScaling, found)),
        Service::Sns => sns::find(operation).map(|found| (Bucket::Sns, found)),
        Service::Ec2 => ec2::find(operation, parameters),
        Service::CloudTrail => cloudtrail::find(operation).map(|found| (Bucket::Trail, found)),
        Service::DynamoDb => dynamodb::find(operation),
        Service::LoadBalancing => load_balancing::find(operation),
        Service::CloudWatch => None,
    }
}

impl World {
    /// How many tokens the bucket of an operation had left at its worst moment, and how many it has when it is
    /// full. None when there is no such operation. Nothing is taken while `throttling` is off.
    pub fn lowest_level(&self, operation: &str) -> Option<(f64, f64)> {
        let services = [
            Service::Ecs,
            Service::AutoScaling,
            Service::Sns,
            Service::Ec2,
            Service::CloudTrail,
            Service::DynamoDb,
            Service::LoadBalancing,
        ];
        let found = services.into_iter().find_map(|service| find(service, operation, &Value::Null));
        let bucket = found.map(|(bucket, _)| bucket);
        let bucket = bucket.or_else(|| cloudwatch::find(operation).map(|(bucket, _)| bucket))?;
        Some(self.buckets.lowest(bucket))
    }
}

fn throttled(service: Service) -> ApiError {
    let code = match service {
        Service::Ecs | Service::CloudTrail | Service::DynamoDb => "ThrottlingException",
        // The documentation of load balancing says ThrottlingException; what callers report is this.
        Service::AutoScaling | Service::Sns | Service::CloudWatch | Service::LoadBalancing => "Throttling",
        Service::Ec2 => {
            return ApiError {
                status: 503,
                code: "RequestLimitExceeded".to_owned(),
                message: "Request limit exceeded.".to_owned(),
            };
        }
    };
    ApiError::refused(code, "Rate exceeded")
}

fn server_error(service: Service) -> ApiError {
    let code = match service {
        Service::Ecs => "ServerException",
        Service::AutoScaling | Service::Sns | Service::CloudTrail | Service::LoadBalancing => {
            "InternalFailure"
        }
        Service::Ec2 => "InternalError",
        Service::DynamoDb => "InternalServerError",
        Service::CloudWatch => "InternalServiceError",
    };
    ApiError {
        status: 500,
        code: code.to_owned(),
        message: "Service Unavailable. Please try again later.".to_owned(),
    }
}

fn denied(request: &Request) -> ApiError {
    let (code, prefix) = match request.service {
        Service::Ecs => ("AccessDeniedException", "ecs"),
        Service::AutoScaling => ("AccessDenied", "autoscaling"),
        Service::Sns => ("AuthorizationError", "SNS"),
        Service::Ec2 => ("UnauthorizedOperation", "ec2"),
        Service::CloudTrail => ("AccessDeniedException", "cloudtrail"),
        Service::DynamoDb => ("AccessDeniedException", "dynamodb"),
        Service::CloudWatch => ("AccessDenied", "cloudwatch"),
        Service::LoadBalancing => ("AccessDenied", "elasticloadbalancing"),
    };
    let message = format!("User is not authorized to perform: {prefix}:{}", request.operation);
    ApiError { status: 403, code: code.to_owned(), message }
}

/// What validation says, at its most talkative: the value that it refuses, which is all that was sent.
fn invalid(request: &Request) -> ApiError {
    let code = match request.service {
        Service::Ecs => "InvalidParameterException",
        Service::AutoScaling | Service::LoadBalancing => "ValidationError",
        Service::Sns => "InvalidParameter",
        Service::Ec2 => "InvalidParameterValue",
        Service::CloudTrail | Service::DynamoDb => "ValidationException",
        Service::CloudWatch => "InvalidParameterValueException",
    };
    let sent = match &request.parameters {
        Parameters::Json(parameters) => parameters.to_string(),
        Parameters::Raw(raw) => raw.read::<Value>().unwrap_or_default().to_string(),
    };
    let said =
        format!("1 validation error detected: Value '{sent}' at 'request' failed to satisfy constraint");
    ApiError::refused(code, said)
}

/// An operation's input. AWS's services are made from models, and so refuse what is not in them: unknown
/// parameters, wrong types, missing ones. `code` is the service's name for that.
fn input<T: DeserializeOwned>(parameters: Value, code: &str) -> Result<T, ApiError> {
    serde_json::from_value(parameters).map_err(|error| ApiError::refused(code, error.to_string()))
}

/// One page of a list: items after the token's, at most `limit`, and the next token.
///
/// The token names the last item of its page, so that a list that changes between pages loses nothing.
fn page(
    mut items: Vec<String>,
    token: Option<&str>,
    limit: usize,
) -> Result<(Vec<String>, Option<String>), ApiError> {
    items.sort();
    if let Some(token) = token {
        let last =
            token.strip_prefix("after:").ok_or_else(|| ApiError::invalid_parameter("Invalid token"))?;
        items.retain(|item| item.as_str() > last);
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| format!("after:{last}"));
    Ok((items, next))
}

/// A number or a boolean of a query's form, where everything is text.
fn from_text<'de, T: std::str::FromStr, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(from)?;
    let parsed = text.parse().map_err(|_| serde::de::Error::custom(format!("{text:?} is not valid here")));
    parsed.map(Some)
}

/// A list of a query's form. An empty one may be sent as an empty text.
fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form<T> {
        Many(Vec<T>),
        Text(String),
    }
    match Form::deserialize(from)? {
        Form::Many(items) => Ok(items),
        Form::Text(text) if text.is_empty() => Ok(Vec::new()),
        Form::Text(text) => Err(serde::de::Error::custom(format!("{text:?} is no list"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other() {
        let items = || ["c", "a", "d", "b", "e"].map(str::to_owned).to_vec();
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let (got, next) = page(items(), token.as_deref(), 2).expect("a page");
            seen.push(got.concat());
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["ab", "cd", "e"]);
        assert!(page(items(), Some("nonsense"), 2).is_err(), "a token that was never given out");
    }
}
