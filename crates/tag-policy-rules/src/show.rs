//! Rules, faults and counts for people.

mod grid;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use tag_policy::rules::{Checked, RuleFault};

use crate::decide::{Change, Fate, Plan};
use crate::error::Error;

/// The attributes of a rule, in the order of the documentation. The first five have columns of their own.
const ATTRIBUTES: [&str; 15] = [
    "RuleId",
    "TagKey",
    "Action",
    "Required",
    "Default",
    "Enabled",
    "AllowedValues",
    "ValuePattern",
    "KeyCaseFix",
    "OnMissing",
    "OnDisallowed",
    "Scope",
    "Exempt",
    "GraceHours",
    "Priority",
];
const COLUMNS: usize = 5;

/// What a command has to say. It is coloured; printing takes the colours away where there can be none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// For standard output.
    pub text: String,
    /// For standard error.
    pub remarks: String,
    /// Whether a rule has a fault.
    pub faulty: bool,
}

/// What a table is printed on.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Characters a line; none: no terminal, and a rule is a line however long.
    pub width: Option<u16>,
}

impl Screen {
    /// Standard output.
    #[must_use]
    pub fn of_stdout() -> Self {
        Self { width: terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0) }
    }
}

/// Prints an answer: 0, or 1 if a rule has a fault.
#[must_use]
pub fn print(answer: &Answer) -> ExitCode {
    let written =
        write(anstream::stdout(), &answer.text).and_then(|()| write(anstream::stderr(), &answer.remarks));
    match written {
        // The reader has seen enough (`| head`).
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&Error::Unprintable(error.to_string()))
        }
        _ => ExitCode::from(u8::from(answer.faulty)),
    }
}

/// Prints an error: 2.
#[must_use]
pub fn complain(error: &Error) -> ExitCode {
    let lines: Vec<String> = error.to_string().lines().map(printable).collect();
    let text = format!("{} {}\n", painted("error:", RED.bold()), lines.join("\n"));
    // Where standard error is closed, the exit code says it alone.
    let _ = write(anstream::stderr(), &text);
    ExitCode::from(2)
}

fn write(mut to: impl Write, text: &str) -> io::Result<()> {
    to.write_all(text.as_bytes())?;
    to.flush()
}

/// Rules as a table, their faults, and counts.
#[must_use]
pub fn rules(rules: &[Value], checked: &Checked, place: &str, screen: Screen) -> Answer {
    let mut text = String::new();
    if !rules.is_empty() {
        text.push_str(&grid::draw(rules, checked, screen));
    }
    text.push_str(&remarks(rules, checked, place));
    Answer { text, faulty: !checked.faults.is_empty(), ..Answer::default() }
}

/// Rules as a JSON list.
pub fn json(rules: &[Value], checked: &Checked, place: &str) -> Result<Answer, Error> {
    let text = serde_json::to_string_pretty(&ordered(rules)).map(|text| text + "\n");
    let text = text.map_err(|error| Error::Unprintable(error.to_string()))?;
    Ok(document(text, rules, checked, place))
}

/// Rules as a YAML list.
pub fn yaml(rules: &[Value], checked: &Checked, place: &str) -> Result<Answer, Error> {
    // Texts that YAML 1.1 takes for something else (`Y`, dates) are quoted, so that any reader has them right.
    let text =
        serde_saphyr::to_string(&ordered(rules)).map_err(|error| Error::Unprintable(error.to_string()))?;
    Ok(document(text, rules, checked, place))
}

fn document(text: String, rules: &[Value], checked: &Checked, place: &str) -> Answer {
    Answer { text, remarks: remarks(rules, checked, place), faulty: !checked.faults.is_empty() }
}

/// The answer of a load that its own rules forbid.
#[must_use]
pub fn refusal(faults: &[RuleFault], place: &str) -> Answer {
    let text = format!("{}{}: {}; nothing was written\n", listed(faults), printable(place), counted(faults));
    Answer { text, faulty: true, ..Answer::default() }
}

