//! Amazon DynamoDB: the operations, and what they share.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::Operation;
use crate::{
    buckets::Bucket,
    error::ApiError,
    world::{tables::invalid, values::Item},
};

mod batch;
mod expression;
mod items;
mod scan;
mod tables;

pub(super) fn find(operation: &str) -> Option<(Bucket, Operation)> {
    let found: (Bucket, Operation) = match operation {
        "CreateTable" => (Bucket::TableWrite, tables::create),
        "DescribeTable" => (Bucket::TableRead, tables::describe),
        "Scan" => (Bucket::TableRead, scan::scan),
        "GetItem" => (Bucket::TableRead, items::get),
        "PutItem" => (Bucket::TableWrite, items::put),
        "UpdateItem" => (Bucket::TableWrite, items::update),
        "DeleteItem" => (Bucket::TableWrite, items::delete),
        "BatchGetItem" => (Bucket::TableRead, batch::get),
        "BatchWriteItem" => (Bucket::TableWrite, batch::write),
        _ => return None,
    };
    Some(found)
}

fn input<T: DeserializeOwned>(parameters: Value) -> Result<T, ApiError> {
    super::input(parameters, "ValidationException")
}

/// What a write answers besides that it is done.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ReturnValues {
    #[default]
    None,
    AllOld,
    AllNew,
}

impl ReturnValues {
    /// Of the item as it was and as it is, what was asked for. Only an update can answer the new one.
    fn of(self, old: Option<Item>, new: Option<Item>) -> Option<Item> {
        match self {
            Self::None => None,
            Self::AllOld => old,
            Self::AllNew => new,
        }
    }

    fn check_no_update(self) -> Result<(), ApiError> {
        if self == Self::AllNew {
            return Err(invalid("Return values set to invalid value"));
        }
        Ok(())
    }
}
