//! The command `tag-policy-rules`: the tag policy's rules as files that can be reviewed, and their way into
//! the table. What it passes, the function takes: the check is the function's own.
//!
//! # Layout
//! - [`options`]: the command line. [`mod@file`]: a file → rules. [`items`]: rules ↔ DynamoDB's attributes.
//! - [`decide`]: the file's rules and the table's → what to write, pure. [`table`]: the calls.
//! - [`mod@show`]: rules, faults and counts for people. [`error`].
//!
//! # Invariants
//! - Nothing is written while any rule that would then be in the table has a fault: with one, the function
//!   only reports.
//! - A rule that is in the table as it is in the file is not written.

pub mod decide;
pub mod error;
pub mod file;
pub mod items;
pub mod options;
pub mod show;
pub mod table;

use std::path::Path;

use serde_json::Value;
use tag_policy::rules;

use crate::decide::{Plan, Sound};
use crate::error::Error;
use crate::options::{Command, Format, How, Options};
use crate::show::{Answer, Screen};
use crate::table::Table;

/// Does what the command line says.
pub async fn run(options: &Options) -> Result<Answer, Error> {
    match &options.command {
        Command::Check { file } => check(file, Screen::of_stdout()),
        Command::Load(options) => {
            let rules = file::read(&options.file)?;
            // Before any call: whoever may not call can still correct a file.
            match Sound::of(&rules) {
                Err(faults) => Ok(show::refusal(&faults, &file::name(&options.file))),
                Ok(rules) => load(&Table::connect(&options.table.name).await?, &rules, options.how).await,
            }
        }
        Command::Show(options) => {
            let table = Table::connect(&options.table.name).await?;
            show(&table, options.format, Screen::of_stdout()).await
        }
    }
}

/// Checks the rules of a file.
pub fn check(file: &Path, screen: Screen) -> Result<Answer, Error> {
    let rules = file::read(file)?;
    Ok(show::rules(&rules, &rules::check(&rules), &file::name(file), screen))
}

/// Makes a table hold the rules of a file, beside its others or (pruned) alone.
pub async fn load(table: &Table, rules: &Sound, how: How) -> Result<Answer, Error> {
    let there = table.rules().await?;
    let foreign = there.iter().filter(|rule| decide::id(rule).is_none()).count();
    if foreign > 0 {
        return Err(Error::NotTheRules { table: table.name().to_owned(), count: foreign });
    }
    let plan = Plan::new(rules, there, how.prune);
    if plan.faults.is_empty() && !how.dry_run {
        table.write(&plan).await?;
    }
    Ok(show::plan(&plan, &table.place(), how.dry_run))
}

/// Checks and prints the rules of a table.
pub async fn show(table: &Table, format: Format, screen: Screen) -> Result<Answer, Error> {
    let rules: Vec<Value> = table.rules().await?;
    let checked = rules::check(&rules);
    let place = table.place();
    match format {
        Format::Table => Ok(show::rules(&rules, &checked, &place, screen)),
        Format::Json => show::json(&rules, &checked, &place),
        Format::Yaml => show::yaml(&rules, &checked, &place),
    }
}
