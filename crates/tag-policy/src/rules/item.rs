//! One item of the table → a rule, or everything that is wrong with it.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Map, Value};

use super::function::ALLOWED as FUNCTIONS;
use super::{Action, Function, LONGEST_KEY, LONGEST_VALUE, Response, Rule, Scope, TagFilter, UNDEFINED};

/// Longest `GraceHours`: a year.
const LONGEST_GRACE: i64 = 8_760;
/// Greatest `Priority`.
const GREATEST_PRIORITY: i64 = 1_000_000;
/// The priority of a rule that names none.
const PRIORITY: i64 = 100;

/// An item as far as it could be read.
pub(super) struct Item {
    /// `RuleId`, or the place in the list.
    pub(super) name: String,
    /// The rule, unless it is faulty.
    pub(super) rule: Option<Rule>,
    /// `RuleId`, if it is one.
    pub(super) id: Option<i64>,
    /// `TagKey`, if it is one: duplicates are looked for in faulty rules too.
    pub(super) key: Option<String>,
    /// Whether the rule is in use.
    pub(super) enabled: bool,
    /// What is wrong with it.
    pub(super) reasons: Vec<String>,
}

/// Reads the item at a place (from 0).
pub(super) fn read(place: usize, item: &Value) -> Item {
    let mut reader = Reader { fields: item.as_object().cloned().unwrap_or_default(), reasons: Vec::new() };
    if !item.is_object() {
        reader
            .reasons
            .push("a rule is an object with RuleId, TagKey, Action, Required and Default".to_owned());
        return reader.into_item(place, None, None, true, None);
    }
    let id = reader.id();
    let enabled = reader.flag("Enabled", true);
    let key = reader.key();
    let required = reader.flag("Required", false);
    let on_missing = reader.response("OnMissing");
    let on_disallowed = reader.response("OnDisallowed").unwrap_or(Response::Report);
    let allowed = reader.values("AllowedValues");
    let pattern = reader.pattern();
    let action = reader.action(on_missing, on_disallowed);
    let fix_case = reader.flag("KeyCaseFix", false);
    let scope = reader.scope();
    let exempt = reader.take("Exempt").map(|value| reader.filter("Exempt", value)).unwrap_or_default();
    let grace_hours = reader.number("GraceHours", 0, LONGEST_GRACE);
    let priority = reader.number("Priority", PRIORITY, GREATEST_PRIORITY);
    reader.nothing_left();
    let rule = (|| {
        Some(Rule {
            id: id?,
            key: key.clone()?,
            action: action?,
            required,
            on_missing,
            on_disallowed,
            allowed,
            pattern,
            fix_case,
            scope,
            exempt,
            grace_hours,
            priority,
        })
    })();
    if let Some(rule) = &rule
        && let Action::Update(Some(default)) | Action::UserLookup(default) = &rule.action
        && default != UNDEFINED
        && !rule.allows(default)
    {
        reader
            .reasons
            .push("Default is not one of the values that AllowedValues and ValuePattern allow".to_owned());
    }
    reader.into_item(place, id, key, enabled, rule)
}

struct Reader {
    fields: Map<String, Value>,
    reasons: Vec<String>,
}

impl Reader {
    fn into_item(
        self,
        place: usize,
        id: Option<i64>,
        key: Option<String>,
        enabled: bool,
        rule: Option<Rule>,
    ) -> Item {
        let name = id.map_or_else(|| format!("item {} of the list", place + 1), |id| id.to_string());
        let rule = rule.filter(|_| self.reasons.is_empty());
        Item { name, rule, id, key, enabled, reasons: self.reasons }
    }

    /// An attribute; an empty text or a null is none, since tables are filled in by hand.
    fn take(&mut self, name: &str) -> Option<Value> {
        let value = self.fields.remove(name)?;
        let empty = value.is_null() || value.as_str().is_some_and(str::is_empty);
        (!empty).then_some(value)
    }

    fn wrong(&mut self, name: &str, allowed: &str) {
        self.reasons.push(format!("{name} must be {allowed}"));
    }

    fn text(&mut self, name: &str, longest: usize) -> Option<String> {
        let value = self.take(name)?;
        let text = value.as_str().filter(|text| text.chars().count() <= longest).map(str::to_owned);
        if text.is_none() {
            self.wrong(name, &format!("a text of at most {longest} characters"));
        }
        text
    }

    fn id(&mut self) -> Option<i64> {
        let id = self.take("RuleId").and_then(|id| id.as_i64());
        if id.is_none() {
            self.wrong("RuleId", "a whole number");
        }
        id
    }

    fn key(&mut self) -> Option<String> {
        if matches!(self.fields.get("TagKey"), None | Some(Value::Null)) {
            self.fields.remove("TagKey");
            self.reasons.push("TagKey is missing".to_owned());
            return None;
        }
        let Some(key) = self.text("TagKey", LONGEST_KEY) else {
            if self.reasons.iter().all(|reason| !reason.starts_with("TagKey")) {
                self.reasons.push("TagKey is empty".to_owned());
            }
            return None;
        };
        if key.trim() != key || key.chars().any(char::is_control) {
            self.reasons
                .push("TagKey must not begin or end with a space, nor hold control characters".to_owned());
            return None;
        }
        if key.to_lowercase().starts_with("aws:") {
            self.reasons.push("TagKey begins with aws:, which is reserved for AWS".to_owned());
            return None;
        }
        Some(key)
    }

    /// `Y` and `N` as published; a boolean as well.
    fn flag(&mut self, name: &str, default: bool) -> bool {
        match self.take(name) {
            None => default,
            Some(Value::Bool(flag)) => flag,
            Some(value) => match value.as_str() {
                Some("Y") => true,
                Some("N") => false,
                _ => {
                    self.wrong(name, "Y or N");
                    default
                }
            },
        }
    }

