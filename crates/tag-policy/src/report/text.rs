//! The report as a mail's text. Lines stay short, and what is alike shares one.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::{Outcome, Report};
use crate::decide::{Held, Problem, ReportOnly, Spared, Standing};

/// Instances that one line names: so many fit into 80 columns.
const NAMED: usize = 3;

impl Report {
    /// The text, with at most so many lines a list.
    #[must_use]
    pub fn text(&self, lines: usize) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = self.write(&mut text, lines);
        text
    }

    fn write(&self, text: &mut String, lines: usize) -> fmt::Result {
        self.head(text)?;
        self.rules(text)?;
        section(text, "Faulty rules", self.rule_faults.len(), lines, |text| {
            self.rule_faults
                .iter()
                .take(lines)
                .try_for_each(|fault| writeln!(text, "  rule {}: {}", fault.rule, fault.reason))
        })?;
        self.repaired(text, lines)?;
        self.found(text, lines)?;
        section(text, "Failed", self.failures.len(), lines, |text| {
            self.failures.iter().take(lines).try_for_each(|one| match &one.key {
                Some(key) => writeln!(text, "  {} {key}: {}", one.instance, one.reason),
                None => writeln!(text, "  {}: {}", one.instance, one.reason),
            })
        })?;
        self.without_a_tag(text, lines)?;
        self.cap(text)?;
        if !self.owners.is_empty() {
            writeln!(text, "\nOwners of the most instances with a problem")?;
            for one in &self.owners {
                writeln!(text, "  {} {}", one.instances, one.owner.as_deref().unwrap_or("(nobody known)"))?;
            }
        }
        self.lookups(text)
    }

    fn head(&self, text: &mut String) -> fmt::Result {
        let run = &self.run;
        let what = if run.kind == "launch" { "launched instance" } else { "instance" };
        let account = run.account.as_ref().map(|account| format!(" of account {account}"));
        let region = run.region.as_ref().map(|region| format!(" in {region}"));
        let (account, region) = (account.unwrap_or_default(), region.unwrap_or_default());
        writeln!(text, "{}{account}{region}, {}", counted(self.instances, what), run.time)?;
        if !run.vpc_ids.is_empty() {
            writeln!(text, "VPCs: {}", run.vpc_ids.join(", "))?;
        }
        if let Some(why) = &self.report_only {
            writeln!(text, "\nNOTHING WAS CHANGED: {}", report_only(why))?;
        }
        if self.retried {
            writeln!(text, "\nAn earlier attempt of this run was cut off. What it did is not listed here.")?;
        }
        let done = if self.report_only.is_some() { "to be repaired" } else { "repaired" };
        writeln!(
            text,
            "\n{} {done}, {} failed, {} only found.",
            counted(self.repairs.len(), "tag"),
            self.failures.len(),
            counted(self.findings.len(), "problem"),
        )?;
        if self.not_visible > 0 {
            writeln!(
                text,
                "{} could not be seen yet; the next run checks them.",
                counted(self.not_visible, "launched instance")
            )?;
        }
        Ok(())
    }

    fn rules(&self, text: &mut String) -> fmt::Result {
        if self.rules.is_empty() {
            return Ok(());
        }
        let done = if self.report_only.is_some() { "to be repaired" } else { "repaired" };
        writeln!(text, "\nRules")?;
        for count in &self.rules {
            let young =
                if count.in_grace > 0 { format!(", {} too young", count.in_grace) } else { String::new() };
            writeln!(
                text,
                "  {} {}: {} checked, {} good, {} {done}, {} found{young}",
                count.rule, count.key, count.checked, count.good, count.repairs, count.findings,
            )?;
        }
        Ok(())
    }

    fn repaired(&self, text: &mut String, lines: usize) -> fmt::Result {
        let mut alike: BTreeMap<(&str, &str, String), Vec<&str>> = BTreeMap::new();
        for one in &self.repairs {
            let key = (one.key.as_str(), one.value.as_str(), was(&one.problem));
            alike.entry(key).or_default().push(&one.instance);
        }
        let title = if self.report_only.is_some() { "To be repaired" } else { "Repaired" };
        section(text, title, alike.len(), lines, |text| {
            alike.iter().take(lines).try_for_each(|((key, value, was), instances)| {
                writeln!(text, "  {key} = {value}, {was}: {}", named(instances))
            })
        })
    }

    fn found(&self, text: &mut String, lines: usize) -> fmt::Result {
        let mut alike: BTreeMap<(i64, &str, String), Vec<&str>> = BTreeMap::new();
        for one in &self.findings {
            alike.entry((one.rule, &one.key, is(&one.problem))).or_default().push(&one.instance);
        }
        section(text, "Found, and left as it is", alike.len(), lines, |text| {
            alike.iter().take(lines).try_for_each(|((rule, key, is), instances)| {
                writeln!(text, "  {key} {is}, says rule {rule}: {}", named(instances))
            })
        })
    }

    fn without_a_tag(&self, text: &mut String, lines: usize) -> fmt::Result {
        let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for one in &self.untagged {
            let owner = one.owner.as_ref().map(|owner| format!(", launched by {owner}"));
            let line = format!("{}{}", outcome(&one.outcome), owner.unwrap_or_default());
            alike.entry(line).or_default().push(&one.instance);
        }
        section(text, "Instances without a tag", alike.len(), lines, |text| {
            alike
                .iter()
                .take(lines)
                .try_for_each(|(line, instances)| writeln!(text, "  {line}: {}", named(instances)))
        })
    }

    fn cap(&self, text: &mut String) -> fmt::Result {
        let cap = self.cap;
        if cap.due == 0 {
            return Ok(());
        }
        let limits = format!("at most {}, and {} % of all", cap.most, cap.percent);
        if cap.exceeded {
            writeln!(
                text,
                "\n{} due, but the cap is {limits}: none was touched.",
                counted(cap.due, "instance")
            )
        } else {
            writeln!(text, "\n{} due, within the cap of {limits}.", counted(cap.due, "instance"))
        }
    }

    fn lookups(&self, text: &mut String) -> fmt::Result {
        let lookups = &self.lookups;
        if lookups.calls > 0 || lookups.owed > 0 {
            writeln!(
                text,
                "\nLaunchers: {} found with {} to CloudTrail, {} left for the next run.",
                lookups.answered,
                counted(usize::try_from(lookups.calls).unwrap_or_default(), "call"),
                lookups.owed
            )?;
        }
        match &lookups.broken_off {
            Some(why) => writeln!(text, "Look-ups were broken off: {why}"),
            None => Ok(()),
        }
    }
}

