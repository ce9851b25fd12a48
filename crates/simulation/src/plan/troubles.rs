//! What goes wrong: in delivery, in calls, with clocks and environments.

use std::time::Duration;

use aws_fake::faults::{Calls, Fault, FaultKind};
use aws_fake::plumbing::PlumbingSettings;
use aws_fake::scenario::Scenario;

use super::{Act, Environments, Terms};
use crate::dice::Dice;

/// Operations of the function.
const OPERATIONS: [(u32, &str); 13] = [
    (1, "ListClusters"),
    (2, "ListContainerInstances"),
    (4, "DescribeContainerInstances"),
    (2, "UpdateContainerInstancesState"),
    (2, "ListTasks"),
    (2, "DescribeTasks"),
    (1, "StopTask"),
    (2, "PutAttributes"),
    (3, "CompleteLifecycleAction"),
    (3, "RecordLifecycleActionHeartbeat"),
    (1, "DescribeLifecycleHooks"),
    (2, "DescribeAutoScalingInstances"),
    (4, "PublishBatch"),
];

/// How messages travel.
pub(super) fn wiring(dice: &mut Dice) -> PlumbingSettings {
    let duplicate = if dice.chance(0.5) { 0.0 } else { dice.scale(0.01, 0.3) };
    let latest = match dice.between(0, 9) {
        0..6 => 0.2,
        6..9 => dice.scale(0.2, 10.0),
        _ => dice.scale(10.0, 120.0),
    };
    PlumbingSettings {
        duplicate,
        delivery_seconds: (0.02, latest),
        lose_best_effort: if dice.chance(0.7) { 0.0 } else { dice.real(0.01, 0.5) },
        lose_task_events: dice.chance(0.1),
        lifecycle_events: dice.chance(0.1),
        direct: dice.chance(0.1),
        first_concurrency: if dice.chance(0.8) { 10 } else { dice.count(2, 10) },
        max_concurrency: if dice.chance(0.8) { 5 } else { dice.count(2, 10) },
        ..PlumbingSettings::default()
    }
}

/// What is wrong all the time: a little of anything.
pub(super) fn weather(dice: &mut Dice, scenario: Scenario, terms: &Terms) -> Scenario {
    let settle = terms.settle.as_secs_f64();
    let stale = if dice.chance(0.4) { dice.real(0.0, (settle - 1.0).clamp(0.0, 4.0)) } else { 0.0 };
    let latency = dice.seconds(0.005, 0.2);
    let boot = dice.seconds(5.0, 120.0);
    let health_check = dice.seconds(2.0, 120.0);
    let termination = dice.seconds(1.0, 60.0);
    let scheduling = dice.seconds(0.2, 5.0);
    let state_events = dice.chance(0.5);
    let mut faults = Vec::new();
    if dice.chance(0.4) {
        let kinds = [
            (3, (FaultKind::Throttle, 0.2)),
            (2, (FaultKind::ServerError, 0.1)),
            (1, (FaultKind::TimeoutBefore, 0.02)),
            (1, (FaultKind::TimeoutAfter, 0.02)),
            (1, (FaultKind::Latency(dice.seconds(0.1, 8.0)), 0.05)),
        ];
        for _ in 0..dice.count(1, 2) {
            if let Some((kind, most)) = dice.pick(&kinds) {
                faults.push(Fault::of_any(Calls::Probability(dice.real(0.002, most)), kind));
            }
        }
    }
    if dice.chance(0.4) {
        for _ in 0..dice.count(1, 4) {
            faults.push(death(dice));
        }
    }
    scenario.set(|set| {
        set.staleness = Duration::try_from_secs_f64(stale).unwrap_or_default();
        set.latency = latency;
        set.boot = boot;
        set.health_check = health_check;
        set.termination = termination;
        set.scheduling = scheduling;
        set.state_events = state_events;
        set.faults = faults;
    })
}

/// The function dies at a call, before or after its effect.
fn death(dice: &mut Dice) -> Fault {
    let kind = if dice.chance(0.5) { FaultKind::KillBefore } else { FaultKind::KillAfter };
    let nth = Calls::Nth(whole(dice.scale(1.0, 100.0)));
    match dice.pick(&OPERATIONS).filter(|_| dice.chance(0.4)) {
        Some(operation) => Fault::of(operation, Calls::Nth(dice.between(1, 6)), kind),
        None => Fault::of_any(nth, kind),
    }
}

/// Spells: for a time one operation does not work.
pub(super) fn spells(dice: &mut Dice) -> Vec<(Duration, Act)> {
    let mut spells = Vec::new();
    for _ in 0..if dice.chance(0.3) { dice.count(1, 3) } else { 0 } {
        let kinds = [
            (3, FaultKind::Throttle),
            (2, FaultKind::ServerError),
            (1, FaultKind::TimeoutBefore),
            (1, FaultKind::TimeoutAfter),
            (1, FaultKind::AccessDenied),
            (1, FaultKind::Latency(dice.seconds(0.5, 8.0))),
        ];
        if let (Some(operation), Some(kind)) = (dice.pick(&OPERATIONS), dice.pick(&kinds)) {
            // What is denied is not tried again at once: twenty receipts of a message are twenty calls.
            let most = if kind == FaultKind::AccessDenied { 12.0 } else { 40.0 };
            let calls = Calls::First(whole(dice.scale(1.0, most)));
            spells.push((dice.seconds(0.1, 3_600.0), Act::Trouble(Fault::of(operation, calls, kind))));
        }
    }
    spells
}

/// A drawn number of things.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small, and above 0")]
fn whole(drawn: f64) -> u64 {
    drawn.round() as u64
}

/// Warm or cold, in time or not.
pub(super) fn environments(dice: &mut Dice) -> Environments {
    let cold = match dice.between(0, 9) {
        0..5 => 0.0,
        5..8 => dice.real(0.0, 0.5),
        _ => 1.0,
    };
    let skew = if dice.chance(0.6) { Duration::ZERO } else { dice.seconds(0.01, 5.0) };
    let later = if dice.chance(0.8) { 0.0 } else { dice.real(0.1, 1.0) };
    Environments { cold, skew, later }
}
