//! What happens in a world, and when.

use std::time::Duration;

use super::{
    Act, Fate, Which,
    clusters::{Clusters, GroupOf},
};
use crate::dice::Dice;

type Script = Vec<(Duration, Act)>;

/// What may happen to an instance that is leaving, or is about to.
const FATES: [(u32, Fate); 10] = [
    (3, Fate::Dies),
    (3, Fate::IsTerminated),
    (3, Fate::LosesItsAgent),
    (1, Fate::GetsItsAgentBack),
    (3, Fate::RegistersAnew),
    (2, Fate::IsDeregistered),
    (2, Fate::IsSetActive),
    (2, Fate::IsLetGo),
    (2, Fate::IsCrowded),
    (2, Fate::IsRequested),
];

pub(super) fn draw(dice: &mut Dice, clusters: &Clusters) -> Script {
    let mut script = Script::new();
    let at_once = dice.seconds(1.0, 60.0);
    for group in &clusters.groups {
        standalone(dice, group, &mut script);
        let begins = if clusters.all_leave { at_once } else { dice.seconds(1.0, 60.0) };
        let leaving_first = if clusters.all_leave { group.instances } else { leaving(dice, group.instances) };
        script.push((begins, Act::ScaleIn(group.name.clone(), leaving_first)));
        if dice.chance(0.3) {
            just_before(dice, group, begins, &mut script);
        }
        if dice.chance(0.3) {
            let again = begins + dice.seconds(0.05, 600.0);
            let act = Act::ScaleIn(group.name.clone(), leaving(dice, group.instances));
            script.push((again, act));
        }
        for _ in 0..if dice.chance(0.3) { dice.count(1, 3) } else { 0 } {
            let at = begins + dice.seconds(0.05, 1_800.0);
            let which = if dice.chance(0.7) { Which::Leaving(dice.any()) } else { Which::Any(dice.any()) };
            if let Some(fate) = dice.pick(&FATES) {
                script.push((at, Act::To(group.name.clone(), which, fate)));
            }
        }
        if let Some(hook) = &group.second {
            script.push((Duration::ZERO, Act::SecondHook(group.name.clone(), hook.clone())));
        }
        if group.reuse {
            come_and_go(dice, group, begins, &mut script);
        }
        if group.spot {
            interrupt(dice, group, begins, &mut script);
        }
        if dice.chance(0.1) {
            let latest = if dice.chance(0.7) { 600.0 } else { 100_000.0 };
            let registers_after = dice.seconds(1.0, latest);
            let launched = begins + dice.seconds(0.05, 60.0);
            script.push((launched, Act::LateComer { group: group.name.clone(), registers_after }));
            // Not at once: Auto Scaling's own reads may be late by some seconds.
            script.push((launched + dice.seconds(10.0, 300.0), Act::LateComersLeave(group.name.clone())));
        }
    }
    script
}

/// How many leave: one or two mostly, now and then all.
fn leaving(dice: &mut Dice, instances: usize) -> usize {
    match dice.between(0, 9) {
        0..7 => dice.count(1, 2),
        7..9 => dice.count(1, instances.clamp(1, 6)),
        _ => dice.count(1, instances),
    }
}

fn standalone(dice: &mut Dice, group: &GroupOf, script: &mut Script) {
    if !dice.chance(0.3) {
        return;
    }
    for _ in 0..dice.count(1, 4) {
        let ends_after = dice.chance(0.6).then(|| dice.seconds(1.0, 20_000.0));
        let act = Act::Standalone {
            group: group.name.clone(),
            which: Which::Any(dice.any()),
            stop_takes: dice.seconds(0.1, 600.0),
            ends_after,
        };
        script.push((dice.seconds(0.01, 60.0), act));
    }
}

/// Tasks that are placed on a leaving instance in the moments before it is DRAINING, and that soon end: for some seconds
/// nothing that is read need know of them.
fn just_before(dice: &mut Dice, group: &GroupOf, begins: Duration, script: &mut Script) {
    for _ in 0..dice.count(1, 6) {
        let act = Act::Standalone {
            group: group.name.clone(),
            which: Which::Leaving(dice.any()),
            stop_takes: dice.seconds(1.0, 120.0),
            ends_after: Some(dice.seconds(0.5, 12.0)),
        };
        script.push((begins + dice.seconds(0.01, 3.0), act));
    }
}

/// Instances that have left are in use again, and leave again: each time by another action of the same hook.
fn come_and_go(dice: &mut Dice, group: &GroupOf, begins: Duration, script: &mut Script) {
    let mut at = begins;
    for _ in 0..dice.count(1, 4) {
        at += dice.seconds(10.0, 600.0);
        script.push((at, Act::TakenBack(group.name.clone())));
        at += dice.seconds(0.5, 120.0);
        script.push((at, Act::ScaleIn(group.name.clone(), leaving(dice, group.instances))));
    }
}

/// EC2 wants some instances back.
fn interrupt(dice: &mut Dice, group: &GroupOf, begins: Duration, script: &mut Script) {
    for _ in 0..dice.count(1, 3) {
        let which = if dice.chance(0.5) { Which::Leaving(dice.any()) } else { Which::Any(dice.any()) };
        let at = begins + dice.seconds(0.05, 600.0);
        if dice.chance(0.3) {
            let before = at.saturating_sub(dice.seconds(1.0, 60.0));
            script.push((before, Act::To(group.name.clone(), which, Fate::IsRecommended)));
        }
        script.push((at, Act::To(group.name.clone(), which, Fate::IsInterrupted)));
    }
}
