//! Messages from somebody who may publish to the topic and means ill, or knows not what he does; and what they can do.

use aws_fake::world::ecs::Status;
use aws_fake::world::hooks::EndedBy;
use aws_fake::world::names;
use serde_json::{Value, json};

use crate::harness::{LIMIT, Run, TOPIC, Wiring, cluster};

const NOBODY: &str = "i-0aaaaaaaaaaaaaaa1";
const FORGED: &str = "00000000-e46d-40b9-a393-6ff3da981d7e";
/// The most that SNS and SQS take.
const LARGEST: usize = 262_144;

/// A drain in mid-course: what a forger may know of it.
struct Scene {
    run: Run,
    /// The instance that leaves.
    leaving: String,
    /// One that stays.
    other: String,
    /// Its container instance.
    other_arn: String,
    /// The drain's continuation.
    continuation: Value,
}

impl Scene {
    async fn new() -> Self {
        let mut run = Run::new(cluster(3).service("web", 6, (300, 900)), Wiring::default());
        let leaving = run.scale_in(1).remove(0);
        run.run(30).await;
        let (other, continuation) = run.fake.with(|world| {
            let other = world.instances("prod-ecs").into_iter().find(|id| *id != leaving).unwrap();
            let published = world.published_to(TOPIC).filter(|one| one.message.contains("DrainPass")).last();
            (other, serde_json::from_str(&published.unwrap().message).unwrap())
        });
        let ecs = aws_sdk_ecs::Client::new(&run.fake.sdk_config());
        let listed = ecs.list_container_instances().cluster("prod").filter(format!("ec2InstanceId=={other}"));
        let other_arn = listed.send().await.unwrap().container_instance_arns.unwrap().remove(0);
        Self { run, leaving, other, other_arn, continuation }
    }

    /// A hook's message about an instance.
    fn lifecycle(instance: &str, changes: &[(&str, Value)]) -> Value {
        let message = json!({
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "AutoScalingGroupName": "prod-ecs",
            "LifecycleHookName": "drain", "EC2InstanceId": instance, "LifecycleActionToken": FORGED,
            "NotificationMetadata": r#"{"cluster":"prod"}"#,
        });
        changed(message, changes)
    }

    /// The continuation with another token.
    fn forged(&self, changes: &[(&str, Value)]) -> Value {
        changed(changed(self.continuation.clone(), &[("/Hook/Token", json!(FORGED))]), changes)
    }

    /// Sends it through the topic; what is no JSON, or would not pass SNS's filter, into the queue.
    fn send(&mut self, message: &Value) {
        match message {
            Value::String(text) => self.run.plumbing.send(text.as_str()),
            message => self.run.fake.with(|world| world.publish(&names::topic_arn(TOPIC), message)),
        }
    }

    /// Until nothing is left to happen; returns the calls that it took.
    async fn end(&mut self, name: &str) -> usize {
        assert!(self.run.plumbing.run_until_quiet(LIMIT).await, "{name}: it goes round for ever");
        assert_eq!(self.run.plumbing.stats().timed_out, 0, "{name}");
        let lines = self.run.logged("");
        let longest = lines.iter().map(|line| line.to_string().len()).max().unwrap_or_default();
        assert!(longest < 1_500, "{name}: a line of {longest} bytes");
        self.run.calls()
    }
}

/// A message with some values changed, by JSON pointer.
fn changed(mut message: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        message.pointer_mut(parent).unwrap()[field] = value.clone();
    }
    message
}

type Message = Box<dyn Fn(&Scene) -> Value>;

