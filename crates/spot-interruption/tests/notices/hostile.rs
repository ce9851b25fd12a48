//! Events that EC2 would not send, and tags that somebody has written who means ill.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Run, arn, batch, tag};

/// An instance `i-…` in the target group `web`, beside another one.
fn world() -> (Run, String, String) {
    let run = Run::new(&[]);
    run.target_groups(&["web", "api"]);
    let named = run.instance(Some(&tag(&["web"])), &["web"]);
    let other = run.instance(Some(&tag(&["web", "api"])), &["web", "api"]);
    (run, named, other)
}

fn warning(instance: &str, changes: &[(&str, Value)]) -> Value {
    let mut event = json!({
        "source": "aws.ec2", "detail-type": "EC2 Spot Instance Interruption Warning", "time": "2026-01-01T00:00:00Z",
        "detail": {"instance-id": instance, "instance-action": "terminate"},
    });
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[field] = value.clone();
    }
    event
}

#[tokio::test(start_paused = true)]
async fn hostile_events_touch_nothing_that_they_do_not_name() {
    let long = "x".repeat(250_000);
    let deep = (0..100).fold(json!({}), |inner, _| json!({"a": [inner]}));
    // With the drain requests and notices that come of it; none: the event is refused.
    for (name, event, expected) in [
        ("nobody's instance", warning("i-0aaaaaaaaaaaaaaa1", &[]), Some((1, 1))),
        ("an id that would be a filter", warning("i-1\" or instance-id = *", &[]), None),
        ("a long id", warning(&format!("i-{long}"), &[]), None),
        ("no id", warning("", &[("/detail/instance-id", json!(["i-1"]))]), None),
        (
            "a time to come",
            warning("i-0aaaaaaaaaaaaaaa1", &[("/time", json!("9999-01-01T00:00:00Z"))]),
            Some((1, 1)),
        ),
        (
            "a time long ago",
            warning("i-0aaaaaaaaaaaaaaa1", &[("/time", json!("1970-01-01T00:00:00Z"))]),
            Some((0, 1)),
        ),
        (
            "lines of its own in the mail",
            warning(
                "i-0aaaaaaaaaaaaaaa1",
                &[("/account", json!("1\nDrain request: published")), ("/region", json!(long))],
            ),
            Some((1, 1)),
        ),
        ("deep", warning("i-0aaaaaaaaaaaaaaa1", &[("/detail/instance-action", deep)]), Some((1, 1))),
        ("another kind", warning("i-0aaaaaaaaaaaaaaa1", &[("/detail-type", json!(long))]), Some((0, 0))),
    ] {
        let (run, named, other) = world();
        let outcome = run.handle(&event).await;
        let done = outcome.answer.is_ok().then(|| (run.requests().len(), run.notices().len()));
        assert_eq!(done, expected, "{name}: {:?}", outcome.answer);
        assert_eq!(run.targets("web").len(), 2, "{name}: {named} {other}");
        assert!(run.calls().values().sum::<usize>() <= 6, "{name}: {:?}", run.calls());
        for (at, request) in run.requests() {
            let until: jiff::Timestamp = request["Until"].as_str().unwrap().parse().unwrap();
            let latest = "2026-01-01T00:02:00Z".parse::<jiff::Timestamp>().unwrap()
                + jiff::SignedDuration::try_from(at).unwrap();
            assert!(until <= latest, "{name}: {until}");
        }
        for (_, mail) in run.mails() {
            assert!(mail.len() < 1_000 && mail.matches("Drain request").count() <= 1, "{name}: {mail}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_names_anything_takes_the_instance_itself_out_of_three_groups_at_most() {
    let run = Run::new(&[]);
    run.target_groups(&["web", "api"]);
    let other = run.instance(None, &["web", "api"]);
    let words = format!(
        "{} {} {}/../api arn:aws:iam::1:role/x {}",
        arn("web"),
        arn("api"),
        arn("web"),
        "x,".repeat(20)
    );
    let id = run.instance(Some(&words), &["web"]);
    run.interrupt(&id).await;
    assert_eq!((run.targets("web"), run.targets("api")), (vec![other.clone()], vec![other]));
    assert!(run.calls()["DeregisterTargets"] <= 3, "{:?}", run.calls());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_broken_records_hold_the_good_one_up_no_longer_than_its_time() {
    let (run, named, _) = world();
    let mut events = vec![json!("[".repeat(100_000))];
    events.extend((0..1_000).map(|n| warning(&format!("not {n}"), &[])));
    events.push(warning(&named, &[]));
    let outcome = run.handle(&batch(&events)).await;
    let failed = outcome.done()["batchItemFailures"].as_array().unwrap().len();
    assert_eq!(failed, 1_001, "all but the good one");
    assert_eq!((run.requests().len(), run.targets("web").len()), (1, 1));
    assert!(outcome.took < Duration::from_secs(5), "{:?}", outcome.took);
}
