//! What happened, for people: calls, events, tasks, deliveries and the function's own words, with virtual times.

use std::rc::Rc;
use std::time::Duration;

use aws_fake::plumbing::Move;
use aws_fake::world::clock::Moment;
use aws_fake::world::history::Entry;
use serde_json::Value;

use crate::lines::Line;
use crate::seam::Called;

/// Lines of a step, in the order of their time.
pub(crate) fn step(
    history: &[Entry],
    moves: &[(Moment, Move)],
    lines: &[Line],
    calls: &[Called],
) -> Vec<String> {
    let mut told: Vec<(Moment, String)> = Vec::new();
    told.extend(calls.iter().map(|call| (call.at, asked(call))));
    told.extend(
        history.iter().filter(|entry| entry.what != "published").map(|entry| (entry.at, happened(entry))),
    );
    told.extend(lines.iter().map(|line| (line.at, said(line))));
    told.extend(moves.iter().map(|(at, moved)| (*at, went(moved))));
    told.sort_by_key(|(at, _)| *at);
    told.into_iter().map(|(at, what)| format!("{} {what}", clock(at))).collect()
}

/// Hours, minutes, seconds and thousandths.
pub(crate) fn clock(at: Duration) -> String {
    let seconds = at.as_secs();
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}", seconds % 60, at.subsec_millis())
}

fn asked(call: &Called) -> String {
    let Called { operation, invocation, is_first, about, .. } = call;
    let again = if *is_first { "" } else { ", again" };
    let about = about.as_ref().map(|(instance, token)| {
        let token = token.as_deref().unwrap_or("no token");
        format!(" {instance} {token}")
    });
    format!("  invocation {invocation} asks {operation}{}{again}", about.unwrap_or_default())
}

fn happened(entry: &Entry) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields: Vec<_> = entry.fields.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
    let who = if entry.what == "call" { "  " } else { "* " };
    format!("{who}{} {}", entry.what, fields.join(" "))
}

fn said(line: &Line) -> String {
    let Line { level, message, instance, fields, invocation, .. } = line;
    let number = invocation.unwrap_or_default();
    let instance = instance.as_deref().unwrap_or_default();
    format!("  invocation {number} says {level} \"{message}\" {instance}{fields}")
}

fn went(moved: &Move) -> String {
    let ids = |ids: &[Rc<str>]| ids.iter().map(|id| short(id)).collect::<Vec<_>>().join(" ");
    match moved {
        Move::Sent { line, id, body, seen_at, copy } => {
            let copy = if *copy { "a copy of " } else { "" };
            format!("> {copy}{} to {line:?}, seen at {}: {body}", short(id), clock(*seen_at))
        }
        Move::Lost(event) => format!("! AWS loses {event}"),
        Move::Began { invocation, line, ids: given } => {
            format!("> invocation {invocation} gets {} from {line:?}", ids(given))
        }
        Move::Ended { invocation, ending, done, back } => {
            let back = if back.is_empty() { String::new() } else { format!("; back: {}", ids(back)) };
            format!("> invocation {invocation}: {ending:?}; done: {}{back}", ids(done))
        }
        Move::Dead { id, .. } => format!("! {} is a dead letter", short(id)),
    }
}

/// As much of an id as tells it from others.
fn short(id: &str) -> &str {
    id.split('-').next().unwrap_or(id)
}
