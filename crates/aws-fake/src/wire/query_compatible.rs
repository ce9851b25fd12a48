//! Errors of a service that spoke awsQuery once: its old codes are in a header, and the model's names in the body.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait>

use bytes::Bytes;
use http::{HeaderValue, Response};

use crate::error::ApiError;

/// The members of an error's body.
pub(super) fn body(error: &ApiError) -> [(&'static str, String); 2] {
    let kind = format!("com.amazonaws.cloudwatch.v2010_08_01#{}", shape(&error.code));
    [("__type", kind), ("message", error.message.clone())]
}

/// Names an error, and who is to blame for it.
pub(super) fn name(response: &mut Response<Bytes>, error: &ApiError) {
    let to_blame = if error.status < 500 { "Sender" } else { "Receiver" };
    if let Ok(value) = HeaderValue::try_from(format!("{};{to_blame}", error.code)) {
        response.headers_mut().insert("x-amzn-query-error", value);
    }
}

/// The model's name of an error, where it differs from its code.
fn shape(code: &str) -> &str {
    match code {
        "InvalidParameterValue" => "InvalidParameterValueException",
        "InvalidParameterCombination" => "InvalidParameterCombinationException",
        "MissingParameter" => "MissingRequiredParameterException",
        "InternalServiceError" => "InternalServiceFault",
        "Throttling" => "ThrottlingException",
        code => code,
    }
}
