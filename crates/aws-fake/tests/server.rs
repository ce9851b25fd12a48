//! The binary: it says where it listens, answers, hands on what leaves it, and ends when it is told to.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sns::config::{Credentials, SharedCredentialsProvider};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

/// A running server; it ends with its standard input, so also when a test fails.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_aws-fake"))
            .arg("--exit-with-stdin")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).expect(&line);
        Self { process, url: ready["listening"].as_str().expect(&line).to_owned() }
    }

    fn get(&self, path: &str) -> Value {
        let body = self.ask(&format!("GET {path}"), "");
        serde_json::from_str(&body).expect(&body)
    }

    fn post(&self, form: &str) -> String {
        self.ask("POST /", form)
    }

    fn ask(&self, what: &str, body: &str) -> String {
        let (head, body) = self.exchange(what, body);
        assert!(head.starts_with("HTTP/1.1 200"), "{what}: {head}");
        body
    }

    /// Head and body of an answer.
    fn exchange(&self, what: &str, body: &str) -> (String, String) {
        let address = self.url.strip_prefix("http://").expect("an address");
        let mut stream = TcpStream::connect(address).expect("it listens");
        let length = body.len();
        let head = format!("{what} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}");
        write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}").expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
        (head.to_owned(), body.to_owned())
    }

    fn config(&self) -> SdkConfig {
        let credentials = Credentials::new("test", "test", None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(&self.url)
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    /// Waits until a thing is true of what a path answers.
    fn wait(&self, path: &str, what: &str, is_true: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let answer = self.get(path);
            if is_true(&answer) {
                return answer;
            }
            assert!(began.elapsed() < SOON, "{what} within {SOON:?}: {answer}");
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let ended = self.process.wait();
        assert!(ended.is_ok_and(|status| status.success()), "the server ends well with its standard input");
    }
}

#[tokio::test]
async fn it_answers_and_hands_on() {
    // A second one stands in for SNS: it takes any topic and counts its calls.
    let topics = Server::start(&[]);
    let server = Server::start(&["--sns-endpoint", &topics.url, "--latency-ms", "0", "--seed", "3"]);
    assert_eq!(server.get("/health")["status"], "ok");
    let ecs = aws_sdk_ecs::Client::new(&server.config());
    let listed = ecs.list_container_instances().cluster("prod").send().await.expect("listed");
    assert_eq!(listed.container_instance_arns().len(), 3);
    let scaling = aws_sdk_autoscaling::Client::new(&server.config());
    let hook = scaling.put_lifecycle_hook().lifecycle_hook_name("drain").auto_scaling_group_name("prod-ecs");
    let hook = hook.lifecycle_transition("autoscaling:EC2_INSTANCE_TERMINATING").role_arn("role");
    hook.notification_target_arn("arn:aws:sns:us-east-1:000000000000:drain").send().await.expect("put");
    let scale = scaling.set_desired_capacity().auto_scaling_group_name("prod-ecs").desired_capacity(2);
    scale.send().await.expect("scaled in");
    topics.wait("/calls", "the test notification and the lifecycle message", |calls| calls["Publish"] == 2);
    assert_eq!(server.get("/calls")["SetDesiredCapacity"], 1);
    let history = server.get("/history");
    let entries = history.as_array().expect("a list").iter();
    let states: Vec<_> = entries.filter(|entry| entry["what"] == "instance_state").collect();
    assert_eq!(states.last().expect("states")["state"], "Terminating:Wait");
    assert!(states[0]["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{}", states[0]);
}

#[tokio::test]
async fn it_tells_what_metric_data_it_has() {
    let server = Server::start(&["--latency-ms", "0"]);
    assert_eq!(server.get("/metrics")["count"], 0);
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&server.config());
    let of = |name: &str, cluster: &str| {
        let dimension =
            aws_sdk_cloudwatch::types::Dimension::builder().name("ClusterName").value(cluster).build();
        aws_sdk_cloudwatch::types::MetricDatum::builder().metric_name(name).dimensions(dimension)
    };
    let set = aws_sdk_cloudwatch::types::StatisticSet::builder();
    let set = set.sample_count(2.0).sum(3.0).minimum(1.0).maximum(2.0).build();
    let data = vec![
        of("RunningTask", "a b").value(1.5).storage_resolution(1).build(),
        of("RunningTask", "c").values(2.0).counts(3.0).build(),
        of("PendingTask", "c").statistic_values(set).build(),
    ];
    cloudwatch.put_metric_data().namespace("ECS").set_metric_data(Some(data)).send().await.expect("put");
    assert_eq!(server.get("/metrics")["count"], 3);
    let rows = [
        ("namespace=ECS", 3),
        ("namespace=AWS", 0),
        ("name=RunningTask", 2),
        ("dimension.ClusterName=c", 2),
        ("dimension.ClusterName=a+b&name=RunningTask", 1),
        ("dimension.Other=c", 0),
    ];
    for (query, expected) in rows {
        let found = server.get(&format!("/metrics?{query}"));
        assert_eq!(found.as_array().map(Vec::len), Some(expected), "{query}: {found}");
    }
    let found = server.get("/metrics?dimension.ClusterName=a+b");
    let datum = &found[0];
    let seen =
        ["namespace", "name", "dimensions", "value", "unit", "resolution"].map(|field| datum[field].clone());
    let expected = json!(["ECS", "RunningTask", {"ClusterName": "a b"}, 1.5, "None", 1]);
    assert_eq!(json!(seen), expected);
    assert!(datum["timestamp"].as_f64() > datum["received"].as_f64(), "{datum}");
    let others = server.get("/metrics?dimension.ClusterName=c");
    assert_eq!((&others[0]["values"], &others[1]["statistics"]["Sum"]), (&json!([[2.0, 3.0]]), &json!(3.0)));
}

#[tokio::test]
async fn it_reads_a_scenario() {
    let scenario = json!({
        "clusters": [{"name": "prod", "counts": {"running": 7, "services": 2}, "cluster_tags": {"team": "a"}}],
        "machines": [{"count": 3, "tags": {"team": "a & b"}, "owner": {"iam_user": "alice"}, "launched_hours_ago": 30}],
        "groups": [{"name": "web", "tags": {"CreatedBy": "bob"}, "creator": "root"}],
        "tables": [{"name": "rules", "key": [{"name": "RuleId", "type": "N"}], "items": [{"RuleId": {"N": "1"}}]}],
    });
    let path = format!("{}/scenario.json", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, scenario.to_string()).expect("a file");
    let server = Server::start(&["--scenario", &path]);
    let machines = server.post("Action=DescribeInstances&Version=2016-11-15&MaxResults=5");
    assert_eq!(machines.matches("<value>a &amp; b</value>").count(), 3, "{machines}");
    let tags = server.post("Action=DescribeTags&Version=2011-01-01");
    assert!(tags.contains("<Value>bob</Value>"), "{tags}");
    let config = server.config();
    let ask = aws_sdk_ecs::Client::new(&config).describe_clusters().clusters("prod");
    let answer = ask.include(aws_sdk_ecs::types::ClusterField::Tags).send().await.expect("described");
    let cluster = &answer.clusters()[0];
    let seen = (cluster.running_tasks_count(), cluster.active_services_count(), cluster.tags()[0].value());
    assert_eq!(seen, (7, 2, Some("a")));
}

#[tokio::test]
async fn it_plays_scripts() {
    let at_once = json!({"action": {"recommend_rebalance": "prod-ecs"}});
    let mut scenario: Value = serde_json::from_str(include_str!("../scenarios/demo.json")).expect("the demo");
    scenario["script"] = json!([at_once]);
    scenario["target_groups"] = json!([{"name": "web", "group": "prod-ecs"}]);
    let path = format!("{}/script.json", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, scenario.to_string()).expect("a file");
    let server = Server::start(&["--scenario", &path, "--latency-ms", "0"]);
    let groups = server.post("Action=DescribeTargetGroups&Version=2015-12-01&Names.member.1=web");
    assert!(groups.contains(":targetgroup/web/") && groups.contains("<Port>80</Port>"), "{groups}");
    let has =
        |history: &Value, what| history.as_array().expect("a list").iter().any(|one| one["what"] == what);
    server.wait("/history", "the scenario's script", |history| has(history, "rebalance_recommended"));
    let script = json!([{"after_seconds": 0.1, "action": {"interrupt": "prod-ecs"}}, at_once]);
    assert_eq!(server.ask("PUT /script", &script.to_string()), "{}");
    server.wait("/history", "the script that was put", |history| has(history, "interrupted"));
    for (path, body, expected) in [("/script", "[{\"after\": 1}]", "400"), ("/world", "[]", "404")] {
        let head = server.exchange(&format!("PUT {path}"), body).0;
        assert!(head.starts_with(&format!("HTTP/1.1 {expected}")), "{path}: {head}");
    }
}

#[tokio::test]
async fn it_goes_by_a_clock_in_a_file() {
    let mut scenario: Value = serde_json::from_str(include_str!("../scenarios/demo.json")).expect("the demo");
    scenario["settings"]["latency_seconds"] = json!(60);
    scenario["clusters"][0]["services"] = json!([]);
    scenario["script"] =
        json!([{"action": {"run_task": {"on": "prod-ecs", "ends_after_seconds": 3_600, "stop_seconds": 2}}}]);
    let folder = env!("CARGO_TARGET_TMPDIR");
    let (path, clock) = (format!("{folder}/hour.json"), format!("{folder}/clock"));
    std::fs::write(&path, scenario.to_string()).expect("a file");
    let server = Server::start(&["--scenario", &path, "--clock", &clock]);
    let file = || u64::from_ne_bytes(std::fs::read(&clock).expect("the clock").try_into().expect("8 bytes"));
    let put = |body: Value| -> Value {
        let answer = server.ask("PUT /clock", &body.to_string());
        serde_json::from_str(&answer).expect(&answer)
    };
    let (began, second) = (Instant::now(), 1_000_000_000);
    let start = file();
    assert_eq!(put(json!({}))["now"], 0);
    aws_sdk_ecs::Client::new(&server.config())
        .list_container_instances()
        .cluster("prod")
        .send()
        .await
        .unwrap();
    assert_eq!(file() - start, 60 * second, "a call takes a minute");
    assert_eq!(put(json!({}))["due"], json!(3_600 * second));
    assert_eq!(put(json!({"nanoseconds": 10}))["now"], json!(60 * second), "it never goes back");
    assert_eq!(put(json!({"nanoseconds": 3_600 * second}))["left"], json!([]), "the task stops");
    std::fs::write(&clock, (start + 3_602 * second).to_ne_bytes()).expect("somebody else moves it");
    let left = put(json!({}))["left"].take();
    assert_eq!(left[0]["at"], json!(3_602 * second), "{left}");
    assert_eq!(left[0]["event"]["detail"]["lastStatus"], "STOPPED", "{left}");
    assert_eq!(put(json!({}))["left"], json!([]), "told once");
    assert!(began.elapsed() < SOON, "nobody waits for an hour");
    for body in ["", "{\"seconds\": 1}", "{\"nanoseconds\": -1}"] {
        assert!(server.exchange("PUT /clock", body).0.starts_with("HTTP/1.1 400"), "{body}");
    }
    let without = Server::start(&[]);
    assert!(without.exchange("PUT /clock", "{}").0.starts_with("HTTP/1.1 404"), "in real time");
}

#[test]
fn what_it_cannot_do_it_says() {
    let rows = [
        (["--scenario", "no-such.json"], "cannot read the scenario no-such.json"),
        (["--port", "65536"], "65536 is not in 0..=65535"),
        (["--no-such", "option"], "unexpected argument '--no-such'"),
        (["--clock", "/no-such/folder/clock"], "cannot make the clock /no-such/folder/clock"),
    ];
    for (arguments, expected) in rows {
        let output = Command::new(env!("CARGO_BIN_EXE_aws-fake")).args(arguments).output().expect("it ran");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}
