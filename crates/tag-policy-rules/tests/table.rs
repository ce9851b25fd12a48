//! `load` and `show` against a table, in virtual time.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use aws_fake::FakeAws;
use aws_fake::faults::{Calls, Fault, FaultKind};
use aws_fake::scenario::Scenario;
use aws_fake::world::tables::TablePlan;
use aws_sdk_dynamodb::Client;
use serde_json::{Value, json};
use tag_policy_rules::decide::Sound;
use tag_policy_rules::error::Error;
use tag_policy_rules::options::{Format, How};
use tag_policy_rules::show::{Answer, Screen};
use tag_policy_rules::table::Table;
use tag_policy_rules::{items, load, show};

const NAME: &str = "acme_cloud_policy_tagging_def";
const PLACE: &str = "table acme_cloud_policy_tagging_def in us-east-1";
const FILE: Screen = Screen { width: None };

/// A world with a table of rules.
struct Run {
    fake: FakeAws,
    table: Table,
}

impl Run {
    fn new(rules: &[Value]) -> Self {
        Self::of(Scenario::new(1).table(TablePlan::new(NAME, "RuleId", "N")), rules)
    }

    fn of(scenario: Scenario, rules: &[Value]) -> Self {
        let fake = FakeAws::new(scenario);
        let table = Table::new(Client::new(&fake.sdk_config()), NAME);
        fake.with(|world| {
            for rule in rules {
                assert!(world.put_item(NAME, &typed(rule)), "{rule}");
            }
        });
        Self { fake, table }
    }

    async fn load(&self, rules: &[Value], prune: bool, dry_run: bool) -> Result<Answer, Error> {
        let rules = Sound::of(rules).expect("rules without faults");
        load(&self.table, &rules, How { prune, dry_run }).await
    }

    /// What a load says, and its exit code.
    async fn loaded(&self, rules: &[Value], prune: bool, dry_run: bool) -> (String, bool) {
        told(&self.load(rules, prune, dry_run).await.expect("an answer"))
    }

    /// What is in the table, in the order of the ids.
    async fn rules(&self) -> Vec<Value> {
        let answer = show(&self.table, Format::Json, FILE).await.expect("an answer");
        serde_json::from_str(&answer.text).expect("JSON")
    }

    fn writes(&self) -> usize {
        self.fake.with(|world| world.count_calls("BatchWriteItem"))
    }
}

fn told(answer: &Answer) -> (String, bool) {
    (anstream::adapter::strip_str(&answer.text).to_string(), answer.faulty)
}

/// A rule as the fake takes items.
fn typed(rule: &Value) -> Value {
    let typed = |value: &Value| match value {
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::Bool(flag) => json!({"BOOL": flag}),
        Value::String(text) => json!({"S": text}),
        Value::Object(_) => value.clone(),
        other => panic!("write {other} with its type"),
    };
    rule.as_object().expect("a rule").iter().map(|(name, value)| (name.clone(), typed(value))).collect()
}

fn published() -> Vec<Value> {
    vec![
        json!({"RuleId": 1, "TagKey": "ProjectCode", "Action": "Update", "Required": "Y", "Default": "Proj007"}),
        json!({"RuleId": 2, "TagKey": "CreatedBy", "Action": "UserLookup", "Required": "Y", "Default": ""}),
        json!({"RuleId": 3, "TagKey": "Expires", "Action": "Function", "Required": "N", "Default": "today()"}),
    ]
}

fn rule(id: i64, key: &str) -> Value {
    json!({"RuleId": id, "TagKey": key, "Action": "UserLookup"})
}

