//! Amazon EC2 Auto Scaling: tags of groups.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer,
    autoscaling::{group, input, page_size},
    from_text, page,
};
use crate::{
    error::ApiError,
    world::{
        World,
        groups::{Group, GroupTag},
    },
};

/// Most tags of a page.
const MOST: usize = 100;
/// What tags can be filtered by.
const NAMES: [&str; 4] = ["auto-scaling-group", "key", "value", "propagate-at-launch"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Describe {
    #[serde(default, deserialize_with = "super::list")]
    filters: Vec<Filter>,
    #[serde(default, deserialize_with = "from_text")]
    max_records: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Filter {
    name: String,
    #[serde(default, deserialize_with = "super::list")]
    values: Vec<String>,
}

impl Filter {
    fn check(&self) -> Result<(), ApiError> {
        if NAMES.contains(&self.name.as_str()) {
            return Ok(());
        }
        Err(ApiError::validation(format!("Filter type {} is not correct", self.name)))
    }

    fn fits(&self, group: &str, key: &str, tag: &GroupTag) -> bool {
        let text = match self.name.as_str() {
            "auto-scaling-group" => group,
            "key" => key,
            "value" => &tag.value,
            _ if tag.propagates => "true",
            _ => "false",
        };
        self.values.iter().any(|value| value == text)
    }
}

/// Tags of groups, by group and key. All filters must fit, each by one of its values.
pub(super) fn describe(world: &mut World, parameters: Value) -> Answer {
    let ask: Describe = input(parameters)?;
    let size = page_size(ask.max_records, MOST)?;
    ask.filters.iter().try_for_each(Filter::check)?;
    let mut found = Vec::new();
    for group in world.groups.values() {
        let fits = |(key, tag): &(&String, &GroupTag)| {
            ask.filters.iter().all(|filter| filter.fits(&group.name, key, tag))
        };
        // No name of a group and no key has a line break.
        found.extend(group.tags.iter().filter(fits).map(|(key, _)| format!("{}\n{key}", group.name)));
    }
    let (found, next) = page(found, ask.next_token.as_deref(), size)?;
    let tags = found.iter().filter_map(|place| {
        let (group, key) = place.split_once('\n')?;
        Some(describe_one(group, key, world.groups.get(group)?.tags.get(key)?))
    });
    let tags: Vec<_> = tags.collect();
    Ok(json!({"Tags": tags, "NextToken": next}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Create {
    #[serde(default, deserialize_with = "super::list")]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Tag {
    resource_id: String,
    resource_type: String,
    key: String,
    #[serde(default)]
    value: String,
    #[serde(default, deserialize_with = "from_text")]
    propagate_at_launch: Option<bool>,
}

/// Gives groups tags. They reach instances that are launched from now on.
pub(super) fn create(world: &mut World, parameters: Value) -> Answer {
    let ask: Create = input(parameters)?;
    for tag in &ask.tags {
        if tag.resource_type != "auto-scaling-group" || tag.key.is_empty() || tag.key.starts_with("aws:") {
            return Err(ApiError::validation(format!("The tag {} is not valid", tag.key)));
        }
        group(world, &tag.resource_id)?;
    }
    for tag in ask.tags {
        let propagates = tag.propagate_at_launch == Some(true);
        group(world, &tag.resource_id)?.tags.insert(tag.key, GroupTag { value: tag.value, propagates });
    }
    Ok(json!({}))
}

/// A group's own, as in the description of the group.
pub(super) fn of_group(group: &Group) -> Vec<Value> {
    group.tags.iter().map(|(key, tag)| describe_one(&group.name, key, tag)).collect()
}

fn describe_one(group: &str, key: &str, tag: &GroupTag) -> Value {
    json!({
        "ResourceId": group,
        "ResourceType": "auto-scaling-group",
        "Key": key,
        "Value": tag.value,
        "PropagateAtLaunch": tag.propagates,
    })
}
