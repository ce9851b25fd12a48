//! What is to be said about the numbers; the numbers themselves are taken from where they are used.

use crate::MINUTES;
use crate::metrics::published::{self, Machine, RUN};
use crate::metrics::{
    BATCH, CLUSTER_CPU, DOCUMENT, DOCUMENT_METRIC, DOCUMENT_VALUE, Driver, LEASES, METRICS, OWN_METRICS,
    REPORTS, Settings, Sink, TICK, TICK_CLUSTER, month,
};
use crate::prices;
use crate::running::{CALL, EVENT, HANDLING, INVOCATION_CPU, LAMBDA_LINES, MEMORY};
use crate::show::{dollars, number, price};

/// What all tables of the documentation have in common.
pub(super) fn assumptions(settings: &Settings, free_tier: bool) -> String {
    let or = |holds: bool, yes: &'static str, no: &'static str| if holds { yes } else { no };
    let some = |count: u32| if count == 0 { "no".to_owned() } else { count.to_string() };
    format!(
        "Unless said otherwise: {} free tier; the writer's own metrics {}; {} lease; {} alarms and {} dashboards; and \
         the invocation or the state machine waits {} s for its minute.",
        or(free_tier, "with the", "without"),
        or(settings.self_metrics, "on", "off"),
        or(settings.lease, "with a", "without a"),
        some(settings.alarms),
        some(settings.dashboards),
        settings.wait
    )
}

/// What the wait for the minute costs, at best and at worst.
pub(super) fn wait(settings: &Settings, free_tier: bool) -> String {
    let total = |wait| dollars(Settings { wait, ..settings.clone() }.bill(free_tier).total());
    let who = match settings.driver {
        Driver::Schedule => "An invocation",
        Driver::StateMachine => "An execution of the state machine",
    };
    format!(
        "{who} runs for its minute, and first waits for it, here {} s. A rule fires at the same second of every minute, which \
         nobody can choose: the wait is 30 s on the mean, with which the total is {} $, and 60 s at worst, with which it is {} \
         $. Without a wait it would be {} $.",
        settings.wait,
        total(30),
        total(60),
        total(0)
    )
}

/// What the table of designs shows.
pub(super) fn reading(settings: &Settings, free_tier: bool) -> Vec<String> {
    let of = |clusters, period, driver, sink| Settings { clusters, period, sink, driver, ..settings.clone() };
    let total = |clusters, period, driver, sink| of(clusters, period, driver, sink).bill(free_tier).total();
    let times = |clusters, period| {
        let theirs = published::bill(Machine::Standard, clusters, period, free_tier).total();
        number(theirs / total(clusters, period, Driver::Schedule, Sink::Put), 1)
    };
    let change = |period| {
        let [schedule, machine] =
            [Driver::Schedule, Driver::StateMachine].map(|driver| total(1, period, driver, Sink::Put));
        dollars(machine - schedule)
    };
    // Up to so many clusters lines of the log cost less than calls.
    let lines_up_to = |period, sink| {
        let cost = |clusters, sink| total(clusters, period, Driver::Schedule, sink);
        (1..=1_000).take_while(|clusters| cost(*clusters, Sink::Emf) < cost(*clusters, sink)).count()
    };
    let express_up_to = |period| {
        let theirs = |clusters| published::bill(Machine::Express, clusters, period, free_tier).total();
        let ours = |clusters| total(clusters, period, Driver::Schedule, Sink::Put);
        (1..=1_000).take_while(|clusters| theirs(*clusters) < ours(*clusters)).count()
    };
    vec![
        format!(
            "The published design costs {} times as much as the default (schedule, put) for 1 cluster at 5 s, {} times for \
             100, and {} times for 1,000; at 1 s {}, {} and {} times. From 100 clusters on what is left is mostly \
             the price of the metrics themselves.",
            times(1, 5),
            times(100, 5),
            times(1_000, 5),
            times(1, 1),
            times(100, 1),
            times(1_000, 1)
        ),
        format!(
            "With nothing changed but the type of its machines, the published design costs less than the default for at most \
             so many clusters: {} at 5 s, {} at 1 s.",
            express_up_to(5),
            express_up_to(1)
        ),
        format!(
            "The state machine in place of the schedule, with the same sink, changes the bill of one cluster by {} $ at 5 s and \
             {} $ at 1 s: a Wait has half the memory of a waiting function, and every tick is an invocation. There is no lease \
             then, nothing can be flushed, and a tick is as late as its Wait and its invocation.",
            change(5),
            change(1)
        ),
        format!(
            "`emf` costs less than `put` up to {} clusters at 5 s and {} at 1 s, and less than `flush` up to {} and {}: a \
             line holds one cluster, and a call {} data.",
            lines_up_to(5, Sink::Put),
            lines_up_to(1, Sink::Put),
            lines_up_to(5, Sink::Flush(10)),
            lines_up_to(1, Sink::Flush(10)),
            number(BATCH.into(), 0)
        ),
    ]
}

