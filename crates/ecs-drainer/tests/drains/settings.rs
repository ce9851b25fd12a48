//! What the settings change.

use aws_fake::world::hooks::EndedBy;

use crate::harness::{Run, Wiring, cluster};

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_drain_with_its_result() {
    for (variables, result) in [
        (&[("DEADLINE_SECONDS", "600")][..], "CONTINUE"),
        (&[("DEADLINE_SECONDS", "600"), ("DEADLINE_RESULT", "ABANDON")][..], "ABANDON"),
    ] {
        let mut run = Run::new(cluster(2).service("batch", 2, 7_200), Wiring::with(variables));
        let left = run.scale_in(1);
        run.finish().await;
        assert_eq!(run.outcomes(), [(result.to_owned(), EndedBy::Call, 1)]);
        let at = run.fake.with(|world| world.hook_outcome(&left[0]).unwrap().at).as_secs();
        assert!((600..800).contains(&at), "{at} s");
        let told = run.logged("hook completed: the deadline has come; still there: service:batch 1");
        assert_eq!(told.len(), 1, "the log names what was still running: {:#?}", run.logged(""));
        assert_eq!((&told[0]["level"], &told[0]["result"]), (&"WARN".into(), &result.into()));
    }
}

#[tokio::test(start_paused = true)]
async fn the_hooks_own_limit_comes_before_a_longer_deadline() {
    // A heartbeat of 400 s limits the whole wait to 40,000 s.
    let scenario = aws_fake::scenario::Scenario::new(1).cluster("prod", 2).hook(crate::harness::TOPIC, 400);
    let variables = [("DEADLINE_SECONDS", "172800"), ("DEADLINE_RESULT", "ABANDON")];
    let mut run = Run::new(scenario.service("batch", 2, 86_400), Wiring::with(&variables));
    run.scale_in(1);
    run.finish().await;
    assert_eq!(run.outcomes(), [("ABANDON".to_owned(), EndedBy::Call, 1)], "{:#?}", run.story());
}

#[tokio::test(start_paused = true)]
async fn standalone_tasks_are_waited_for_or_stopped() {
    let stop = [("STANDALONE_TASKS", "stop"), ("STANDALONE_STOP_AFTER_SECONDS", "300")];
    for (name, variables, stops, seconds) in
        [("wait", &[][..], 0, 3_020..3_030), ("stop", &stop[..], 1, 300..600)]
    {
        let mut run = Run::new(cluster(2).service("web", 2, 10), Wiring::with(variables));
        let left = run.fake.with(|world| {
            let id = world.instances("prod-ecs").remove(0);
            let ends = Some(std::time::Duration::from_secs(3_000));
            world.run_standalone(&id, "report", std::time::Duration::from_secs(20), ends).unwrap();
            world.scale_in_instance(&id);
            id
        });
        run.finish().await.all_let_go(1, "CONTINUE");
        assert_eq!(run.count("StopTask"), stops, "{name}");
        let at = run.fake.with(|world| world.hook_outcome(&left).unwrap().at).as_secs();
        assert!(seconds.contains(&at), "{name}: {at} s");
    }
}
