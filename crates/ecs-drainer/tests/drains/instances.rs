//! Instances that are not where, or what, a drain would have them.

use std::time::Duration;

use aws_fake::world::ecs::Status;
use aws_fake::world::hooks::EndedBy;

use crate::harness::{Run, Wiring, cluster, hours, long_drain};

#[tokio::test(start_paused = true)]
async fn an_instance_that_dies_in_mid_drain_ends_it() {
    for cold in [false, true] {
        let mut run = long_drain(cold);
        let left = run.scale_in(1);
        run.run(60).await;
        run.fake.with(|world| world.die(&left[0]));
        run.finish().await;
        assert!(run.count("CompleteLifecycleAction") <= 1, "at the most it hears that all is over");
        assert_eq!(run.plumbing.stats().failed_records, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_terminated_instance_that_still_waits_is_let_go() {
    let mut run = long_drain(false);
    let id = run.fake.with(|world| world.instances("prod-ecs")).remove(0);
    run.fake.with(|world| world.terminate(&id));
    run.finish().await.all_let_go(1, "CONTINUE");
}

#[tokio::test(start_paused = true)]
async fn a_lost_agent_is_no_reason_to_let_go() {
    let mut run = long_drain(false);
    let left = run.scale_in(1);
    run.run(30).await;
    run.fake.with(|world| world.disconnect_agent(&left[0]));
    run.finish().await.all_let_go(1, "CONTINUE");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_cluster_leaves_nothing_to_wait_for() {
    let mut run = long_drain(false);
    run.scale_in(1);
    run.run(60).await;
    run.fake.with(|world| world.delete_cluster("prod"));
    run.finish().await;
    let ended: Vec<_> = run.outcomes().into_iter().map(|(result, by, _)| (result, by)).collect();
    assert_eq!(ended, [("CONTINUE".to_owned(), EndedBy::Call)]);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_registers_late_is_drained() {
    let mut run = Run::new(cluster(2).service("web", 2, 10), Wiring::default());
    let id = run.fake.with(|world| world.launch_unregistered("prod-ecs", Duration::from_secs(120)));
    run.fake.with(|world| world.scale_in_instance(&id));
    run.finish().await.all_let_go(1, "CONTINUE");
    assert_eq!(run.count("UpdateContainerInstancesState"), 1, "{:#?}", run.story());
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_never_registers_is_let_go_with_the_configured_result() {
    for (variables, result) in [(&[][..], "CONTINUE"), (&[("UNREGISTERED_RESULT", "ABANDON")][..], "ABANDON")]
    {
        let mut run = Run::new(cluster(2), Wiring::with(variables));
        let id = run.fake.with(|world| world.launch_unregistered("prod-ecs", hours(40)));
        run.fake.with(|world| world.scale_in_instance(&id));
        run.finish().await.all_let_go(1, result);
        let at = run.fake.with(|world| world.hook_outcome(&id).unwrap().at);
        assert!((300..600).contains(&at.as_secs()), "the wait is 300 s, looked at every 180: {at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_who_sets_it_active_again_is_overruled_while_the_instance_leaves() {
    let mut run = long_drain(false);
    let left = run.scale_in(1);
    run.run(60).await;
    run.fake.with(|world| world.set_container_instance_status(&left[0], Status::Active));
    run.finish().await.all_let_go(1, "CONTINUE");
}

#[tokio::test(start_paused = true)]
async fn metadata_that_names_the_wrong_cluster_does_not_let_a_full_instance_go() {
    for named in ["nope", "other"] {
        let scenario = cluster(2).service("web", 2, 30).with_cluster(|plan| {
            let metadata = format!(r#"{{"cluster":"{named}"}}"#);
            plan.hook.iter_mut().for_each(|hook| hook.metadata = Some(metadata.clone()));
        });
        let mut run = Run::new(scenario.cluster("other", 1), Wiring::default());
        run.scale_in(1);
        run.finish().await.all_let_go(1, "CONTINUE");
        assert_eq!(run.logged("set to DRAINING").len(), 1, "{named}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_registers_anew_in_mid_drain_is_drained_anew() {
    let mut run = long_drain(false);
    let left = run.scale_in(1);
    run.run(60).await;
    run.fake.with(|world| {
        world.register_anew(&left[0]);
        let (stop_takes, ends_after) = (Duration::from_secs(5), Duration::from_secs(900));
        world.run_standalone(&left[0], "report", stop_takes, Some(ends_after)).unwrap();
    });
    run.finish().await.all_let_go(1, "CONTINUE");
    assert_eq!(run.logged("set to DRAINING").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_configured_cluster_that_does_not_exist_does_not_let_a_full_instance_go() {
    let scenario = cluster(2).service("web", 2, 30).with_cluster(|plan| {
        plan.hook.iter_mut().for_each(|hook| hook.metadata = None);
    });
    let mut run = Run::new(scenario, Wiring::with(&[("CLUSTERS", "prd")]));
    let left = run.scale_in(1);
    run.run(1_000).await;
    assert!(run.fake.with(|world| world.hook_outcome(&left[0]).is_none()), "{:#?}", run.logged(""));
    let told = run.logged("waiting: ecs:ListContainerInstances failed: ClusterNotFoundException");
    assert!(told.len() >= 5, "one line a pass: {:#?}", run.logged(""));
}
