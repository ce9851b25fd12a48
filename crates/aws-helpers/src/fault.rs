//! An SDK error → the operation, the service's own code and message, and a kind to act on.
//!
//! An `SdkError` displays only "service error"; here nothing of it is lost.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What can be done about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Too many calls: the SDK's retries are used up, try later.
    Throttled,
    /// What was named is not there (any more).
    Gone,
    /// The function may not: only a change of permissions helps.
    Denied,
    /// The request is wrong: the same one will fail again.
    Invalid,
    /// The service did not answer, or failed: try later. The effect may have taken place.
    Unavailable,
}

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} failed: {code}: {message}")]
pub struct Fault {
    /// `service:Operation`, as a policy would name it.
    pub operation: &'static str,
    /// The service's code, or what kept the service from answering.
    pub code: String,
    /// The service's message.
    pub message: String,
    /// What can be done about it.
    pub kind: Kind,
}

impl Fault {
    /// Reads what went wrong out of an SDK error.
    #[allow(clippy::needless_pass_by_value, reason = "for map_err: the error ends here")]
    pub fn of<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        if let (Some(code), Some(status)) = (error.code(), status) {
            let message = error.message().unwrap_or("no message").to_owned();
            return Self { operation, code: code.to_owned(), message, kind: kind(code, status) };
        }
        let code = match &error {
            SdkError::TimeoutError(_) => "Timeout",
            SdkError::DispatchFailure(_) => "NotConnected",
            SdkError::ConstructionFailure(_) => "NotSent",
            _ => "NotUnderstood",
        };
        let kind = match (&error, status) {
            (SdkError::ConstructionFailure(_), _) => Kind::Invalid,
            (_, Some(429)) => Kind::Throttled,
            (_, Some(400..=499)) => Kind::Invalid,
            _ => Kind::Unavailable,
        };
        Self { operation, code: code.to_owned(), message: causes(&error), kind }
    }

    /// Whether the service said just this: for the errors that its model does not know and that only
    /// their text tells apart.
    #[must_use]
    pub fn says(&self, code: &str, message_begins: &str) -> bool {
        self.code == code && self.message.starts_with(message_begins)
    }
}

/// The error and its causes, in their own words; not their debug text, which holds headers and bodies.
fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Whether a service's code says that there were too many calls.
#[must_use]
pub fn is_throttle(code: &str) -> bool {
    matches!(
        code,
        "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "Throttled"
            | "SlowDown"
            | "LimitExceededException"
    )
}

/// By code, since services answer 400 to nearly everything.
fn kind(code: &str, status: u16) -> Kind {
    match code {
        code if is_throttle(code) => Kind::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "AuthorizationError"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken"
        | "OptInRequired" => Kind::Denied,
        code if code.contains("NotFound") => Kind::Gone,
        _ if status == 429 => Kind::Throttled,
        _ if status >= 500 => Kind::Unavailable,
        _ => Kind::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    #[derive(Debug, thiserror::Error)]
    #[error("modelled")]
    struct Modelled(ErrorMetadata);

    impl ProvideErrorMetadata for Modelled {
        fn meta(&self) -> &ErrorMetadata {
            &self.0
        }
    }

    fn answered(status: u16, code: &str) -> SdkError<Modelled, HttpResponse> {
        let meta = ErrorMetadata::builder().code(code).message("nope").build();
        let response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        SdkError::service_error(Modelled(meta), response)
    }

    #[test]
    fn a_code_decides_the_kind() {
        for (status, code, expected) in [
            (400, "ThrottlingException", Kind::Throttled),
            (400, "Throttling", Kind::Throttled),
            (429, "Whatever", Kind::Throttled),
            (400, "ClusterNotFoundException", Kind::Gone),
            (400, "TargetNotFoundException", Kind::Gone),
            (404, "NotFound", Kind::Gone),
            (400, "AccessDeniedException", Kind::Denied),
            (403, "AuthorizationError", Kind::Denied),
            (403, "ExpiredToken", Kind::Denied),
            (400, "InvalidParameterException", Kind::Invalid),
            (400, "ValidationError", Kind::Invalid),
            (500, "ServerException", Kind::Unavailable),
            (503, "ServiceUnavailable", Kind::Unavailable),
        ] {
            let fault = Fault::of("ecs:X", answered(status, code));
            assert_eq!(fault.kind, expected, "{status} {code}");
            assert_eq!(fault.to_string(), format!("ecs:X failed: {code}: nope"));
        }
    }

    #[test]
    fn what_never_reached_the_service_is_unavailable_and_says_why() {
        let timeout = SdkError::<Modelled, HttpResponse>::timeout_error("no answer in 5 s");
        let refused = SdkError::dispatch_failure(ConnectorError::io("connection refused".into()));
        let broken = SdkError::construction_failure("no region");
        for (error, code, kind, says) in [
            (timeout, "Timeout", Kind::Unavailable, "no answer in 5 s"),
            (refused, "NotConnected", Kind::Unavailable, "connection refused"),
            (broken, "NotSent", Kind::Invalid, "no region"),
        ] {
            let fault = Fault::of("ecs:X", error);
            assert_eq!((fault.code.as_str(), fault.kind), (code, kind));
            assert!(fault.message.contains(says), "{}", fault.message);
        }
    }

    #[test]
    fn a_fault_is_told_by_its_words() {
        let fault = Fault::of("ecs:X", answered(400, "ValidationError"));
        for (code, begins, expected) in
            [("ValidationError", "no", true), ("ValidationError", "yes", false), ("Other", "no", false)]
        {
            assert_eq!(fault.says(code, begins), expected, "{code} {begins}");
        }
    }
}
