//! What the function can fail with.

use aws_helpers::envelope::Malformed;
use lambda_runtime::Diagnostic;

/// An error that Lambda gets to see, and the runtime logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What came is no event.
    #[error(transparent)]
    Event(#[from] Malformed),
    /// An event is broken, or something for it is still to be done; Lambda delivers it again.
    #[error("{0}")]
    Record(String),
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        let error_type = match error {
            Error::Event(_) => "SpotInterruption.Event",
            Error::Record(_) => "SpotInterruption.Record",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}
