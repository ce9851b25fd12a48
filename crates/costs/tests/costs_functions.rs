//! Bills of the drainer, the tag policy, spot notices and what comes with them against cases worked by hand, and what they count
//! against where it was measured.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use costs::bill::Bill;
use costs::drainer::{self, Drain};
use costs::metrics::{self, Driver, Sink};
use costs::{prices, running, spot, stack, tags, whole};

fn cents(found: f64, expected: f64, case: &str) {
    assert!((found - expected).abs() < 0.005, "{case}: {found:.4} $, expected {expected}");
}

/// To a millionth of a dollar.
fn exact(found: f64, expected: f64, case: &str) {
    assert!((found - expected).abs() < 0.000_001, "{case}: {found:.7} $, expected {expected}");
}

fn dollars_of(bill: &Bill, item: &str) -> f64 {
    bill.items.iter().filter(|found| found.name == item).map(|found| found.dollars).sum()
}

fn units_of(bill: &Bill, item: &str) -> f64 {
    bill.items.iter().filter(|found| found.name == item).fold(0.0, |sum, found| sum + found.units)
}

/// A file of the repository.
fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../../{name}", env!("CARGO_MANIFEST_DIR"))).expect(name)
}

/// The first number after each of these words, one after the other.
fn numbers(text: &str, words: &[&str]) -> Vec<f64> {
    let mut rest = text;
    let find = |word: &&str| {
        let (_, after) = rest.split_once(word).unwrap_or_else(|| panic!("{word}"));
        let digits = after.trim_start_matches(|c: char| !c.is_ascii_digit());
        let end = digits.find(|c: char| !c.is_ascii_digit() && !",.".contains(c)).unwrap_or(digits.len());
        rest = &digits[end..];
        digits[..end].trim_end_matches(['.', ',']).replace(',', "").parse().expect("a number")
    };
    words.iter().map(find).collect()
}

fn drains(drains: u32, seconds: u32) -> drainer::Settings {
    let drain = Drain { seconds, tasks: 10, interval: 180 };
    drainer::Settings { drains, drain, task_events: 0, instances: 50 }
}

/// 1,000 drains of 300 s with ten tasks. A pass each 181 s: one after the first. Invocations: first pass, 1 pass, 10 tasks, the
/// continuation after the end, EC2's event = 14. Calls at most 11 + 4 + 1 + 2 × 10 = 36. Running 36 × 0.025 + 14 × 0.010 + 5 =
/// 6.04 s.
#[test]
fn the_drainer_costs_what_was_worked_by_hand() {
    let bill = drains(1_000, 300).bill(false);
    for (item, expected) in [
        // 6,040 s × 0.125 GB = 755 GB-s × 0.0000133334
        ("Lambda duration", 0.010_067),
        // 14,000 × 0.20 a million
        ("Lambda requests", 0.002_8),
        // Auto Scaling's, the first pass's, the second's: 3,000 × 0.50 a million
        ("SNS publishes", 0.001_5),
        // 3,000 × 3 filters × 600 bytes = 0.0054 GB × 0.09
        ("SNS, filters", 0.000_486),
        // 14,000 × 3 = 42,000 × 0.40 a million
        ("SQS, messages", 0.016_8),
        // 5 lines × 1,000 × 350 bytes = 0.00175 GB × 0.50
        ("log ingestion", 0.000_875),
        // 3 queues × 5 × 3 × 43,200 = 1,944,000 × 0.40 a million
        ("SQS, polls of empty queues", 0.777_6),
        ("EventBridge rules", 0.0),
        ("calls of ECS, EC2 and their like", 0.0),
    ] {
        exact(dollars_of(&bill, item), expected, item);
    }
    exact(bill.total(), 0.810_128, "total");
    // Of 1,986,000 requests to queues a million is free: 986,000 × 0.40 = 0.3944; all else is.
    exact(drains(1_000, 300).bill(true).total(), 0.394_4 + 0.000_486, "free tier");
    // Before the second pass it waits twice: 31 calls 0.775, 13 invocations 0.13, 10 s = 10.905 s
    let short = Drain { seconds: 60, tasks: 10, interval: 180 };
    assert_eq!((short.passes(), short.invocations(), short.calls(), short.publishes()), (0, 13, 31, 2));
    exact(short.running(), 10.905, "a short drain, s");
}

