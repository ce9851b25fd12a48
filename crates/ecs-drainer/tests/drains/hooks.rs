//! Hooks beside each other, hooks that are looked up, and instances that come back.

use std::time::Duration;

use aws_fake::faults::{Calls, Fault, FaultKind};
use aws_fake::scenario::HookPlan;
use aws_fake::world::ecs::Status;
use aws_fake::world::hooks::EndedBy;

use crate::harness::{Run, TOPIC, Wiring, cluster};

fn one(run: &Run) -> String {
    run.fake.with(|world| world.instances("prod-ecs")).remove(0)
}

#[tokio::test(start_paused = true)]
async fn two_hooks_of_a_group_are_both_completed() {
    // The second hook notifies nobody; Auto Scaling's event tells of it. Marks of both drains are on one instance.
    for cold in [false, true] {
        for seconds in [10, 100, 400] {
            let wiring = Wiring { cold, ..Wiring::default() };
            let wiring = wiring.plumbing(|plumbing| plumbing.lifecycle_events = true);
            let mut run = Run::new(cluster(3).service("web", 6, seconds), wiring);
            let second = HookPlan { name: "second".to_owned(), ..HookPlan::default() };
            run.fake.with(|world| world.put_hook("prod-ecs", second));
            run.scale_in(1);
            run.finish().await.all_let_go(2, "CONTINUE");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_a_request_takes_over_is_kept_alive() {
    // It times out after 194 s. The request comes 60 s before that, with an end that is 120 s away.
    for cold in [false, true] {
        let scenario = cluster(3).hook(TOPIC, 194).service("web", 6, 3_600);
        let mut run = Run::new(scenario, Wiring { cold, ..Wiring::default() });
        let id = one(&run);
        run.fake.with(|world| world.scale_in_instance(&id));
        run.run(134).await;
        let until = run.fake.now() + Duration::from_secs(120);
        let date = run.fake.with(|world| world.calendar().rfc3339(until));
        run.plumbing.send(format!(r#"{{"DrainRequest":"spot","EC2InstanceId":"{id}","Until":"{date}"}}"#));
        run.finish().await;
        let outcome = run.fake.with(|world| world.hook_outcome(&id)).unwrap();
        assert_eq!(outcome.by, EndedBy::Call, "cold {cold}: {:#?}", run.story());
        assert!(
            (until.saturating_sub(Duration::from_secs(40))..until).contains(&outcome.at),
            "cold {cold}: {outcome:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_pass_loses_no_hook_however_short_the_interval_is() {
    // What a lost pass had in hand comes back after 180 s.
    for nth in 2..12 {
        let fault = Fault::of("PublishBatch", Calls::Nth(nth), FaultKind::KillBefore);
        let scenario = cluster(3).hook(TOPIC, 240).service("web", 6, 1_200);
        let scenario = scenario.set(|settings| settings.faults.push(fault));
        let wiring = Wiring::with(&[("PASS_INTERVAL_SECONDS", "13")]);
        let wiring = wiring.plumbing(|plumbing| plumbing.pass_interval = Duration::from_secs(13));
        let mut run = Run::new(scenario, wiring);
        run.scale_in(1);
        run.finish().await;
        assert_eq!(run.plumbing.stats().killed, 1, "{nth}");
        run.all_let_go(1, "CONTINUE");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_back_in_service_is_left_alone() {
    let scenario = cluster(3).with_cluster(|plan| plan.reuse = true).service("web", 6, 200);
    let mut run = Run::new(scenario, Wiring::default().cold());
    let id = one(&run);
    run.fake.with(|world| world.scale_in_instance(&id));
    run.finish().await.all_let_go(1, "CONTINUE");
    let messages: Vec<String> = run.fake.with(|world| {
        assert!(world.take_back(&id), "it waits in the warm pool");
        world.published_to(TOPIC).map(|message| message.message.clone()).collect()
    });
    // Ten minutes later copies of all its messages come.
    run.run(600).await;
    assert!(messages.iter().any(|message| message.contains("DrainPass")), "{messages:?}");
    for message in messages {
        run.plumbing.send(message);
        run.run(5).await;
    }
    run.finish().await;
    let status = run.fake.with(|world| world.container_instance_status(&id));
    assert_eq!(status, Some(Status::Active), "{:#?}", run.story());
    assert_eq!(run.count("UpdateContainerInstancesState"), 1);
}
