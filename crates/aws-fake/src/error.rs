//! A refusal, as the services word it.

use thiserror::Error;

/// An error answer: HTTP status, the code that clients match on, and the message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// HTTP status: 4xx blames the caller, 5xx the service.
    pub status: u16,
    /// The service's name for the error, for instance `ClusterNotFoundException`.
    pub code: String,
    /// The text that goes with it.
    pub message: String,
}

impl ApiError {
    /// An error that blames the caller.
    pub fn refused(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.into(), message: message.into() }
    }

    /// ECS: a parameter is out of its limits.
    pub fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::refused("InvalidParameterException", message)
    }

    /// ECS: no such cluster, or no longer.
    pub fn cluster_not_found() -> Self {
        Self::refused("ClusterNotFoundException", "Cluster not found.")
    }

    /// Auto Scaling: everything that it refuses has this one code.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::refused("ValidationError", message)
    }
}
