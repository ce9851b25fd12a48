//! What is to be said about the numbers; the numbers themselves are taken from where they are used.

use crate::drainer::{self, Drain};
use crate::page::sum;
use crate::running::{CALL, EVENT, HANDLING, LAMBDA_LINES, LINE};
use crate::show::{dollars, number, price};
use crate::whole::{DRAINER, METRICS, SPOT, STACK, Settings, TAGS};
use crate::{HOURS, prices, spot, stack, tags};

/// What the table of fleets shows.
pub(super) fn reading(fleets: &[(&str, Settings)], free_tier: bool) -> Vec<String> {
    let ratios = fleets.iter().map(|(name, settings)| {
        let ratio = settings.published(free_tier).total() / settings.bill(free_tier).total();
        format!("{} times as much for the {name} one", number(ratio, 1))
    });
    let rest = fleets.iter().map(|(name, settings)| {
        let bill = settings.bill(free_tier);
        let functions = [DRAINER, TAGS, SPOT].iter().map(|part| sum(&bill, part)).sum();
        format!("{} $ ({name})", dollars(functions))
    });
    vec![
        format!(
            "The published designs cost {}; they have no alarms, no dashboard and nothing for spot notices.",
            ratios.collect::<Vec<_>>().join(", ")
        ),
        format!(
            "Drains, tags and spot notices together: {} a month. The rest is {METRICS}, of which most is the price of the metrics \
             themselves, and {STACK}. A stack without metrics has `EcsMetricsDriver=off`.",
            rest.collect::<Vec<_>>().join(", ")
        ),
    ]
}

/// What the table of drains shows.
pub(super) fn drains(settings: &drainer::Settings, free_tier: bool) -> Vec<String> {
    let hour = Drain { seconds: 3_600, ..settings.drain };
    let of = |drain| drainer::Settings { drain, task_events: 0, ..settings.clone() };
    vec![
        drainer::page::one_drain(settings.drain),
        drainer::page::equal(&of(settings.drain), free_tier),
        drainer::page::equal(&of(hour), free_tier),
    ]
}

/// The formulas.
pub(super) fn formulas(settings: &Settings) -> Vec<String> {
    let mut formulas = vec![format!(
        "A call takes {:.0} ms, and an invocation {:.0} ms besides. Functions have 128 MB where nothing else is said. A line of the \
         log has {LINE} bytes with the {EVENT} that CloudWatch Logs adds, Lambda's own lines {LAMBDA_LINES} an invocation.",
        CALL * 1e3,
        HANDLING * 1e3
    )];
    formulas.extend(drainer::page::formulas());
    formulas.extend(tags::page::formulas());
    formulas.push(spot::page::formula());
    formulas.push(format!(
        "Alarms: {} metrics, and {} of {METRICS} itself at its period, as in [runbook.md](runbook.md); {} for each cluster of \
         `EcsMetricsAlarmClusters` (here {}). A smoke test (here {} a month): {} invocations, {:.0} s at most.",
        stack::ALARMS,
        stack::QUICK_ALARMS,
        stack::CLUSTER_ALARMS,
        settings.stack.alarm_clusters,
        settings.stack.smoke_tests,
        stack::TESTED,
        stack::TEST
    ));
    formulas.push(format!(
        "Logs are kept {} days, and counted as they were ingested, though they are kept compressed.",
        settings.stack.log_days
    ));
    formulas.push(
        "The free tier is counted as if nothing else in the account used it, once for all parts, in their order.".to_owned(),
    );
    formulas
}

/// What is left out.
pub(super) fn not_counted() -> Vec<String> {
    vec![
        "What [ecs-metrics-costs.md](ecs-metrics-costs.md) names: cold starts, retries, reading metrics back, tables' items, \
         traffic, taxes and discounts; and messages that come twice."
            .to_owned(),
        "Instances that are terminated without a drain: a message, an invocation and a call each, as of a task that stops elsewhere."
            .to_owned(),
        format!(
            "Metrics of the log's filters: there only in hours in which something is amiss, {} $ each.",
            price((prices::METRIC.of(1.0) / f64::from(HOURS) * 1e4).round() / 1e4)
        ),
        "The two alarms of `RollOut=guarded`, and the two of `ReportEmail`.".to_owned(),
        "A key of your own (`KmsKeyArn`), and a trail of CloudTrail beyond an account's first, which launch events need.".to_owned(),
    ]
}