/// What does no harm: with whether it ends as a dead letter.
fn harmless() -> Vec<(&'static str, bool, Message)> {
    let elsewhere =
        "arn:aws:ecs:us-east-1:999999999999:container-instance/prod/b54a2a04046e4b1a8f2d6f1d3c9b7a10";
    let task = "arn:aws:ecs:us-east-1:999999999999:task/prod/b54a2a04046e4b1a8f2d6f1d3c9b7a10";
    let cluster = "arn:aws:ecs:us-east-1:999999999999:cluster/prod";
    let stopped = move |arn: &str| {
        json!({"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {
            "clusterArn": names::cluster_arn("prod"), "containerInstanceArn": arn, "taskArn": task, "lastStatus": "STOPPED"}})
    };
    let request = |instance: &str, field: &str, value: &str| json!({"DrainRequest": "x", "EC2InstanceId": instance, field: value});
    let long = "x".repeat(LARGEST - 100);
    let at = |text: &str| json!(text);
    macro_rules! rows {
        ($($name:literal, $dead:literal, |$scene:ident| $message:expr;)*) => {
            vec![$(($name, $dead, Box::new(move |$scene: &Scene| $message) as Message)),*]
        };
    }
    let (long_reason, long_id, long_name) = (long.clone(), long.clone(), long);
    rows! {
        "an instance of nobody's", false, |_scene| Scene::lifecycle(NOBODY, &[]);
        "a forged token", false, |scene| Scene::lifecycle(&scene.leaving, &[]);
        "no such group", false, |scene| Scene::lifecycle(&scene.leaving, &[("/AutoScalingGroupName", json!("other"))]);
        "no such hook", false, |scene| Scene::lifecycle(&scene.leaving, &[("/LifecycleHookName", json!("other"))]);
        "a continuation with a forged token", false, |scene| scene.forged(&[("/DrainPass", json!(u32::MAX))]);
        "a continuation that names another's container instance", false,
            |scene| scene.forged(&[("/ContainerInstance", json!(scene.other_arn))]);
        "a continuation of another account's", false,
            |scene| scene.forged(&[("/ContainerInstance", json!(elsewhere)), ("/Cluster", json!(cluster))]);
        "a continuation that waits for another account's task", false,
            |scene| scene.forged(&[("/WaitsFor", json!(task))]);
        "a continuation whose deadline has passed", false,
            |scene| scene.forged(&[("/FirstSeen", at("2020-01-01T00:00:00Z"))]);
        "a continuation whose hook has given up", false, |scene| scene.forged(&[("/Hook/Terms", json!({
            "HeartbeatSeconds": 30, "HeldUntil": "2020-01-01T00:00:00Z", "Limit": "2020-01-01T00:00:00Z"}))]);
        "a continuation that never ends", false, |scene| scene.forged(&[
            ("/EC2InstanceId", json!(NOBODY)), ("/Hook", Value::Null), ("/FirstSeen", at("9999-01-01T00:00:00Z")),
            ("/LaunchedAt", at("9999-01-01T00:00:00Z")), ("/Until", at("9999-01-01T00:00:00Z"))]);
        "a continuation of the wrong types", true, |scene| scene.forged(&[("/DrainPass", json!({"a": []}))]);
        "a continuation of control characters", true, |scene| scene.forged(&[("/Hook/Group", json!("a\nb\u{1b}[2K"))]);
        "a continuation of a long name", true, |scene| scene.forged(&[("/Cluster", json!(long_name))]);
        "a request for nobody's instance", false, |_scene| request(NOBODY, "Cluster", "nowhere");
        "a request as large as can be", false, |_scene| request(NOBODY, "Reason", &long_reason);
        "an id as large as can be", true, |_scene| request(&long_id, "Cluster", "prod");
        "an id that would be a filter", true, |_scene| request("i-1] or running > 0", "Cluster", "prod");
        "another account's cluster", false, |_scene| request(NOBODY, "Cluster", cluster);
        "a stopped task of another's", false, |scene| stopped(&scene.other_arn);
        "a stopped task of another account's", false, |_scene| stopped(elsewhere);
        "a stopped task of nothing that has a name", true, |_scene| stopped("a b\n");
        "lists in lists", true, |_scene| Value::String("[".repeat(100_000));
        "objects in objects", true, |_scene| Value::String(r#"{"DrainRequest":"#.repeat(15_000));
        "no text", true, |_scene| Value::String("\u{0}\u{1b}\u{202e}".to_owned());
    }
}

#[tokio::test(start_paused = true)]
async fn hostile_messages_do_no_harm() {
    let undisturbed = Scene::new().await.end("undisturbed").await;
    for (name, dead, message) in harmless() {
        let mut scene = Scene::new().await;
        let message = message(&scene);
        scene.send(&message);
        let calls = scene.end(name).await;
        scene.run.all_let_go(1, "CONTINUE");
        let status = scene.run.fake.with(|world| world.container_instance_status(&scene.other));
        assert_eq!(status, Some(Status::Active), "{name}: an instance that nobody named");
        assert_eq!(scene.run.plumbing.stats().dead_letters.len(), usize::from(dead), "{name}");
        // An instance of nobody's is waited for five minutes, should it be registering: twenty looks of ten calls, if it has little time.
        assert!(calls <= undisturbed + 200, "{name}: {calls} calls, {undisturbed} without");
    }
}

