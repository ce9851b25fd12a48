//! The command `costs` as it is called, and the page of the documentation, which it writes.

#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

use std::process::Command;

use costs::metrics::page::COMMAND;

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
fn the_page_is_what_the_program_prints() {
    let (code, text, errors) = said(&["metrics", "--all", "--format", "markdown"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
    let page = std::fs::read_to_string(format!("{docs}/ecs-metrics-costs.md")).expect("the page");
    assert!(page == text, "docs/ecs-metrics-costs.md is not what is printed; write it anew: {COMMAND}");
    let manual = std::fs::read_to_string(format!("{docs}/ecs-metrics.md")).expect("the manual");
    let table = manual.split("\n\n").find(|part| part.starts_with("| clusters / period")).expect("its table");
    assert!(
        page.contains(table),
        "the table of docs/ecs-metrics.md is not that of docs/ecs-metrics-costs.md: copy it"
    );
}
