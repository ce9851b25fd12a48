//! `ListMetrics`, `GetMetricStatistics`, `GetMetricData`.

use std::time::Duration;

use aws_sdk_cloudwatch::{
    Client,
    operation::get_metric_statistics::builders::GetMetricStatisticsFluentBuilder,
    types::{
        DimensionFilter, Metric, MetricDataQuery, MetricDatum, MetricStat, RecentlyActive, ScanBy,
        StandardUnit, Statistic, StatisticSet, StatusCode,
    },
};

use crate::{BEGIN, at, code, datum, dimension, put, world};

/// Twelve ticks of two clusters, 5 s apart: 0, 1, 2, … tasks.
async fn minute(client: &Client) {
    let ticks = (0..12_i32).flat_map(|tick| {
        ["a", "b"].map(|cluster| datum("RunningTask", cluster, i64::from(tick) * 5, f64::from(tick)))
    });
    put(client, ticks.collect()).await;
}

#[tokio::test(start_paused = true)]
async fn metrics_are_listed() {
    let (_, client) = world();
    let data: Vec<_> = (0..1_000).map(|n| datum("RunningTask", &format!("c{n}"), 0, 1.0)).collect();
    put(&client, data).await;
    put(&client, vec![datum("PendingTask", "c7", 0, 1.0)]).await;
    let mut pages = client.list_metrics().namespace("ECS").into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.expect("a page").metrics().len());
    }
    assert_eq!(sizes, [500, 500, 1]);
    let filter = |value: Option<&str>| {
        DimensionFilter::builder().name("ClusterName").set_value(value.map(str::to_owned)).build()
    };
    let list = || client.list_metrics();
    let rows = [
        ("a cluster", list().dimensions(filter(Some("c7"))), 2),
        ("any cluster's", list().metric_name("PendingTask").dimensions(filter(None)), 1),
        ("another namespace", list().namespace("ECX"), 0),
        ("another dimension", list().dimensions(DimensionFilter::builder().name("x").build()), 0),
        ("active ones", list().metric_name("PendingTask").recently_active(RecentlyActive::Pt3H), 1),
    ];
    for (case, list, expected) in rows {
        assert_eq!(list.send().await.expect(case).metrics().len(), expected, "{case}");
    }
    assert_eq!(code(list().next_token("nonsense").send().await), "InvalidParameterValue");
    let many = Some(vec![filter(None); 11]);
    assert_eq!(code(list().set_dimensions(many).send().await), "InvalidParameterValue");
    tokio::time::sleep(Duration::from_hours(4)).await;
    let active = list().recently_active(RecentlyActive::Pt3H).send().await.expect("listed");
    assert!(active.metrics().is_empty(), "nothing came for 4 hours");
    tokio::time::sleep(Duration::from_hours(14 * 24)).await;
    assert!(list().send().await.expect("listed").metrics().is_empty(), "nothing came for two weeks");
}

fn statistics(client: &Client, period: i32) -> GetMetricStatisticsFluentBuilder {
    client
        .get_metric_statistics()
        .namespace("ECS")
        .metric_name("RunningTask")
        .dimensions(dimension("ClusterName", "a"))
        .start_time(at(0))
        .end_time(at(60_000))
        .period(period)
        .statistics(Statistic::Sum)
}

#[tokio::test(start_paused = true)]
async fn statistics_have_periods() {
    let (_, client) = world();
    minute(&client).await;
    let rows = [
        (1, vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0]),
        (5, vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0]),
        (10, vec![1.0, 5.0, 9.0, 13.0, 17.0, 21.0]),
        (20, vec![6.0, 22.0, 38.0]),
        (30, vec![15.0, 51.0]),
        (60, vec![66.0]),
        (300, vec![66.0]),
    ];
    for (period, expected) in rows {
        let mut points =
            statistics(&client, period).send().await.expect("read").datapoints.unwrap_or_default();
        points.sort_by_key(|point| point.timestamp.map(|at| at.secs()));
        let sums: Vec<_> = points.iter().filter_map(|point| point.sum).collect();
        assert_eq!(sums, expected, "{period} s");
        let times = points.iter().filter_map(|point| point.timestamp).map(|at| at.secs() - BEGIN);
        assert!(times.clone().all(|second| second % i64::from(period) == 0), "{period} s: {times:?}");
    }
    let all = Statistic::values().iter().map(|name| Statistic::from(*name)).collect();
    let read = statistics(&client, 60).set_statistics(Some(all)).send().await.expect("read");
    let point = &read.datapoints()[0];
    let seen = (point.sample_count, point.average, point.sum, point.minimum, point.maximum);
    assert_eq!(seen, (Some(12.0), Some(5.5), Some(66.0), Some(0.0), Some(11.0)));
    assert_eq!((read.label(), point.unit()), (Some("RunningTask"), Some(&StandardUnit::Count)));
}

