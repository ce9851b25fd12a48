//! Bills against cases worked by hand.

#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;

use aws_helpers::emf::{Document, Metric};
use costs::bill::Bill;
use costs::metrics::published::{self, Machine};
use costs::metrics::{
    DOCUMENT, DOCUMENT_METRIC, DOCUMENT_VALUE, Driver, Extra, METRICS, OWN_METRICS, Settings, Sink,
};
use costs::{bill, prices};

use Driver::{Schedule, StateMachine};
use Sink::{Emf, Flush, Put};

/// The writer and nothing besides: no own metrics, no lease, no wait.
fn bare(clusters: u32, period: u32, driver: Driver, sink: Sink) -> Settings {
    Settings {
        clusters,
        period,
        sink,
        driver,
        wait: 0,
        lease: false,
        self_metrics: false,
        extras: Vec::new(),
        services: 10,
        alarms: 0,
        dashboards: 0,
    }
}

/// What the command takes for granted.
fn usual(clusters: u32, period: u32, driver: Driver, sink: Sink) -> Settings {
    Settings { wait: 30, lease: true, self_metrics: true, ..bare(clusters, period, driver, sink) }
}

fn cents(found: f64, expected: f64, case: &str) {
    assert!((found - expected).abs() < 0.005, "{case}: {found:.4} $, expected {expected}");
}

fn dollars_of(bill: &Bill, item: &str) -> f64 {
    bill.items.iter().filter(|found| found.name == item).map(|found| found.dollars).sum()
}