/// Rounds of 300 s / 56. 1,000 drains: 56,000 invocations, 300,000 s × 0.125 GB = 37,500 GB-s × 0.0000166667 = 0.6250; requests
/// 0.0112; publishes 56,000 × 0.50 a million = 0.0280. An hour: 672 rounds, 12 times all of it.
#[test]
fn the_published_drainer_costs_what_was_worked_by_hand() {
    for (seconds, expected) in [(300, 0.664_201), (3_600, 7.970_415)] {
        let bill = drainer::published::bill(&drains(1_000, seconds), false);
        exact(bill.total(), expected, &format!("{seconds} s"));
    }
    // 56 rounds of 3 calls, and the completion; 7 calls with five pages
    assert_eq!([50, 500].map(|instances| drainer::published::calls(300, instances)), [169, 393]);
}

/// A month has 720 hours. 10,000 an hour: an invocation a second, 3,600 × 720 = 2,592,000, each 35 ms: 90,720 s × 0.125 = 11,340 GB-s.
/// Queue: 10,000 sent, 3,600 times received and deleted: 17,200 × 720 = 12,384,000.
#[test]
fn tasks_that_stop_elsewhere_cost_what_was_worked_by_hand() {
    let of = |task_events| drainer::Settings { task_events, ..drains(0, 300) }.bill(false);
    for (events, invocations, requests) in [
        (0, 0.0, 0.0),
        // Each by itself: sent, received, deleted.
        (100, 72_000.0, 216_000.0),
        (10_000, 2_592_000.0, 12_384_000.0),
        // 100,000 sent, and 10,000 times received and deleted, ten at a time: 120,000 × 720
        (100_000, 2_592_000.0, 86_400_000.0),
        // A hundred an invocation: 10,000 × 720; 1,000,000 + 2 × 100,000 requests
        (1_000_000, 7_200_000.0, 864_000_000.0),
    ] {
        let bill = of(events);
        assert_eq!(units_of(&bill, "Lambda requests").to_bits(), f64::to_bits(invocations), "{events}");
        assert_eq!(units_of(&bill, "SQS, messages").to_bits(), f64::to_bits(requests), "{events}");
    }
    // 11,340 × 0.0000133334 = 0.1512; 2.592 × 0.20 = 0.5184; 12.384 × 0.40 = 4.9536; polls 0.7776
    cents(of(10_000).total(), 6.400_8, "10,000 an hour");
}

/// 10,000 instances, hourly, with 3 look-ups a run and 500 launches. A run: 0.010 + 10 pages × 0.5 + 6 × 0.025 + 3 × 0.6 + 10,000 ×
/// 0.00028 = 9.76 s; × 720 = 7,027.2 s. A launch 0.010 + 6 × 0.025 = 0.16 s; × 500 = 80 s. 7,107.2 s × 0.25 GB = 1,776.8 GB-s.
#[test]
fn the_tag_policy_costs_what_was_worked_by_hand() {
    let settings = tags::Settings { instances: 10_000, runs: 720, launches: 500, lookups: 3, addresses: 2 };
    let bill = settings.bill(false);
    for (item, expected) in [
        // × 0.0000133334
        ("Lambda duration", 0.023_691),
        // 1,220 × 0.20 a million
        ("Lambda requests", 0.000_244),
        // 1,220 × 0.50 a million
        ("SNS publishes", 0.000_61),
        // 1,220 × 350 bytes × 0.50 a GB
        ("log ingestion", 0.000_214),
        // 1,220 scans and 2,160 look-ups: 3,380 × 0.125 a million
        ("DynamoDB, reads", 0.000_423),
        // 2 × 1,220 and 2,160: 4,600 × 0.625 a million
        ("DynamoDB, writes", 0.002_875),
        // 2 × 1,220 × 2 a 100,000
        ("reports by mail", 0.048_8),
        ("CloudTrail look-ups", 0.0),
    ] {
        exact(dollars_of(&bill, item), expected, item);
    }
    // Published: a run 7.96 s × 720 = 5,731.2 s, a launch 3 × 0.025 + 0.5 = 0.575 s × 500 = 287.5 s: 6,018.7 × 0.25 = 1,504.675 GB-s ×
    // 0.0000166667 = 0.025078; 720 requests 0.000144, publishes 0.00036, reads 0.00009, mails 1,440 = 0.0288
    exact(tags::published::bill(&settings, false).total(), 0.054_472, "published");
    // 1,000 instances are a page; 100,000 are ten in a row, the zones, and a hundred and six by zones, of which 17 in a row.
    let pages = |instances| tags::Settings { instances, ..settings.clone() }.pages();
    assert_eq!([1, 1_000, 1_001, 100_000].map(pages), [(1, 1), (1, 1), (2, 2), (116, 28)]);
}

