//! Answers of each kind, and what is said of them.

use super::*;

fn log(lines: &[(&str, &str)]) -> Vec<Value> {
    lines.iter().map(|(level, message)| json!({"level": level, "message": message})).collect()
}

/// What is said of an answer, and of the end of the log.
fn said(function: Function, payload: Value, lines: &[(&str, &str)]) -> Result<String, String> {
    let reply = Reply { version: Some("7".to_owned()), failed: false, payload, log: log(lines) };
    judge(function, "7", &reply)
}

#[test]
fn each_function_is_judged_by_what_came_of_its_event() {
    const LET_GO: &str = "drained, no hook to complete: no cluster has the instance, and the wait is over";
    const DENIED: &str =
        "given up, no hook to complete: the deadline has come; still there: ecs:ListClusters failed: no";
    let taken = || json!({"batchItemFailures": []});
    let given_back = json!({"batchItemFailures": [{"itemIdentifier": "smoke-test"}]});
    let plan = |report_only: &str, faults: u64| json!({"reportOnly": report_only, "counts": {"instances": 9, "ruleFaults": faults}});
    let tick = |clusters: u64, data: u64, failed: u64| json!({"clusters": clusters, "data": data, "missing": [], "failed": failed});
    let let_go = Ok("looked for an instance that is not there, and let it go");
    for (function, payload, lines, expected) in [
        (Function::EcsDrainer, taken(), &[("INFO", "found"), ("INFO", LET_GO)][..], let_go),
        (Function::EcsDrainer, taken(), &[], Ok("took a drain request; its log level hides how that ended")),
        (
            Function::EcsDrainer,
            taken(),
            &[("INFO", "skipped: drain request: its time is over")],
            Err("did not let an instance go that is not there: skipped: drain request: its time is over"),
        ),
        (Function::EcsDrainer, taken(), &[("INFO", LET_GO), ("WARN", DENIED)], Err(DENIED)),
        (Function::EcsDrainer, taken(), &[("WARN", "odd"), ("ERROR", "worse")], Err("worse")),
        (Function::EcsDrainer, given_back, &[], Err("a drain request that is sound was given back")),
        (Function::EcsDrainer, json!(null), &[], Err("a drain request that is sound was given back")),
        (
            Function::SpotInterruption,
            json!({"skipped": "no event of EC2's"}),
            &[],
            Ok("skipped an event that is not for it"),
        ),
        (Function::SpotInterruption, json!({}), &[], Err("did not skip an event that is not for it")),
        (Function::TagPolicy, plan("dryRun", 0), &[], Ok("planned, instances: 9")),
        (Function::TagPolicy, plan("dryRun", 2), &[], Ok("planned, instances: 9, faulty rules: 2")),
        (Function::TagPolicy, plan("noRules", 0), &[], Err("what was to be a dry run was not")),
        (Function::TagPolicy, json!({"skipped": "x"}), &[], Err("its answer is no summary of a run")),
        (Function::EcsMetrics, tick(2, 8, 0), &[], Ok("measured, clusters: 2, data written: 8")),
        (Function::EcsMetrics, tick(0, 0, 0), &[], Ok("measured, clusters: 0, data written: 0")),
        (
            Function::EcsMetrics,
            tick(2, 4, 1),
            &[],
            Err("clusters or data of a tick that failed: 1; its log says why"),
        ),
        (Function::EcsMetrics, tick(2, 0, 0), &[], Err("wrote nothing, clusters read: 2")),
        (Function::EcsMetrics, json!({"skipped": "x"}), &[], Err("its answer is not that of a tick")),
    ] {
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(said(function, payload.clone(), lines), expected, "{function:?} {payload}");
    }
}

#[test]
fn another_version_or_a_failure_is_no_success() {
    let skipped = json!({"skipped": "x"});
    let error = json!({"errorType": "T", "errorMessage": "ecs:ListClusters failed:\nno", "stackTrace": []});
    for (name, version, failed, payload, expected) in [
        ("another version", Some("6"), false, &skipped, "version 6 answered instead of 7"),
        ("no version", None, false, &skipped, "Lambda does not say which version answered"),
        ("a failure", Some("7"), true, &error, "failed: ecs:ListClusters failed: no"),
        ("one without words", Some("7"), true, &skipped, "failed: it does not say why"),
    ] {
        let reply =
            Reply { version: version.map(str::to_owned), failed, payload: payload.clone(), log: Vec::new() };
        assert_eq!(judge(Function::SpotInterruption, "7", &reply), Err(expected.to_owned()), "{name}");
    }
}

#[test]
fn a_verdict_names_everything_that_is_wrong_and_nothing_else() {
    let check = |function, outcome: Result<&str, &str>| Check {
        function,
        version: "7".to_owned(),
        outcome: outcome.map(str::to_owned).map_err(str::to_owned),
    };
    let (good, bad) = (check(Function::EcsDrainer, Ok("fine")), check(Function::TagPolicy, Err("broken")));
    let worse = check(Function::EcsMetrics, Err("silent"));
    for (checks, expected) in [
        (vec![good.clone()], Ok("ecs-drainer version 7: fine".to_owned())),
        (
            vec![good, bad, worse],
            Err("tag-policy version 7: broken; ecs-metrics version 7: silent".to_owned()),
        ),
    ] {
        assert_eq!(verdict(&checks), expected);
    }
}

#[test]
fn long_words_of_others_are_cut() {
    let payload = json!({"errorMessage": "x".repeat(10_000)});
    let reply = Reply { failed: true, payload, ..Reply::default() };
    let reason = judge(Function::TagPolicy, "7", &reply).unwrap_err();
    assert_eq!(reason.len(), "failed: ".len() + WORDS);
}
