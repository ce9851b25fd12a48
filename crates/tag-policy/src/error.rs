//! What the function can fail with.

use aws_helpers::envelope::{BadMessage, Malformed};
use aws_helpers::fault::Fault;
use jiff::Timestamp;
use lambda_runtime::Diagnostic;

/// An error that Lambda gets to see. The runtime logs it; Lambda tries again twice, and then keeps the event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What came is no event.
    #[error(transparent)]
    Event(#[from] Malformed),
    /// A message that says what it is, and is wrong.
    #[error(transparent)]
    Message(#[from] BadMessage),
    /// A call failed without which a run cannot be begun or ended.
    #[error(transparent)]
    Call(#[from] Fault),
    /// Another attempt of this invocation may still be at work: Lambda tries again later.
    #[error("another attempt of this run may still be at work, until {0}")]
    Busy(Timestamp),
    /// A record that is delivered with others failed.
    #[error("{0}")]
    Record(String),
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        let error_type = match error {
            Error::Event(_) => "TagPolicy.Event",
            Error::Message(_) => "TagPolicy.Message",
            Error::Call(_) => "TagPolicy.Call",
            Error::Busy(_) => "TagPolicy.Busy",
            Error::Record(_) => "TagPolicy.Record",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}
