//! Blocks of text and tables → a terminal's text, or Markdown.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::builder::styling::Style;
use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::options::Format;

/// A part of a page.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// The page's title.
    Title(String),
    /// A section's.
    Heading(String),
    /// That of a part of a section.
    Part(String),
    /// A paragraph; `code` as in Markdown.
    Text(String),
    /// A command line to copy.
    Command(String),
    /// A list.
    List(Vec<String>),
    /// A table.
    Grid(Grid),
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grid {
    /// Names of the columns; a name that begins with [`NUMBER`] is of a column of numbers.
    pub header: Vec<String>,
    /// As many cells each.
    pub rows: Vec<Vec<String>>,
}

/// Marks a column as one of numbers, which stand at its right edge.
pub const NUMBER: char = '#';

/// Prints a text: 0, or 2 if that fails.
#[must_use]
pub fn print(text: &str) -> ExitCode {
    let mut to = anstream::stdout();
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        // The reader has seen enough (`| head`).
        Err(error) if error.kind() != ErrorKind::BrokenPipe => complain(&error),
        _ => ExitCode::SUCCESS,
    }
}

fn complain(error: &io::Error) -> ExitCode {
    // Where standard error is closed, the exit code says it alone.
    let _ = writeln!(anstream::stderr(), "error: cannot print: {error}");
    ExitCode::from(2)
}

/// A page as text. For a terminal it is styled; printing takes that away where it cannot be.
#[must_use]
pub fn text(blocks: &[Block], format: Format) -> String {
    let blocks: Vec<String> = match format {
        Format::Table => blocks.iter().map(plain).collect(),
        Format::Markdown => blocks.iter().map(markdown).collect(),
    };
    blocks.join("\n")
}

fn plain(block: &Block) -> String {
    let bold = Style::new().bold();
    match block {
        Block::Title(text) | Block::Heading(text) | Block::Part(text) => format!("{bold}{text}{bold:#}\n"),
        Block::Text(text) => format!("{text}\n"),
        Block::Command(text) => format!("  {text}\n"),
        Block::List(items) => list(items),
        Block::Grid(grid) => {
            let mut table = Table::new();
            table.load_style(presets::NOTHING);
            let cells = |row: &[String]| -> Vec<Cell> {
                let columns = row.iter().zip(&grid.header);
                let alignment = |name: &str| {
                    if name.starts_with(NUMBER) { CellAlignment::Right } else { CellAlignment::Left }
                };
                columns.map(|(text, name)| Cell::new(text).set_alignment(alignment(name))).collect()
            };
            let names: Vec<String> = grid.header.iter().map(|name| named(name).to_owned()).collect();
            table.set_header(cells(&names));
            for row in &grid.rows {
                table.add_row(cells(row));
            }
            for column in table.column_iter_mut() {
                column.set_padding((0, 2));
            }
            table.trim_fmt() + "\n"
        }
    }
}

fn markdown(block: &Block) -> String {
    match block {
        Block::Title(text) => format!("# {text}\n"),
        Block::Heading(text) => format!("## {text}\n"),
        Block::Part(text) => format!("### {text}\n"),
        Block::Text(text) => format!("{text}\n"),
        Block::Command(text) => format!("```\n{text}\n```\n"),
        Block::List(items) => list(items),
        Block::Grid(grid) => {
            let names: Vec<&str> = grid.header.iter().map(|name| named(name)).collect();
            let rule = |name: &String| if name.starts_with(NUMBER) { "---:" } else { "---" };
            let rules: Vec<&str> = grid.header.iter().map(rule).collect();
            let mut text = format!("| {} |\n|{}|\n", names.join(" | "), rules.join("|"));
            for row in &grid.rows {
                let _ = writeln!(text, "| {} |", row.join(" | "));
            }
            text
        }
    }
}

fn list(items: &[String]) -> String {
    items.iter().fold(String::new(), |text, item| text + "- " + item + "\n")
}

fn named(name: &str) -> &str {
    name.trim_start_matches(NUMBER)
}

/// A number with its thousands apart: `51,840,000`, or `5.18` with two decimals.
#[must_use]
pub fn number(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let digits = whole.len();
    let mut grouped = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (digits - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if part.is_empty() { grouped } else { format!("{grouped}.{part}") }
}

/// Dollars, to the cent; what is less, and is not nothing, says so.
#[must_use]
pub fn dollars(value: f64) -> String {
    if value > 0.0 && value < 0.005 { "<0.01".to_owned() } else { number(value, 2) }
}

/// A price, with all its decimals and at least two.
#[must_use]
pub fn price(value: f64) -> String {
    let text = value.to_string();
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    number(value, decimals.max(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (value, decimals, expected) in [
            (0.0, 2, "0.00"),
            (0.0036, 2, "0.00"),
            (999.0, 0, "999"),
            (1_000.0, 0, "1,000"),
            (51_840_000.0, 0, "51,840,000"),
            (3_364.968, 2, "3,364.97"),
            (-123.456, 2, "-123.46"),
        ] {
            assert_eq!(number(value, decimals), expected);
        }
    }

    #[test]
    fn less_than_a_cent_is_not_nothing() {
        for (value, expected) in
            [(0.0, "0.00"), (0.004_9, "<0.01"), (0.005, "0.01"), (-0.004, "-0.00"), (12.345, "12.35")]
        {
            assert_eq!(dollars(value), expected, "{value}");
        }
    }

    #[test]
    fn prices_have_all_their_decimals() {
        for (value, expected) in
            [(3.0, "3.00"), (0.3, "0.30"), (0.625, "0.625"), (0.000_013_333_4, "0.0000133334"), (0.0, "0.00")]
        {
            assert_eq!(price(value), expected);
        }
    }
}
