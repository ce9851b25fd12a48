//! Calls and time of a notice are counted, printed, and held: six calls, one second at 20 ms a call.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Run, arn, tag};

/// One counted case: which settings, which tag, and what it costs.
struct Case {
    name: &'static str,
    variables: &'static [(&'static str, &'static str)],
    tag: Option<String>,
    event: fn(&Run, &str) -> Value,
    describes: usize,
    deregisters: usize,
    publishes: usize,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            name: "",
            variables: &[],
            tag: None,
            event: |run, id| run.warning(id),
            describes: 1,
            deregisters: 0,
            publishes: 2,
        }
    }
}

fn rebalance(run: &Run, id: &str) -> Value {
    run.event(|world| world.recommend_rebalance(id))
}

#[tokio::test(start_paused = true)]
async fn calls_and_time_of_every_case() {
    let drain: &[(&str, &str)] = &[("REBALANCE", "drain")];
    let cases = [
        Case { name: "no tag", ..Case::default() },
        Case { name: "an empty tag", tag: Some(String::new()), ..Case::default() },
        Case { name: "one target group", tag: Some(tag(&["a"])), deregisters: 1, ..Case::default() },
        Case { name: "two target groups", tag: Some(tag(&["a", "b"])), deregisters: 2, ..Case::default() },
        Case {
            name: "three target groups",
            tag: Some(tag(&["a", "b", "c"])),
            deregisters: 3,
            ..Case::default()
        },
        Case {
            name: "one of them four times",
            tag: Some(format!("{} {}, {}", arn("a"), arn("a"), tag(&["a", "b", "a"]))),
            deregisters: 2,
            ..Case::default()
        },
        Case {
            name: "three and what is none",
            tag: Some(format!("{} web {}", tag(&["a", "b", "c"]), "arn:aws:ecs:x")),
            deregisters: 3,
            ..Case::default()
        },
        Case {
            name: "ten, more than a tag can hold",
            tag: Some(tag(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"])),
            deregisters: 3,
            ..Case::default()
        },
        Case {
            name: "nobody to be told",
            variables: &[("NOTICE_TOPIC_ARN", "")],
            tag: Some(tag(&["a"])),
            deregisters: 1,
            publishes: 1,
            ..Case::default()
        },
        Case {
            name: "another tag",
            variables: &[("TARGET_GROUP_TAG", "groups")],
            tag: Some(tag(&["a"])),
            ..Case::default()
        },
        Case {
            name: "an instance that EC2 does not know",
            event: |run, id| {
                let event = run.warning(id);
                run.fake.with(|world| world.remove_machine(id));
                event
            },
            ..Case::default()
        },
        Case {
            name: "rebalance, switched on",
            variables: drain,
            tag: Some(tag(&["a"])),
            event: rebalance,
            publishes: 1,
            ..Case::default()
        },
        Case { name: "rebalance, ignored", event: rebalance, describes: 0, publishes: 0, ..Case::default() },
        Case {
            name: "too late",
            tag: Some(tag(&["a"])),
            event: |run, id| {
                let mut event = run.warning(id);
                event["time"] = json!("2025-12-31T23:57:59Z");
                event
            },
            describes: 0,
            publishes: 1,
            ..Case::default()
        },
        Case {
            name: "another event",
            event: |_, _| json!({"source": "aws.ec2", "detail-type": "EC2 Fleet Spot Instance Request Change"}),
            describes: 0,
            publishes: 0,
            ..Case::default()
        },
    ];
    for case in cases {
        let run = Run::new(case.variables);
        let groups = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        run.target_groups(&groups);
        let id = run.instance(case.tag.as_deref(), &groups);
        let outcome = run.handle(&(case.event)(&run, &id)).await;
        assert!(outcome.answer.is_ok(), "{}: {:?}", case.name, outcome.answer);
        let counted = run.calls();
        let count = |operation: &str| counted.get(operation).copied().unwrap_or_default();
        let found = (count("DescribeInstances"), count("DeregisterTargets"), count("Publish"));
        assert_eq!(found, (case.describes, case.deregisters, case.publishes), "{}: {counted:?}", case.name);
        let total: usize = counted.values().sum();
        println!("spot interruption: {}: {total} calls, {} ms", case.name, outcome.took.as_millis());
        assert!(total <= 6, "{}: {counted:?}", case.name);
        assert_eq!(total, found.0 + found.1 + found.2, "{}: no other calls: {counted:?}", case.name);
        assert!(outcome.took < Duration::from_secs(1), "{}: {:?}", case.name, outcome.took);
    }
}
