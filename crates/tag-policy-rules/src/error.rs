//! What the command can fail with. Faulty rules are no failure: they are its answer.

use aws_helpers::fault::{Fault, Kind};
use thiserror::Error;

/// An error, in words that say what to do.
#[derive(Debug, Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(String, #[source] std::io::Error),
    /// A file is neither JSON nor YAML.
    #[error("{file}, line {line}, column {column}: {reason}")]
    Syntax {
        /// The file's name.
        file: String,
        /// From 1.
        line: u64,
        /// From 1, in characters for YAML and in bytes for JSON.
        column: u64,
        /// What was found, or expected.
        reason: String,
    },
    /// A file is no list of rules.
    #[error("{0}: {1}")]
    NoRules(String, String),
    /// No region is configured.
    #[error("no AWS region: set AWS_REGION, or AWS_PROFILE to a profile that has one")]
    NoRegion,
    /// No credentials are found.
    #[error(
        "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for single sign-on \
         and credential processes run `eval \"$(aws configure export-credentials --format env)\"` first\n{0}"
    )]
    NoCredentials(String),
    /// The table is not there.
    #[error(
        "there is no table {table} in {region}: name another with --table, set another region with AWS_REGION, \
         or make it (partition key RuleId, a number)"
    )]
    NoTable {
        /// The table's name.
        table: String,
        /// Where it was looked for.
        region: String,
    },
    /// The table holds something else than rules.
    #[error(
        "table {table} has {count} items whose RuleId is not a whole number: is it the table of rules? Nothing was \
         written"
    )]
    NotTheRules {
        /// The table's name.
        table: String,
        /// So many items.
        count: usize,
    },
    /// A call was refused or not answered, and nothing was written.
    #[error(transparent)]
    Call(Fault),
    /// A part was written.
    #[error(
        "{done} of {all} writes to table {table} are done for certain, but then: {reason}. The same command again \
         writes what is left"
    )]
    Unfinished {
        /// The table's name.
        table: String,
        /// Writes that are done for certain.
        done: usize,
        /// Writes that there were to do.
        all: usize,
        /// What kept the others from being done.
        reason: String,
    },
    /// The answer cannot be written.
    #[error("cannot print: {0}")]
    Unprintable(String),
}

impl Error {
    /// A failed call to a table in a region.
    pub(crate) fn of(fault: Fault, table: &str, region: &str) -> Self {
        if fault.kind == Kind::Gone {
            return Self::NoTable { table: table.to_owned(), region: region.to_owned() };
        }
        Self::Call(fault)
    }
}
