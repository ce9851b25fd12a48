//! The command `costs` as it is called, and the page of the documentation, which it writes.

#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

use std::process::Command;

use costs::{metrics, whole};

/// Exit code, standard output, standard error.
fn said(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_costs")).args(arguments).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("a code and no signal"), text(output.stdout), text(output.stderr))
}

#[test]
fn a_deployment_is_printed_item_by_item() {
    let (code, text, errors) = said(&["metrics", "--clusters", "100", "--period", "5", "--sink", "put"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    for (name, parts) in [
        ("custom metrics, 4 a cluster", ["400 metrics", "120.00", "400 metrics", "120.00"]),
        ("PutMetricData", ["518,400 calls", "5.18", "51,840,000 calls", "518.40"]),
        ("Lambda duration", ["486,000 GB-s", "6.48", "972,000 GB-s", "16.20"]),
        ("Standard workflow, transitions", ["0.025 $ a 1,000", "108,000,000 transitions", "2,700.00", ""]),
        ("total", ["134.27", "3,364.97", "", ""]),
        ("a cluster", ["1.34", "33.65", "", ""]),
    ] {
        let line =
            text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    assert!(
        text.contains("with which the total is 134.27 $, and 60 s at worst, with which it is 136.43 $. Without a wait it would be 132.11 $"),
        "{text}"
    );
}

#[test]
fn a_bad_argument_is_named_with_what_is_allowed() {
    for (arguments, expected) in [
        (vec!["--clusters", "0"], "invalid value '0' for '--clusters <N>': 0 is not in 1..=10000"),
        (vec!["--clusters", "many"], "invalid value 'many' for '--clusters <N>'"),
        (vec!["--period", "2"], "'--period <SECONDS>'\n  [possible values: 1, 5, 10, 20, 30, 60]"),
        (vec!["--sink", "log"], "'--sink <SINK>'\n  [possible values: put, flush, emf]"),
        (vec!["--flush-seconds", "11"], "'--flush-seconds <SECONDS>': 11 is not in 1..=10"),
        (vec!["--driver", "cron"], "'--driver <DRIVER>'\n  [possible values: schedule, state-machine]"),
        (vec!["--wait", "61"], "'--wait <SECONDS>': 61 is not in 0..=60"),
        (
            vec!["--extra", "instances,cpu"],
            "invalid value 'cpu' for '--extra <EXTRA>'\n  [possible values: launch-types, instances, services, capacity, \
             pending-age]",
        ),
        (vec!["--services", "0"], "'--services <N>': 0 is not in 1..=5000"),
        (vec!["--self-metrics", "yes"], "'--self-metrics <SELF_METRICS>'\n  [possible values: on, off]"),
        (vec!["--free-tier", "1"], "'--free-tier <FREE_TIER>'\n  [possible values: on, off]"),
        (vec!["--published", "map"], "'--published <PUBLISHED>'\n  [possible values: standard, express]"),
        (vec!["--format", "json"], "'--format <FORMAT>'\n  [possible values: table, markdown]"),
        (vec!["--alarms", "-1"], "'-1'"),
        (vec!["--all", "--clusters", "5"], "'--all' cannot be used with"),
        (vec!["--sink", "flush", "--driver", "state-machine"], "allowed with it: --sink put, --sink emf"),
    ] {
        let (code, text, errors) = said(&[&["metrics"], arguments.as_slice()].concat());
        assert_eq!((code, text.as_str()), (2, ""), "{arguments:?}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

#[test]
fn all_functions_are_printed_part_by_part() {
    let (code, text, errors) = said(&["--clusters", "100", "--period", "5", "--sink", "put"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let line = |name: &str| text.lines().rev().find(|line| line.starts_with(name)).expect(name);
    for (name, parts) in [
        ("custom metrics, 4 a cluster", ["400 metrics", "120.00"]),
        ("SQS, polls of empty queues", ["1,944,000 requests", "0.78"]),
        ("reports by mail", ["820 mails", "0.02"]),
        ("alarms of high resolution", ["4 alarms", "1.20"]),
        ("dashboard", ["1 dashboard ", "3.00"]),
        // Of the last table.
        ("ecs-metrics", ["134.27", "3,364.97"]),
        ("total  ", ["144.72", "3,378.79"]),
        // The writer 398 × 0.30, 86,000 GB-s 1.1467, leases 0.081; of 2,164,200 requests to queues a million is free: 0.4657; the
        // drainer's and the tag policy's GB-s and tables 0.0083; 43 alarms, 4 of high resolution and the dashboard 8.50, logs 0.0091.
        // Published: 390 × 0.30, 50.84 million calls 508.40, 572,000 GB-s 9.5333, transitions 2,699.90, requests 10.1680; sleeping
        // 0.0636, tags 0.0026, and 20.92 GB of lines 10.4617, kept 0.7777.
        ("total with the free tier", ["129.61", "3,356.31"]),
    ] {
        assert!(parts.iter().all(|part| line(name).contains(part)), "{}\n{text}", line(name));
    }
}

#[test]
fn each_function_is_printed_alone() {
    for (arguments, expected) in [
        (vec!["drainer", "--drains", "1000"], "ecs-drainer, 1,000 drains of 300 s, 100 tasks an hour"),
        (vec!["drainer", "--drains", "1000"], "From 1,"),
        (vec!["tags", "--instances", "10000"], "tag-policy, 720 runs over 10,000 instances, 100 launches"),
        (
            vec!["tags", "--lookups", "2", "--format", "markdown"],
            "| CloudTrail look-ups | free | 1,440 calls | 0.00 |",
        ),
        (vec!["spot", "--notices", "50"], "spot-interruption, 50 notices"),
        (vec!["spot", "--free-tier", "on"], "with the free tier"),
    ] {
        let (code, text, errors) = said(&arguments);
        assert_eq!((code, errors.as_str()), (0, ""), "{arguments:?}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}

#[test]
fn bad_arguments_of_the_others_are_named_too() {
    for (arguments, expected) in [
        (vec!["--all", "--drains", "5"], "'--all' cannot be used with '--drains <N>'"),
        (vec!["--instances", "0"], "'--instances <N>': 0 is not in 1..=1000000"),
        (vec!["--sink", "flush", "--driver", "state-machine"], "allowed with it: --sink put, --sink emf"),
        (vec!["drainer", "--pass-interval", "901"], "'--pass-interval <SECONDS>': 901 is not in 1..=900"),
        (vec!["spot", "--target-groups", "4"], "'--target-groups <N>': 4 is not in 0..=3"),
        (vec!["tags", "--clusters", "4"], "unexpected argument '--clusters'"),
        (vec!["--drains", "5", "tags"], "cannot be used with"),
        (vec!["alarms"], "unrecognized subcommand 'alarms'"),
    ] {
        let (code, text, errors) = said(&arguments);
        assert_eq!((code, text.as_str()), (2, ""), "{arguments:?}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

fn page(name: &str) -> String {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
    std::fs::read_to_string(format!("{docs}/{name}")).expect(name)
}

#[test]
fn the_pages_are_what_the_program_prints() {
    for (arguments, name, command) in [
        (vec!["--all"], "costs.md", whole::page::COMMAND),
        (vec!["metrics", "--all"], "ecs-metrics-costs.md", metrics::page::COMMAND),
    ] {
        let (code, text, errors) = said(&[arguments.as_slice(), &["--format", "markdown"]].concat());
        assert_eq!((code, errors.as_str()), (0, ""));
        assert!(page(name) == text, "docs/{name} is not what is printed; write it anew: {command}");
    }
    let manual = page("ecs-metrics.md");
    let table = manual.split("\n\n").find(|part| part.starts_with("| clusters / period")).expect("its table");
    assert!(
        page("ecs-metrics-costs.md").contains(table),
        "the table of docs/ecs-metrics.md is not that of docs/ecs-metrics-costs.md: copy it"
    );
}