/// Worked by hand, month = 43,200 minutes = 518,400 ticks of 5 s = 2,592,000 ticks of 1 s.
///
/// Once a month, whatever is written, for the bare writer:
/// - schedule: 43,200 × 60 s × 0.125 GB = 324,000 GB-s × 0.0000133334 = 4.3200; 43,200 requests = 0.0086; together 4.3287
/// - state machine: 43,200 executions × 1 $ a million = 0.0432; 43,200 × 60 s × 0.0625 GB = 162,000 GB-s = 45 GB-hours × 0.06
///   = 2.7000; together 2.7432. Ticks at 5 s: 518,400 requests = 0.1037, and seconds × 518,400 × 0.125 × 0.0000133334 =
///   0.8640 a second: 0.06012 s (1 cluster) = 0.0519, 0.072 s (100) = 0.0622, 0.180 s (1,000) = 0.1555. At 1 s five
///   times that: 0.5184, and 0.2597, 0.3110, 0.7776
/// - a line of 4 metrics: 152 + 4 × 90 + 26 = 538 bytes
const BARE: [(u32, u32, Driver, Sink, f64); 30] = [
    // 1 cluster: 4 × 0.30 = 1.20. Calls at 5 s 518,400 × 0.00001 = 5.184, at 1 s 25.92; flushed 6 a minute 2.592.
    (1, 5, Schedule, Put, 10.71),      // 1.20 + 5.184 + 4.3287
    (1, 1, Schedule, Put, 31.45),      // 1.20 + 25.92 + 4.3287
    (1, 5, Schedule, Flush(10), 8.12), // 1.20 + 2.592 + 4.3287
    (1, 1, Schedule, Flush(10), 8.12), // the same: 10 ticks × 4 data are one call
    (1, 5, Schedule, Emf, 5.67),       // 1.20 + 0.2789 GB × 0.50 = 0.1394 + 4.3287
    (1, 1, Schedule, Emf, 6.23),       // 1.20 + 1.3945 GB × 0.50 = 0.6972 + 4.3287
    (1, 5, StateMachine, Put, 9.28),   // 1.20 + 5.184 + 2.7432 + 0.1037 + 0.0519
    (1, 1, StateMachine, Put, 30.64),  // 1.20 + 25.92 + 2.7432 + 0.5184 + 0.2597
    (1, 5, StateMachine, Emf, 4.24),   // 1.20 + 0.1394 + 2.7432 + 0.1037 + 0.0519
    (1, 1, StateMachine, Emf, 5.42),   // 1.20 + 0.6972 + 2.7432 + 0.5184 + 0.2597
    // 100 clusters: 120. A tick's 400 data are one call; at 1 s the 4,000 of a flush are four.
    (100, 5, Schedule, Put, 129.51),       // 120 + 5.184 + 4.3287
    (100, 1, Schedule, Put, 150.25),       // 120 + 25.92 + 4.3287
    (100, 5, Schedule, Flush(10), 126.92), // 120 + 2.592 + 4.3287
    (100, 1, Schedule, Flush(10), 134.70), // 120 + 4 × 2.592 = 10.368 + 4.3287
    (100, 5, Schedule, Emf, 138.27),       // 120 + 27.890 GB × 0.50 = 13.945 + 4.3287
    (100, 1, Schedule, Emf, 194.05),       // 120 + 139.450 GB × 0.50 = 69.725 + 4.3287
    (100, 5, StateMachine, Put, 128.09),   // 120 + 5.184 + 2.7432 + 0.1037 + 0.0622
    (100, 1, StateMachine, Put, 149.49),   // 120 + 25.92 + 2.7432 + 0.5184 + 0.3110
    (100, 5, StateMachine, Emf, 136.85),   // 120 + 13.945 + 2.7432 + 0.1037 + 0.0622
    (100, 1, StateMachine, Emf, 193.30),   // 120 + 69.725 + 2.7432 + 0.5184 + 0.3110
    // 1,000 clusters: 1,200. A tick's 4,000 data are four calls, 8 for the two ticks of a flush, 40 for ten.
    (1_000, 5, Schedule, Put, 1_225.06),       // 1,200 + 20.736 + 4.3287
    (1_000, 1, Schedule, Put, 1_308.01),       // 1,200 + 103.68 + 4.3287
    (1_000, 5, Schedule, Flush(10), 1_225.06), // 1,200 + 8 × 2.592 = 20.736 + 4.3287
    (1_000, 1, Schedule, Flush(10), 1_308.01), // 1,200 + 40 × 2.592 = 103.68 + 4.3287
    (1_000, 5, Schedule, Emf, 1_343.78),       // 1,200 + 278.899 GB × 0.50 = 139.450 + 4.3287
    (1_000, 1, Schedule, Emf, 1_901.58),       // 1,200 + 1,394.496 GB × 0.50 = 697.248 + 4.3287
    (1_000, 5, StateMachine, Put, 1_223.74),   // 1,200 + 20.736 + 2.7432 + 0.1037 + 0.1555
    (1_000, 1, StateMachine, Put, 1_307.72),   // 1,200 + 103.68 + 2.7432 + 0.5184 + 0.7776
    (1_000, 5, StateMachine, Emf, 1_342.45),   // 1,200 + 139.450 + 2.7432 + 0.1037 + 0.1555
    (1_000, 1, StateMachine, Emf, 1_901.29),   // 1,200 + 697.248 + 2.7432 + 0.5184 + 0.7776
];

#[test]
fn the_bare_writer_costs_what_was_worked_by_hand() {
    for (clusters, period, driver, sink, expected) in BARE {
        let case = format!("{clusters} at {period} s, {driver:?}, {sink:?}");
        cents(bare(clusters, period, driver, sink).bill(false).total(), expected, &case);
    }
}

/// What was known of the costs before there was a program, printed as it was: to the cent below 100 $, to the dollar above.
#[test]
fn the_first_estimates_are_reproduced() {
    type Total<'t> = &'t dyn Fn(u32, u32) -> f64;
    let rows: [(&str, Total, [&str; 6]); 5] = [
        (
            "published",
            &|clusters, period| published::bill(Machine::Standard, clusters, period, false).total(),
            ["33.65", "3365", "33650", "159", "15913", "159128"],
        ),
        (
            "state machine, put",
            &|clusters, period| bare(clusters, period, StateMachine, Put).bill(false).total(),
            ["9.28", "128", "1224", "30.64", "149", "1308"],
        ),
        (
            "schedule, flush",
            &|clusters, period| bare(clusters, period, Schedule, Flush(10)).bill(false).total(),
            ["8.12", "127", "1225", "8.12", "135", "1308"],
        ),
        (
            "schedule, emf",
            &|clusters, period| bare(clusters, period, Schedule, Emf).bill(false).total(),
            ["5.67", "138", "1344", "6.23", "194", "1902"],
        ),
        (
            "the metrics alone",
            &|clusters, _| prices::METRIC.of(f64::from(clusters * METRICS)),
            ["1.20", "120", "1200", "1.20", "120", "1200"],
        ),
    ];
    let sizes = [(1, 5), (100, 5), (1_000, 5), (1, 1), (100, 1), (1_000, 1)];
    for (name, total, expected) in rows {
        let found = sizes.map(|(clusters, period)| {
            let total = total(clusters, period);
            if total < 100.0 { format!("{total:.2}") } else { format!("{total:.0}") }
        });
        assert_eq!(found, expected, "{name}");
    }
}