    fn number(&mut self, name: &str, default: i64, greatest: i64) -> i64 {
        let Some(value) = self.take(name) else { return default };
        value.as_i64().filter(|number| (0..=greatest).contains(number)).unwrap_or_else(|| {
            self.wrong(name, &format!("a whole number from 0 to {greatest}"));
            default
        })
    }

    fn response(&mut self, name: &str) -> Option<Response> {
        match self.take(name)?.as_str() {
            Some("write") => Some(Response::Write),
            Some("report") => Some(Response::Report),
            _ => {
                self.wrong(name, "write or report");
                None
            }
        }
    }

    fn action(&mut self, on_missing: Option<Response>, on_disallowed: Response) -> Option<Action> {
        let action = self.take("Action");
        let default = self.text("Default", LONGEST_VALUE);
        match action.as_ref().and_then(Value::as_str) {
            Some("Update") => {
                let writes = on_missing != Some(Response::Report) || on_disallowed == Response::Write;
                if default.is_none() && writes && !self.fields_were_wrong("Default") {
                    self.reasons.push(
                        "Default is missing: Update has nothing to write (set OnMissing to report if it shall \
                         only report)"
                            .to_owned(),
                    );
                    return None;
                }
                Some(Action::Update(default))
            }
            Some("UserLookup") => Some(Action::UserLookup(default.unwrap_or_else(|| UNDEFINED.to_owned()))),
            Some("Function") => {
                let function = default.as_deref().and_then(Function::parse);
                if function.is_none() {
                    self.wrong("Default", FUNCTIONS);
                }
                function.map(Action::Function)
            }
            _ => {
                self.wrong("Action", "Update, UserLookup or Function");
                None
            }
        }
    }

    fn fields_were_wrong(&self, name: &str) -> bool {
        self.reasons.iter().any(|reason| reason.starts_with(name))
    }

    fn values(&mut self, name: &str) -> Vec<String> {
        let Some(value) = self.take(name) else { return Vec::new() };
        let values = texts(&value).filter(|values| {
            !values.is_empty()
                && values.iter().all(|value| (1..=LONGEST_VALUE).contains(&value.chars().count()))
        });
        values.unwrap_or_else(|| {
            self.wrong(name, &format!("a list of one or more texts of 1 to {LONGEST_VALUE} characters"));
            Vec::new()
        })
    }

    fn pattern(&mut self) -> Option<Regex> {
        let pattern = self.text("ValuePattern", 1_000)?;
        // On its own first: `a)(b` is no pattern, but would be one inside the anchors' brackets.
        let compiled = Regex::new(&pattern).and_then(|_| Regex::new(&format!("^(?:{pattern})$")));
        compiled.map_err(|error| self.wrong("ValuePattern", &format!("a regular expression: {error}"))).ok()
    }

    fn scope(&mut self) -> Scope {
        const ALLOWED: &str = "an object with VpcIds (a list of VPC ids), Tags (tag filters), or both";
        let Some(value) = self.take("Scope") else { return Scope::default() };
        let Value::Object(mut members) = value else {
            self.wrong("Scope", ALLOWED);
            return Scope::default();
        };
        let vpcs = members.remove("VpcIds").map(|value| texts(&value).filter(|ids| !ids.is_empty()));
        let tags = members.remove("Tags").map(|value| self.filter("Scope.Tags", value));
        if !members.is_empty() || (vpcs.is_none() && tags.is_none()) {
            self.wrong("Scope", ALLOWED);
        }
        let tags = tags.unwrap_or_default();
        let vpcs = vpcs.unwrap_or_else(|| Some(Vec::new())).filter(|ids| ids.iter().all(|id| is_vpc(id)));
        if vpcs.is_none() {
            self.wrong("Scope.VpcIds", "a list of VPC ids (vpc- and hexadecimal digits)");
        }
        Scope { vpcs: vpcs.unwrap_or_default(), tags }
    }

    fn filter(&mut self, name: &str, value: Value) -> TagFilter {
        const FILTER: &str = "an object of tag keys with a value, a list of values, or \"*\"";
        let read = |value: &Value| match value.as_str() {
            Some("*") => Some(Vec::new()),
            Some(one) => Some(vec![one.to_owned()]),
            None => texts(value).filter(|values| !values.is_empty()),
        };
        let Value::Object(members) = value else {
            self.wrong(name, FILTER);
            return TagFilter::default();
        };
        let filter: Option<BTreeMap<_, _>> =
            members.iter().map(|(key, value)| Some((key.clone(), read(value)?))).collect();
        let filter = filter.filter(|filter| !filter.is_empty() && !filter.contains_key(""));
        if filter.is_none() {
            self.wrong(name, FILTER);
        }
        TagFilter(filter.unwrap_or_default())
    }

    fn nothing_left(&mut self) {
        let unknown = std::mem::take(&mut self.fields);
        self.reasons.extend(unknown.keys().map(|name| {
            format!(
                "unknown attribute {name:.60}; allowed are RuleId, TagKey, Action, Required, Default, Enabled, \
                 AllowedValues, ValuePattern, KeyCaseFix, OnMissing, OnDisallowed, Scope, Exempt, GraceHours \
                 and Priority"
            )
        }));
    }
}

/// Whether a word is the id of a VPC.
pub(crate) fn is_vpc(word: &str) -> bool {
    let tail = word.strip_prefix("vpc-").unwrap_or_default();
    (1..=32).contains(&tail.len()) && tail.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A list of texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|one| one.as_str().map(str::to_owned)).collect()
}
