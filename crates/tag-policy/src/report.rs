//! What a run has to say: lists of what was done, found and left, with counts that are always complete.

mod text;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::decide::{self, Problem, ReportOnly, RuleCount, Standing, TagPlan};
use crate::instance::Instance;
use crate::owner::Owner;
use crate::rules::RuleFault;
use crate::settings::UntaggedAction;

/// Most bytes of a message: SNS takes 256 KiB, its attributes included.
const MESSAGE_BYTES: usize = 250 * 1024;
/// Most bytes of a function's answer: Lambda takes 6 MB.
const ANSWER_BYTES: usize = 5_000_000;
/// Bytes of the shortest line that a report can have, as JSON.
const SHORTEST_LINE: usize = 40;
/// Most owners that are named.
const OWNERS: usize = 10;
/// The protocols that get the JSON; all others get the text.
const MACHINES: [&str; 4] = ["sqs", "lambda", "http", "https"];

/// A tag that was written, or in a dry run would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repair {
    /// The instance.
    pub instance: String,
    /// The rule that asked for it.
    pub rule: i64,
    /// The tag.
    pub key: String,
    /// The value written.
    pub value: String,
    /// What was wrong.
    pub problem: Problem,
}

/// Something that could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The instance.
    pub instance: String,
    /// The tag; none where it was to be stopped or terminated.
    pub key: Option<String>,
    /// The service's answer.
    pub reason: String,
}

/// Something that is wrong, and was left as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The instance.
    pub instance: String,
    /// The rule that says so.
    pub rule: i64,
    /// The tag.
    pub key: String,
    /// What is wrong.
    pub problem: Problem,
}

/// An instance without a tag of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Untagged {
    /// The instance.
    pub instance: String,
    /// Who launched it, if that is known.
    pub owner: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of an untagged instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It was stopped.
    Stopped,
    /// It was terminated.
    Terminated,
    /// It could not be: see the failures.
    Failed,
    /// It was left, for this reason.
    Left(Standing),
}

/// What the cap on stopping and terminating came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cap {
    /// Instances that were due.
    pub due: usize,
    /// Most that a run may touch.
    pub most: usize,
    /// The same, in percent of the instances in scope.
    pub percent: u32,
    /// Whether it was exceeded, so that none was touched.
    pub exceeded: bool,
}

/// Look-ups in CloudTrail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lookups {
    /// Calls made.
    pub calls: u32,
    /// Launchers found, or found to be unknown.
    pub answered: usize,
    /// Left for the next run.
    pub owed: usize,
    /// Why they were broken off.
    pub broken_off: Option<String>,
}

/// An owner, and on how many of their instances something was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerCount {
    /// The owner; none where nobody knows.
    pub owner: Option<String>,
    /// Their instances on which something was wrong.
    pub instances: usize,
}

/// Where and when a run was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The event's id, or the request's where it was made by hand.
    pub event: String,
    /// `run` or `launch`.
    pub kind: &'static str,
    /// The event's time.
    pub time: String,
    /// The account.
    pub account: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// VPCs that were looked in; empty: all.
    pub vpc_ids: Vec<String>,
}

/// A report. Its lists may be cut to fit a message; `counts` and `rules` are always complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Where and when.
    pub run: Run,
    /// Why nothing was written, if so.
    pub report_only: Option<ReportOnly>,
    /// Instances in scope.
    pub instances: usize,
    /// By rule.
    pub rules: Vec<RuleCount>,
    /// What is wrong with the rules.
    pub rule_faults: Vec<RuleFault>,
    /// Owners with the most problems first.
    pub owners: Vec<OwnerCount>,
    /// Tags written.
    pub repairs: Vec<Repair>,
    /// What could not be done.
    pub failures: Vec<Failure>,
    /// What was only found.
    pub findings: Vec<Finding>,
    /// Instances without a tag of their own.
    pub untagged: Vec<Untagged>,
    /// The cap.
    pub cap: Cap,
    /// Look-ups.
    pub lookups: Lookups,
    /// Launched instances that could not be seen yet.
    pub not_visible: usize,
    /// Whether an earlier attempt of this run was cut off, so that what it did is not in the lists.
    pub retried: bool,
}

/// A plan's repairs as lines, in its order.
#[must_use]
pub fn repairs(repairs: &[decide::Repair], instances: &[Instance]) -> Vec<Repair> {
    let line = |one: &decide::Repair| {
        Some(Repair {
            instance: instances.get(one.instance)?.id.clone(),
            rule: one.rule,
            key: one.key.clone(),
            value: one.value.clone(),
            problem: one.problem.clone(),
        })
    };
    repairs.iter().filter_map(line).collect()
}

/// A plan's findings as lines, in its order.
#[must_use]
pub fn findings(findings: &[decide::Finding], instances: &[Instance]) -> Vec<Finding> {
    let line = |one: &decide::Finding| {
        Some(Finding {
            instance: instances.get(one.instance)?.id.clone(),
            rule: one.rule,
            key: one.key.clone(),
            problem: one.problem.clone(),
        })
    };
    findings.iter().filter_map(line).collect()
}

