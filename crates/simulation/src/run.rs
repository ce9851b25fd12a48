//! One seed: its world, from the first moment to the last.

use std::time::Duration;

use aws_fake::FakeAws;
use aws_fake::world::World;
use aws_fake::world::ecs::Status;
use aws_fake::world::history::Entry;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::blinders::Blinder;
use crate::check::Checker;
use crate::check::rules::Rules;
use crate::lines;
use crate::plan::{Act, Fate, Plan, Which};
use crate::seam::Seam;
use crate::tally::Tally;
use crate::wiring;

/// Longer than any lifecycle action can last after the last thing that the script does.
const LONGEST: Duration = Duration::from_hours(24 * 5);

/// What became of a seed.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The seed.
    pub seed: u64,
    /// What happened, in numbers.
    pub tally: Tally,
    /// What did not hold, if anything: the first thing, and when.
    pub failure: Option<Failure>,
}

/// Something that did not hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// When, since the world's first moment.
    pub at: Duration,
    /// What.
    pub what: String,
}

/// Runs the world of a seed.
#[must_use]
pub fn seed(seed: u64, blinder: Option<Blinder>) -> Ran {
    run(&Plan::of(seed), blinder, false)
}

/// Runs the world of a seed and keeps its timeline whether or not it fails.
#[must_use]
pub fn with_timeline(seed: u64, blinder: Option<Blinder>) -> (Ran, Vec<String>) {
    let mut ran = run(&Plan::of(seed), blinder, true);
    let timeline = ran.tally.timeline.take().unwrap_or_default();
    (ran, timeline)
}

fn run(plan: &Plan, blinder: Option<Blinder>, keeps_timeline: bool) -> Ran {
    // The SDK's back-off has a random part, which must be the same each time.
    fastrand::seed(plan.seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let (tally, failure) = match runtime {
        Ok(runtime) => runtime.block_on(live(plan, blinder, keeps_timeline)),
        Err(error) => {
            let what = format!("the runtime could not be made: {error}");
            (Tally::default(), Some(Failure { at: Duration::ZERO, what }))
        }
    };
    lines::end();
    Ran { seed: plan.seed, tally, failure }
}

async fn live(plan: &Plan, blinder: Option<Blinder>, keeps_timeline: bool) -> (Tally, Option<Failure>) {
    let fake = FakeAws::new(plan.scenario.clone());
    lines::begin(&fake);
    let seam = Seam::new(&fake, blinder);
    let wired = wiring::settings(plan).and_then(|settings| {
        let rules = Rules::new(plan, &settings);
        Ok((wiring::wire(plan, &fake, settings, &seam, blinder)?, rules))
    });
    let (mut plumbing, rules) = match wired {
        Ok(wired) => wired,
        Err(error) => {
            let what = error.to_string();
            return (Tally::default(), Some(Failure { at: Duration::ZERO, what }));
        }
    };
    let mut checker = Checker::new(rules, seam, keeps_timeline);
    let begin = tokio::time::Instant::now();
    for (at, act) in &plan.script {
        let wait = at.saturating_sub(begin.elapsed());
        if plumbing.run_watched(|plumbing, world| checker.step(plumbing, world), wait).await {
            break;
        }
        if let Some(request) = fake.with(|world| perform(world, act)) {
            plumbing.send(request);
        }
    }
    if !checker.has_failed() {
        let quiet = plumbing
            .run_watched(
                |plumbing, world| {
                    checker.step(plumbing, world) || plumbing.is_idle() && world.next_due().is_none()
                },
                LONGEST,
            )
            .await;
        fake.with(|world| checker.end(world, quiet));
    }
    fake.with(|world| checker.finish(&plumbing, world))
}

/// Has something happen; a message that somebody sends to the queue is answered.
fn perform(world: &mut World, act: &Act) -> Option<String> {
    match act {
        Act::ScaleIn(group, count) => world.scale_in(group, *count),
        Act::LateComer { group, registers_after } => {
            let id = world.launch_unregistered(group, *registers_after);
            world.note(&format!("LateComer {id}"));
        }
        Act::LateComersLeave(group) => {
            let notes = world.history().iter().filter(|entry| entry.what == "note");
            let late =
                notes.filter_map(|note| note.text("text")?.strip_prefix("LateComer ").map(str::to_owned));
            let ours = world.instances(group);
            let late: Vec<_> = late.filter(|id| ours.contains(id)).collect();
            for id in late {
                world.scale_in_instance(&id);
            }
        }
        Act::Standalone { group, which, stop_takes, ends_after } => {
            // ECS places nothing on an instance that is draining.
            let active = |id: &String| world.container_instance_status(id) == Some(Status::Active);
            let id = find(world, group, *which).filter(active)?;
            world.run_standalone(&id, "report", *stop_takes, *ends_after);
        }
        Act::SecondHook(group, hook) => world.put_hook(group, hook.clone()),
        Act::TakenBack(group) => {
            for id in world.instances(group) {
                if world.take_back(&id) {
                    world.note(&format!("TakenBack {id}"));
                }
            }
        }
        Act::To(group, which, fate) => {
            let id = find(world, group, *which)?;
            world.note(&format!("{fate:?} {id}"));
            return befall(world, &id, *fate);
        }
        Act::Trouble(fault) => {
            world.note(&format!("from now on {fault:?}"));
            world.add_fault(fault.clone());
        }
    }
    None
}

fn befall(world: &mut World, id: &str, fate: Fate) -> Option<String> {
    match fate {
        Fate::Leaves => world.scale_in_instance(id),
        Fate::Dies => world.die(id),
        Fate::IsTerminated => world.terminate(id),
        Fate::LosesItsAgent => world.disconnect_agent(id),
        Fate::GetsItsAgentBack => world.reconnect_agent(id),
        Fate::IsInterrupted => {
            let before = |entry: &&Entry| entry.what == "interrupted" && entry.text("instance") == Some(id);
            // EC2 says it once.
            if world.history().iter().find(before).is_none() {
                world.interrupt(id);
            }
        }
        Fate::IsRecommended => world.recommend_rebalance(id),
        Fate::RegistersAnew => world.register_anew(id),
        Fate::IsDeregistered => world.deregister(id),
        Fate::IsSetActive => {
            world.set_container_instance_status(id, Status::Active);
        }
        Fate::IsLetGo => world.complete_hook(id, aws_fake::world::hooks::ActionResult::Continue),
        Fate::IsCrowded => (0..10).for_each(|n| world.set_attribute(id, &format!("own-{n}"), "x")),
        Fate::IsRequested => {
            return Some(json!({"DrainRequest": "somebody asks", "EC2InstanceId": id}).to_string());
        }
    }
    None
}

fn find(world: &World, group: &str, which: Which) -> Option<String> {
    let (mut ids, number) = match which {
        Which::Any(number) => (world.instances(group), number),
        Which::Leaving(number) => {
            let open = world.actions().filter(|action| action.group == group && action.outcome.is_none());
            (open.map(|action| action.instance.clone()).collect(), number)
        }
    };
    let count = u64::try_from(ids.len()).ok().filter(|count| *count > 0)?;
    ids.sort();
    usize::try_from(number % count).ok().map(|at| ids.swap_remove(at))
}
