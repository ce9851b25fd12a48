//! The function's settings. Names, defaults and allowed values are tabled in docs/spot-interruption.md, which
//! a test compares with this file.

use aws_helpers::settings::{SettingError, Variables};

/// What a rebalance recommendation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebalance {
    /// Nothing.
    Ignore,
    /// The instance is drained, with the drainer's own deadline.
    Drain,
}

/// Everything the function can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The topic that drain requests go to.
    pub drain_topic: String,
    /// The topic that notices go to; none: nobody is told.
    pub notice_topic: Option<String>,
    /// Key of the tag that names an instance's target groups.
    pub tag: String,
    /// What a rebalance recommendation does.
    pub rebalance: Rebalance,
}

/// Characters of a tag's key (EC2, tag restrictions).
const LONGEST_KEY: usize = 128;

impl Settings {
    /// Reads and checks the settings.
    pub fn read(variables: &Variables) -> Result<Self, SettingError> {
        let words = [("ignore", Rebalance::Ignore), ("drain", Rebalance::Drain)];
        let key = "a tag key of 1 to 128 characters that does not begin with aws:";
        Ok(Self {
            drain_topic: variables.topic("DRAIN_TOPIC_ARN")?,
            notice_topic: variables.optional("NOTICE_TOPIC_ARN", "the ARN of an SNS topic", topic)?,
            tag: variables.or("TARGET_GROUP_TAG", "loadBalancerTargetGroup", key, tag_key)?,
            rebalance: variables.choice("REBALANCE", words)?,
        })
    }
}

/// The ARN of a topic, by the same rule as for one that must be there.
fn topic(value: &str) -> Option<String> {
    let alone: Variables = [("TOPIC", value)].into_iter().collect();
    alone.topic("TOPIC").ok()
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

    const TOPIC: (&str, &str) = ("DRAIN_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:drain");

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variables = [&[TOPIC], variables].concat().into_iter().collect();
        Settings::read(&variables).map_err(|error| error.to_string())
    }

    #[test]
    fn the_drain_topic_alone_is_enough() {
        let settings = read(&[]).unwrap();
        let expected = Settings {
            drain_topic: TOPIC.1.to_owned(),
            notice_topic: None,
            tag: "loadBalancerTargetGroup".to_owned(),
            rebalance: Rebalance::Ignore,
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_allowed() {
        let long = "k".repeat(129);
        for (name, value, expected) in [
            ("DRAIN_TOPIC_ARN", "", "setting DRAIN_TOPIC_ARN is missing; set it to the ARN of an SNS topic"),
            (
                "DRAIN_TOPIC_ARN",
                "drain",
                r#"setting DRAIN_TOPIC_ARN is "drain"; allowed: the ARN of an SNS topic"#,
            ),
            (
                "NOTICE_TOPIC_ARN",
                "arn:aws:sqs:us-east-1:123456789012:operations",
                r#"setting NOTICE_TOPIC_ARN is "arn:aws:sqs:us-east-1:123456789012:operations"; allowed: the ARN of an SNS topic"#,
            ),
            (
                "TARGET_GROUP_TAG",
                "aws:cloudformation:stack-name",
                r#"setting TARGET_GROUP_TAG is "aws:cloudformation:stack-name"; allowed: a tag key of 1 to 128 characters that does not begin with aws:"#,
            ),
            (
                "TARGET_GROUP_TAG",
                &long,
                &format!(
                    r#"setting TARGET_GROUP_TAG is "{long}"; allowed: a tag key of 1 to 128 characters that does not begin with aws:"#
                ),
            ),
            ("REBALANCE", "on", r#"setting REBALANCE is "on"; allowed: ignore or drain"#),
        ] {
            assert_eq!(read(&[(name, value)]), Err(expected.to_owned()), "{name}={value}");
        }
    }

    #[test]
    fn the_documented_table_is_what_is_read() {
        let page = include_str!("../../../docs/spot-interruption.md");
        assert_eq!(undocumented(page, include_str!("settings.rs"), read), Vec::<String>::new());
    }
}