#[tokio::test(start_paused = true)]
async fn seconds_are_forgotten_after_three_hours() {
    let (_, client) = world();
    minute(&client).await;
    let coarse = MetricDatum::builder().metric_name("Coarse").timestamp(at(5_000)).value(1.0).build();
    put(&client, vec![coarse]).await;
    let points = async |metric: &str, period| {
        let read = statistics(&client, period).metric_name(metric);
        let read = if metric == "Coarse" { read.set_dimensions(None) } else { read };
        read.send().await.expect("read").datapoints().len()
    };
    let rows = [
        (0, "RunningTask", 5, 12),
        (0, "RunningTask", 60, 1),
        (0, "Coarse", 5, 0),
        (0, "Coarse", 60, 1),
        (4, "RunningTask", 5, 0),
        (4, "RunningTask", 60, 1),
        (24 * 16, "RunningTask", 60, 0),
        (24 * 16, "RunningTask", 300, 1),
        (24 * 64, "RunningTask", 300, 0),
        (24 * 64, "RunningTask", 3_600, 1),
        (24 * 456, "RunningTask", 3_600, 0),
    ];
    let mut now = 0;
    for (hours, metric, period, expected) in rows {
        tokio::time::sleep(Duration::from_hours(hours - now)).await;
        now = hours;
        assert_eq!(points(metric, period).await, expected, "{metric} by {period} s after {hours} h");
    }
}