#[tokio::test(start_paused = true)]
async fn thousands_of_records_hold_nobody_up() {
    let mut run = Run::new(cluster(3).service("web", 6, (300, 900)), Wiring::default());
    let leaving = run.scale_in(1).remove(0);
    let outbox = run.fake.with(aws_fake::world::World::take_outbox);
    let own = outbox.into_iter().find_map(|out| match out.what {
        aws_fake::world::Departure::Notification { message, .. } => Some(message),
        aws_fake::world::Departure::Event(_) => None,
    });
    let rubbish = (0..3_000).map(|n| match n % 3 {
        0 => format!(r#"{{"DrainRequest":"x","EC2InstanceId":"i-{n:017x}","Cluster":"nowhere-{n}"}}"#),
        1 => format!(r#"{{"DrainPass":{n},"EC2InstanceId":"secret {n}"}}"#),
        _ => "{".repeat(n),
    });
    let bodies: Vec<String> = rubbish.chain(own).collect();
    let records =
        bodies.iter().enumerate().map(|(n, body)| json!({"messageId": format!("m-{n}"), "body": body}));
    let event = json!({"Records": records.collect::<Vec<_>>()});
    let began = run.fake.now();
    let answer = run.drainer.handle(event).await.unwrap();
    let took = run.fake.now().saturating_sub(began);
    assert!(took.as_secs() < 90, "the function's time: {took:?}");
    let failed: Vec<&str> = answer["batchItemFailures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["itemIdentifier"].as_str().unwrap())
        .collect();
    let broken: Vec<String> = (0..3_000).filter(|n| n % 3 > 0).map(|n| format!("m-{n}")).collect();
    assert_eq!(failed, broken, "those that can be read are answered");
    let status = run.fake.with(|world| world.container_instance_status(&leaving));
    assert!(status.is_some(), "{status:?}");
    assert!(run.plumbing.run_until_quiet(LIMIT).await);
    run.all_let_go(1, "CONTINUE");
}

/// docs/security.md says so. Who may publish to the topic may drain; no message proves who sent it.
#[tokio::test(start_paused = true)]
async fn what_a_message_can_do_that_knows_names() {
    let without_token = [("/Hook/Token", Value::Null), ("/FirstSeen", json!("2020-01-01T00:00:00Z"))];
    for (name, message, early, drained) in [
        (
            "a drain of another instance",
            (|scene: &Scene| json!({"DrainRequest": "x", "EC2InstanceId": scene.other}))
                as fn(&Scene) -> Value,
            false,
            true,
        ),
        ("the same by a hook's message", |scene| Scene::lifecycle(&scene.other, &[]), false, true),
        (
            "the end of a wait, by a time limit",
            |scene| json!({"DrainRequest": "x", "EC2InstanceId": scene.leaving, "Until": "2026-01-01T00:00:40Z"}),
            true,
            false,
        ),
        (
            "the end of a wait, by an event",
            |scene| {
                json!({"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification",
                "detail": {"instance-id": scene.leaving, "state": "terminated"}})
            },
            true,
            false,
        ),
    ] {
        let mut scene = Scene::new().await;
        scene.send(&message(&scene));
        scene.end(name).await;
        let [(result, by, tasks)] = &scene.run.outcomes()[..] else {
            panic!("{name}: {:?}", scene.run.outcomes())
        };
        assert_eq!((result.as_str(), *by, *tasks > 0), ("CONTINUE", EndedBy::Call, early), "{name}");
        let status = scene.run.fake.with(|world| world.container_instance_status(&scene.other));
        assert_eq!(status == Some(Status::Draining), drained, "{name}: {status:?}");
    }
    let mut scene = Scene::new().await;
    let message = scene.forged(&without_token);
    scene.send(&message);
    scene.end("a continuation without a token").await;
    assert!(scene.run.outcomes()[0].2 > 0, "the end of a wait, by a continuation");
}
