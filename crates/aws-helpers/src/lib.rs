//! What every Fleetkeeper function needs and none of them owns.
//!
//! Nothing here knows of draining, tags or metrics.
//!
//! # Layout
//! - [`sdk`]: the one `SdkConfig` of a function: retries, timeouts, name.
//! - [`settings`]: typed settings from the environment, with errors that name the variable.
//! - [`envelope`]: whatever Lambda delivers → inner messages, one a record, and the answer.
//! - [`batch`]: splitting by count and bytes, and finding the one item that spoils a call.
//! - [`pace`]: calls that keep their distance.
//! - [`telemetry`]: JSON log lines with the request id. [`emf`]: metrics in lines of the log.
//! - [`fault`]: an SDK error → the operation, the service's code and message, and a kind.

pub mod batch;
pub mod emf;
pub mod envelope;
pub mod fault;
pub mod pace;
pub mod sdk;
pub mod settings;
pub mod telemetry;
