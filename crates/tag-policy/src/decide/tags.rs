//! Which tags are missing, and what is done about each.

use serde::Serialize;

use crate::instance::{Frame, Instance};
use crate::owner::{Launcher, Owners, launcher};
use crate::rules::{Action, LONGEST_VALUE, MOST_TAGS, Response, Rule};

/// A tag to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The instance's place in the list.
    pub instance: usize,
    /// The rule that asks for it.
    pub rule: i64,
    /// The tag.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What is wrong with the tag as it is.
    pub problem: Problem,
}

/// A tag whose key differs from the rule's only in case: removed once the right one is written, and only
/// if it still has this value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The instance's place in the list.
    pub instance: usize,
    /// The tag.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Something that is wrong, and is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The instance's place in the list.
    pub instance: usize,
    /// The rule that says so.
    pub rule: i64,
    /// The tag.
    pub key: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is", content = "value")]
pub enum Problem {
    /// It is not there.
    Missing,
    /// It has no value.
    Empty,
    /// It has this value, which the rule does not allow.
    Disallowed(String),
    /// It is there under this key, which differs only in case.
    OtherCase(String),
    /// It is there under more than one key that differs only in case, with different values.
    Ambiguous,
    /// Who launched the instance has yet to be looked up.
    OwnerPending,
    /// The rule does not allow this value, which it would have written itself.
    NotAllowedToWrite(String),
    /// The value cannot be computed: the event names no account or region.
    NotComputable,
    /// The instance has fifty tags already.
    NoRoom,
}

/// What one rule came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleCount {
    /// The `RuleId`.
    pub rule: i64,
    /// The tag.
    pub key: String,
    /// Instances that the rule is for.
    pub checked: usize,
    /// Of these, instances on which all is well.
    pub good: usize,
    /// Instances that are too young for the rule.
    pub in_grace: usize,
    /// Tags to be written.
    pub repairs: usize,
    /// Tags that are wrong and left.
    pub findings: usize,
}

/// The plan for all tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagPlan {
    /// Tags to be written.
    pub repairs: Vec<Repair>,
    /// Tags to be removed afterwards.
    pub removals: Vec<Removal>,
    /// What is wrong and left.
    pub findings: Vec<Finding>,
    /// By rule, in the order of the rules.
    pub counts: Vec<RuleCount>,
}

/// Applies the rules, in their order, to those of the instances that `included` admits.
///
/// `source_tag` is the key of the optional second tag that says how the launcher is known. A tag that has
/// a value is never written, except where a rule says so of a disallowed one.
#[must_use]
pub fn tags(
    rules: &[Rule],
    instances: &[Instance],
    included: impl Fn(usize) -> bool,
    owners: &Owners,
    frame: &Frame,
    source_tag: Option<&str>,
) -> TagPlan {
    let count = |rule: &Rule| RuleCount {
        rule: rule.id,
        key: rule.key.clone(),
        checked: 0,
        good: 0,
        in_grace: 0,
        repairs: 0,
        findings: 0,
    };
    // A rule's own tag is not written twice.
    let source_tag = source_tag.filter(|tag| rules.iter().all(|rule| !rule.key.eq_ignore_ascii_case(tag)));
    let mut plan = TagPlan { counts: rules.iter().map(count).collect(), ..TagPlan::default() };
    for (at, instance) in instances.iter().enumerate().filter(|(at, _)| included(*at)) {
        let mut room = MOST_TAGS.saturating_sub(instance.own_tags().count());
        for (count, rule) in rules.iter().enumerate() {
            if !rule.applies(instance) {
                continue;
            }
            let verdict = if frame.is_past(instance.first_launch, rule.grace_hours) {
                judge(rule, instance, owners, frame)
            } else {
                Verdict::InGrace
            };
            plan.enter(Place { at, count, rule, instance }, verdict, &mut room, source_tag);
        }
    }
    plan
}

/// What a rule says of an instance.
enum Verdict {
    Good,
    Leftover(Vec<String>),
    InGrace,
    Found(Problem),
    Repair { value: String, problem: Problem, removals: Vec<String>, source: Option<String> },
}

#[derive(Clone, Copy)]
struct Place<'p> {
    at: usize,
    count: usize,
    rule: &'p Rule,
    instance: &'p Instance,
}

impl TagPlan {
    fn enter(&mut self, of: Place<'_>, verdict: Verdict, room: &mut usize, source_tag: Option<&str>) {
        let Place { at, rule, instance, .. } = of;
        let Some(count) = self.counts.get_mut(of.count) else { return };
        count.checked += 1;
        let (value, problem, replaced, source) = match verdict {
            Verdict::Good => {
                count.good += 1;
                return;
            }
            Verdict::Leftover(keys) => {
                count.good += 1;
                self.removals.extend(removals(at, instance, keys));
                return;
            }
            Verdict::InGrace => {
                count.in_grace += 1;
                return;
            }
            Verdict::Repair { value, problem, removals, source } => (value, problem, removals, source),
            Verdict::Found(problem) => {
                count.findings += 1;
                self.findings.push(Finding { instance: at, rule: rule.id, key: rule.key.clone(), problem });
                return;
            }
        };
        let is_new = instance.tag(&rule.key).is_none();
        if is_new && *room == 0 {
            count.findings += 1;
            let problem = Problem::NoRoom;
            self.findings.push(Finding { instance: at, rule: rule.id, key: rule.key.clone(), problem });
            return;
        }
        *room -= usize::from(is_new);
        count.repairs += 1;
        let repair = |key: &str, value, problem| Repair {
            instance: at,
            rule: rule.id,
            key: key.to_owned(),
            value,
            problem,
        };
        self.repairs.push(repair(&rule.key, value, problem));
        self.removals.extend(removals(at, instance, replaced));
        if let (Some(key), Some(source)) = (source_tag, source)
            && instance.tag(key).is_none_or(str::is_empty)
        {
            let is_new = instance.tag(key).is_none();
            if !is_new || *room > 0 {
                *room -= usize::from(is_new);
                let problem = if is_new { Problem::Missing } else { Problem::Empty };
                self.repairs.push(repair(key, fitting(source), problem));
            }
        }
    }
}