/// Worked by hand for one cluster: 0.30 × 4 = 1.20; a put a tick 5.184 (1 s: 25.92); 518,400 × 0.15 s × 0.125 GB = 9,720 GB-s ×
/// 0.0000166667 = 0.162 (0.81); requests 0.1037 (0.5184); 43,200 × 25 = 1,080,000 transitions × 0.000025 = 27.00 (121: 130.68).
/// As Express instead: requests 0.0432; 43,200 × 55.2 s × 0.0625 GB = 149,040 GB-s = 41.4 GB-hours × 0.06 = 2.484. For 100 clusters
/// 4,140 GB-hours: 1,000 × 0.06 + 3,140 × 0.03 = 154.20.
#[test]
fn the_published_design_costs_what_was_worked_by_hand() {
    for (machine, clusters, period, expected) in [
        (Machine::Standard, 1, 5, 33.65), // 1.20 + 5.184 + 0.162 + 0.10368 + 27.00
        (Machine::Standard, 100, 5, 3_364.97), // × 100
        (Machine::Standard, 1_000, 5, 33_649.68), // × 1,000
        (Machine::Standard, 1, 1, 159.13), // 1.20 + 25.92 + 0.81 + 0.5184 + 130.68
        (Machine::Standard, 100, 1, 15_912.84),
        (Machine::Standard, 1_000, 1, 159_128.40),
        (Machine::Express, 1, 5, 9.18), // 1.20 + 5.184 + 0.162 + 0.10368 + 0.0432 + 2.484
        (Machine::Express, 100, 5, 823.49), // 664.968 + 4.32 + 154.20
    ] {
        let found = published::bill(machine, clusters, period, false).total();
        cents(found, expected, &format!("{machine:?}, {clusters} at {period} s"));
    }
    // Its article: 26 transitions 28.08 (0.936 a day), 250 ms 0.27: 1.20 + 5.184 + 0.27 + 0.10368 + 28.08
    cents(published::by_its_article(), 34.84, "by its article");
    cents(prices::TRANSITION.of(26.0 * 1_440.0), 0.936, "the article's state machine, a day");
}

/// Worked by hand for 100 clusters at 5 s, put: lease 3 × 43,200 writes × 0.625 a million = 0.081; duration 43,200 × 90 s × 0.125
/// = 486,000 GB-s = 6.4800; own metrics 8 × 0.30 = 2.40; their 6 lines a minute of 152 + 8 × 90 + 26 = 898 bytes and 12 lags
/// of 19 bytes: 5,616 bytes × 43,200 = 0.2426 GB × 0.50 = 0.1213.
#[test]
fn what_is_usual_costs_what_was_worked_by_hand() {
    let usual = usual(100, 5, Schedule, Put);
    let bill = usual.bill(false);
    for (item, expected) in [
        ("custom metrics, 4 a cluster", 120.0),
        ("its own metrics", 2.40),
        ("PutMetricData", 5.184),
        ("log ingestion, its own metrics", 0.1213),
        ("Lambda duration", 6.48),
        ("DynamoDB, leases", 0.081),
        ("Lambda requests", 0.00864),
        ("EventBridge rules", 0.0),
    ] {
        cents(dollars_of(&bill, item), expected, item);
    }
    cents(bill.total(), 134.27, "total");
    let more = |name: &str, other: Settings, expected: f64| {
        cents(other.bill(false).total() - usual.bill(false).total(), expected, name);
    };
    // 43,200 × 30 s × 0.125 GB × 0.0000133334, up and down
    more("the longest wait", Settings { wait: 60, ..usual.clone() }, 2.16);
    more("no wait", Settings { wait: 0, ..usual.clone() }, -2.16);
    more("alarms", Settings { alarms: 102, ..usual.clone() }, 30.60);
    more("dashboards", Settings { dashboards: 2, ..usual.clone() }, 6.00);
    // 12 lines instead of 6: 6 × 898 × 43,200 = 0.2328 GB = 0.1164; no lease: -0.081; for 6.4887 of the schedule 43,200 × 90 s ×
    // 0.0625 GB = 243,000 GB-s = 67.5 GB-hours × 0.06 = 4.05, 0.0432, 0.1037 and 0.0622
    more("the state machine", Settings { driver: StateMachine, ..usual.clone() }, -2.19);
}