/// A list with its title, if there is any of it, and what it leaves out.
fn section(
    text: &mut String,
    title: &str,
    all: usize,
    lines: usize,
    list: impl FnOnce(&mut String) -> fmt::Result,
) -> fmt::Result {
    if all == 0 {
        return Ok(());
    }
    writeln!(text, "\n{title}")?;
    list(text)?;
    match all.saturating_sub(lines) {
        0 => Ok(()),
        more => writeln!(text, "  and {more} lines more"),
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count))
}

/// 12345 as 12,345.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// How many, and on a line of their own the first of them.
fn named(instances: &[&str]) -> String {
    let first: Vec<&str> = instances.iter().take(NAMED).copied().collect();
    let more = match instances.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {} more", grouped(more)),
    };
    format!("{}\n    {}{more}", counted(instances.len(), "instance"), first.join(", "))
}

fn report_only(why: &ReportOnly) -> String {
    match why {
        ReportOnly::DryRun => "this is a dry run.".to_owned(),
        ReportOnly::FaultyRules => "a rule is faulty. Mend it, and the next run acts.".to_owned(),
        ReportOnly::NoRules => "there is no rule. Load some (tag-policy-rules load).".to_owned(),
        ReportOnly::FleetFell { from, to } => format!(
            "there are {to} instances, and were {from} at the last run. If that is right, the next run acts."
        ),
    }
}

fn was(problem: &Problem) -> String {
    match problem {
        Problem::Disallowed(value) => format!("was {value} (not allowed)"),
        Problem::OtherCase(key) => format!("was {key}"),
        Problem::Empty => "was empty".to_owned(),
        _ => "was missing".to_owned(),
    }
}

fn is(problem: &Problem) -> String {
    match problem {
        Problem::Missing => "is missing".to_owned(),
        Problem::Empty => "is empty".to_owned(),
        Problem::Disallowed(value) => format!("= {value} is not allowed"),
        Problem::OtherCase(key) => format!("is written {key}"),
        Problem::Ambiguous => "is there in other cases, with different values".to_owned(),
        Problem::OwnerPending => "waits for a look-up of the launcher".to_owned(),
        Problem::NotAllowedToWrite(value) => format!("would be {value}, which is not allowed"),
        Problem::NotComputable => "cannot be computed: the event names no account or region".to_owned(),
        Problem::NoRoom => "has no room: the instance has 50 tags".to_owned(),
    }
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Stopped => "STOPPED".to_owned(),
        Outcome::Terminated => "TERMINATED".to_owned(),
        Outcome::Failed => "could not be stopped or terminated".to_owned(),
        Outcome::Left(standing) => match standing {
            Standing::Due => "due".to_owned(),
            Standing::Spared(spared) => spared_because(*spared).to_owned(),
            Standing::Held(held) => held_because(held),
        },
    }
}

fn spared_because(spared: Spared) -> &'static str {
    match spared {
        Spared::ReportOnly => "was without a tag",
        Spared::AutoScaling => "spared: in an Auto Scaling group",
        Spared::Spot => "spared: a spot instance",
        Spared::Managed => "spared: managed by a service",
        Spared::Exempt => "spared: exempt",
        Spared::InstanceStore => "spared: cannot be stopped",
    }
}

fn held_because(held: &Held) -> String {
    match held {
        Held::Changing => "left: it is just being started or stopped".to_owned(),
        Held::Stopped => "is stopped already".to_owned(),
        Held::Grace { until } => format!("left until {until:.0}"),
        Held::OwnerPending => "left: its launcher is still to be looked up".to_owned(),
        Held::OverCap => "left: over the cap".to_owned(),
        Held::NotThisRun => "due, but this run does not act".to_owned(),
        Held::Protected => "left: protected".to_owned(),
        Held::Changed => "left: it had changed when it was looked at again".to_owned(),
    }
}
