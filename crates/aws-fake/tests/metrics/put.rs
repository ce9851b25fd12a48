//! `PutMetricData`.

use std::time::{Duration, Instant};

use aws_fake::{
    FakeAws,
    faults::{Calls, Fault, FaultKind},
    scenario::Scenario,
    world::metrics::Values,
};
use aws_sdk_cloudwatch::{
    Client,
    types::{MetricDatum, StandardUnit, StatisticSet, builders::MetricDatumBuilder},
};

use crate::{at, code, datum, dimension, put, second, world};

#[tokio::test(start_paused = true)]
async fn what_is_put_is_there() {
    let (fake, client) = world();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let data = vec![
        datum("RunningTask", "prod", 0, 3.0),
        datum("RunningTask", "prod", 5, 4.0),
        MetricDatum::builder().metric_name("Plain").value(-1.5).build(),
        MetricDatum::builder()
            .metric_name("Lag")
            .dimensions(dimension("b", "2"))
            .dimensions(dimension("a", "1"))
            .set_values(Some(vec![1.0, 2.5]))
            .set_counts(Some(vec![3.0, 1.0]))
            .unit(StandardUnit::Milliseconds)
            .timestamp(at(1_234))
            .build(),
    ];
    put(&client, data).await;
    fake.with(|world| {
        assert_eq!((world.metric_count(), world.metrics().count()), (4, 3));
        let seen: Vec<_> = world
            .metric_data()
            .map(|datum| {
                (
                    datum.metric.name.as_str(),
                    second(datum.timestamp),
                    datum.value(),
                    datum.unit,
                    datum.resolution,
                )
            })
            .collect();
        let expected = [
            ("RunningTask", 0, Some(3.0), "Count", 1),
            ("RunningTask", 5, Some(4.0), "Count", 1),
            ("Plain", 5, Some(-1.5), "None", 60),
            ("Lag", 1, None, "Milliseconds", 60),
        ];
        assert_eq!(seen, expected);
        let last = world.metric_data().last().expect("data");
        assert_eq!(*last.values, Values::Many([(1.0, 3.0), (2.5, 1.0)].into()));
        assert_eq!(last.timestamp.subsec_millis(), 234);
        assert_eq!((last.metric.namespace.as_str(), last.metric.dimension("a")), ("ECS", Some("1")));
        assert_eq!(last.received, Duration::from_millis(5_010), "half of the latency later");
    });
}

#[tokio::test(start_paused = true)]
async fn a_thousand_data_are_packed_and_read_at_once() {
    let (fake, client) = world();
    let data =
        |second| (0..1_000).map(|n| datum("RunningTask", &format!("cluster-{n}"), second, 1.0)).collect();
    put(&client, data(0)).await;
    let began = Instant::now();
    put(&client, data(1)).await;
    println!("a put of 1,000 data: {:?}, the client's part included", began.elapsed());
    assert_eq!(fake.with(|world| (world.metric_count(), world.metrics().count())), (2_000, 1_000));
}

/// A datum that is changed in one respect.
fn one(change: impl FnOnce(MetricDatumBuilder) -> MetricDatumBuilder) -> Vec<MetricDatum> {
    vec![change(MetricDatum::builder().metric_name("m")).build()]
}