/// Worked by hand for 100 clusters at 5 s. Metrics at 0.30; a call a minute is 0.432; a GB of lines 0.50.
#[test]
fn extras_cost_what_was_worked_by_hand() {
    use Extra::{Capacity, Instances, LaunchTypes, PendingAge, Services};
    for (extras, sink, expected) in [
        // 1,600 metrics = 480; a tick's 2,000 data are two calls: 12 more a minute = 5.184
        (vec![LaunchTypes], Put, 485.18),
        // a line of 20 metrics for one of 4: 16 × 90 = 1,440 bytes × 51,840,000 = 74.65 GB = 37.32
        (vec![LaunchTypes], Emf, 517.32),
        // 300 metrics = 90; one call more a minute
        (vec![Instances], Put, 90.43),
        (vec![Instances], Flush(10), 90.43),
        // 448 bytes a cluster and minute: 4,320,000 × 448 = 1.935 GB = 0.9677
        (vec![Instances], Emf, 90.97),
        // 5,000 metrics = 1,500; five calls a minute = 2.16
        (vec![Services], Put, 1_502.16),
        (vec![Capacity], Put, 30.43),
        (vec![PendingAge], Put, 30.43),
        // 500 metrics = 150; 500 data are one call
        (vec![Instances, Capacity, PendingAge], Put, 150.43),
    ] {
        let without = bare(100, 5, Schedule, sink);
        let with = Settings { extras: extras.clone(), ..without.clone() };
        cents(
            with.bill(false).total() - without.bill(false).total(),
            expected,
            &format!("{extras:?}, {sink:?}"),
        );
    }
}

/// Data of 100 clusters, 400 a tick: what is gathered over a window goes into as few calls as there may be.
#[test]
fn a_flush_is_never_more_calls_than_ticks() {
    // Seconds from tick to tick, seconds of a window, calls a minute.
    for (period, window, calls) in [
        (5, 10, 6.0),  // 6 windows of 800
        (5, 4, 12.0),  // each tick by itself
        (20, 10, 3.0), // the same
        (1, 1, 60.0),
        (1, 10, 24.0), // 6 windows of 4,000
        (1, 7, 26.0),  // 8 windows of 2,800, three calls each, and one of 1,600, two calls
    ] {
        let bill = bare(100, period, Schedule, Flush(window)).bill(false);
        let units = bill.items.iter().find(|item| item.name == "PutMetricData").map(|item| item.units);
        assert_eq!(units, Some(calls * 43_200.0), "{period} s, flushed every {window} s");
    }
}

/// Worked by hand: 10 of the 12 metrics; 518,400 of a million calls; 400,000 of 486,000 GB-s leave 86,000 × 0.0000133334 = 1.1467;
/// requests and 0.24 of 5 GB are free, writes on demand (0.081) and alarms at 10 s are not.
#[test]
fn the_free_tier_is_taken_off_once() {
    let one = usual(1, 5, Schedule, Put);
    cents(one.bill(true).total(), 0.60 + 1.1467 + 0.081, "1 cluster");
    cents(
        Settings { alarms: 2, dashboards: 4, ..one.clone() }.bill(true).total(),
        0.60 + 1.1467 + 0.081 + 0.60 + 3.0,
        "shown",
    );
    // 400 metrics on it are more than 50: 408 - 10 metrics at 0.30 = 119.40, and no dashboard is free.
    let many = Settings { clusters: 100, dashboards: 1, ..one };
    cents(many.bill(true).total(), 119.40 + 1.1467 + 0.081 + 3.0, "100 clusters");
    // A million of the 2,592,000 calls are free: 15.92 for 25.92.
    let fast = bare(1, 1, Schedule, Put);
    cents(dollars_of(&fast.bill(true), "PutMetricData"), 15.92, "calls");
    // Transitions 4,000 × 0.000025 = 0.10, metrics 1.20, puts, requests and GB-s all free: 27.00 - 0.10
    cents(published::bill(Machine::Standard, 1, 5, true).total(), 26.90, "published");
}