/// A notice: 0.010 + 3 × 0.025 = 0.085 s. Its drain: 120 / 16 = 7 passes, 3 + 10 + 7 = 20 invocations, 11 + 28 + 3 + 20 = 62 calls, 62 ×
/// 0.025 + 20 × 0.010 + 5 = 6.75 s; 9 publishes, 4 + 7 + 2 = 13 lines.
#[test]
fn spot_notices_cost_what_was_worked_by_hand() {
    let bill = spot::Settings { notices: 1_000, groups: 2, tasks: 10 }.bill(false);
    for (item, expected) in [
        // 6,835 s × 0.125 GB = 854.375 GB-s × 0.0000133334
        ("Lambda duration", 0.011_392),
        // 21,000 × 0.20 a million
        ("Lambda requests", 0.004_2),
        // 10,000 × 0.50 a million
        ("SNS publishes", 0.005),
        // 9,000 × 3 × 600 bytes × 0.09 a GB
        ("SNS, filters", 0.001_458),
        // 20,000 × 3 × 0.40 a million
        ("SQS, messages", 0.024),
        // (13 + 3) × 1,000 × 350 bytes × 0.50 a GB
        ("log ingestion", 0.002_8),
    ] {
        exact(dollars_of(&bill, item), expected, item);
    }
}

fn deployment() -> whole::Settings {
    whole::Settings {
        metrics: metrics::Settings {
            clusters: 100,
            period: 5,
            sink: Sink::Put,
            driver: Driver::Schedule,
            wait: 30,
            lease: true,
            self_metrics: true,
            extras: Vec::new(),
            services: 10,
            alarms: 0,
            dashboards: 0,
        },
        drainer: drains(1_000, 300),
        tags: tags::Settings { instances: 5_000, runs: 720, launches: 0, lookups: 0, addresses: 0 },
        spot: spot::Settings { notices: 0, groups: 0, tasks: 10 },
        stack: stack::Settings {
            period: 5,
            self_metrics: true,
            alarm_clusters: 0,
            log_days: 30,
            smoke_tests: 0,
        },
    }
}

/// Invocations: 43,200 + 14,000 + 720 = 57,920. Lambda's lines of them: 57,920 × 500 bytes = 0.02896 GB × 0.50 = 0.01448. Of the log
/// 0.2426 GB are the writer's, 0.00175 the drainer's, 0.00025 the tag policy's: 0.2736 GB kept for a month at 0.03 = 0.0082.
#[test]
fn what_comes_with_the_functions_costs_what_was_worked_by_hand() {
    let bill = deployment().bill(false);
    for (item, expected) in [
        ("alarms", 5.30),
        ("alarms of high resolution", 1.20),
        ("dashboard", 3.00),
        ("log ingestion, Lambda's own lines", 0.014_48),
        ("log storage", 0.008_2),
    ] {
        cents(dollars_of(&bill, item), expected, item);
    }
    assert_eq!(bill.used(&prices::REQUEST).to_bits(), 57_920_f64.to_bits());
    let more = |name: &str, stack: stack::Settings, expected: f64| {
        let other = whole::Settings { stack, ..deployment() };
        cents(other.bill(false).total() - bill.total(), expected, name);
    };
    let usual = deployment().stack;
    // Two alarms each at 0.30; two weeks more of 0.2736 GB
    more("alarms of clusters", stack::Settings { alarm_clusters: 10, ..usual.clone() }, 6.00);
    more("a year of logs", stack::Settings { log_days: 365, ..usual.clone() }, 0.091_6);
    // 10,000 × 30 s × 0.5 GB = 150,000 GB-s × 0.0000133334 = 2.0000; 50,000 requests 0.01, and their lines 0.0125 + 0.0008
    more("smoke tests", stack::Settings { smoke_tests: 10_000, ..usual.clone() }, 2.023_3);
    // No alarms on metrics that are not written; at a minute they are as all others: 4 × 0.20 less
    more("no metrics of its own", stack::Settings { self_metrics: false, ..usual.clone() }, -1.20);
    more("a period of a minute", stack::Settings { period: 60, ..usual }, -0.80);
}

