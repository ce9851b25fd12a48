//! What can go wrong with the command itself.

use std::io;
use std::path::PathBuf;

/// Why a sweep could not be run or written down.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of another sweep, or of something else.
    #[error("{path}: {reason}; remove it, or name another with --resume")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A report without the marks.
    #[error("{path} has no lines {begin:?} and {end:?}, between which the result goes")]
    Marks {
        /// The file.
        path: PathBuf,
        /// The first mark.
        begin: &'static str,
        /// The last.
        end: &'static str,
    },
}

impl Error {
    /// A file that could not be read or written.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
