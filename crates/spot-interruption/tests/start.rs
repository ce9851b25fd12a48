//! The binary itself: what it says when it is set up wrongly.

use std::process::Command;

#[test]
fn a_bad_setting_stops_the_start_and_says_what_is_allowed() {
    let topic = "arn:aws:sns:us-east-1:123456789012:drain";
    for (name, value, expected) in [
        ("DRAIN_TOPIC_ARN", "", "setting DRAIN_TOPIC_ARN is missing; set it to the ARN of an SNS topic"),
        ("REBALANCE", "yes", "setting REBALANCE is \"yes\"; allowed: ignore or drain"),
    ] {
        let mut function = Command::new(env!("CARGO_BIN_EXE_spot-interruption"));
        let function = function.env_clear().env("DRAIN_TOPIC_ARN", topic).env(name, value);
        let output = function.output().unwrap();
        assert!(!output.status.success(), "{name}={value:?}");
        let line: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
        assert_eq!((&line["level"], &line["message"]), (&"ERROR".into(), &expected.into()));
    }
}