fn many(count: i64) -> Vec<Value> {
    // Of which fifty at most are enabled.
    (0..count)
        .map(|id| {
            let mut rule = rule(id, &format!("K{id}"));
            if id >= 50 {
                rule["Enabled"] = json!("N");
            }
            rule
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_empty_table_gets_the_published_rules() {
    let run = Run::new(&[]);
    let expected = format!(
        "added    1 ProjectCode\nadded    2 CreatedBy\nadded    3 Expires\n{PLACE}: 3 added, 0 changed, 0 unchanged\n"
    );
    assert_eq!(run.loaded(&published(), false, false).await, (expected, false));
    assert_eq!(run.rules().await, published());
    let stored = run.fake.with(|world| world.items(NAME));
    let first = json!({
        "RuleId": {"N": "1"}, "TagKey": {"S": "ProjectCode"}, "Action": {"S": "Update"}, "Required": {"S": "Y"},
        "Default": {"S": "Proj007"},
    });
    assert!(stored.contains(&first), "{stored:?}");
    let expected = format!("{PLACE}: 0 added, 0 changed, 3 unchanged\n");
    assert_eq!(run.loaded(&published(), true, false).await, (expected, false));
    assert_eq!(run.writes(), 1, "what is unchanged is not written");
}

#[tokio::test(start_paused = true)]
async fn a_load_writes_what_differs() {
    let mut file = published();
    file[0]["Default"] = json!("Proj008");
    file[0]["AllowedValues"] = json!(["Proj007", "Proj008"]);
    file.push(rule(10, "Team"));
    let there = [published(), vec![rule(9, "Old")]].concat();
    let (beside, alone) = (
        "changed  1 ProjectCode (AllowedValues, Default)\nkept     9 Old (not in the file)\nadded    10 Team\n",
        "changed  1 ProjectCode (AllowedValues, Default)\nremoved  9 Old\nadded    10 Team\n",
    );
    for (prune, dry_run, lines, counts) in [
        (false, false, beside, "1 added, 1 changed, 2 unchanged, 1 kept"),
        (true, false, alone, "1 added, 1 changed, 2 unchanged, 1 removed"),
        (true, true, alone, "1 added, 1 changed, 2 unchanged, 1 removed (dry run: nothing was written)"),
    ] {
        let run = Run::new(&there);
        let expected = (format!("{lines}{PLACE}: {counts}\n"), false);
        assert_eq!(run.loaded(&file, prune, dry_run).await, expected);
        let mut left = if dry_run { there.clone() } else { file.clone() };
        if !prune {
            left.insert(3, rule(9, "Old"));
        }
        assert_eq!(run.rules().await, left, "prune: {prune}, dry run: {dry_run}");
        assert_eq!(run.writes(), usize::from(!dry_run));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_where_the_table_would_be_faulty() {
    let broken = json!({"RuleId": 9, "TagKey": "Old", "Action": "Delete"});
    for (name, there, faults) in [
        (
            "a broken rule stays",
            broken,
            "fault in rule 9: Action must be Update, UserLookup or Function\n".to_owned(),
        ),
        (
            "a key is taken",
            rule(9, "expires"),
            "fault in rule 3: TagKey must be unique, but rule 9 has a TagKey that differs only in case\n\
             fault in rule 9: TagKey must be unique, but rule 3 has a TagKey that differs only in case\n"
                .to_owned(),
        ),
    ] {
        for dry_run in [false, true] {
            let run = Run::new(std::slice::from_ref(&there));
            let (text, faulty) = run.loaded(&published(), false, dry_run).await;
            assert!(faulty, "{name}: {text}");
            assert!(
                text.starts_with(&faults) && text.ends_with(" remove them with --prune\n"),
                "{name}: {text}"
            );
            assert!(text.contains(&format!("\n{PLACE} would have ")), "{name}: {text}");
            assert_eq!((run.writes(), run.rules().await), (0, vec![there.clone()]), "{name}");
        }
        let run = Run::new(&[there]);
        assert!(!run.loaded(&published(), true, false).await.1, "{name}: removed");
        assert_eq!(run.rules().await, published(), "{name}: removed");
    }
}

#[tokio::test(start_paused = true)]
async fn many_rules_go_in_batches_and_what_is_left_is_sent_again() {
    for (unprocessed, most) in [(0.0, 3), (0.5, 12)] {
        let scenario = Scenario::new(1).table(TablePlan::new(NAME, "RuleId", "N"));
        let run = Run::of(scenario.set(|settings| settings.unprocessed = unprocessed), &[]);
        let (text, faulty) = run.loaded(&many(60), false, false).await;
        assert!(!faulty && text.ends_with(": 60 added, 0 changed, 0 unchanged\n"), "{text}");
        assert_eq!(run.rules().await, many(60), "{unprocessed}");
        assert!((3..=most).contains(&run.writes()), "{unprocessed}: {} writes", run.writes());
        // Sixty deletions and a rule.
        run.loaded(&published()[..1], true, false).await;
        assert_eq!(run.rules().await, published()[..1], "{unprocessed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_too_slow_is_an_error_that_says_how_far_it_got() {
    let scenario = Scenario::new(1).table(TablePlan::new(NAME, "RuleId", "N"));
    // Of each call only one write is done.
    let run = Run::of(scenario.set(|settings| settings.unprocessed = 1.0), &[]);
    let error = run.load(&many(30), false, false).await.expect_err("six tries write six").to_string();
    assert!(
        error.starts_with("6 of 30 writes to table acme_cloud_policy_tagging_def are done for certain"),
        "{error}"
    );
    assert!(error.contains("DynamoDB left 19 unprocessed 6 times"), "{error}");
    assert_eq!((run.rules().await.len(), run.writes()), (6, 6));
    run.fake.with(|world| world.settings_mut().unprocessed = 0.0);
    let (text, _) = run.loaded(&many(30), false, false).await;
    assert!(text.ends_with(": 24 added, 0 changed, 6 unchanged\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_halfway_says_so() {
    for (calls, kind, expected) in [
        (Calls::Nth(1), FaultKind::AccessDenied, "dynamodb:BatchWriteItem failed: AccessDeniedException: "),
        (Calls::Nth(2), FaultKind::AccessDenied, "25 of 30 writes to table "),
        (Calls::First(9), FaultKind::ServerError, "0 of 30 writes to table "),
    ] {
        let run = Run::new(&[]);
        run.fake.with(|world| world.add_fault(Fault::of("BatchWriteItem", calls, kind)));
        let error = run.load(&many(30), false, false).await.expect_err("a failure").to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let run = Run::new(&[]);
    run.fake.with(|world| world.add_fault(Fault::of("BatchWriteItem", Calls::First(2), FaultKind::Throttle)));
    assert!(run.load(&many(30), false, false).await.is_ok(), "the SDK tries again");
}

#[tokio::test(start_paused = true)]
async fn a_rule_is_put_before_another_is_removed() {
    // Between the two calls the table has both rules for a key: faulty, so that the function only reports.
    let mut file = many(25);
    file.push(rule(100, "Moved"));
    let run = Run::new(&[rule(30, "Moved")]);
    run.fake
        .with(|world| world.add_fault(Fault::of("BatchWriteItem", Calls::Nth(2), FaultKind::AccessDenied)));
    assert!(run.load(&file, true, false).await.is_err());
    assert!(run.rules().await.contains(&rule(30, "Moved")));
}

#[tokio::test(start_paused = true)]
async fn tables_that_are_not_of_rules_are_left_alone() {
    let run = Run::of(Scenario::new(1), &[]);
    for error in [
        show(&run.table, Format::Table, FILE).await.expect_err("no table"),
        run.load(&published(), false, false).await.expect_err("no table"),
    ] {
        let expected =
            "there is no table acme_cloud_policy_tagging_def in us-east-1: name another with --table";
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    let scenario = || Scenario::new(1).table(TablePlan::new(NAME, "Id", "S"));
    let run = Run::of(scenario(), &[json!({"Id": "lock"}), json!({"Id": "owner", "RuleId": "1"})]);
    for prune in [false, true] {
        let error = run.load(&published(), prune, false).await.expect_err("not the rules").to_string();
        assert!(error.contains("has 2 items whose RuleId is not a whole number"), "{error}");
        assert_eq!(run.writes(), 0);
    }
    let error =
        Run::of(scenario(), &[]).load(&published(), true, false).await.expect_err("no RuleId").to_string();
    assert!(error.starts_with("dynamodb:BatchWriteItem failed: ValidationException: "), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_table_is_shown_with_its_faults() {
    let allowed = json!({"SS": ["Proj007", "Proj008"]});
    let mut rules = published();
    rules[0]["AllowedValues"] = allowed;
    let run = Run::new(&rules);
    let (text, faulty) = told(&show(&run.table, Format::Table, FILE).await.expect("an answer"));
    assert!(!faulty && text.contains("write       AllowedValues: [\"Proj007\",\"Proj008\"]\n"), "{text}");
    assert!(text.ends_with(&format!("{PLACE}: 3 rules, no faults\n")), "{text}");
    run.fake.with(|world| world.put_item(NAME, &typed(&json!({"RuleId": 0, "Action": "UserLookup"}))));
    for format in [Format::Table, Format::Json, Format::Yaml] {
        let answer = show(&run.table, format, FILE).await.expect("an answer");
        assert!(answer.faulty, "{format:?}");
        let said = if format == Format::Table { answer.text } else { answer.remarks };
        let said = anstream::adapter::strip_str(&said).to_string();
        assert!(said.contains("fault in rule 0: TagKey is missing\n"), "{format:?}: {said}");
    }
    let empty = told(&show(&Run::new(&[]).table, Format::Table, FILE).await.expect("an answer"));
    assert_eq!(empty, (format!("{PLACE}: no rules: the function only reports\n"), false));
}

#[tokio::test(start_paused = true)]
async fn what_is_shown_can_be_loaded_into_another_table() {
    let mut rules = published();
    rules[1]["Scope"] =
        json!({"M": {"VpcIds": {"L": [{"S": "vpc-1a"}]}, "Tags": {"M": {"Stage": {"S": "*"}}}}});
    rules[1]["GraceHours"] = json!(2);
    rules[2]["Enabled"] = json!(false);
    let (one, other) = (Run::new(&rules), Run::new(&[]));
    let rules = one.rules().await;
    other.loaded(&rules, true, false).await;
    let stored = |run: &Run| run.fake.with(|world| world.items(NAME));
    assert_eq!(stored(&one), stored(&other));
    assert_eq!(items::rule(items::item(&rules[1])), rules[1]);
}

#[tokio::test(start_paused = true)]
async fn every_page_is_read() {
    let long = "x".repeat(256);
    // 20 KB a rule, so that a page of 1 MB does not hold them all.
    let wide = |id: i64| {
        let values: Vec<Value> = (0..80).map(|n| json!({"S": format!("{n:03}{}", &long[3..])})).collect();
        json!({"RuleId": id, "TagKey": format!("K{id}"), "Action": "UserLookup", "AllowedValues": {"L": values}})
    };
    let run = Run::new(&(0..120).map(wide).collect::<Vec<_>>());
    assert_eq!(run.rules().await.len(), 120);
    assert!(run.fake.with(|world| world.count_calls("Scan")) > 2);
}