#[tokio::test(start_paused = true)]
async fn what_is_out_of_its_limits_is_refused() {
    let (fake, client) = world();
    let (value, missing, both) = ("InvalidParameterValue", "MissingParameter", "InvalidParameterCombination");
    let day = 24 * 3_600_000;
    let many = |n: usize| Some(vec![1.0; n]);
    let set = |minimum, maximum, samples| {
        StatisticSet::builder().sample_count(samples).sum(1.0).minimum(minimum).maximum(maximum).build()
    };
    let dimensions = |n| Some((0..n).map(|n| dimension(&format!("d{n}"), "x")).collect());
    let named = |name: &str, text: &str| one(|datum| datum.value(1.0).dimensions(dimension(name, text)));
    let rows = [
        ("one value", "x", one(|datum| datum.value(1.0)), None),
        ("no data", "x", vec![], Some(missing)),
        ("1,000 data", "x", vec![datum("m", "c", 0, 1.0); 1_000], None),
        ("1,001 data", "x", vec![datum("m", "c", 0, 1.0); 1_001], Some(value)),
        ("a namespace of AWS", "AWS/ECS", one(|datum| datum.value(1.0)), Some(value)),
        ("an empty namespace", "", one(|datum| datum.value(1.0)), Some(value)),
        ("a namespace of 256 characters", &"x".repeat(256), one(|datum| datum.value(1.0)), Some(value)),
        ("a colon first", ":x", one(|datum| datum.value(1.0)), Some(value)),
        ("no value", "x", one(|datum| datum), Some(missing)),
        ("not a number", "x", one(|datum| datum.value(f64::NAN)), Some(value)),
        ("endless", "x", one(|datum| datum.value(f64::NEG_INFINITY)), Some(value)),
        ("2^360", "x", one(|datum| datum.value(2.0_f64.powi(360))), None),
        ("more than 2^360", "x", one(|datum| datum.value(2.0_f64.powi(361))), Some(value)),
        ("less than -2^360", "x", one(|datum| datum.value(-2.0_f64.powi(361))), Some(value)),
        ("150 values", "x", one(|datum| datum.set_values(many(150))), None),
        ("151 values", "x", one(|datum| datum.set_values(many(151))), Some(value)),
        ("no values", "x", one(|datum| datum.set_values(many(0))), Some(value)),
        ("counts", "x", one(|datum| datum.set_values(many(2)).set_counts(many(2))), None),
        ("too few counts", "x", one(|datum| datum.set_values(many(2)).set_counts(many(1))), Some(value)),
        ("only counts", "x", one(|datum| datum.value(1.0).set_counts(many(1))), Some(both)),
        ("a count of 0", "x", one(|datum| datum.values(1.0).counts(0.0)), Some(value)),
        ("value and values", "x", one(|datum| datum.value(1.0).values(1.0)), Some(value)),
        (
            "a value that is none among values",
            "x",
            one(|datum| datum.values(1.0).values(f64::NAN)),
            Some(value),
        ),
        ("a set", "x", one(|datum| datum.statistic_values(set(0.0, 1.0, 2.0))), None),
        (
            "a set and a value",
            "x",
            one(|datum| datum.value(1.0).statistic_values(set(0.0, 1.0, 2.0))),
            Some(both),
        ),
        ("a set of nothing", "x", one(|datum| datum.statistic_values(set(0.0, 1.0, 0.0))), Some(value)),
        ("a set upside down", "x", one(|datum| datum.statistic_values(set(2.0, 1.0, 2.0))), Some(both)),
        ("resolution 60", "x", one(|datum| datum.value(1.0).storage_resolution(60)), None),
        ("resolution 5", "x", one(|datum| datum.value(1.0).storage_resolution(5)), Some(value)),
        ("a unit", "x", one(|datum| datum.value(1.0).unit(StandardUnit::BytesSecond)), None),
        ("another unit", "x", one(|datum| datum.value(1.0).unit("Tasks".into())), Some(value)),
        ("30 dimensions", "x", one(|datum| datum.value(1.0).set_dimensions(dimensions(30))), None),
        ("31 dimensions", "x", one(|datum| datum.value(1.0).set_dimensions(dimensions(31))), Some(value)),
        ("an empty dimension", "x", named("d", ""), Some(value)),
        ("a nameless dimension", "x", named("", "x"), Some(value)),
        ("a blank dimension", "x", named("d", " "), Some(value)),
        ("a dimension that is no ASCII", "x", named("d", "ä"), Some(value)),
        ("a long dimension", "x", named("d", &"x".repeat(1_025)), Some(value)),
        ("a name of 256 characters", "x", vec![datum(&"x".repeat(256), "c", 0, 1.0)], Some(value)),
        ("two weeks ago", "x", one(|datum| datum.value(1.0).timestamp(at(-14 * day + 60_000))), None),
        ("before that", "x", one(|datum| datum.value(1.0).timestamp(at(-14 * day - 60_000))), Some(value)),
        ("in two hours", "x", one(|datum| datum.value(1.0).timestamp(at(7_200_000))), None),
        ("after that", "x", one(|datum| datum.value(1.0).timestamp(at(7_260_000))), Some(value)),
        ("one of two", "x", [one(|datum| datum.value(1.0)), one(|datum| datum)].concat(), Some(missing)),
    ];
    let mut stored = 0;
    for (case, namespace, data, expected) in rows {
        let count = data.len();
        let answer = client.put_metric_data().namespace(namespace).set_metric_data(Some(data)).send().await;
        match expected {
            None => {
                answer.expect(case);
                stored += count;
            }
            Some(expected) => assert_eq!(code(answer), expected, "{case}"),
        }
        assert_eq!(fake.with(|world| world.metric_count()), stored, "{case}: all or nothing");
    }
    let nowhere = client.put_metric_data().metric_data(datum("m", "c", 0, 1.0)).send().await;
    assert_eq!(code(nowhere), missing, "no namespace");
}

#[tokio::test(start_paused = true)]
async fn a_request_has_a_megabyte_as_it_is_sent() {
    let fake = FakeAws::new(Scenario::new(1));
    let config = aws_sdk_cloudwatch::config::Builder::from(&fake.sdk_config());
    let unpacked = Client::from_conf(config.clone().disable_request_compression(true).build());
    let packed = Client::from_conf(config.build());
    let data: Vec<_> = (0..1_000).map(|n| datum("m", &format!("{n:01000}"), 0, 1.0)).collect();
    let put =
        |client: &Client| client.put_metric_data().namespace("x").set_metric_data(Some(data.clone())).send();
    assert_eq!(code(put(&unpacked).await), "RequestEntityTooLarge");
    put(&packed).await.expect("a tenth of it");
    assert_eq!(fake.with(|world| world.metric_count()), 1_000);
}

#[tokio::test(start_paused = true)]
async fn faults_and_quotas_strike_it() {
    let rows = [
        ("throttled", FaultKind::Throttle, "Throttling"),
        ("the service's error", FaultKind::ServerError, "InternalServiceError"),
        ("not allowed", FaultKind::AccessDenied, "AccessDenied"),
    ];
    for (case, kind, expected) in rows {
        let (fake, client) = world();
        fake.with(|world| world.add_fault(Fault::of("PutMetricData", Calls::All, kind)));
        let answer =
            client.put_metric_data().namespace("x").metric_data(datum("m", "c", 0, 1.0)).send().await;
        assert_eq!(code(answer), expected, "{case}");
        let calls = if kind == FaultKind::AccessDenied { 1 } else { 3 };
        let seen = fake.with(|world| (world.count_calls("PutMetricData"), world.metric_count()));
        assert_eq!(seen, (calls, 0), "{case}: calls with the client's retries, data");
    }
    let (fake, client) = world();
    assert_eq!(fake.with(|world| world.lowest_level("PutMetricData")), Some((500.0, 500.0)));
    put(&client, vec![datum("m", "c", 0, 1.0)]).await;
    assert_eq!(fake.with(|world| world.lowest_level("PutMetricData")), Some((499.0, 500.0)));
    assert_eq!(fake.with(|world| world.lowest_level("PutMetricAlarm")), None, "no such operation");
}
