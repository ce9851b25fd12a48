//! The binary itself: what it says when it is set up wrongly.

use std::process::Command;

#[test]
fn a_bad_setting_stops_the_start_and_says_what_is_allowed() {
    let right =
        [("STATE_TABLE", "state"), ("REPORT_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:reports")];
    for (name, value, expected) in [
        ("REPORT_TOPIC_ARN", "", "setting REPORT_TOPIC_ARN is missing; set it to the ARN of an SNS topic"),
        (
            "UNTAGGED_ACTION",
            "delete",
            "setting UNTAGGED_ACTION is \"delete\"; allowed: report or stop or terminate",
        ),
    ] {
        let mut function = Command::new(env!("CARGO_BIN_EXE_tag-policy"));
        let output = function.env_clear().envs(right).env(name, value).output().unwrap();
        assert!(!output.status.success(), "{name}={value:?}");
        let line: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
        assert_eq!((&line["level"], &line["message"]), (&"ERROR".into(), &expected.into()));
    }
}
