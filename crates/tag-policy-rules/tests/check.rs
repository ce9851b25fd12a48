//! The command as it is called: what it prints, and its exit code.

#![allow(clippy::expect_used, reason = "tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// Exit code, standard output, standard error.
type Said = (i32, String, String);

/// Runs the command with nothing of this machine's configuration.
fn said(arguments: &[&str], input: &str, environment: &[(&str, &str)]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tag-policy-rules"));
    command.args(arguments).env_clear().env("HOME", PACKAGE).env("AWS_EC2_METADATA_DISABLED", "true");
    command.envs(environment.iter().copied());
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("the command starts");
    // Whoever does not read it closes it.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the command ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("a code and no signal"), text(output.stdout), text(output.stderr))
}

/// A file of this name and text, in a folder of its own.
fn file(folder: &str, name: &str, text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

fn sample() -> String {
    format!("{PACKAGE}/examples/rules.yaml")
}

/// The sample with everything that it has commented out.
fn whole_sample() -> String {
    let text = std::fs::read_to_string(sample()).expect("the sample");
    let (live, dead) = text.split_once("\n#\n# - RuleId: 4").expect("a part that is commented out");
    let dead = dead.replace("\n# ", "\n");
    format!("{live}\n- RuleId: 4{dead}")
}

#[test]
fn the_sample_is_sound() {
    let (code, output, errors) = said(&["check", &sample()], "", &[]);
    assert_eq!((code, errors.as_str()), (0, ""), "{output}");
    assert!(output.contains("ProjectCode  Update      Y         Proj007"), "{output}");
    assert!(output.ends_with("rules.yaml: 3 rules, no faults\n"), "{output}");
}

#[test]
fn the_samples_comments_are_sound_too() {
    let (code, output, _) = said(&["check", "-"], &whole_sample(), &[]);
    assert_eq!(code, 0, "{output}");
    assert!(output.ends_with("standard input: 4 rules, no faults\n"), "{output}");
    let fault = "unknown attribute ?; allowed are ";
    let (_, output, _) = said(&["check", "-"], &format!("{}\n  \"?\": 1\n", whole_sample().trim_end()), &[]);
    let (_, allowed) = output.split_once(fault).expect("what is allowed");
    let (allowed, _) = allowed.split_once('\n').expect("a line");
    for name in allowed.split(", ").flat_map(|names| names.split(" and ")) {
        assert!(whole_sample().contains(&format!("{name}: ")), "the sample does not show {name}");
    }
}

#[test]
fn a_file_is_checked_whatever_it_is_written_in() {
    let good = json!([{"RuleId": 1, "TagKey": "A", "Action": "UserLookup"}]);
    let bad = json!([{"RuleId": 1, "TagKey": "aws:A", "Action": "UserLookup"}]);
    let yaml = |key: &str| format!("- RuleId: 1\n  TagKey: {key}\n  Action: UserLookup\n");
    let export = |key: &str| {
        json!({
            "Items": [{"RuleId": {"N": "1"}, "TagKey": {"S": key}, "Action": {"S": "UserLookup"}}],
            "Count": 1, "ScannedCount": 1, "ConsumedCapacity": null,
        })
    };
    let fault = "fault in rule 1: TagKey begins with aws:, which is reserved for AWS\n";
    for (name, good, bad) in [
        ("rules.json", good.to_string(), bad.to_string()),
        ("rules.yaml", yaml("A"), yaml("aws:A")),
        ("rules.YML", yaml("A"), yaml("aws:A")),
        ("rules.txt", yaml("A"), bad.to_string()),
        ("export.json", export("A").to_string(), export("aws:A").to_string()),
    ] {
        for (text, code, end) in [
            (&good, 0, ": 1 rule, no faults\n"),
            (&bad, 1, ": 1 rule, 1 fault in 1 rule: the function would only report\n"),
        ] {
            let path = file("checked", name, text);
            for (from, input) in [(path.to_str().expect("UTF-8"), ""), ("-", text.as_str())] {
                let (seen, output, errors) = said(&["check", from], input, &[]);
                assert_eq!((seen, errors.as_str()), (code, ""), "{name} {from}: {output}");
                assert_eq!(output.contains(fault), code == 1, "{name} {from}: {output}");
                assert!(output.ends_with(end), "{name} {from}: {output}");
            }
        }
    }
}

#[test]
fn every_fault_is_listed() {
    let rules = json!([
        {"RuleId": 1, "TagKey": "Team", "Action": "Delete", "Required": "maybe"},
        {"TagKey": "Cost", "Action": "UserLookup"},
        {"RuleId": 3, "TagKey": "TEAM", "Action": "UserLookup"},
    ]);
    let (code, output, _) = said(&["check", "-"], &rules.to_string(), &[]);
    let faults: Vec<&str> = output.lines().filter(|line| line.starts_with("fault in ")).collect();
    let expected = [
        "fault in rule 1: Required must be Y or N",
        "fault in rule 1: Action must be Update, UserLookup or Function",
        "fault in rule 1: TagKey must be unique, but rule 3 has a TagKey that differs only in case",
        "fault in item 2 of the list: RuleId must be a whole number",
        "fault in rule 3: TagKey must be unique, but rule 1 has a TagKey that differs only in case",
    ];
    assert_eq!((code, faults.as_slice()), (1, expected.as_slice()));
    assert!(output.ends_with(": 3 rules, 5 faults in 3 rules: the function would only report\n"), "{output}");
}

#[test]
fn what_cannot_be_read_is_an_error_that_says_where() {
    let unreadable =
        |name: &str, text: &str| file("unreadable", name, text).to_str().expect("UTF-8").to_owned();
    let json = unreadable("r.json", "[\n  {\"RuleId\": 1,}\n]");
    let yaml = unreadable("r.yaml", "- RuleId: 1\n   TagKey: A\n");
    let named_json = unreadable("r2.JSON", "- RuleId: 1\n");
    let empty = unreadable("r.yml", "");
    for (arguments, expected) in [
        (vec!["check", "no-such.yaml"], "error: cannot read no-such.yaml: No such file".to_owned()),
        (vec!["check", PACKAGE], format!("error: cannot read {PACKAGE}: Is a directory")),
        (vec!["check", &json], format!("error: {json}, line 2, column 16: trailing comma")),
        (vec!["check", &yaml], format!("error: {yaml}, line 2, column 10: mapping values")),
        (vec!["check", &named_json], format!("error: {named_json}, line 1, column 2: invalid number")),
        (vec!["check", &empty], format!("error: {empty}: is empty")),
        (vec!["check", "-"], "error: standard input: is empty".to_owned()),
        (vec!["load", &json], format!("error: {json}, line 2, column 16: trailing comma")),
    ] {
        let (code, output, errors) = said(&arguments, "", &[]);
        assert_eq!((code, output.as_str()), (2, ""), "{arguments:?}: {errors}");
        assert!(errors.starts_with(&expected), "{arguments:?}: {errors}");
    }
}

#[test]
fn wrong_usage_is_told_from_faults() {
    for arguments in [
        vec![],
        vec!["check"],
        vec!["check", "a", "b"],
        vec!["remove"],
        vec!["load"],
        vec!["load", "a", "--force"],
        vec!["show", "--format", "xml"],
        vec!["show", "--table", ""],
    ] {
        let (code, output, errors) = said(&arguments, "", &[]);
        assert_eq!((code, output.as_str()), (2, ""), "{arguments:?}");
        assert!(errors.contains("--help"), "{arguments:?}: {errors}");
    }
    let (code, output, _) = said(&["--help"], "", &[]);
    assert!(code == 0 && output.contains("Examples:\n  tag-policy-rules check rules.yaml"), "{output}");
    let version = concat!("tag-policy-rules ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(said(&["--version"], "", &[]), (0, version.to_owned(), String::new()));
}

#[test]
fn a_faulty_file_is_refused_before_any_call() {
    let faulty = json!([{"RuleId": 1, "TagKey": "", "Action": "UserLookup"}]).to_string();
    let (code, output, errors) = said(&["load", "-", "--prune"], &faulty, &[]);
    assert_eq!((code, errors.as_str()), (1, ""));
    assert_eq!(
        output,
        "fault in rule 1: TagKey is empty\nstandard input: 1 fault in 1 rule; nothing was written\n"
    );
}

#[test]
fn what_an_aws_client_needs_is_asked_for() {
    let region = ("AWS_REGION", "eu-central-1");
    for (environment, expected) in [
        (vec![], "error: no AWS region: set AWS_REGION"),
        (vec![region], "error: no AWS credentials: set AWS_PROFILE, or "),
        (vec![region, ("AWS_PROFILE", "nobody")], "error: no AWS credentials: set AWS_PROFILE, or "),
    ] {
        for arguments in [vec!["show"], vec!["load", &sample()], vec!["load", &sample(), "--dry-run"]] {
            let (code, output, errors) = said(&arguments, "", &environment);
            assert_eq!((code, output.as_str()), (2, ""), "{arguments:?}: {errors}");
            assert!(errors.starts_with(expected), "{arguments:?}: {errors}");
        }
    }
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    for (environment, expected) in [
        (vec![], false),
        (vec![("CLICOLOR_FORCE", "1")], true),
        (vec![("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
    ] {
        let (_, output, _) = said(&["check", &sample()], "", &environment);
        assert_eq!(output.contains('\u{1b}'), expected, "{environment:?}: {output}");
    }
}

#[test]
fn the_two_samples_say_the_same() {
    let text = std::fs::read_to_string(format!("{PACKAGE}/../../examples/tag-rules.json"))
        .expect("the other sample");
    let json: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let yaml = tag_policy_rules::file::read(Path::new(&sample())).expect("the sample");
    assert_eq!(yaml, json);
}