/// 10,000 × 0.30 + 240,000 × 0.10 + 750,000 × 0.05 = 64,500, and then 0.02 each.
#[test]
fn tiers_fill_one_after_the_other() {
    for (price, units, expected) in [
        (&prices::METRIC, 0.0, 0.0),
        (&prices::METRIC, 10_000.0, 3_000.0),
        (&prices::METRIC, 10_001.0, 3_000.10),
        (&prices::METRIC, 250_000.0, 27_000.0),
        (&prices::METRIC, 1_000_000.0, 64_500.0),
        (&prices::METRIC, 1_000_100.0, 64_502.0),
        // 10 TB × 0.50, 20 × 0.25, 20 × 0.10, 10 × 0.05: the example of its announcement, 12,500 for 60 TB
        (&prices::LOGS, 60_000.0, 12_500.0),
        // 17,361.11 GB-hours are 382.97 on its page, which the third price rounds
        (&prices::EXPRESS_DURATION, 62_500_000.0, 382.97),
    ] {
        cents(price.of(units), expected, &format!("{units} of {}", price.name));
    }
    // 3,000 clusters: 12,000 metrics of which 2,000 are at 0.10; the writer's own come after them.
    let bill = usual(3_000, 5, Schedule, Put).bill(false);
    cents(dollars_of(&bill, "custom metrics, 4 a cluster"), 3_200.0, "clusters");
    cents(dollars_of(&bill, "its own metrics"), 0.80, "own");
    assert!(prices::ALL.iter().all(|price: &&bill::Price| price.page.starts_with("https://aws.amazon.com/")));
}

/// The sizes that the costs assume, against documents as the functions write them.
#[test]
fn a_document_is_as_long_as_is_assumed() {
    let document = |namespace: &str, dimension: (&'static str, &str), metrics: Vec<Metric>| {
        let dimensions = BTreeMap::from([(dimension.0, dimension.1.to_owned())]);
        let at = 1_767_225_605_000;
        Document { namespace: namespace.to_owned(), at, dimensions, metrics }.lines().concat().len()
    };
    let count = |name: &'static str, value: f64| Metric::new(name, "Count", 1, vec![value]);
    let lags: Vec<f64> = (0..10).map(|tick| 0.912_345_678_901_23 + f64::from(tick) * 0.1).collect();
    let published = ["RunningTask", "PendingTask", "ActiveServices", "RegisteredContainerInstances"];
    let own =
        ["Ticks", "SkippedTicks", "FailedTicks", "Clusters", "MissingClusters", "ApiCalls", "ThrottledCalls"];
    let mut own: Vec<Metric> = own.into_iter().map(|name| count(name, 10.0)).collect();
    own.push(Metric::new("TickLag", "Milliseconds", 1, lags));
    for (name, found, expected) in [
        (
            "a cluster's",
            document(
                "ECS",
                ("ClusterName", "production-eu-1"),
                published.into_iter().map(|name| count(name, 120.0)).collect(),
            ),
            DOCUMENT + DOCUMENT_METRIC * METRICS,
        ),
        (
            "the writer's own",
            document("Fleetkeeper", ("FunctionName", "fleetkeeper-ecs-metrics"), own),
            DOCUMENT + DOCUMENT_METRIC * OWN_METRICS + DOCUMENT_VALUE * 10,
        ),
    ] {
        let found = u32::try_from(found).expect("short");
        assert!(
            found.abs_diff(expected) * 10 <= expected,
            "{name} document: {found} bytes, assumed {expected}"
        );
    }
}