#[test]
fn the_parts_share_one_free_tier() {
    let settings = deployment();
    let bill = settings.bill(true);
    let parts: f64 = whole::PARTS.iter().flat_map(|part| bill.of(part)).map(|item| item.dollars).sum();
    exact(bill.total(), parts, "all parts");
    // The writer's 486,000 GB-s have used up what is free: the drainer's 755 are paid.
    let drainer: Vec<_> = bill.of(whole::DRAINER).filter(|item| item.name == "Lambda duration").collect();
    exact(drainer[0].dollars, 0.010_067, "the drainer's duration");
    // 408 metrics less 10, 86,000 GB-s, leases 0.081 as in the writer's own table; 43 of 53 alarms at 0.10
    let of = |part| bill.of(part).map(|item| item.dollars).sum::<f64>();
    cents(of(whole::METRICS), 119.40 + 1.146_7 + 0.081, "writer");
    cents(dollars_of(&bill, "alarms"), 4.30, "ten alarms are free");
    // No dashboard is, since it shows too many metrics.
    cents(dollars_of(&bill, "dashboard"), 3.00, "dashboard");
}

#[test]
fn the_published_designs_stand_in_the_same_parts() {
    let settings = deployment();
    let bill = settings.published(false);
    let of = |part| bill.of(part).map(|item| item.dollars).sum::<f64>();
    cents(of(whole::METRICS), 3_364.97, "machines");
    exact(of(whole::DRAINER), 0.664_201, "sleeping");
    assert_eq!(bill.of(whole::SPOT).count(), 0);
    // 51,840,000 + 56,000 + 720 = 51,896,720 invocations × 500 bytes = 25.948 GB × (0.50 + 0.03)
    cents(of(whole::STACK), 13.752_6, "their lines");
}

/// `| 300 s | 16 calls | 14 calls | 13 |`: what was counted is what is assumed, or less.
#[test]
fn a_drain_takes_what_was_counted() {
    let page = file("docs/reliability.md");
    for (row, seconds) in [("| 300 s |", 300), ("| 1 h |", 3_600), ("| 24 h |", 86_400)] {
        let line = page.lines().find(|line| line.starts_with(row)).expect(row);
        let counted = numbers(&line[row.len()..], &["", "|", "|"]);
        let drain = Drain { seconds, tasks: 10, interval: 180 };
        assert!(counted[0] <= drain.calls().into() && counted[1] <= drain.calls().into(), "{line}");
        // EC2's event is none of those that were counted; of a day's a pass may be missing.
        let besides = f64::from(drain.invocations() - 1) - counted[2];
        assert!((0.0..=1.0).contains(&besides), "{line}: {}", drain.invocations());
    }
    let formula = "11 + 4·P + P/3 + 2 a task";
    assert!(page.contains(formula), "{formula}");
    let events = page.lines().find(|line| line.contains("events in an hour on 100")).expect("task events");
    let counted = numbers(events, &["", "cluster:", "invocations,"]);
    let settings = drainer::Settings { task_events: 100_000, ..drains(0, 300) };
    let hour = units_of(&settings.bill(false), "Lambda requests") / 720.0;
    assert_eq!(counted[0].to_bits(), 100_000_f64.to_bits());
    assert!((1.0..1.05).contains(&(hour / counted[1])), "{hour} an hour, counted {}", counted[1]);
}

/// A figure of docs/benchmarks.md: of the part under this heading, of the row that begins so, in this column.
fn benchmark(part: &str, row: &str, column: &str) -> f64 {
    let page = file("docs/benchmarks.md");
    let (_, part) = page.split_once(&format!("\n## {part}\n")).expect(part);
    let (before, line) = part.split_once(&format!("\n{row}")).expect(row);
    let header = before.lines().rev().take_while(|line| line.starts_with('|')).last().expect("a table");
    let cell = header.split('|').position(|name| name.trim() == column).expect(column);
    numbers(format!("{row}{line}").split('|').nth(cell).expect(row), &[""])[0]
}

