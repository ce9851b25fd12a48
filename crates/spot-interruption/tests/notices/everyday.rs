//! What happens every day, and what comes in besides.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Run, arn, batch, tag};

#[tokio::test(start_paused = true)]
async fn an_interrupted_instance_is_handed_over_deregistered_and_told_of() {
    for action in ["terminate", "stop", "hibernate"] {
        let run = Run::new(&[]);
        run.target_groups(&["web", "api"]);
        let id = run.instance(Some(&tag(&["web", "api"])), &["web", "api"]);
        let event = run.event(|world| world.interrupt_with(&id, action));
        let outcome = run.handle(&event).await;
        let requests: Vec<_> = run.requests().into_iter().map(|(_, request)| request).collect();
        let expected = json!({
            "DrainRequest": format!("spot interruption: {action}"),
            "EC2InstanceId": id,
            "Until": "2026-01-01T00:02:00Z",
            "LaunchedAt": "2025-12-31T23:00:00Z",
        });
        assert_eq!(requests, [expected], "{action}");
        assert_eq!((run.targets("web"), run.targets("api")), (vec![], vec![]), "{action}");
        let told = json!({
            "instance": id,
            "event": format!("spot interruption: {action}"),
            "until": "2026-01-01T00:02:00Z",
            "account": "123456789012",
            "region": "us-east-1",
            "drainRequest": "done",
            "targetGroups": [{"arn": arn("web"), "state": "done"}, {"arn": arn("api"), "state": "done"}],
            "problems": [],
        });
        let notices: Vec<_> = run.notices().into_iter().map(|(_, notice)| notice).collect();
        assert_eq!(notices, std::slice::from_ref(&told), "{action}");
        let mut answer = outcome.done().clone();
        assert_eq!(answer.as_object_mut().unwrap().remove("notice"), Some("done".into()), "{action}");
        assert_eq!(answer, told, "{action}");
        assert_eq!(run.mails()[0].0, format!("Spot interruption: {id} ({action})"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_done_is_in_the_log_and_the_event_is_not() {
    let run = Run::new(&[]);
    run.target_groups(&["web"]);
    let id = run.instance(Some(&tag(&["web"])), &["web"]);
    run.interrupt(&id).await;
    let requested = run.logged("drain requested");
    assert_eq!(
        (requested.len(), &requested[0]["instance"], &requested[0]["until"]),
        (1, &json!(id), &json!("2026-01-01T00:02:00Z"))
    );
    let deregistered = run.logged("deregistered");
    assert_eq!((deregistered.len(), &deregistered[0]["targetGroup"]), (1, &json!(arn("web"))));
    assert_eq!(run.logged("").len(), 2, "one line a decision: {:#?}", run.logged(""));
}

#[tokio::test(start_paused = true)]
async fn no_other_instance_is_looked_up_or_touched() {
    let own = ["g0", "g1", "g2", "g3", "g4"];
    for at in 0..own.len() {
        let run = Run::new(&[]);
        run.target_groups(&own);
        run.target_groups(&["web"]);
        let ids = own.map(|name| run.instance(Some(&tag(&["web", name])), &["web", name]));
        run.interrupt(&ids[at]).await;
        let left: BTreeSet<_> = run.targets("web").into_iter().collect();
        let expected = ids.iter().enumerate().filter(|(one, _)| *one != at).map(|(_, id)| id.clone());
        assert_eq!(left, expected.collect(), "instance {at}");
        let stay = own.map(|name| run.targets(name).len());
        let expected: Vec<_> = (0..own.len()).map(|one| usize::from(one != at)).collect();
        assert_eq!(stay.to_vec(), expected, "instance {at}");
        let named = run.requests().into_iter().map(|(_, request)| request["EC2InstanceId"].clone());
        assert_eq!(named.collect::<Vec<_>>(), [ids[at].as_str()]);
        // Asking for more than named instances draws on a bucket of its own.
        let (lowest, full) = run.fake.with(|world| world.lowest_level("DescribeInstances")).unwrap();
        assert!(lowest >= full, "{lowest} of {full}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_is_wrong_in_part_is_right_in_the_rest() {
    let run = Run::new(&[]);
    run.target_groups(&["web"]);
    let value = format!("web {} {}", arn("web"), arn("gone"));
    let id = run.instance(Some(&value), &["web"]);
    let outcome = run.interrupt(&id).await;
    assert_eq!(run.targets("web"), Vec::<String>::new());
    let states = json!([{"arn": arn("web"), "state": "done"}, {"arn": arn("gone"), "state": "failed"}]);
    assert_eq!(outcome.done()["targetGroups"], states);
    let not_found = "elasticloadbalancing:DeregisterTargets failed: TargetGroupNotFound: One or more target groups not found";
    let problems = json!([
        format!("target group {}: {not_found}", arn("gone")),
        "tag loadBalancerTargetGroup: \"web\" is not the ARN of a target group",
    ]);
    let (_, notice) = &run.notices()[0];
    assert_eq!((&notice["problems"], &outcome.done()["problems"]), (&problems, &problems));
    let words = &run.logged("the tag holds what is no ARN of a target group")[0];
    assert_eq!((&words["level"], &words["words"]), (&json!("ERROR"), &json!(1)), "how many, not which");
    let gone = &run.logged("not deregistered")[0];
    assert_eq!((&gone["kind"], &gone["targetGroup"]), (&json!("Gone"), &json!(arn("gone"))));
}

#[tokio::test(start_paused = true)]
async fn a_target_group_elsewhere_is_told_of() {
    let run = Run::new(&[]);
    let elsewhere = arn("web").replace("us-east-1", "eu-west-1");
    let id = run.instance(Some(&elsewhere), &[]);
    let outcome = run.interrupt(&id).await;
    let problem = outcome.done()["problems"][0].as_str().unwrap();
    assert!(problem.contains("is not a valid target group ARN"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_ec2_does_not_know_is_handed_over_all_the_same() {
    let run = Run::new(&[]);
    let id = run.instance(None, &[]);
    let event = run.warning(&id);
    run.fake.with(|world| world.remove_machine(&id));
    let outcome = run.handle(&event).await;
    let (_, request) = &run.requests()[0];
    assert_eq!(
        (&request["EC2InstanceId"], request.get("Until").is_some(), request.get("LaunchedAt")),
        (&json!(id), true, None)
    );
    assert_eq!(outcome.done()["problems"], json!(["EC2 does not know the instance: no target groups"]));
    assert_eq!(run.mails().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_may_come_again() {
    let run = Run::new(&[]);
    run.target_groups(&["web"]);
    let id = run.instance(Some(&tag(&["web"])), &["web"]);
    let event = run.warning(&id);
    for times in 1..=3 {
        let outcome = run.handle(&event).await;
        assert_eq!(outcome.done()["problems"], json!([]), "delivery {times}");
        let requests = run.requests();
        assert_eq!(requests.len(), times);
        assert_eq!(requests[0].1, requests[times - 1].1, "the same request: the drainer tells copies by it");
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    assert_eq!(run.targets("web"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_too_late_does_nothing_to_the_instance() {
    for (after, late) in [(119, false), (120, true), (3_600, true)] {
        let run = Run::new(&[]);
        run.target_groups(&["web"]);
        let id = run.instance(Some(&tag(&["web"])), &["web"]);
        let event = run.event(|world| world.interrupt_with(&id, "stop"));
        tokio::time::sleep(Duration::from_secs(after)).await;
        let outcome = run.handle(&event).await;
        assert_eq!(run.requests().len(), usize::from(!late), "after {after} s");
        assert_eq!(run.targets("web").len(), usize::from(late), "after {after} s");
        let (subject, _) = &run.mails()[0];
        assert_eq!(subject.ends_with("TOO LATE"), late, "after {after} s: {subject}");
        let requested = if late { "none" } else { "done" };
        assert_eq!(outcome.done()["drainRequest"], requested, "after {after} s");
        assert_eq!(run.logged("too late").len(), usize::from(late), "after {after} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rebalance_recommendation_drains_only_if_it_is_told_to() {
    for (variables, expected) in [
        (&[][..], None),
        (&[("REBALANCE", "ignore")][..], None),
        (&[("REBALANCE", "drain")][..], Some("rebalance recommendation")),
    ] {
        let run = Run::new(variables);
        run.target_groups(&["web"]);
        let id = run.instance(Some(&tag(&["web"])), &["web"]);
        let outcome = run.handle(&run.event(|world| world.recommend_rebalance(&id))).await;
        let requests: Vec<_> = run.requests().into_iter().map(|(_, request)| request).collect();
        let expected_requests = expected.iter().map(|reason| {
            json!({"DrainRequest": reason, "EC2InstanceId": id, "LaunchedAt": "2025-12-31T23:00:00Z"})
        });
        assert_eq!(requests, expected_requests.collect::<Vec<_>>(), "{variables:?}");
        assert_eq!(run.targets("web"), [id], "it stays in its target groups: {variables:?}");
        assert_eq!(run.mails(), [], "and nobody is told: {variables:?}");
        let skipped = outcome.done().get("skipped").is_some();
        assert_eq!((skipped, run.logged("skipped").len() == 1), (expected.is_none(), expected.is_none()));
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_of_a_cluster_is_no_other_to_it() {
    // Whether a cluster has the instance is for the drainer to find out; so is that it has not.
    let run = Run::with(aws_fake::scenario::Scenario::new(1).cluster("prod", 2).service("web", 2, 30), &[]);
    let member = run.fake.with(|world| world.instances("prod-ecs")).remove(0);
    let alone = run.instance(None, &[]);
    for id in [member, alone] {
        run.interrupt(&id).await;
        let (_, request) = run.requests().pop().unwrap();
        assert_eq!((&request["EC2InstanceId"], request.get("Cluster")), (&json!(id), None));
    }
    assert_eq!(run.mails().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn notices_come_through_topics_and_queues_too() {
    let run = Run::new(&[]);
    run.target_groups(&["web"]);
    let ids: Vec<_> = (0..12).map(|_| run.instance(Some(&tag(&["web"])), &["web"])).collect();
    let warnings: Vec<_> = ids.iter().map(|id| run.warning(id)).collect();
    let sns = json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": warnings[0].to_string()}}]});
    let outcome = run.handle(&sns).await;
    assert_eq!(outcome.done()["instance"], ids[0].as_str());
    let rubbish = json!("{not json");
    let events =
        [vec![rubbish, json!({"source": "aws.s3", "detail-type": "Object Created"})], warnings].concat();
    let outcome = run.handle(&batch(&events)).await;
    assert_eq!(*outcome.done(), json!({"batchItemFailures": [{"itemIdentifier": "m-0"}]}));
    assert_eq!(run.targets("web"), Vec::<String>::new());
    assert_eq!(run.requests().len(), 1 + 12);
    let failed =
        run.logged("record failed, to be delivered again: Records[0] (m-0): the message is not JSON");
    assert_eq!(failed.len(), 1, "{:#?}", run.logged("record"));
    assert!(outcome.took < Duration::from_millis(200), "ten at a time: {:?}", outcome.took);
}

#[tokio::test(start_paused = true)]
async fn rubbish_is_an_error_that_quotes_nothing_and_calls_nothing() {
    let warning = |detail: Value| json!({"source": "aws.ec2", "detail-type": "EC2 Spot Instance Interruption Warning", "detail": detail});
    for (name, event, expected) in [
        ("a list", json!(["secret"]), "event: is not a JSON object"),
        ("a text", json!("secret"), "event: is not a JSON object"),
        ("records that are none", json!({"Records": "secret"}), "event: Records is not a list"),
        (
            "no instance",
            warning(json!({"secret": "secret"})),
            "event: spot interruption warning: detail.instance-id is missing or not a text",
        ),
        (
            "an instance that is none",
            warning(json!({"instance-id": "i-1\"secret"})),
            "event: spot interruption warning: detail.instance-id is not an instance id (i- and hexadecimal digits)",
        ),
    ] {
        let run = Run::new(&[]);
        let outcome = run.handle(&event).await;
        assert_eq!(outcome.answer, Err(expected.to_owned()), "{name}");
        assert_eq!(run.calls().len(), 0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_notice_is_one_line_and_a_success() {
    for event in [
        json!({}),
        json!({"DrainRequest": "x", "EC2InstanceId": "i-1"}),
        json!({"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification", "detail": {"instance-id": "i-1"}}),
        json!({"source": "my.app", "detail-type": "EC2 Spot Instance Interruption Warning", "detail": {"instance-id": "i-1"}}),
    ] {
        let run = Run::new(&[]);
        let outcome = run.handle(&event).await;
        assert!(outcome.done()["skipped"].is_string(), "{event}");
        assert_eq!((run.calls().len(), run.logged("skipped: ").len()), (0, 1), "{event}");
    }
}
