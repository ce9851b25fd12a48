//! A seed → a whole world: what is in it, what happens, what goes wrong, and how the function is set.

use std::time::Duration;

use aws_fake::faults::Fault;
use aws_fake::plumbing::PlumbingSettings;
use aws_fake::scenario::{HookPlan, Scenario};

use crate::dice::Dice;

mod clusters;
mod happenings;
mod troubles;

/// The topic of every world.
pub(crate) const TOPIC: &str = "ecs-drain";

/// Everything about one run that is decided before it begins.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed that it comes from.
    pub seed: u64,
    /// The world's first moment.
    pub scenario: Scenario,
    /// How the function is set, by variable.
    pub variables: Vec<(&'static str, String)>,
    /// How the function for spot notices is set, by variable.
    pub spot_variables: Vec<(&'static str, String)>,
    /// How the function is wired.
    pub plumbing: PlumbingSettings,
    /// How its environments come and go.
    pub environments: Environments,
    /// What happens, in the order of its time.
    pub script: Vec<(Duration, Act)>,
    /// Whether the hooks tell the topic, or only the event bus.
    pub told_by_topic: bool,
}

/// How Lambda's execution environments come and go.
#[derive(Clone, Debug)]
pub struct Environments {
    /// Probability that an invocation meets a new environment although one is idle.
    pub cold: f64,
    /// How far each environment's clock is from AWS's, at most, in either direction.
    pub skew: Duration,
    /// Probability that what an invocation gets was written by a later version of the function: in the middle of a
    /// roll-out, or of one that is taken back.
    pub later: f64,
}

/// Which instance something happens to, by the time that it happens.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    /// One of its group, the number modulo how many there are.
    Any(u64),
    /// One that a lifecycle action holds.
    Leaving(u64),
}

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Act {
    /// A group wants so many instances less.
    ScaleIn(String, usize),
    /// An instance is launched whose agent registers only after this time.
    LateComer {
        /// Its group.
        group: String,
        /// From its launch until it registers.
        registers_after: Duration,
    },
    /// The instances that were launched so leave their group.
    LateComersLeave(String),
    /// Somebody runs a task.
    Standalone {
        /// The group.
        group: String,
        /// On which instance.
        which: Which,
        /// How long it takes to stop.
        stop_takes: Duration,
        /// When it ends by itself.
        ends_after: Option<Duration>,
    },
    /// A group has one hook more.
    SecondHook(String, HookPlan),
    /// A group's instances that a warm pool has kept are in use again.
    TakenBack(String),
    /// Something happens to one instance.
    To(String, Which, Fate),
    /// From now on this goes wrong.
    Trouble(Fault),
}

/// What happens to one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is taken out of its group.
    Leaves,
    /// The machine dies.
    Dies,
    /// Somebody terminates the machine.
    IsTerminated,
    /// Its agent is silent from now on.
    LosesItsAgent,
    /// Its agent answers again.
    GetsItsAgentBack,
    /// EC2 interrupts it, as a spot instance.
    IsInterrupted,
    /// EC2 recommends to replace it, as a spot instance.
    IsRecommended,
    /// It registers as a new container instance.
    RegistersAnew,
    /// It is deregistered by force.
    IsDeregistered,
    /// Somebody sets it ACTIVE.
    IsSetActive,
    /// Somebody completes its hook.
    IsLetGo,
    /// It has all the attributes that it can have.
    IsCrowded,
    /// Somebody asks for its drain.
    IsRequested,
}

impl Plan {
    /// The world of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut plumbing = troubles::wiring(&mut dice);
        let (variables, terms) = settings(&mut dice, &plumbing);
        plumbing.pass_interval = terms.interval;
        plumbing.urgent_interval = terms.urgent_interval;
        let clusters = clusters::draw(&mut dice, &terms);
        let told_by_topic = clusters.told_by_topic;
        plumbing.lifecycle_events |= !told_by_topic;
        let mut script = happenings::draw(&mut dice, &clusters);
        script.extend(troubles::spells(&mut dice));
        script.sort_by_key(|(at, _)| *at);
        let mut variables = variables;
        if dice.chance(0.3) {
            let names: Vec<_> = clusters.groups.iter().map(|group| group.cluster.clone()).collect();
            variables.push(("CLUSTERS", names.join(",")));
        }
        let scenario = troubles::weather(&mut dice, clusters.scenario, &terms).set(|set| set.seed = seed);
        let environments = troubles::environments(&mut dice);
        let rebalance = if dice.chance(0.5) { "drain" } else { "ignore" };
        let spot_variables = vec![("REBALANCE", rebalance.to_owned())];
        Self { seed, scenario, variables, spot_variables, plumbing, environments, script, told_by_topic }
    }
}

/// What the other draws must know of the function's settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) interval: Duration,
    pub(crate) urgent_interval: Duration,
    pub(crate) settle: Duration,
}

/// A drain makes at most about so many passes: a run should take milliseconds.
const MOST_PASSES: u64 = 24;

/// Draws the function's settings.
fn settings(dice: &mut Dice, plumbing: &PlumbingSettings) -> (Vec<(&'static str, String)>, Terms) {
    let deadline = match dice.between(0, 9) {
        0 => dice.between(30, 300),
        1..=4 => dice.between(300, 3_600),
        5..=8 => 7_200,
        _ if dice.chance(0.8) => dice.between(7_200, 21_600),
        _ => dice.between(21_600, 172_800),
    };
    let least = (deadline / MOST_PASSES).clamp(1, 900);
    let interval = if dice.chance(0.4) && least <= 180 {
        plumbing.pass_interval.as_secs()
    } else {
        dice.between(least, 900.min(least * 10))
    };
    let urgent_interval = if dice.chance(0.7) { 15 } else { dice.between(1, 60) };
    let settle = if dice.chance(0.5) { 5 } else { dice.between(0, 10) };
    let registration_wait = if dice.chance(0.5) { 300 } else { dice.between(0, 3_600) };
    let outcome = |abandon: bool| if abandon { "ABANDON" } else { "CONTINUE" }.to_owned();
    let mut variables = vec![
        ("PASS_INTERVAL_SECONDS", interval.to_string()),
        ("DEADLINE_SECONDS", deadline.to_string()),
        ("URGENT_INTERVAL_SECONDS", urgent_interval.to_string()),
        ("SETTLE_SECONDS", settle.to_string()),
        ("REGISTRATION_WAIT_SECONDS", registration_wait.to_string()),
        ("DEADLINE_RESULT", outcome(dice.chance(0.3))),
        ("UNREGISTERED_RESULT", outcome(dice.chance(0.3))),
    ];
    if dice.chance(0.4) {
        variables.push(("STANDALONE_TASKS", "stop".to_owned()));
        variables.push(("STANDALONE_STOP_AFTER_SECONDS", dice.between(0, deadline / 2).to_string()));
    }
    let terms = Terms {
        interval: Duration::from_secs(interval),
        urgent_interval: Duration::from_secs(urgent_interval),
        settle: Duration::from_secs(settle),
    };
    (variables, terms)
}
