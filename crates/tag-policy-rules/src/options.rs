//! The command line of the binary.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// The rules table's name where nothing else is said; the same as the function's.
pub const TABLE: &str = "acme_cloud_policy_tagging_def";

const EXAMPLES: &str = "\
Examples:
  tag-policy-rules check rules.yaml
  tag-policy-rules load rules.yaml --prune --dry-run
  tag-policy-rules show --format yaml > rules.yaml
  aws dynamodb scan --table-name other_rules | tag-policy-rules check -

A file is a list of rules in JSON or YAML, each with the table's attributes: RuleId, TagKey, Action, Required,
Default, and the optional ones. What `aws dynamodb scan` prints is taken as well.

Region, credentials and endpoint are those of the AWS CLI: AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL_DYNAMODB
and so on. `show` needs dynamodb:Scan on the table, `load` also dynamodb:BatchWriteItem.

The exit code is 0 when all is well, 1 when a rule has a fault, and 2 when the command line is wrong, or
something cannot be read or written.";

/// Checks the tag policy's rules in a file, loads them into their table, and shows them.
#[derive(Clone, Debug, Parser)]
#[command(name = "tag-policy-rules", version, after_long_help = EXAMPLES)]
pub struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Check the rules of a file; calls nothing
    Check {
        /// A JSON or YAML file by its extension; `-` is standard input, either
        file: PathBuf,
    },
    /// Check the rules of a file, and those of the table with them; then write what differs
    Load(Load),
    /// Check the rules of a table, and print them
    Show(Show),
}

/// What is loaded, and where to.
#[derive(Clone, Debug, Args)]
pub(crate) struct Load {
    /// A JSON or YAML file by its extension; `-` is standard input, either
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) table: TableName,
    #[command(flatten)]
    pub(crate) how: How,
}

/// How far a load goes.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct How {
    /// Remove the table's rules that are not in the file
    #[arg(long)]
    pub prune: bool,
    /// Say what would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What is shown, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) table: TableName,
    /// `json` and `yaml` can be loaded again; remarks then go to standard error
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TableName {
    /// The table of rules
    #[arg(long = "table", value_name = "TABLE", default_value = TABLE, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: String,
}

/// How rules are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// As wide as the terminal; a line a rule where there is none
    #[default]
    Table,
    /// A JSON list
    Json,
    /// A YAML list
    Yaml,
}

#[cfg(test)]
mod tests {
    use aws_helpers::settings::Variables;
    use clap::CommandFactory;
    use tag_policy::settings::Settings;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn the_default_table_is_the_functions() {
        let needed =
            [("STATE_TABLE", "state"), ("REPORT_TOPIC_ARN", "arn:aws:sns:eu-central-1:123456789012:t")];
        let needed = needed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings =
            Settings::read(&Variables::from_iter(needed)).expect("the other settings have defaults");
        assert_eq!(TABLE, settings.rules_table);
    }
}
