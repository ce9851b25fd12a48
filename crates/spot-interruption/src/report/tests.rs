use aws_helpers::fault::Kind as FaultKind;

use super::*;

const A: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/73e2d6bc24d8a067";
const B: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/b/73e2d6bc24d8a068";

fn fault(kind: FaultKind) -> Fault {
    Fault { operation: "x", code: format!("{kind:?}"), message: "no".to_owned(), kind }
}

fn failed(kind: FaultKind) -> Step {
    Step::Failed(fault(kind))
}

fn report(kind: Kind, late: bool) -> Report {
    let notice = Notice {
        instance: "i-1".to_owned(),
        kind,
        time: "2026-05-08T17:00:00Z".parse().unwrap(),
        account: Some("123456789012".to_owned()),
        region: Some("us-east-1".to_owned()),
    };
    Report::new(&notice, "groups", late)
}

const TERMINATE: Kind = Kind::Interruption(Action::Terminate);

/// A report of which everything has come out like this.
fn with(targets: &[(&str, Step)], refused: &[&str], request: Step) -> Report {
    let mut report = report(TERMINATE, false);
    let owned = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
    let arns = owned(targets.iter().map(|(arn, _)| *arn).collect());
    report.seen(&TargetGroups { arns, refused: owned(refused.to_vec()) });
    for (arn, step) in targets {
        report.deregistered(arn, step.clone());
    }
    report.request = request;
    report
}

#[test]
fn a_mail_says_what_was_done_and_what_was_not() {
    const HEAD: &str = "EC2 terminates i-1, at 2026-05-08T17:02:00Z, account 123456789012, us-east-1.\n";
    let mut unreadable = report(TERMINATE, false);
    unreadable.look = failed(FaultKind::Throttled);
    unreadable.request = Step::Done;
    let mut unknown = report(TERMINATE, false);
    unknown.unknown();
    unknown.request = Step::Done;
    for (name, report, subject, body) in [
        (
            "all is done",
            with(&[(A, Step::Done), (B, Step::Done)], &[], Step::Done),
            "Spot interruption: i-1 (terminate)",
            vec![
                "Drain request: published".to_owned(),
                format!("Target group {A}: deregistered"),
                format!("Target group {B}: deregistered"),
            ],
        ),
        (
            "no tag",
            with(&[], &[], Step::Done),
            "Spot interruption: i-1 (terminate)",
            vec!["Drain request: published".to_owned(), "Target groups: none in the tag groups".to_owned()],
        ),
        (
            "not all is done",
            with(&[(A, failed(FaultKind::Gone)), (B, Step::Open)], &["web"], failed(FaultKind::Unavailable)),
            "Spot interruption: i-1 (terminate), 3 problems",
            vec![
                "Drain request: FAILED, to be tried again: x failed: Unavailable: no".to_owned(),
                format!("Target group {A}: FAILED for good: x failed: Gone: no"),
                format!("Target group {B}: NOT YET, still being tried"),
                "FAILED for good: tag groups: \"web\" is not the ARN of a target group".to_owned(),
            ],
        ),
        (
            "nothing is known yet",
            report(TERMINATE, false),
            "Spot interruption: i-1 (terminate)",
            vec![
                "Drain request: NOT YET, still being tried".to_owned(),
                "Target groups: NOT YET, still being tried".to_owned(),
            ],
        ),
        (
            "the tag cannot be read",
            unreadable,
            "Spot interruption: i-1 (terminate), 1 problem",
            vec![
                "Drain request: published".to_owned(),
                "Target groups: FAILED, to be tried again: x failed: Throttled: no".to_owned(),
            ],
        ),
        (
            "nobody knows the instance",
            unknown,
            "Spot interruption: i-1 (terminate), 1 problem",
            vec![
                "Drain request: published".to_owned(),
                "Target groups: none, since EC2 does not know the instance".to_owned(),
            ],
        ),
        (
            "too late",
            report(TERMINATE, true),
            "Spot interruption: i-1 (terminate), TOO LATE",
            vec!["The notice came when the two minutes were over: nothing was done.".to_owned()],
        ),
    ] {
        let text = format!("{HEAD}\n{}\n", body.join("\n"));
        assert_eq!((report.subject().as_str(), report.text()), (subject, text), "{name}");
    }
}

