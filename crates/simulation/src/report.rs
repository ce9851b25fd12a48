//! What a sweep found, for people: while it runs, at its end, and in the documentation.

use std::path::Path;
use std::process::Command;

use jiff::Timestamp;

use crate::blinders::Blinder;
use crate::error::Error;
use crate::sweep::{self, Found, Seeds};
use crate::tally::Tally;
use crate::timeline::clock;

/// Between these two lines of a document the result goes.
const MARKS: (&str, &str) = ("<!-- simulation: begin -->", "<!-- simulation: end -->");

/// One line about a sweep that runs.
pub(crate) fn progress(seeds: Seeds, found: &Found, speed: f64) -> String {
    let left = seeds.count.saturating_sub(found.done);
    #[allow(clippy::cast_precision_loss, reason = "a time to go is no more exact than that")]
    let seconds = left as f64 / speed.max(0.001);
    let hours = seconds / 3_600.0;
    let togo = if hours >= 1.0 { format!("{hours:.1} h") } else { format!("{:.0} min", seconds / 60.0) };
    format!(
        "{} of {} worlds, {speed:.0} a second, {} failed, {togo} to go",
        grouped(found.done),
        grouped(seeds.count),
        found.failed.len()
    )
}

/// The worlds that failed, each with the command that shows its timeline.
pub(crate) fn failures(found: &Found, blinder: Option<Blinder>) -> String {
    let told = found.failed.iter().map(|(seed, failure)| {
        let replay = sweep::command(*seed, blinder);
        format!("seed {seed} fails at {}: {}\n  {replay}\n", clock(failure.at), failure.what)
    });
    told.collect()
}

/// The counts, as a table in Markdown.
pub(crate) fn table(tally: &Tally) -> String {
    let hours = tally.virtual_seconds / 3_600;
    let rows = [
        ("worlds", tally.seeds),
        ("instances held by a hook", tally.held),
        ("of these let go by the drainer", tally.let_go),
        ("of these with tasks left, by the deadline's policy and said so in the log", tally.by_policy),
        ("hooks that timed out, for a reason that excuses it", tally.timed_out),
        ("tasks stopped", tally.tasks_stopped),
        ("spot notices", tally.interrupted),
        ("invocations", tally.invocations),
        ("invocations killed at a call", tally.killed),
        ("invocations ended by their timeout", tally.ended_by_timeout),
        ("calls, all attempts", tally.calls),
        ("calls throttled", tally.throttled),
        ("calls that failed otherwise", tally.failed),
        ("messages delivered twice", tally.duplicates),
        ("events lost", tally.lost_events),
        ("checks, one after each step", tally.steps),
        ("virtual hours", hours),
    ];
    let mut table = "| | |\n|---|---:|\n".to_owned();
    for (name, count) in rows {
        table.extend(["| ", name, " | ", &grouped(count), " |\n"]);
    }
    table
}

/// The result of a sweep as it stands in the documentation.
pub(crate) fn result(seeds: Seeds, found: &Found, threads: usize, commit: &str) -> String {
    // The day on which it was run: no virtual time here.
    #[allow(clippy::disallowed_methods, reason = "the date of a report is the real one")]
    let day = Timestamp::now().strftime("%Y-%m-%d").to_string();
    let last = seeds.from.saturating_add(found.done).saturating_sub(1);
    let hours = found.seconds / 3_600;
    let minutes = found.seconds / 60 % 60;
    let mut text = format!(
        "{day}, commit {commit}: seeds {} to {}, {} failed, {hours} h {minutes} min on {threads} threads.\n\n{}",
        grouped(seeds.from),
        grouped(last),
        found.failed.len(),
        table(&found.tally)
    );
    if !found.failed.is_empty() {
        text.extend(["\n```\n", &failures(found, None), "```\n"]);
    }
    text
}

/// Writes the result into a document, between its marks.
pub(crate) fn write(path: &Path, result: &str) -> Result<(), Error> {
    let old = std::fs::read_to_string(path).map_err(Error::file(path))?;
    let new = replaced(&old, result).ok_or_else(|| Error::Marks {
        path: path.to_owned(),
        begin: MARKS.0,
        end: MARKS.1,
    })?;
    std::fs::write(path, new).map_err(Error::file(path))
}

fn replaced(document: &str, result: &str) -> Option<String> {
    let (before, rest) = document.split_once(MARKS.0)?;
    let (_, after) = rest.split_once(MARKS.1)?;
    Some(format!("{before}{}\n{result}{}{after}", MARKS.0, MARKS.1))
}

/// The commit that is checked out.
pub(crate) fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no", "crates"]).is_some_and(|it| !it.is_empty());
    let head = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    if changed { format!("{head} with changes") } else { head }
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn a_result_replaces_the_one_before() {
        let document = "a\n<!-- simulation: begin -->\nold\n<!-- simulation: end -->\nb\n";
        let expected = "a\n<!-- simulation: begin -->\nnew\n<!-- simulation: end -->\nb\n";
        assert_eq!(replaced(document, "new\n").as_deref(), Some(expected));
        assert_eq!(replaced("no marks", "new\n"), None);
    }
}
