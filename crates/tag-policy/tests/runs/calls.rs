//! Calls are what a run costs: they are counted, printed, and held.

use aws_fake::scenario::Scenario;

use crate::harness::{World, machines, published, scenario};

/// Of ten instances, four have a fault: three lack one tag each, one lacks all three.
fn faulty(instances: usize) -> Scenario {
    let all = [("ProjectCode", "Mine"), ("CreatedBy", "eve"), ("Expires", "2030-01-01")];
    let tenth = instances / 10;
    let mut fleet = scenario(&published()).machines(machines(instances - 4 * tenth, &all));
    for missing in 0..3 {
        let rest: Vec<_> =
            all.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, tag)| *tag).collect();
        fleet = fleet.machines(machines(tenth, &rest));
    }
    fleet.machines(machines(tenth, &[("Name", "x")]))
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_instances() {
    let world = World::new(faulty(10_000));
    let summary = world.run("e-1").await;
    assert_eq!(summary["counts"]["tagsRepaired"], 6_000);
    let first = world.calls(0);
    let count = world.call_count();
    world.run("e-2").await;
    let second = world.calls(count);
    let total = |calls: &std::collections::BTreeMap<String, usize>| calls.values().sum::<usize>();
    println!(
        "tag policy: 10,000 instances, 40 % faulty: {} calls in the first run, {} in the second {first:?} {second:?}",
        total(&first),
        total(&second)
    );
    assert!(total(&first) <= 22, "{first:?}");
    assert!(total(&second) <= 12 && !second.contains_key("CreateTags"), "{second:?}");
    assert_eq!(world.errors(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_large_fleet_is_read_zone_by_zone_side_by_side() {
    let world = World::new(faulty(13_000));
    let summary = world.run("e-1").await;
    assert_eq!(summary["counts"]["instances"], 13_000);
    assert_eq!(summary["counts"]["tagsRepaired"], 7_800);
    let calls = world.calls(0);
    // Ten pages in a row, the zones, and 13 pages that three zones round up to at most 16.
    assert_eq!(calls["DescribeAvailabilityZones"], 1);
    assert!((10 + 13..=10 + 16).contains(&calls["DescribeInstances"]), "{calls:?}");
    let at: Vec<_> = world.fake.with(|world| {
        let pages = world.calls().filter(|(_, operation, _)| *operation == "DescribeInstances");
        pages.map(|(at, ..)| at).collect()
    });
    let (in_a_row, side_by_side) = (at[9].abs_diff(at[0]), at[at.len() - 1].abs_diff(at[10]));
    assert!(side_by_side < in_a_row, "{} pages in {side_by_side:?}, 10 in {in_a_row:?}", at.len() - 10);
}

#[tokio::test(start_paused = true)]
async fn one_deleted_instance_does_not_spoil_the_others() {
    let world = World::new(scenario(&published()).machines(machines(1_000, &[("Name", "x")])));
    let gone = world.ids().remove(700);
    let event = world.scheduled("e-1");
    // It goes between the read and the write.
    let go = async {
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        world.fake.with(|world| world.remove_machine(&gone));
    };
    let (summary, ()) = tokio::join!(world.invoke(&event, "request-1"), go);
    let summary = summary.unwrap();
    assert_eq!(summary["counts"]["instances"], 1_000);
    assert_eq!(world.tagged("ProjectCode", "Proj007"), 999);
    assert_eq!(world.tagged("Expires", crate::harness::TODAY), 999);
    let writes = world.count("CreateTags");
    assert!(writes <= 2 + 2, "{writes} calls instead of 2");
    let failures = summary["failures"].as_array().unwrap();
    assert!(failures.iter().all(|one| one["instance"] == gone.as_str()), "{failures:?}");
    assert_eq!(failures.len(), 3, "{failures:?}");
}
