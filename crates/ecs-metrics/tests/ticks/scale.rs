//! A thousand clusters.

use crate::harness::{METRICS, World, clusters};

#[tokio::test(start_paused = true)]
async fn a_thousand_clusters_every_second_take_half_of_the_quota() {
    let (world, answer) = World::minute(clusters(1_000), &[("PERIOD_SECONDS", "1")]).await;
    let (data, lowest, errors) = world.fake.with(|world| {
        let errors = world.calls().filter(|(_, _, error)| error.is_some()).count();
        (world.metric_count(), world.lowest_level("DescribeClusters").unwrap(), errors)
    });
    let (left, burst) = lowest;
    println!(
        "metrics: 1,000 clusters at 1 s: {} reads and {} puts a minute, {left:.0} of {burst:.0} tokens left at the worst",
        world.calls("DescribeClusters"),
        world.calls("PutMetricData"),
    );
    assert_eq!((data, errors), (60 * 1_000 * METRICS, 0), "{answer}");
    assert_eq!((world.calls("DescribeClusters"), world.calls("PutMetricData")), (600, 240));
    assert!(left >= burst / 2.0, "{left} of {burst}");
    assert_eq!((&answer["ticks"], &answer["skipped"]), (&60.into(), &0.into()));
}