fn removals(at: usize, instance: &Instance, keys: Vec<String>) -> impl Iterator<Item = Removal> {
    keys.into_iter().filter_map(move |key| {
        let value = instance.tag(&key)?.to_owned();
        Some(Removal { instance: at, key, value })
    })
}

fn judge(rule: &Rule, instance: &Instance, owners: &Owners, frame: &Frame) -> Verdict {
    let own = instance.tag(&rule.key);
    let problem = match own {
        Some(value) if !value.is_empty() => {
            if rule.allows(value) {
                return leftover(rule, instance, value);
            }
            let problem = Problem::Disallowed(value.to_owned());
            if rule.on_disallowed == Response::Report {
                return Verdict::Found(problem);
            }
            return replace(rule, instance, owners, frame, value, problem);
        }
        Some(_) => Problem::Empty,
        None => Problem::Missing,
    };
    if rule.fix_case
        && let Some(verdict) = other_case(rule, instance, owners, frame)
    {
        return verdict;
    }
    match rule.responds(problem == Problem::Missing) {
        Response::Report => Verdict::Found(problem),
        Response::Write => compute(rule, instance, owners, frame, problem),
    }
}

/// What takes the place of a value that the rule does not allow: another case of an allowed value is that
/// value.
fn replace(
    rule: &Rule,
    instance: &Instance,
    owners: &Owners,
    frame: &Frame,
    value: &str,
    problem: Problem,
) -> Verdict {
    let meant = rule.allowed.iter().find(|one| one.to_lowercase() == value.to_lowercase());
    match meant.filter(|meant| rule.allows(meant)) {
        Some(meant) => Verdict::Repair { value: meant.clone(), problem, removals: Vec::new(), source: None },
        None => compute(rule, instance, owners, frame, problem),
    }
}

/// A tag in order; where keys are renamed, perhaps with what a rename that was cut off has left: the same
/// value under another case of the key.
fn leftover(rule: &Rule, instance: &Instance, value: &str) -> Verdict {
    let wanted = rule.key.to_lowercase();
    let is_same =
        |(key, other): &(&str, &str)| *key != rule.key && *other == value && key.to_lowercase() == wanted;
    let left = instance.own_tags().filter(|tag| rule.fix_case && is_same(tag));
    let left: Vec<String> = left.map(|(key, _)| key.to_owned()).collect();
    if left.is_empty() { Verdict::Good } else { Verdict::Leftover(left) }
}

/// The same key in another case, with a value: it is renamed, unless there are several that disagree.
fn other_case(rule: &Rule, instance: &Instance, owners: &Owners, frame: &Frame) -> Option<Verdict> {
    let wanted = rule.key.to_lowercase();
    let others: Vec<(&str, &str)> = instance
        .own_tags()
        .filter(|(key, value)| *key != rule.key && !value.is_empty() && key.to_lowercase() == wanted)
        .collect();
    let (key, value) = others.first()?;
    if others.iter().any(|(_, other)| other != value) {
        return Some(Verdict::Found(Problem::Ambiguous));
    }
    let problem = Problem::OtherCase((*key).to_owned());
    let verdict = if rule.allows(value) || rule.on_disallowed == Response::Report {
        Verdict::Repair { value: (*value).to_owned(), problem, removals: Vec::new(), source: None }
    } else {
        replace(rule, instance, owners, frame, value, problem)
    };
    Some(match verdict {
        Verdict::Repair { value, problem, source, .. } => {
            let removals = others.iter().map(|(key, _)| (*key).to_owned()).collect();
            Verdict::Repair { value, problem, removals, source }
        }
        other => other,
    })
}

/// The value that the rule's action gives, if it gives one that the rule allows.
fn compute(rule: &Rule, instance: &Instance, owners: &Owners, frame: &Frame, problem: Problem) -> Verdict {
    let (value, source) = match &rule.action {
        Action::Update(Some(default)) => (default.clone(), None),
        // The rules' check lets this pass only where the rule reports.
        Action::Update(None) => return Verdict::Found(problem),
        Action::Function(function) => match function.value(instance, frame) {
            Some(value) => (value, None),
            None => return Verdict::Found(Problem::NotComputable),
        },
        Action::UserLookup(untold) => match launcher(instance, owners, frame.now) {
            Launcher::Pending => return Verdict::Found(Problem::OwnerPending),
            Launcher::Untold => (untold.clone(), Some("unknown".to_owned())),
            Launcher::Known(owner) => (fitting(owner.name), Some(owner.source)),
        },
    };
    if !rule.allows(&value) {
        return Verdict::Found(Problem::NotAllowedToWrite(value));
    }
    Verdict::Repair { value, problem, removals: Vec::new(), source }
}

/// A value no longer than EC2 takes.
fn fitting(value: String) -> String {
    match value.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => value.get(..end).unwrap_or_default().to_owned(),
        None => value,
    }
}
