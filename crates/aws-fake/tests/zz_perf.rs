//! x
#![allow(clippy::all)]
use aws_fake::{FakeAws, plumbing::*, scenario::Scenario};
use std::time::Duration;
#[tokio::test(start_paused = true)]
async fn perf() {
    let t = std::time::Instant::now();
    let fake = FakeAws::new(
        Scenario::new(1).cluster("prod", 1500).service("web", 10000, (10, 300)).hook("drain", 7200),
    );
    eprintln!("built {:?}", t.elapsed());
    let f = fake.clone();
    let mut p = Plumbing::new(&fake, PlumbingSettings::default(), move |_| {
        let _ = &f;
        std::future::ready(Ok(serde_json::json!({})))
    });
    fake.with(|w| {
        w.scale_in("prod-ecs", 1000);
        for i in w.held_instances() {
            w.set_container_instance_status(&i, aws_fake::world::ecs::Status::Draining);
        }
    });
    eprintln!("scaled {:?}", t.elapsed());
    let ok = p
        .run_until(
            |w| w.held_instances().iter().all(|i| w.unstopped_tasks(i) == 0),
            Duration::from_secs(3600),
        )
        .await;
    eprintln!("drained {ok} {:?} at {:?} {:?}", t.elapsed(), fake.now(), p.stats().invocations);
}
