//! What the function can fail with.

use aws_helpers::envelope::BadMessage;
use aws_helpers::fault::Fault;
use lambda_runtime::Diagnostic;

/// An error that Lambda gets to see, and the runtime logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A trigger that is wrong.
    #[error(transparent)]
    Event(#[from] BadMessage),
    /// Who asked could not be told; Lambda delivers the event again.
    #[error(transparent)]
    Call(#[from] Fault),
    /// A function is not sound, and nobody but the caller waits for it.
    #[error("{0}")]
    Failed(String),
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        let error_type = match error {
            Error::Event(_) => "SmokeTest.Event",
            Error::Call(_) => "SmokeTest.Call",
            Error::Failed(_) => "SmokeTest.Failed",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}
