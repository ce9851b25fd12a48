//! Rules as a table.

use std::collections::{BTreeSet, HashMap};

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use serde_json::Value;
use tag_policy::rules::{Checked, Response};

use super::{ATTRIBUTES, COLUMNS, Screen, content, members, printable};
use crate::decide;

/// The narrowest terminal with room for a column of the attributes that only some rules have. On a narrower
/// one they follow the table.
const WIDE: u16 = 100;

/// Draws rules, and what becomes of a missing tag. Ends with a line break.
pub(super) fn draw(rules: &[Value], checked: &Checked, screen: Screen) -> String {
    let is_narrow = screen.width.is_some_and(|width| width < WIDE);
    let has_more = !is_narrow && rules.iter().any(|rule| !more(rule).is_empty());
    let mut table = Table::new();
    let mut header: Vec<&str> = ATTRIBUTES.iter().take(COLUMNS).copied().collect();
    header.push("If missing");
    header.extend(has_more.then_some("Besides"));
    table.set_header(header);
    let fates = fates(rules, checked);
    for ((_, fate), rule) in fates.iter().zip(rules) {
        let columns = ATTRIBUTES.iter().take(COLUMNS);
        let mut row: Vec<String> =
            columns.map(|attribute| rule.get(attribute).map(content).unwrap_or_default()).collect();
        row.push((*fate).to_owned());
        // A line a rule where a program may read them.
        row.extend(has_more.then(|| more(rule).join(if screen.width.is_some() { "\n" } else { "; " })));
        table.add_row(row.into_iter().enumerate().map(|(column, text)| {
            let alignment = if column == 0 { CellAlignment::Right } else { CellAlignment::Left };
            Cell::new(text).set_alignment(alignment)
        }));
    }
    if let Some(width) = screen.width {
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    } else {
        table.load_style(presets::NOTHING);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
    }
    let mut text = table.trim_fmt() + "\n";
    if is_narrow {
        let besides = fates.iter().zip(rules).map(|((name, _), rule)| (name, more(rule)));
        let besides = besides.filter(|(_, more)| !more.is_empty());
        text.extend(besides.map(|(name, more)| format!("{name} besides: {}\n", more.join("; "))));
    }
    text
}

/// Each rule's name, and what becomes of a tag that is missing.
fn fates(rules: &[Value], checked: &Checked) -> Vec<(String, &'static str)> {
    let responses: HashMap<i64, Response> =
        checked.rules.iter().map(|rule| (rule.id, rule.responds(true))).collect();
    let faulty: BTreeSet<&str> = checked.faults.iter().map(|fault| fault.rule.as_str()).collect();
    let fate = |(at, rule)| {
        let id = decide::id(rule);
        // As the check names them.
        let name = id.map_or_else(|| format!("item {} of the list", at + 1), |id| id.to_string());
        let fate = match id.and_then(|id| responses.get(&id)) {
            _ if faulty.contains(name.as_str()) => "faulty",
            Some(Response::Write) => "write",
            Some(Response::Report) => "report",
            None => "off",
        };
        (name, fate)
    };
    rules.iter().enumerate().map(fate).collect()
}

/// What else a rule says, an attribute each.
fn more(rule: &Value) -> Vec<String> {
    let attributes = members(rule).into_iter();
    let attributes = attributes.filter(|(name, value)| {
        !value.is_null() && !ATTRIBUTES.iter().take(COLUMNS).any(|column| column == name)
    });
    attributes.map(|(name, value)| format!("{}: {}", printable(name), content(value))).collect()
}
