//! What every day brings.

use serde_json::{Value, json};

use crate::harness::{TODAY, World, machines, published, scenario, tags};
use aws_fake::log::Log;
use aws_fake::world::launches::MachinePlan;

/// Twelve instances in every state of order.
fn mixed() -> World {
    let all = [("ProjectCode", "Mine"), ("CreatedBy", "eve"), ("Expires", "2020-01-01")];
    World::new(
        scenario(&published())
            .machines(machines(3, &all))
            .machines(machines(3, &all[1..]))
            .machines(machines(2, &[all[0], all[1], ("Expires", "")]))
            .machines(machines(4, &[])),
    )
}

#[tokio::test(start_paused = true)]
async fn the_published_rules_repair_what_is_missing_and_nothing_else() {
    let world = mixed();
    let summary = world.run("e-1").await;
    let found = |key: &str, value: &str| world.tagged(key, value);
    assert_eq!((found("ProjectCode", "Mine"), found("ProjectCode", "Proj007")), (5, 7));
    assert_eq!((found("CreatedBy", "eve"), found("CreatedBy", "Undefined")), (8, 4));
    assert_eq!((found("Expires", "2020-01-01"), found("Expires", TODAY)), (6, 6));
    assert_eq!(summary["counts"]["instances"], 12);
    assert_eq!((&summary["counts"]["tagsRepaired"], &summary["counts"]["findings"]), (&json!(17), &json!(0)));
    assert_eq!(world.reports(), [summary], "the function returns what it publishes for machines");
    let (subject, text) = &world.mails()[0];
    assert_eq!(subject, "ACME Cloud Tagging Policy Report");
    assert!(
        text.starts_with("12 instances of account 123456789012 in us-east-1, 2026-01-01T01:00:00Z\n"),
        "{text}"
    );
    assert!(text.contains("\n17 tags repaired, 0 failed, 0 problems only found.\n"), "{text}");
    assert!(text.contains("\n  1 ProjectCode: 12 checked, 5 good, 7 repaired, 0 found\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_finds_all_in_order_says_and_writes_nothing() {
    let world = mixed();
    world.run("e-1").await;
    let calls = world.call_count();
    let summary = world.run("e-2").await;
    assert_eq!(summary["counts"]["tagsRepaired"], 0);
    assert_eq!(world.mails().len(), 1, "no second mail");
    let expected = [("DescribeInstances", 1), ("Scan", 1), ("UpdateItem", 1)];
    assert_eq!(world.calls(calls), expected.map(|(name, count)| (name.to_owned(), count)).into());
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_again_does_nothing() {
    let world = mixed();
    let event = world.scheduled("e-1");
    world.invoke(&event, "request-1").await.unwrap();
    world.fake.with(|world| {
        let id = world.machines().next().unwrap().id.clone();
        world.delete_tag(&id, "ProjectCode");
    });
    let later = world.run("e-2").await;
    assert_eq!(later["counts"]["tagsRepaired"], 1);
    let (mails, written) = (world.mails().len(), world.written().len());
    for (request, name) in [("request-1", "the same invocation"), ("request-9", "another one")] {
        let answer = world.invoke(&event, request).await.unwrap();
        assert_eq!(answer, json!({"skipped": "this event, or a later one, has been answered"}), "{name}");
    }
    assert_eq!((world.mails().len(), world.written().len()), (mails, written));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_is_the_plan_and_writes_nothing() {
    let world = mixed();
    let before = world.fake.with(|world| world.items(crate::harness::STATE));
    let plan = world.invoke(&json!({"dryRun": true}), "request-1").await.unwrap();
    assert_eq!(plan["reportOnly"], "dryRun");
    assert_eq!(plan["repairs"].as_array().unwrap().len(), 17);
    assert_eq!((world.mails().len(), world.written().len()), (0, 0));
    assert_eq!(world.fake.with(|world| world.items(crate::harness::STATE)), before);
    let writes: Vec<String> = world
        .calls(0)
        .into_keys()
        .filter(|name| {
            !["Scan", "GetItem", "BatchGetItem"].contains(&name.as_str()) && !name.starts_with("Describe")
        })
        .collect();
    assert_eq!(writes, Vec::<String>::new());
    let done = world.run("e-1").await;
    assert_eq!(done["repairs"], plan["repairs"], "the run does what the dry run said");
}

#[tokio::test(start_paused = true)]
async fn only_the_wanted_vpcs_are_looked_in() {
    let of = |vpc: &str| MachinePlan { vpc: vpc.to_owned(), ..machines(2, &[]) };
    let fleet =
        || scenario(&published()).machines(of("vpc-0a")).machines(of("vpc-0b")).machines(of("vpc-0c"));
    for (name, setting, event, expected) in [
        ("all", "", json!({"dryRun": true}), 6),
        ("the setting's", "vpc-0a, vpc-0b", json!({"dryRun": true}), 4),
        ("the event's", "vpc-0a", json!({"dryRun": true, "vpcIds": ["vpc-0c"]}), 2),
        ("one that is not there", "", json!({"dryRun": true, "vpcIds": ["vpc-0f"]}), 0),
    ] {
        let world = World::with(fleet(), &[("VPC_IDS", setting)]);
        let summary = world.invoke(&event, "request-1").await.unwrap();
        assert_eq!(summary["counts"]["instances"], expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn instances_on_their_way_out_are_left_out() {
    let world = World::new(scenario(&published()).machines(machines(3, &[])));
    let ids = world.ids();
    world.fake.with(|world| world.terminate_machine(&ids[0]));
    let summary = world.run("e-1").await;
    assert_eq!(summary["counts"]["instances"], 2);
    assert_eq!(world.tag(&ids[0], "ProjectCode"), None);
}

/// The reasons in the lines that an alarm counts: runs that nobody asked to change nothing.
fn only_reported(log: &Log) -> Vec<String> {
    let told = |line: &Value| line["message"] == "run only reported" && line["level"] == "WARN";
    let lines = log.lines().into_iter().filter(told);
    lines.map(|line| line["reason"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn with_a_faulty_rule_or_none_the_run_only_reports() {
    let mut faulty = published();
    faulty[2]["Default"]["S"] = json!("tomorrow()");
    let expected = json!([{"rule": "3", "reason": "Default must be today(), launchDate(), accountId() or region(); the dates also with an offset such as +30d, +2w, +6m or +1y (at most 100 years)"}]);
    for (name, rules, why, faults, repairs) in
        [("a faulty rule", faulty, "faultyRules", expected, 6), ("no rule", vec![], "noRules", json!([]), 0)]
    {
        let (log, _logging) = Log::of("tag_policy");
        let world = World::new(scenario(&rules).machines(machines(3, &[])));
        let summary = world.run("e-1").await;
        assert_eq!(only_reported(&log), [why], "{name}");
        assert_eq!((&summary["reportOnly"], &summary["ruleFaults"]), (&json!(why), &faults), "{name}");
        assert_eq!(summary["repairs"].as_array().unwrap().len(), repairs, "{name}: what would be done");
        assert_eq!(world.written(), vec![], "{name}");
        assert!(world.mails()[0].1.contains("NOTHING WAS CHANGED"), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_has_fallen_sharply_is_only_reported() {
    let (log, _logging) = Log::of("tag_policy");
    let world = mixed();
    world.run("e-1").await;
    let ids = world.ids();
    world.fake.with(|world| {
        for id in &ids[..8] {
            world.remove_machine(id);
        }
        world.delete_tag(&ids[9], "ProjectCode");
    });
    let summary = world.run("e-2").await;
    assert_eq!(summary["reportOnly"], json!({"fleetFell": {"from": 12, "to": 4}}));
    assert_eq!(world.tag(&ids[9], "ProjectCode"), None);
    let summary = world.run("e-3").await;
    assert_eq!(summary["reportOnly"], Value::Null, "if it stays so, it was no mistake");
    assert_eq!(only_reported(&log), ["fleetFell"]);
    assert_eq!(world.tag(&ids[9], "ProjectCode").as_deref(), Some("Proj007"));
}

#[tokio::test(start_paused = true)]
async fn keys_are_renamed_where_the_rule_says_so() {
    let mut rules = published();
    rules[0]["KeyCaseFix"] = json!({"S": "Y"});
    let fine = [("CreatedBy", "eve"), ("Expires", "x")];
    let with = |key: &'static str| machines(2, &[fine[0], fine[1], (key, "Mine")]);
    let world = World::new(scenario(&rules).machines(with("projectcode")).machines(with("PROJECTCODE")));
    let summary = world.run("e-1").await;
    assert_eq!(summary["counts"]["tagsRepaired"], 4);
    for id in world.ids() {
        let own = world.fake.with(|world| world.tags(&id));
        assert_eq!(own, tags(&[fine[0], fine[1], ("ProjectCode", "Mine")]), "{id}");
    }
    assert_eq!((world.count("CreateTags"), world.count("DeleteTags")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_value_that_changes_between_the_reads_and_the_removal_stays() {
    // DeleteTags names the value that was read; EC2 leaves any other.
    let mut rules = published();
    rules[0]["KeyCaseFix"] = json!({"S": "Y"});
    let world = World::new(
        scenario(&rules).machines(machines(1, &[("projectcode", "a"), ("CreatedBy", "x"), ("Expires", "x")])),
    );
    let id = world.ids().remove(0);
    let fault = aws_fake::faults::Fault::of(
        "CreateTags",
        aws_fake::faults::Calls::All,
        aws_fake::faults::FaultKind::Latency(std::time::Duration::from_secs(2)),
    );
    world.fake.with(|world| world.add_fault(fault));
    let event = world.scheduled("e-1");
    let edit = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        world.fake.with(|world| world.set_tag(&id, "projectcode", "b"));
    };
    let (answer, ()) = tokio::join!(world.invoke(&event, "request-1"), edit);
    answer.unwrap();
    assert_eq!(
        (world.tag(&id, "ProjectCode").as_deref(), world.tag(&id, "projectcode").as_deref()),
        (Some("a"), Some("b"))
    );
}

#[tokio::test(start_paused = true)]
async fn rules_are_read_from_every_page_and_from_the_table_of_the_setting() {
    // 1 MB a page: 50 rules of 30 KB each are two.
    let rule = |id: usize| {
        let allowed: Vec<Value> = (0..110).map(|n| json!({"S": format!("{n:0>256}")})).collect();
        json!({"RuleId": {"N": id.to_string()}, "TagKey": {"S": format!("K{id}")}, "Action": {"S": "Update"},
               "Required": {"S": "N"}, "OnMissing": {"S": "report"}, "AllowedValues": {"L": allowed}})
    };
    let rules: Vec<Value> = (0..50).map(rule).collect();
    let world = World::new(scenario(&rules).machines(machines(1, &[])));
    let summary = world.run("e-1").await;
    assert_eq!(summary["rules"].as_array().unwrap().len(), 50);
    assert!(world.count("Scan") > 1, "{}", world.count("Scan"));
    let world = World::with(scenario(&rules), &[("RULES_TABLE", "other")]);
    let error = world.invoke(&world.scheduled("e-1"), "request-1").await.unwrap_err();
    assert!(error.contains("dynamodb:Scan failed: ResourceNotFoundException"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_report_fits_whatever_was_found() {
    let long = "x".repeat(200);
    let each: Vec<_> = (0..3_000).map(|n| machines(1, &[("ProjectCode", &format!("{long}{n}"))])).collect();
    let mut rules = published();
    rules.truncate(1);
    rules[0]["AllowedValues"] = json!({"L": [{"S": "Proj007"}]});
    let fleet = each.into_iter().fold(scenario(&rules), aws_fake::scenario::Scenario::machines);
    let world = World::new(fleet);
    let summary = world.run("e-1").await;
    assert_eq!(summary["counts"]["findings"], 3_000);
    let report = &world.reports()[0];
    assert_eq!(report["counts"]["findings"], 3_000, "counts are complete");
    let listed = report["findings"].as_array().unwrap().len();
    assert!((10..3_000).contains(&listed), "{listed}");
    assert_eq!(report["counts"]["notListed"], 3_000 - listed);
    let message =
        world.fake.with(|world| world.published_to(crate::harness::TOPIC).next().unwrap().message.len());
    assert!((200_000..=256_000).contains(&message), "{message} bytes");
    assert!(world.mails()[0].1.contains("lines more"));
}

#[tokio::test(start_paused = true)]
async fn faulty_rules_are_logged_and_events_are_not() {
    let (log, _logging) = Log::of("tag_policy");
    let mut faulty = published();
    faulty[0]["TagKey"]["S"] = json!("aws:x");
    let world = World::new(scenario(&faulty).machines(machines(1, &[])));
    let mut event = world.scheduled("e-1");
    event["secret"] = json!("hunter2");
    world.invoke(&event, "request-1").await.unwrap();
    let lines = log.lines();
    let fault = "faulty rule: TagKey begins with aws:, which is reserved for AWS";
    assert!(lines.iter().any(|line| line["message"] == fault && line["rule"] == "1"), "{lines:?}");
    assert_eq!(only_reported(&log), ["faultyRules"]);
    assert!(!format!("{lines:?}").contains("hunter2"), "{lines:?}");
}
