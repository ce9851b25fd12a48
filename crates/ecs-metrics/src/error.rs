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
    /// A call failed, so that nothing at all was written.
    #[error(transparent)]
    Call(#[from] Fault),
    /// A tick that was not written for lack of time.
    #[error("the tick's time was over before it was written")]
    Late,
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        let error_type = match error {
            Error::Event(_) => "EcsMetrics.Event",
            Error::Call(_) => "EcsMetrics.Call",
            Error::Late => "EcsMetrics.Late",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}
