//! The tag policy's settings. Names, defaults and allowed values are tabled in docs/tag-policy.md, which a
//! test compares with this file.

use aws_helpers::settings::{SettingError, TABLE_NAME, Variables, table_name};

use crate::decide::Policy;
use crate::rules::LONGEST_KEY;
use crate::rules::is_vpc;

/// What becomes of an instance without a tag of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UntaggedAction {
    /// It is named in the report, and the rules apply to it as to any other.
    #[default]
    Report,
    /// It is stopped.
    Stop,
    /// It is terminated.
    Terminate,
}

/// Which runs for a launch send a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaunchReports {
    /// All that have something to say.
    All,
    /// Those that failed to do something, or found what they may not repair.
    Problems,
}

/// Everything the tag policy can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The table of rules.
    pub rules_table: String,
    /// The table of what one run leaves to the next.
    pub state_table: String,
    /// The topic that reports go to.
    pub topic: String,
    /// The reports' subject.
    pub subject: String,
    /// VPCs to look in; empty: all.
    pub vpcs: Vec<String>,
    /// What becomes of untagged instances.
    pub untagged: Policy,
    /// A run that finds this many percent fewer instances than the last only reports.
    pub fall_percent: u32,
    /// Instances a call.
    pub write_batch: usize,
    /// Calls to CloudTrail a run.
    pub lookups: u32,
    /// Key of the second tag, which says how the launcher is known.
    pub source_tag: Option<String>,
    /// Which runs for a launch send a report.
    pub launch_reports: LaunchReports,
}

impl Settings {
    /// Reads and checks the settings.
    pub fn read(variables: &Variables) -> Result<Self, SettingError> {
        let actions = [
            ("report", UntaggedAction::Report),
            ("stop", UntaggedAction::Stop),
            ("terminate", UntaggedAction::Terminate),
        ];
        let reports = [("all", LaunchReports::All), ("problems", LaunchReports::Problems)];
        let subject = "1 to 99 printable ASCII characters, the first no space";
        let key = "a tag key of 1 to 128 characters that does not begin with aws:";
        Ok(Self {
            rules_table: variables.or(
                "RULES_TABLE",
                "acme_cloud_policy_tagging_def",
                TABLE_NAME,
                table_name,
            )?,
            state_table: variables.required("STATE_TABLE", TABLE_NAME, table_name)?,
            topic: variables.topic("REPORT_TOPIC_ARN")?,
            subject: variables.or(
                "REPORT_SUBJECT",
                "ACME Cloud Tagging Policy Report",
                subject,
                subject_line,
            )?,
            vpcs: variables.list("VPC_IDS", "VPC ids", is_vpc)?,
            untagged: Policy {
                action: variables.choice("UNTAGGED_ACTION", actions)?,
                grace_hours: variables.number("GRACE_HOURS", 24, 1..=8_760)?.into(),
                cap: size(variables.number("ACTION_CAP", 10, 0..=1_000)?),
                cap_percent: variables.number("ACTION_CAP_PERCENT", 5, 0..=100)?,
            },
            fall_percent: variables.number("FALL_PERCENT", 50, 1..=100)?,
            write_batch: size(variables.number("WRITE_BATCH", 500, 1..=1_000)?),
            lookups: variables.number("LOOKUPS_PER_RUN", 200, 0..=1_000)?,
            source_tag: variables.optional("OWNER_SOURCE_TAG", key, tag_key)?,
            launch_reports: variables.choice("LAUNCH_REPORTS", reports)?,
        })
    }
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// As SNS takes it: fewer than 100 characters, ASCII, no line breaks, not beginning with a space.
fn subject_line(value: &str) -> Option<String> {
    let valid = value.len() < 100 && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    (valid && !value.starts_with(' ')).then(|| value.to_owned())
}

fn tag_key(value: &str) -> Option<String> {
    let valid = value.chars().count() <= LONGEST_KEY
        && !value.to_lowercase().starts_with("aws:")
        && !value.chars().any(char::is_control);
    valid.then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_helpers::settings::undocumented;

    const NEEDED: [(&str, &str); 2] =
        [("STATE_TABLE", "state"), ("REPORT_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:reports")];

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variables = NEEDED.iter().chain(variables).copied().collect();
        Settings::read(&variables).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_allowed() {
        for (name, value, expected) in [
            ("STATE_TABLE", "", "setting STATE_TABLE is missing; set it to the name of a DynamoDB table"),
            ("RULES_TABLE", "a b", r#"setting RULES_TABLE is "a b"; allowed: the name of a DynamoDB table"#),
            (
                "REPORT_TOPIC_ARN",
                "mail",
                r#"setting REPORT_TOPIC_ARN is "mail"; allowed: the ARN of an SNS topic"#,
            ),
            (
                "REPORT_SUBJECT",
                "a\nb",
                "setting REPORT_SUBJECT is \"a\\nb\"; allowed: 1 to 99 printable ASCII characters, the first no space",
            ),
            ("VPC_IDS", "vpc-1,x", r#"setting VPC_IDS is "x"; allowed: a comma-separated list of VPC ids"#),
            (
                "UNTAGGED_ACTION",
                "Terminate",
                r#"setting UNTAGGED_ACTION is "Terminate"; allowed: report or stop or terminate"#,
            ),
            ("GRACE_HOURS", "0", r#"setting GRACE_HOURS is "0"; allowed: a whole number from 1 to 8760"#),
            (
                "WRITE_BATCH",
                "1001",
                r#"setting WRITE_BATCH is "1001"; allowed: a whole number from 1 to 1000"#,
            ),
        ] {
            let found = read(&[(name, value)]).unwrap_err();
            assert!(found.starts_with(expected), "{name}={value}: {found}");
        }
    }

    #[test]
    fn a_subject_is_as_sns_takes_it() {
        for (value, expected) in [
            ("x".repeat(99), true),
            ("x".repeat(100), false),
            ("Tags: 1, 2 & 3".to_owned(), true),
            ("Bericht für Tags".to_owned(), false),
        ] {
            assert_eq!(read(&[("REPORT_SUBJECT", &value)]).is_ok(), expected, "{value}");
        }
    }

    #[test]
    fn the_documented_table_is_what_is_read() {
        let page = include_str!("../../../docs/tag-policy.md");
        assert_eq!(undocumented(page, include_str!("settings.rs"), read), Vec::<String>::new());
    }
}