#[test]
fn a_mails_head_is_by_what_ec2_does() {
    for (kind, expected) in [
        (Kind::Interruption(Action::Stop), "EC2 stops i-1, at 2026-05-08T17:02:00Z"),
        (Kind::Interruption(Action::Hibernate), "EC2 hibernates i-1, from now on"),
        (Kind::Interruption(Action::Interrupt), "EC2 interrupts i-1, at 2026-05-08T17:02:00Z"),
        (Kind::Rebalance, "i-1 is likelier than others to be interrupted"),
    ] {
        let text = report(kind, false).text();
        let head = text.lines().next().unwrap();
        assert_eq!(head, format!("{expected}, account 123456789012, us-east-1."));
    }
}

#[test]
fn what_may_succeed_is_to_be_done_again() {
    use FaultKind::{Denied, Gone, Invalid, Throttled, Unavailable};
    let target = "1 target group";
    for (name, request, look, target_group, notice, expected) in [
        ("all done", Step::Done, Step::Done, Step::Done, Some(Step::Done), vec![]),
        ("nobody to tell", Step::Done, Step::Done, Step::Done, None, vec![]),
        ("nothing helps", failed(Denied), failed(Invalid), failed(Gone), Some(failed(Denied)), vec![]),
        (
            "everything may",
            failed(Throttled),
            failed(Unavailable),
            failed(Throttled),
            Some(failed(Unavailable)),
            vec!["drain request", "tag groups", target, "the notice"],
        ),
        (
            "the request alone",
            failed(Unavailable),
            Step::Done,
            failed(Gone),
            Some(Step::Done),
            vec!["drain request"],
        ),
        ("the tag alone", Step::Done, failed(Throttled), Step::Done, Some(Step::Done), vec!["tag groups"]),
        ("the target group alone", Step::Done, Step::Done, failed(Throttled), None, vec![target]),
        ("the notice alone", Step::Done, Step::Done, Step::Done, Some(failed(Throttled)), vec!["the notice"]),
    ] {
        let mut report = with(&[(A, target_group)], &[], request);
        (report.look, report.notice) = (look, notice);
        assert_eq!(report.to_be_done_again(), expected, "{name}");
    }
    let both = with(&[(A, failed(Throttled)), (B, failed(Unavailable))], &[], Step::Done);
    assert_eq!(both.to_be_done_again(), ["2 target groups"], "counted, not listed");
}

#[test]
fn machines_get_the_same_as_json() {
    let mut report = with(&[(A, Step::Done), (B, failed(FaultKind::Gone))], &["web"], Step::Done);
    let expected = json!({
        "instance": "i-1",
        "event": "spot interruption: terminate",
        "until": "2026-05-08T17:02:00Z",
        "account": "123456789012",
        "region": "us-east-1",
        "drainRequest": "done",
        "targetGroups": [{"arn": A, "state": "done"}, {"arn": B, "state": "failed"}],
        "problems": [
            format!("target group {B}: x failed: Gone: no"),
            "tag groups: \"web\" is not the ARN of a target group",
        ],
    });
    let message: Value = serde_json::from_str(&report.message()).unwrap();
    for protocol in MACHINES {
        let text = message[protocol].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), expected, "{protocol}");
    }
    assert_eq!(message["default"], report.text());
    report.notice = Some(Step::Done);
    assert_eq!(report.answer()["notice"], "done");
}

#[test]
fn a_subject_is_as_sns_takes_it() {
    // The longest: the longest id, the longest word, as many problems as there can be.
    let faults: Vec<(&str, Step)> = vec![(A, failed(FaultKind::Gone)), (B, failed(FaultKind::Gone))];
    let words: Vec<String> = (0..120).map(|n| n.to_string()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut report = with(&faults, &words, failed(FaultKind::Denied));
    report.instance = format!("i-{}", "0".repeat(32));
    report.kind = Kind::Interruption(Action::Hibernate);
    let subject = report.subject();
    assert!(subject.len() < 100 && subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{subject}");
}
