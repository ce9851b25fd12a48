//! `CreateTags` and `DeleteTags`, and what tags may be.
//!
//! Limits: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Tag, check_dry_run, input, invalid, known, missing};
use crate::{
    error::ApiError,
    services::{Answer, from_text},
    world::{World, machines::Tags},
};

/// Most tags of an instance; those with `aws:` do not count.
const MOST_TAGS: usize = 50;
/// Longest key and longest value, in characters.
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;
/// AWS's own tags begin with this, in any case.
const RESERVED: &str = "aws:";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Tagging {
    #[serde(default)]
    resource_id: Vec<String>,
    #[serde(default)]
    tag: Vec<Tag>,
    #[serde(default, deserialize_with = "from_text")]
    dry_run: Option<bool>,
}

/// Writes every tag to every instance, over what was there, or nothing at all.
pub(super) fn create(world: &mut World, parameters: Value) -> Answer {
    let ask: Tagging = input(parameters)?;
    let ids = tagged(world, ask.resource_id)?;
    let tags = check(ask.tag)?;
    for id in &ids {
        let own = world.fleet.get(id).map(|machine| machine.tags.newest());
        let kept = own.into_iter().flat_map(Tags::keys).filter(|key| is_own(key) && !tags.contains_key(*key));
        check_number(kept.count() + tags.len())?;
    }
    check_dry_run(ask.dry_run)?;
    let now = world.now();
    for id in &ids {
        if let Some(machine) = world.fleet.get_mut(id) {
            machine.retag(now, |own| own.extend(tags.clone()));
        }
    }
    world.record("tagged", json!({"instances": ids, "tags": tags}));
    Ok(json!({"return": true}))
}

/// Deletes tags: with a value only where it is that, without tags all but AWS's own.
pub(super) fn delete(world: &mut World, parameters: Value) -> Answer {
    let ask: Tagging = input(parameters)?;
    let ids = tagged(world, ask.resource_id)?;
    if let Some(key) = ask.tag.iter().filter_map(|tag| tag.key.as_deref()).find(|key| !is_own(key)) {
        return Err(reserved(key));
    }
    check_dry_run(ask.dry_run)?;
    let now = world.now();
    let goes = |key: &String, value: &String| {
        let named = |tag: &Tag| {
            tag.key.as_ref() == Some(key) && tag.value.as_ref().is_none_or(|wanted| wanted == value)
        };
        if ask.tag.is_empty() { is_own(key) } else { ask.tag.iter().any(named) }
    };
    for id in &ids {
        if let Some(machine) = world.fleet.get_mut(id) {
            machine.retag(now, |own| own.retain(|key, value| !goes(key, value)));
        }
    }
    Ok(json!({"return": true}))
}

/// The instances of a call. EC2 tags other things too; here there are only instances.
fn tagged(world: &mut World, ids: Vec<String>) -> Result<Vec<String>, ApiError> {
    if let Some(id) = ids.iter().find(|id| !id.starts_with("i-")) {
        return Err(ApiError::refused("InvalidID", format!("The ID '{id}' is not valid")));
    }
    // An instance can be so new that this call does not know it yet.
    let at = world.read_moment();
    known(world, ids, "resourceIdSet", at)
}

/// Tags that may be written.
pub(super) fn check(tags: Vec<Tag>) -> Result<Tags, ApiError> {
    if tags.is_empty() {
        return Err(missing("tagSet"));
    }
    let mut checked = Tags::new();
    for tag in tags {
        let key = tag.key.filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| invalid("Tag key cannot be null or empty."))?;
        let value = tag.value.unwrap_or_default();
        if !is_own(&key) {
            return Err(reserved(&key));
        }
        if key.chars().count() > LONGEST_KEY {
            return Err(invalid(format!("Tag key exceeds the maximum length of {LONGEST_KEY} characters")));
        }
        if value.chars().count() > LONGEST_VALUE {
            return Err(invalid(format!(
                "Tag value exceeds the maximum length of {LONGEST_VALUE} characters"
            )));
        }
        if checked.insert(key.clone(), value).is_some() {
            return Err(invalid(format!("Duplicate tag key '{key}' specified.")));
        }
    }
    check_number(checked.len())?;
    Ok(checked)
}

fn check_number(tags: usize) -> Result<(), ApiError> {
    if tags > MOST_TAGS {
        let message = "The maximum number of Tags for a resource has been reached.";
        return Err(ApiError::refused("TagLimitExceeded", message));
    }
    Ok(())
}

/// Whether a tag is its user's, and not AWS's.
fn is_own(key: &str) -> bool {
    key.get(..RESERVED.len()).is_none_or(|start| !start.eq_ignore_ascii_case(RESERVED))
}

fn reserved(key: &str) -> ApiError {
    invalid(format!(
        "Value ( {key} ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use"
    ))
}
