//! The bills of `ecs-drainer` and of the published design in words and tables.

use super::published::{self, COUNTED, ROUNDS};
use super::{BODY, DELIVERY, Drain, POLLERS, POLLS, QUEUES, SETTLE, SUBSCRIPTIONS, Settings, WINDOWS};
use crate::page::{PUBLISHED, compare, intro};
use crate::running::{MEMORY, MESSAGE};
use crate::show::{Block, Grid, NUMBER, dollars, number};
use crate::{MINUTES, prices};

/// Drains a month and seconds of each that the documentation shows.
const DRAINS: [u32; 3] = [100, 1_000, 10_000];
const SECONDS: [u32; 3] = [60, 300, 3_600];
/// Where the search for equal bills ends.
const MOST: u32 = 1_000_000;

/// One deployment, item by item.
#[must_use]
pub fn one(settings: &Settings, free_tier: bool) -> Vec<Block> {
    let (ours, theirs) = (settings.bill(free_tier), published::bill(settings, free_tier));
    vec![
        Block::Title(format!("ecs-drainer, {}", size(settings))),
        intro(free_tier),
        Block::Grid(compare("ecs-drainer", "", &ours, &theirs)),
        Block::List(vec![one_drain(settings.drain), equal(settings, free_tier)]),
    ]
}

/// `100 drains of 300 s, 100 tasks an hour that stop elsewhere`.
pub(crate) fn size(settings: &Settings) -> String {
    let [drains, seconds, tasks] =
        [settings.drains, settings.drain.seconds, settings.task_events].map(|count| number(count.into(), 0));
    format!("{drains} drains of {seconds} s, {tasks} tasks an hour that stop elsewhere")
}

/// By drains a month, and how long each takes; no tasks stop elsewhere.
pub(crate) fn grid(settings: &Settings, free_tier: bool) -> Grid {
    let row = |seconds: u32| {
        let cells = DRAINS.iter().flat_map(|drains| {
            let drain = Drain { seconds, ..settings.drain };
            let settings = Settings { drains: *drains, drain, task_events: 0, ..settings.clone() };
            [settings.bill(free_tier), published::bill(&settings, free_tier)]
                .map(|bill| dollars(bill.total()))
        });
        std::iter::once(format!("{} s", number(seconds.into(), 0))).chain(cells).collect::<Vec<_>>()
    };
    let names = DRAINS.iter().flat_map(|drains| {
        [format!("{NUMBER}{} drains", number((*drains).into(), 0)), format!("{NUMBER}{PUBLISHED}")]
    });
    let header = std::iter::once("a drain of".to_owned()).chain(names).collect();
    Grid { header, rows: SECONDS.map(row).to_vec() }
}

/// What one drain takes.
pub(crate) fn one_drain(drain: Drain) -> String {
    format!(
        "A drain of {} s with {} tasks is {} invocations that run for {:.1} s together, at most {} calls, {} publishes and {} \
         requests to queues; the published design's is {} invocations that run for {:.0} s.",
        number(drain.seconds.into(), 0),
        drain.tasks,
        drain.invocations(),
        drain.running(),
        drain.calls(),
        drain.publishes(),
        drain.invocations() * MESSAGE,
        published::rounds(drain.seconds),
        published::running(drain.seconds)
    )
}

/// From how many drains a month the drainer costs less. Below, Lambda's polls of its queues are more than all sleeping.
pub(crate) fn equal(settings: &Settings, free_tier: bool) -> String {
    let cheaper = |drains: u32| {
        let settings = Settings { drains, ..settings.clone() };
        settings.bill(free_tier).total() < published::bill(&settings, free_tier).total()
    };
    // Its bill grows more slowly: once it is the lower one it stays so.
    let (mut below, mut from) = (0, MOST);
    while from - below > 1 {
        let middle = u32::midpoint(below, from);
        if cheaper(middle) { from = middle } else { below = middle }
    }
    let seconds = number(settings.drain.seconds.into(), 0);
    if cheaper(from) {
        format!(
            "From {} drains of {seconds} s a month on it costs less than the published design; with fewer, Lambda's polls of \
             its queues, which go on when nothing is drained, cost more than that design's sleeping.",
            number(from.into(), 0)
        )
    } else {
        format!("However many drains of {seconds} s there are, the published design costs less.")
    }
}

/// The formulas.
pub(crate) fn formulas() -> [String; 5] {
    [
        format!(
            "ecs-drainer, a drain: one pass in the interval and {DELIVERY} s; an invocation for the first pass, each further one, \
             each task, the continuation after the end, and EC2's event. At most 11 + 4 a pass + 1 every third pass + 2 a task \
             calls, one after another: the bound of \"Calls of one drain\" in [reliability.md](reliability.md). {SETTLE} s of \
             waiting, or twice that before the second pass."
        ),
        format!(
            "ecs-drainer, messages: a publish a pass, one by the first and one by Auto Scaling, which {SUBSCRIPTIONS} filters on the \
             body look through ({BODY} bytes); in its queue each is {MESSAGE} requests, those by which SNS and EventBridge send \
             it included. Instances that leave together share \
             publishes, requests and invocations; here each leaves by itself."
        ),
        format!(
            "ecs-drainer, at all times: {QUEUES} queues × {POLLERS} pollers × {POLLS} polls a minute of 20 s × {} minutes. {POLLERS} because \
             the template limits concurrency: Lambda then does not go down to 2.",
            number(MINUTES.into(), 0)
        ),
        format!(
            "ecs-drainer, tasks that stop on instances that stay: an invocation a second at most ({} an hour), or one for a \
             hundred, with one call; each event is sent to the queue, and ten are received and deleted together.",
            number(WINDOWS.into(), 0)
        ),
        format!(
            "Published drainer: {ROUNDS} rounds in {COUNTED} s, in each of which it reads the cluster's list, sleeps for 5 s and \
             publishes to itself, in a function of {} MB on x86-64: {} $ for an hour of draining. Lambda's recursion detection, \
             which would end it after some 16 rounds, is taken to be off. It has no queues, so nothing is tried again.",
            MEMORY * 1_024.0,
            number(prices::X86.of(3_600.0 * MEMORY), 4)
        ),
    ]
}