/// The page is written anew on one machine or another, of which one is half as fast again as another.
#[test]
fn cpu_is_what_was_measured() {
    let tag_run = |instances: &str| benchmark("Tags", &format!("| tag-policy | {instances} | 0 |"), "CPU s");
    let tick = |clusters: &str| {
        benchmark("Metrics", &format!("| ecs-metrics | {clusters} |"), "CPU ms a tick") / 1e3
    };
    let drain = |column| benchmark("Drain", "| 300 s, 50 instances | `ecs-drainer` |", column);
    for (what, measured, assumed) in [
        ("an instance", (tag_run("10,000") - tag_run("1,000")) / 9_000.0, tags::INSTANCE_CPU),
        ("a cluster", (tick("1,000") - tick("1")) / 999.0, metrics::CLUSTER_CPU),
        ("an invocation", drain("CPU ms") / drain("invocations") / 1e3, running::INVOCATION_CPU),
    ] {
        let ratio = assumed / measured;
        assert!((1.0 / 1.5..=1.5).contains(&ratio), "{what}: {assumed} s assumed, {measured} s measured");
    }
    for (what, assumed, cpu, memory) in [
        ("an instance", tags::INSTANCE, tags::INSTANCE_CPU, tags::MEMORY),
        ("a cluster", metrics::TICK_CLUSTER, metrics::CLUSTER_CPU, running::MEMORY),
        ("an invocation", running::HANDLING, running::INVOCATION_CPU, running::MEMORY),
    ] {
        let seconds = cpu * running::CORE / memory;
        assert!((assumed / seconds - 1.0).abs() < 0.05, "{what}: {assumed} s assumed, {seconds} s");
    }
}

#[test]
fn the_rest_is_as_it_is_said_elsewhere() {
    let equal = |what: &str, found: &[f64], expected: &[f64]| assert_eq!(found, expected, "{what}");
    let runbook = file("docs/runbook.md");
    let alarms = numbers(&runbook, &["alarms watch", "and"]);
    equal("alarms", &alarms, &[stack::ALARMS.into(), stack::QUICK_ALARMS.into()]);
    let tagging = file("docs/tag-policy.md");
    equal("launch", &numbers(&tagging, &["A launch costs"]), &[tags::LAUNCH.into()]);
    equal("pace", &numbers(&tagging, &["the function makes one every"]), &[tags::PACE]);
    let template = file("template.yaml");
    let limited = template.matches("MaximumConcurrency:").count();
    assert_eq!(u32::try_from(limited).ok(), Some(drainer::QUEUES), "queues that are polled");
    let filters = template.matches("FilterPolicyScope: MessageBody").count();
    // One of them is for first passes that come directly, in place of the queue's.
    assert_eq!(u32::try_from(filters - 1).ok(), Some(drainer::SUBSCRIPTIONS));
    let memory: Vec<f64> = template
        .match_indices("MemorySize:")
        .map(|(at, word)| numbers(&template[at..], &[word])[0] / 1_024.0)
        .collect();
    assert!(memory.iter().all(|memory| [running::MEMORY, tags::MEMORY].contains(memory)), "{memory:?}");
    let spot = spot::Settings { notices: 1, groups: 0, tasks: 0 }.drain();
    let default = |parameter: &str| {
        let at = template.find(&format!("\n  {parameter}:\n")).expect(parameter);
        numbers(&template[at..], &["Default:"])
    };
    equal("settle", &default("SettleSeconds"), &[drainer::SETTLE.into()]);
    equal("urgent", &default("UrgentIntervalSeconds"), &[spot.interval.into()]);
    let sample = file("events/ecs-drainer/sqs-continuation.json");
    let (_, body) = sample.split_once("\"body\": \"").expect("a body");
    let body = body.split("\",\n").next().expect("its end").replace("\\\"", "\"");
    assert!(body.len().abs_diff(600) <= 60, "{} bytes: {body}", body.len());
    assert_eq!(drainer::BODY, 600);
}