/// The owners whose instances have the most problems. `owner` names the owner of an instance, if one is
/// known.
#[must_use]
pub fn worst_owners(
    plan: &TagPlan,
    instances: &[Instance],
    owner: impl Fn(&Instance) -> Option<String>,
) -> Vec<OwnerCount> {
    let places =
        plan.repairs.iter().map(|one| one.instance).chain(plan.findings.iter().map(|one| one.instance));
    let mut wrong: Vec<usize> = places.collect();
    wrong.sort_unstable();
    wrong.dedup();
    let mut counts: BTreeMap<Option<String>, usize> = BTreeMap::new();
    for instance in wrong.into_iter().filter_map(|at| instances.get(at)) {
        *counts.entry(owner(instance)).or_default() += 1;
    }
    let mut owners: Vec<OwnerCount> =
        counts.into_iter().map(|(owner, instances)| OwnerCount { owner, instances }).collect();
    owners
        .sort_by(|one, other| other.instances.cmp(&one.instances).then_with(|| one.owner.cmp(&other.owner)));
    owners.truncate(OWNERS);
    owners
}

impl Outcome {
    /// What an action that succeeded comes to.
    #[must_use]
    pub fn of(action: UntaggedAction) -> Self {
        if action == UntaggedAction::Stop { Self::Stopped } else { Self::Terminated }
    }
}

impl Untagged {
    /// A line of the report.
    #[must_use]
    pub fn new(instance: &Instance, owner: Option<&Owner>, outcome: Outcome) -> Self {
        Self { instance: instance.id.clone(), owner: owner.map(|owner| owner.name.clone()), outcome }
    }
}

impl Report {
    /// Whether anybody wants to read it.
    #[must_use]
    pub fn says_something(&self) -> bool {
        !self.repairs.is_empty() || self.has_problems() || self.retried
    }

    /// Whether something failed, or was found that the rules may not repair.
    #[must_use]
    pub fn has_problems(&self) -> bool {
        !(self.rule_faults.is_empty()
            && self.failures.is_empty()
            && self.findings.is_empty()
            && self.untagged.is_empty())
            || self.lookups.broken_off.is_some()
            || self.report_only.as_ref().is_some_and(|why| *why != ReportOnly::DryRun)
    }

    /// The summary, which the function returns: as many lines as its answer may hold.
    #[must_use]
    pub fn answer(&self) -> Value {
        let size = |lines| self.summary(lines).to_string().len();
        self.summary(most_lines(self.lines(), ANSWER_BYTES, size))
    }

    /// The message to publish: text for people, and the summary for machines, in SNS's JSON structure. Both
    /// have as many lines as fit together.
    #[must_use]
    pub fn message(&self) -> String {
        let size = |lines| self.message_of(lines).len();
        self.message_of(most_lines(self.lines(), MESSAGE_BYTES, size))
    }

    fn message_of(&self, lines: usize) -> String {
        let summary = Value::from(self.summary(lines).to_string());
        let mut message = serde_json::Map::new();
        message.insert("default".to_owned(), self.text(lines).into());
        message.extend(MACHINES.map(|protocol| (protocol.to_owned(), summary.clone())));
        Value::Object(message).to_string()
    }

    /// Takes the rules' counts of a plan, with what has become of it.
    pub fn count(&mut self, mut rules: Vec<RuleCount>) {
        for count in &mut rules {
            let repairs = self.repairs.iter().filter(|one| one.rule == count.rule && one.key == count.key);
            count.repairs = repairs.count();
            count.findings = self.findings.iter().filter(|one| one.rule == count.rule).count();
        }
        self.rules = rules;
    }

    /// The longest list's length.
    fn lines(&self) -> usize {
        let lists = [self.repairs.len(), self.failures.len(), self.findings.len(), self.untagged.len()];
        lists.into_iter().max().unwrap_or_default().max(self.rule_faults.len())
    }

    fn ended(&self, outcome: &Outcome) -> usize {
        self.untagged.iter().filter(|one| one.outcome == *outcome).count()
    }

    fn summary(&self, lines: usize) -> Value {
        let repaired: std::collections::HashSet<&str> =
            self.repairs.iter().map(|one| one.instance.as_str()).collect();
        let not_listed = [
            self.repairs.len(),
            self.failures.len(),
            self.findings.len(),
            self.untagged.len(),
            self.rule_faults.len(),
        ];
        let not_listed: usize = not_listed.into_iter().map(|length| length.saturating_sub(lines)).sum();
        json!({
            "version": 1,
            "run": self.run,
            "reportOnly": self.report_only,
            "retried": self.retried,
            "counts": {
                "instances": self.instances,
                "tagsRepaired": self.repairs.len(),
                "instancesRepaired": repaired.len(),
                "failures": self.failures.len(),
                "findings": self.findings.len(),
                "untagged": self.untagged.len(),
                "stopped": self.ended(&Outcome::Stopped),
                "terminated": self.ended(&Outcome::Terminated),
                "ruleFaults": self.rule_faults.len(),
                "notVisible": self.not_visible,
                "notListed": not_listed,
            },
            "rules": self.rules,
            "ruleFaults": first(&self.rule_faults, lines),
            "owners": self.owners,
            "repairs": first(&self.repairs, lines),
            "failures": first(&self.failures, lines),
            "findings": first(&self.findings, lines),
            "untagged": first(&self.untagged, lines),
            "cap": self.cap,
            "lookups": self.lookups,
        })
    }
}

fn first<T>(list: &[T], lines: usize) -> &[T] {
    list.get(..lines).unwrap_or(list)
}

/// About the most lines that fit; all, if they do. What is too long is cut in proportion.
fn most_lines(all: usize, most: usize, size: impl Fn(usize) -> usize) -> usize {
    // No line is shorter than this: what cannot fit is not even tried, since it would take memory.
    let mut lines = all.min(most / SHORTEST_LINE);
    loop {
        let size = size(lines);
        if size <= most || lines == 0 {
            return lines;
        }
        lines = (lines * 9 / 10).min(lines.saturating_mul(most) / size);
    }
}

#[cfg(test)]
mod tests;
