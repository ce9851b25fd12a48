//! Latency, retries and throttles.

use std::time::Duration;

use aws_fake::{
    faults::{Calls, Fault, FaultKind},
    scenario::Scenario,
};
use tokio::time::Instant;

use crate::{Clients, clients, prod};

#[tokio::test(start_paused = true)]
async fn calls_take_virtual_time_and_are_retried_in_it() {
    let kinds = [
        ("no fault", None, 1, 0.02..0.03, true),
        ("throttled once", Some((Calls::First(1), FaultKind::Throttle)), 2, 0.04..3.0, true),
        ("a server's error", Some((Calls::First(2), FaultKind::ServerError)), 3, 0.06..5.0, true),
        ("no answer", Some((Calls::First(1), FaultKind::TimeoutAfter)), 2, 5.0..8.0, true),
        ("slow", Some((Calls::All, FaultKind::Latency(Duration::from_secs(2)))), 1, 2.0..2.1, true),
        ("denied", Some((Calls::All, FaultKind::AccessDenied)), 1, 0.02..0.03, false),
        ("throttled for ever", Some((Calls::All, FaultKind::Throttle)), 3, 0.06..5.0, false),
    ];
    for (case, fault, calls, seconds, answered) in kinds {
        let faults = fault.map(|(calls, kind)| Fault::of("ListClusters", calls, kind));
        let Clients { fake, ecs, .. } =
            clients(Scenario::new(7).set(|settings| settings.faults = faults.into_iter().collect()));
        let began = Instant::now();
        let answer = ecs.list_clusters().send().await;
        let took = began.elapsed().as_secs_f64();
        assert_eq!(answer.is_ok(), answered, "{case}: {answer:?}");
        assert!(seconds.contains(&took), "{case}: {took} s");
        assert_eq!(fake.with(|world| world.count_calls("ListClusters")), calls, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn buckets_throttle_by_name() {
    let Clients { fake, ecs, .. } = prod(1);
    let calls = (0..60).map(|_| ecs.list_clusters().send());
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok), "retries come through");
    let refused =
        fake.with(|world| world.calls().filter(|call| call.2 == Some("ThrottlingException")).count());
    assert!(refused >= 10, "50 at once are let through, {refused} were refused");
}
