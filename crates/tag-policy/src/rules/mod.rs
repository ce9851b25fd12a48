//! The rule language: what the items of the rules table say. docs/tag-policy.md tells it by example.

mod check;
mod function;
mod item;

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde::Serialize;

pub use check::{Checked, check};
pub use function::Function;
pub(crate) use item::is_vpc;

use crate::instance::Instance;

/// Most characters of a tag's key (EC2, tag restrictions).
pub const LONGEST_KEY: usize = 128;
/// Most characters of a tag's value (EC2, tag restrictions).
pub const LONGEST_VALUE: usize = 256;
/// Most tags of an instance, `aws:` ones not counted; and so most keys that rules can ask for.
pub const MOST_TAGS: usize = 50;
/// What is written where nobody can tell who launched an instance.
pub const UNDEFINED: &str = "Undefined";

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `RuleId`, the table's key.
    pub id: i64,
    /// `TagKey`: the tag that the rule is about.
    pub key: String,
    /// `Action` with `Default`: where the value comes from.
    pub action: Action,
    /// `Required`: whether `Update` creates a missing tag.
    pub required: bool,
    /// `OnMissing`: overrides what the action does with a missing or empty tag.
    pub on_missing: Option<Response>,
    /// `OnDisallowed`: what is done with a value that the rule does not allow.
    pub on_disallowed: Response,
    /// `AllowedValues`; empty: any.
    pub allowed: Vec<String>,
    /// `ValuePattern`, anchored at both ends.
    pub pattern: Option<Regex>,
    /// `KeyCaseFix`: whether a key that differs only in case is renamed.
    pub fix_case: bool,
    /// `Scope`: the instances that the rule is for.
    pub scope: Scope,
    /// `Exempt`: an instance with any of these tags is left alone.
    pub exempt: TagFilter,
    /// `GraceHours`: how long after its first launch an instance is left alone.
    pub grace_hours: i64,
    /// `Priority`: lower comes first where there is not room for every tag.
    pub priority: i64,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A fixed default; none where the rule only reports.
    Update(Option<String>),
    /// Who launched the instance, or this where nobody can tell.
    UserLookup(String),
    /// Computed.
    Function(Function),
}

/// What a rule does about a tag that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// Repair it.
    Write,
    /// Name it in the report.
    Report,
}

/// The instances that a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Instances of these VPCs; empty: of any.
    pub vpcs: Vec<String>,
    /// Instances that have each of these tags.
    pub tags: TagFilter,
}

/// Tags by key, each with the values that match; none: any value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFilter(pub BTreeMap<String, Vec<String>>);

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleFault {
    /// The `RuleId`, or the item's place where it has none.
    pub rule: String,
    /// What is wrong, and what is allowed.
    pub reason: String,
}

impl Rule {
    /// What the rule does about a missing (or an empty) tag: `Required` governs `Update` as published.
    #[must_use]
    pub fn responds(&self, missing: bool) -> Response {
        let published = match self.action {
            Action::Update(_) if missing && !self.required => Response::Report,
            _ => Response::Write,
        };
        self.on_missing.unwrap_or(published)
    }

    /// Whether the rule allows a value.
    #[must_use]
    pub fn allows(&self, value: &str) -> bool {
        (self.allowed.is_empty() || self.allowed.iter().any(|allowed| allowed == value))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(value))
    }

    /// Whether the rule is for an instance, and the instance is not exempt from it.
    #[must_use]
    pub fn applies(&self, instance: &Instance) -> bool {
        let in_vpc = self.scope.vpcs.is_empty()
            || instance.vpc.as_ref().is_some_and(|vpc| self.scope.vpcs.contains(vpc));
        in_vpc && self.scope.tags.all(instance) && !self.exempt.any(instance)
    }
}

impl TagFilter {
    /// Whether the instance has every tag of the filter.
    #[must_use]
    pub fn all(&self, instance: &Instance) -> bool {
        self.0.iter().all(|(key, values)| matches(instance, key, values))
    }

    /// Whether the instance has any tag of the filter.
    #[must_use]
    pub fn any(&self, instance: &Instance) -> bool {
        self.0.iter().any(|(key, values)| matches(instance, key, values))
    }
}

fn matches(instance: &Instance, key: &str, values: &[String]) -> bool {
    instance.tag(key).is_some_and(|value| values.is_empty() || values.iter().any(|one| one == value))
}
