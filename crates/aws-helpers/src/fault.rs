//! An SDK error → the operation, the service's own code and message, and a kind to act on.
//!
//! An `SdkError` displays only "service error"; here nothing of it is lost. A [`Fault`] displays what may stand in a log:
//! services repeat in their refusals what they were sent, which can be the value of a tag. Their full words are logged at
//! DEBUG.

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
#[error("{operation} failed: {code}: {}", loggable(.message))]
pub struct Fault {
    /// `service:Operation`, as a policy would name it.
    pub operation: &'static str,
    /// The service's code, or what kept the service from answering.
    pub code: String,
    /// The service's message, all of it: for comparing. What is shown is the fault's display.
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
        let fault = Self::read(operation, &error);
        tracing::debug!(operation, code = fault.code, words = fault.message, "a call failed");
        fault
    }

    fn read<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        if let (Some(code), Some(status)) = (error.code(), status) {
            let message = error.message().unwrap_or("no message").to_owned();
            return Self { operation, code: code.to_owned(), message, kind: kind(code, status) };
        }
        let code = match error {
            SdkError::TimeoutError(_) => "Timeout",
            SdkError::DispatchFailure(_) => "NotConnected",
            SdkError::ConstructionFailure(_) => "NotSent",
            _ => "NotUnderstood",
        };
        let kind = match (error, status) {
            (SdkError::ConstructionFailure(_), _) => Kind::Invalid,
            (_, Some(429)) => Kind::Throttled,
            (_, Some(400..=499)) => Kind::Invalid,
            _ => Kind::Unavailable,
        };
        Self { operation, code: code.to_owned(), message: causes(error), kind }
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

/// What a refusal begins to repeat a request with, and ends with: quotes and brackets.
const OPENS: [char; 7] = ['\'', '"', '`', '(', '[', '{', '<'];
const CLOSES: [char; 7] = ['\'', '"', '`', ')', ']', '}', '>'];
/// After this EC2 sends the whole request, encoded (`DecodeAuthorizationMessage`).
const ENCODED: &str = "Encoded authorization failure message";
/// Between a refused value and the name of its field (Smithy, `smithy.framework#ValidationException`).
const AT: &str = "' at '";
/// Most characters of a message that are shown: the longest that has been met is EC2's about a missing permission, with the
/// names of a role, an action and a resource.
const SHOWN: usize = 500;

/// A service's message without what it repeats of the request: of everything from the first quote or bracket to the last
/// one nothing is shown, since what was sent may hold quotes itself. Only the id of a single resource stays.
fn loggable(message: &str) -> String {
    let words = message.split(ENCODED).next().unwrap_or_default().trim_end();
    let shown = match opening(words) {
        None => words.to_owned(),
        Some(begin) => {
            let end = words.rfind(CLOSES).filter(|end| *end > begin).unwrap_or(words.len());
            // Quotes and brackets are one byte each.
            if is_id(words.get(begin + 1..end).unwrap_or_default()) {
                words.to_owned()
            } else {
                let field = words.rfind(AT).filter(|at| *at > begin);
                let before = words.get(..begin).unwrap_or_default();
                let after = words.get(field.unwrap_or(end)..).unwrap_or_default();
                format!("{before}…{}", after.trim_start_matches(CLOSES))
            }
        }
    };
    let plain = shown.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(SHOWN).collect()
}

/// Where the first quote or bracket is; an apostrophe within a word is none.
fn opening(words: &str) -> Option<usize> {
    let mut before = ' ';
    let mut chars = words.char_indices();
    chars.find_map(|(at, c)| {
        let opens = OPENS.contains(&c) && !(c == '\'' && before.is_alphanumeric());
        before = c;
        opens.then_some(at)
    })
}

/// Whether a text is an id as EC2 gives it: `i-0123456789abcdef0`, `vpc-1a2b3c4d`.
fn is_id(text: &str) -> bool {
    let Some((kind, number)) = text.rsplit_once('-') else { return false };
    (1..=8).contains(&kind.len())
        && kind.bytes().all(|byte| byte.is_ascii_lowercase())
        && (8..=17).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_hexdigit())
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
    fn what_a_service_repeats_of_the_request_is_not_shown() {
        for (name, message, expected) in [
            ("plain words", "Rate exceeded", "Rate exceeded"),
            (
                "an action that is over",
                "No active Lifecycle Action found with instance ID i-0123456789abcdef0",
                "No active Lifecycle Action found with instance ID i-0123456789abcdef0",
            ),
            (
                "a missing permission",
                "User: arn:aws:sts::123456789012:assumed-role/r/f is not authorized to perform: ecs:StopTask on \
                 resource: arn:aws:ecs:us-east-1:123456789012:task/prod/1 because no identity-based policy allows it",
                "User: arn:aws:sts::123456789012:assumed-role/r/f is not authorized to perform: ecs:StopTask on \
                 resource: arn:aws:ecs:us-east-1:123456789012:task/prod/1 because no identity-based policy allows it",
            ),
            (
                "EC2's request, encoded",
                "You are not authorized. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm",
                "You are not authorized.",
            ),
            (
                "a value that is refused",
                "1 validation error detected: Value 'Secret' at 'tags.1.value' failed to satisfy constraint",
                "1 validation error detected: Value … at 'tags.1.value' failed to satisfy constraint",
            ),
            (
                "a value that looks like the service's words",
                "1 validation error detected: Value 'Sec' at 'ret' failed' at 'tags' failed to satisfy constraint",
                "1 validation error detected: Value … at 'tags' failed to satisfy constraint",
            ),
            (
                "a list",
                "Value '[Secret, i-0123456789abcdef0]' at 'tasks' failed",
                "Value … at 'tasks' failed",
            ),
            (
                "EC2's brackets",
                "Value ( Secret ) for parameter value is invalid.",
                "Value … for parameter value is invalid.",
            ),
            ("brackets in brackets", "Value (Se(cr)et) is invalid", "Value … is invalid"),
            ("a request", r#"Cannot read {"tags":["Secret"]}"#, "Cannot read …"),
            ("an apostrophe", "The group's limit can't be exceeded", "The group's limit can't be exceeded"),
            ("no end", "Unexpected: 'Secret", "Unexpected: …"),
            ("an end before the beginning", "a) Unexpected: 'Secret", "a) Unexpected: …"),
            (
                "one id",
                "The instance ID 'i-0123456789abcdef0' does not exist",
                "The instance ID 'i-0123456789abcdef0' does not exist",
            ),
            ("ids", "The instance IDs 'i-1, i-2' do not exist", "The instance IDs … do not exist"),
            ("new lines", "one\ntwo\u{9b}", "one two "),
            ("nothing", "", ""),
        ] {
            assert_eq!(loggable(message), expected, "{name}");
        }
        assert_eq!(loggable(&"ö".repeat(100_000)).chars().count(), SHOWN);
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