/// The formulas.
pub(super) fn formulas() -> Vec<String> {
    let per_minute = number(MINUTES.into(), 0);
    let four = DOCUMENT + DOCUMENT_METRIC * METRICS;
    let batch = number(BATCH.into(), 0);
    let megabytes = MEMORY * 1_024.0;
    [
        format!("A month has {per_minute} minutes, a minute 60 / period ticks."),
        format!(
            "Custom metrics: {METRICS} a cluster, {OWN_METRICS} of the writer's own, and those that are asked for. All \
             fill the same tiers."
        ),
        format!(
            "PutMetricData: a tick's data / {batch}, rounded up, each tick (`put`) or for all ticks of a flush (`flush`); and \
             once a minute the data of the opt-in metrics / {batch}, rounded up."
        ),
        format!(
            "Log ingestion: with `emf` a line for each cluster and tick, and a line a minute for each cluster and each \
             service with opt-in metrics. A line has {DOCUMENT} bytes and {DOCUMENT_METRIC} a metric ({four} with the \
             published {METRICS}), to which CloudWatch Logs adds {EVENT}; a GB has 10⁹. The writer's own metrics take a line \
             every {REPORTS} s, or one a tick with the state machine, and {DOCUMENT_VALUE} bytes for each tick's lag."
        ),
        format!(
            "Lambda duration: {megabytes} MB on arm64. Schedule: 60 s a minute and the wait. State machine: each tick {:.0} ms, \
             and {:.2} ms for each cluster (two calls in a row of {:.0} ms each, and {:.0} ms for {:.2} ms of CPU at a \
             fourteenth of a core; {:.0} µs of CPU a cluster). CPU: [benchmarks.md](benchmarks.md).",
            TICK * 1e3,
            TICK_CLUSTER * 1e3,
            CALL * 1e3,
            HANDLING * 1e3,
            INVOCATION_CPU * 1e3,
            CLUSTER_CPU * 1e6
        ),
        "Lambda requests: one a minute; with the state machine one a tick.".to_owned(),
        format!(
            "DynamoDB: {LEASES} conditional writes a minute with the schedule, for the invocation's own minute, and for the \
             one that is running when it comes and the next, in case nobody owns these."
        ),
        "Express workflow: one execution a minute, of 60 s and the wait, with 64 MB.".to_owned(),
        format!(
            "The published design, for each cluster: a Standard workflow a minute with {} transitions at 5 s (a Wait and a \
             Task in each branch, and the Parallel state) and {} at 1 s; an invocation a tick of {:.0} ms at 128 MB on \
             x86-64; a PutMetricData a tick; {METRICS} metrics. With its article's own figures, 26 transitions and about \
             250 ms, it would be {} $ more a cluster at 5 s.",
            published::transitions(12),
            published::transitions(60),
            RUN * 1e3,
            dollars(published::by_its_article() - published::bill(Machine::Standard, 1, 5, false).total())
        ),
        "The free tier is counted as if nothing else in the account used it. Free dashboards are those with at most 50 \
         metrics; high-resolution alarms, Express workflows and tables on demand have none."
            .to_owned(),
    ]
    .to_vec()
}

/// What is left out.
pub(super) fn not_counted() -> Vec<String> {
    let lines = |a_minute| dollars(prices::LOGS.of(month(a_minute) * LAMBDA_LINES / 1e9));
    [
        "Calls that are free: DescribeClusters, ListClusters and all other reads of ECS.".to_owned(),
        "Reading metrics back: GetMetricData is paid by the metrics asked for; what the console reads for its own pages is \
         free."
            .to_owned(),
        format!(
            "The lines that Lambda itself logs, {LAMBDA_LINES} bytes an invocation: {} $ with the schedule, {} $ with the state \
             machine at 5 s, and as much for each cluster of the published design.",
            lines(1),
            lines(12)
        ),
        format!(
            "Keeping logs: {} $ a GB-month, compressed. Of concern only with `emf`; let its log group expire after a day.",
            price(prices::STORED.of(1.0))
        ),
        "Cold starts, retries, what a trigger that came twice runs, the lease table's items, notifications of alarms, \
         traffic (all of it is in the region), taxes and discounts."
            .to_owned(),
    ]
    .to_vec()
}
