//! What Lambda's retry makes good.

use std::time::Duration;

use aws_fake::faults::{Calls, Fault, FaultKind};
use aws_fake::plumbing::invocation;
use serde_json::json;
use tokio::time::sleep;

use crate::harness::{Run, tag};

/// Calls of a notice with two target groups.
const CALLS: u64 = 5;

/// Lambda: an asynchronous invocation that failed is repeated after a minute, and again two minutes after that.
const RETRIES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(60), Duration::from_secs(120)];

fn world() -> (Run, String) {
    let run = Run::new(&[]);
    run.target_groups(&["web", "api"]);
    let id = run.instance(Some(&tag(&["web", "api"])), &["web", "api"]);
    (run, id)
}

/// Delivers an event as Lambda does, until it succeeds: how many invocations that took, and whether the last did.
async fn deliver(run: &Run, event: &serde_json::Value) -> (usize, bool) {
    let mut ended = (0, false);
    for pause in RETRIES {
        if !ended.1 {
            sleep(pause).await;
            let survived = invocation::run(run.handle(event)).await;
            ended = (ended.0 + 1, survived.is_some_and(|outcome| outcome.answer.is_ok()));
        }
    }
    ended
}

#[tokio::test(start_paused = true)]
async fn the_function_may_be_killed_at_any_call() {
    for n in 1..=CALLS {
        for kind in [FaultKind::KillBefore, FaultKind::KillAfter] {
            let (run, id) = world();
            run.fake.with(|world| world.add_fault(Fault::of_any(Calls::Nth(n), kind)));
            assert_eq!(deliver(&run, &run.warning(&id)).await, (2, true), "{kind:?} {n}");
            assert!(run.targets("web").is_empty() && run.targets("api").is_empty(), "{kind:?} {n}");
            let (at, _) = run.requests()[0];
            assert!(at < Duration::from_secs(61), "{kind:?} {n}: {at:?}");
            let (_, notice) = run.notices().pop().unwrap();
            assert_eq!(notice["problems"], json!([]), "{kind:?} {n}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn any_one_call_may_fail_in_any_way_and_needs_no_second_invocation() {
    for n in 1..=CALLS {
        for kind in
            [FaultKind::Throttle, FaultKind::ServerError, FaultKind::TimeoutBefore, FaultKind::TimeoutAfter]
        {
            let (run, id) = world();
            run.fake.with(|world| world.add_fault(Fault::of_any(Calls::Nth(n), kind)));
            assert_eq!(deliver(&run, &run.warning(&id)).await, (1, true), "{kind:?} {n}");
            assert!(run.targets("web").is_empty() && run.targets("api").is_empty(), "{kind:?} {n}");
            assert!(!run.requests().is_empty() && !run.notices().is_empty(), "{kind:?} {n}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_comes_back_within_the_two_minutes_is_used() {
    // An invocation makes twenty attempts at most of each call. Those of two have one name.
    for (operation, attempts) in [("DescribeInstances", 20), ("DeregisterTargets", 40), ("Publish", 40)] {
        let (run, id) = world();
        let away = Fault::of(operation, Calls::First(attempts), FaultKind::Throttle);
        run.fake.with(|world| world.add_fault(away));
        assert_eq!(deliver(&run, &run.warning(&id)).await, (2, true), "{operation}");
        let (_, notice) = run.notices().pop().unwrap();
        assert_eq!(notice["problems"], json!([]), "{operation}");
        assert!(run.targets("web").is_empty() && run.targets("api").is_empty(), "{operation}");
        assert!(!run.requests().is_empty() && !run.notices().is_empty(), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_stays_away_is_given_up_with_the_two_minutes_and_the_operators_know() {
    let (run, id) = world();
    let away = Fault::of("DeregisterTargets", Calls::All, FaultKind::Throttle);
    run.fake.with(|world| world.add_fault(away));
    let invocations = deliver(&run, &run.warning(&id)).await;
    assert_eq!(invocations, (3, true), "the third comes too late, and says so");
    let subjects: Vec<_> = run.mails().into_iter().map(|(subject, _)| subject).collect();
    let begins = format!("Spot interruption: {id} (terminate)");
    assert_eq!(subjects, [begins.clone(), begins.clone(), format!("{begins}, TOO LATE")]);
    assert_eq!(run.requests().len(), 2, "the drain was requested at once, and again");
}