#[tokio::test(start_paused = true)]
async fn all_kinds_of_values_count() {
    let (_, client) = world();
    let of = || MetricDatum::builder().metric_name("Lag").timestamp(at(0)).storage_resolution(1);
    let set = StatisticSet::builder().sample_count(2.0).sum(30.0).minimum(-5.0).maximum(35.0).build();
    let data = vec![
        of().value(4.0).build(),
        of().set_values(Some(vec![1.0, 2.0])).set_counts(Some(vec![3.0, 1.0])).build(),
        of().statistic_values(set).build(),
        of().value(100.0).unit(StandardUnit::Seconds).build(),
    ];
    put(&client, data).await;
    let all: Vec<_> = Statistic::values().iter().map(|name| Statistic::from(*name)).collect();
    let read = statistics(&client, 1).metric_name("Lag").set_dimensions(None).set_statistics(Some(all));
    let whole = read.clone().send().await.expect("read");
    assert_eq!(whole.datapoints().len(), 2, "units are apart");
    let none = read.unit(StandardUnit::None).send().await.expect("read");
    let point = &none.datapoints()[0];
    let seen = (point.sample_count, point.sum, point.minimum, point.maximum);
    assert_eq!(seen, (Some(7.0), Some(39.0), Some(-5.0), Some(35.0)));
    assert_eq!(none.datapoints().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn wrong_statistics_are_refused() {
    let (_, client) = world();
    let ask = |period| statistics(&client, period);
    let rows = [
        ("a period of 7 s", ask(7), "InvalidParameterValue"),
        ("a period of 90 s", ask(90), "InvalidParameterValue"),
        ("a period of 0 s", ask(0), "InvalidParameterValue"),
        ("no statistics", ask(60).set_statistics(None), "InvalidParameterCombination"),
        ("another statistic", ask(60).statistics("p99".into()), "InvalidParameterValue"),
        ("an end before the start", ask(60).end_time(at(-1_000)), "InvalidParameterValue"),
        ("1,441 points", ask(1).end_time(at(1_441_000)), "InvalidParameterCombination"),
        ("no metric", ask(60).set_metric_name(None), "MissingParameter"),
        ("another unit", ask(60).unit("Tasks".into()), "InvalidParameterValue"),
    ];
    for (case, ask, expected) in rows {
        assert_eq!(code(ask.send().await), expected, "{case}");
    }
    ask(1).end_time(at(1_440_000)).send().await.expect("1,440 points");
}

fn query(id: &str, cluster: &str, period: i32, stat: &str) -> MetricDataQuery {
    let metric = Metric::builder().namespace("ECS").metric_name("RunningTask");
    let metric = metric.dimensions(dimension("ClusterName", cluster)).build();
    let stat = MetricStat::builder().metric(metric).period(period).stat(stat).build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

#[tokio::test(start_paused = true)]
async fn data_are_read_page_by_page() {
    let (_, client) = world();
    minute(&client).await;
    let ask = |most: Option<i32>| {
        let ask = client.get_metric_data().start_time(at(0)).end_time(at(60_000)).set_max_datapoints(most);
        ask.metric_data_queries(query("a", "a", 10, "Maximum"))
            .metric_data_queries(query("b", "b", 60, "Average"))
    };
    let whole = ask(None).send().await.expect("read");
    let results = whole.metric_data_results();
    assert_eq!(results[0].values(), [11.0, 9.0, 7.0, 5.0, 3.0, 1.0], "newest first");
    assert_eq!((results[1].values(), results[1].id()), ([5.5].as_slice(), Some("b")));
    assert_eq!(results[0].timestamps()[0].secs() - BEGIN, 50);
    let ascending = ask(None).scan_by(ScanBy::TimestampAscending).send().await.expect("read");
    assert_eq!(ascending.metric_data_results()[0].values(), [1.0, 3.0, 5.0, 7.0, 9.0, 11.0]);
    for most in [1, 2, 4, 6, 7] {
        let mut pages = ask(Some(most)).into_paginator().send();
        let (mut seen, mut last) = (Vec::new(), None);
        while let Some(page) = pages.next().await {
            let page = page.expect("a page");
            let points = page.metric_data_results().iter().map(|result| result.values().len()).sum::<usize>();
            assert!(points <= usize::try_from(most).unwrap(), "{most}: {points}");
            for result in page.metric_data_results() {
                seen.extend_from_slice(result.values());
                last = result.status_code().cloned();
            }
        }
        assert_eq!(seen, [11.0, 9.0, 7.0, 5.0, 3.0, 1.0, 5.5], "at most {most} points a page");
        assert_eq!(last, Some(StatusCode::Complete), "at most {most} points a page");
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_queries_are_refused() {
    let (_, client) = world();
    let ask = |queries: Vec<MetricDataQuery>| {
        client.get_metric_data().start_time(at(0)).end_time(at(60_000)).set_metric_data_queries(Some(queries))
    };
    let good = || query("a", "a", 60, "Sum");
    let queries = |n: usize| (0..n).map(|n| query(&format!("q{n}"), "a", 60, "Sum")).collect::<Vec<_>>();
    let expression = MetricDataQuery::builder().id("e").expression("a + 1").build();
    let refused = "ValidationError";
    let rows = [
        ("501 queries", ask(queries(501)), refused),
        ("no query", ask(vec![]), refused),
        ("one id twice", ask(vec![good(), good()]), refused),
        ("a capital id", ask(vec![query("A", "a", 60, "Sum")]), refused),
        ("a percentile", ask(vec![query("a", "a", 60, "p99")]), refused),
        ("a period of 7 s", ask(vec![query("a", "a", 7, "Sum")]), refused),
        ("an expression", ask(vec![expression]), "SerializationException"),
        ("an end before the start", ask(vec![good()]).end_time(at(-1)), refused),
        ("a token", ask(vec![good()]).next_token("nonsense"), "InvalidNextToken"),
        ("too many points", ask(vec![good()]).max_datapoints(100_801), refused),
    ];
    for (case, ask, expected) in rows {
        assert_eq!(code(ask.send().await), expected, "{case}");
    }
    assert_eq!(ask(queries(500)).send().await.expect("read").metric_data_results().len(), 500);
}