/// What a load did, or would do.
#[must_use]
pub fn plan(plan: &Plan, place: &str, dry_run: bool) -> Answer {
    let place = printable(place);
    if !plan.faults.is_empty() {
        // The file's rules have none by themselves.
        let text = format!(
            "{}{place} would have {}; nothing was written: add those of its rules that are not in the file to it, \
             corrected, or remove them with --prune\n",
            listed(&plan.faults),
            counted(&plan.faults)
        );
        return Answer { text, faulty: true, ..Answer::default() };
    }
    let changes = plan.changes.iter().filter(|change| change.fate != Fate::Unchanged);
    let mut text: String = changes.map(line).collect();
    let fates = [Fate::Added, Fate::Changed, Fate::Unchanged, Fate::Removed, Fate::Kept];
    let counts = fates.map(|fate| (fate, plan.of(fate).count()));
    let counts =
        counts.iter().filter(|(fate, count)| *count > 0 || !matches!(fate, Fate::Removed | Fate::Kept));
    let counts: Vec<String> = counts.map(|(fate, count)| format!("{count} {}", word(*fate))).collect();
    let dry = if dry_run { " (dry run: nothing was written)" } else { "" };
    let _ = writeln!(text, "{place}: {}{dry}", counts.join(", "));
    Answer { text, ..Answer::default() }
}

fn line(change: &Change) -> String {
    let Change { id, fate, rule, attributes } = change;
    let style = match fate {
        Fate::Added => GREEN,
        Fate::Changed => YELLOW,
        Fate::Removed => RED,
        Fate::Unchanged | Fate::Kept => Style::new(),
    };
    let more = match fate {
        Fate::Changed => format!(" ({})", printable(&attributes.join(", "))),
        Fate::Kept => " (not in the file)".to_owned(),
        _ => String::new(),
    };
    let key = rule.get("TagKey").map(content).unwrap_or_default();
    // Padded before it is painted: the colour's codes have no width.
    format!("{} {id} {key}{more}\n", painted(&format!("{:<8}", word(*fate)), style))
}

fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Added => "added",
        Fate::Changed => "changed",
        Fate::Unchanged => "unchanged",
        Fate::Removed => "removed",
        Fate::Kept => "kept",
    }
}

/// The faults, and what to think of the whole.
fn remarks(rules: &[Value], checked: &Checked, place: &str) -> String {
    let number = count(rules.len(), "rule");
    let off = rules.len() - checked.rules.len();
    let verdict = if rules.is_empty() {
        "no rules: the function only reports".to_owned()
    } else if !checked.faults.is_empty() {
        format!("{number}, {}: the function would only report", counted(&checked.faults))
    } else if checked.rules.is_empty() {
        format!("{number}, none of them on: the function only reports")
    } else {
        let off = if off == 0 { String::new() } else { format!(" ({off} off)") };
        format!("{number}{off}, {}", painted("no faults", GREEN))
    };
    format!("{}{}: {verdict}\n", listed(&checked.faults), printable(place))
}

/// A line a fault.
fn listed(faults: &[RuleFault]) -> String {
    let mut text = String::new();
    for RuleFault { rule, reason } in faults {
        // A rule without an id is named by its place.
        let rule = if rule.starts_with("item ") { rule.clone() } else { format!("rule {rule}") };
        let _ =
            writeln!(text, "{} {}: {}", painted("fault in", RED.bold()), printable(&rule), printable(reason));
    }
    text
}

fn counted(faults: &[RuleFault]) -> String {
    let rules: BTreeSet<&str> = faults.iter().map(|fault| fault.rule.as_str()).collect();
    format!("{} in {}", count(faults.len(), "fault"), count(rules.len(), "rule"))
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A rule's attributes in their order; those that no rule should have come last.
fn members(rule: &Value) -> Vec<(&str, &Value)> {
    let mut members: Vec<(&str, &Value)> =
        rule.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
    members
        .sort_by_key(|(name, _)| ATTRIBUTES.iter().position(|one| one == name).unwrap_or(ATTRIBUTES.len()));
    members
}

fn content(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        value => printable(&value.to_string()),
    }
}

/// A text without what a terminal would obey.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

const RED: Style = AnsiColor::Red.on_default();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();

fn painted(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// A rule that is written with its attributes in their order.
struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let members = members(self.0);
        let mut map = to.serialize_map(Some(members.len()))?;
        for (name, value) in members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn ordered(rules: &[Value]) -> Vec<Ordered<'_>> {
    rules.iter().map(Ordered).collect()
}

#[cfg(test)]
mod tests;
