//! Target groups, by the SDK's own client.

use std::fmt::Debug;

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_fake::{
    FakeAws,
    scenario::Scenario,
    world::{launches::MachinePlan, targets::TargetGroupPlan},
};
use aws_sdk_elasticloadbalancingv2::{Client, error::ProvideErrorMetadata, types::TargetDescription};
use tokio::time::sleep;

use crate::{NO_ID, seconds};

struct Targets {
    fake: FakeAws,
    elb: Client,
    arn: String,
    ids: Vec<String>,
}

/// Three machines and a target group of a minute's deregistration delay, which has the first of them.
fn targets() -> Targets {
    let scenario = Scenario::new(1).machines(MachinePlan { count: 3, ..MachinePlan::default() });
    let fake = FakeAws::new(scenario);
    let plan = TargetGroupPlan { deregistration_delay: seconds(60), ..TargetGroupPlan::default() };
    let (arn, ids) = fake.with(|world| {
        let ids: Vec<_> = world.machines().map(|machine| machine.id.clone()).collect();
        let arn = world.plan_target_group(&plan);
        world.register_target(&arn, &ids[0]);
        (arn, ids)
    });
    let config = fake.sdk_config_with(RetryConfig::disabled(), TimeoutConfig::disabled());
    Targets { elb: Client::new(&config), fake, arn, ids }
}

fn at(id: &str, port: Option<i32>) -> TargetDescription {
    TargetDescription::builder().id(id).set_port(port).build()
}

impl Targets {
    /// States and reasons of all targets that are listed, or of these.
    async fn health(&self, of: &[TargetDescription]) -> Vec<String> {
        let ask = self.elb.describe_target_health().target_group_arn(&self.arn);
        let of = (!of.is_empty()).then(|| of.to_vec());
        let answer = ask.set_targets(of).send().await.expect("described");
        let told = answer.target_health_descriptions().iter().map(|told| {
            let (target, health) = (told.target().expect("a target"), told.target_health().expect("health"));
            let place = self.ids.iter().position(|id| Some(id.as_str()) == target.id()).expect("one of them");
            let state = health.state().map_or("", |state| state.as_str());
            let reason = health.reason().map_or("", |reason| reason.as_str());
            format!("{place} {} {state} {reason}", target.port().unwrap_or(0))
        });
        told.collect()
    }

    async fn deregister(&self, target: TargetDescription) {
        let call = self.elb.deregister_targets().target_group_arn(&self.arn).targets(target);
        call.send().await.expect("deregistered");
    }

    async fn register(&self, target: TargetDescription) {
        let call = self.elb.register_targets().target_group_arn(&self.arn).targets(target);
        call.send().await.expect("registered");
    }
}

fn code<T: Debug, E: ProvideErrorMetadata + Debug>(answer: Result<T, E>) -> String {
    answer.expect_err("a refusal").code().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn targets_drain_before_they_are_gone() {
    let world = targets();
    let (one, other) = (world.ids[0].as_str(), world.ids[1].as_str());
    let registered = || world.fake.with(|fake| fake.targets(&world.arn));
    assert_eq!(world.health(&[]).await, ["0 80 healthy "]);
    world.register(at(other, None)).await;
    world.register(at(one, Some(8_080))).await;
    let initial = "initial Elb.RegistrationInProgress";
    assert_eq!(
        world.health(&[]).await,
        ["0 80 healthy ".into(), format!("0 8080 {initial}"), format!("1 80 {initial}")]
    );
    sleep(seconds(31)).await;
    assert_eq!(world.health(&[]).await, ["0 80 healthy ", "0 8080 healthy ", "1 80 healthy "]);
    assert_eq!(registered(), [one, other]);

    // The port is part of what is deregistered: the other registration stays.
    world.deregister(at(one, None)).await;
    sleep(seconds(30)).await;
    world.deregister(at(one, None)).await;
    let draining = "draining Target.DeregistrationInProgress";
    assert_eq!(
        world.health(&[]).await,
        [format!("0 80 {draining}"), "0 8080 healthy ".into(), "1 80 healthy ".into()]
    );
    sleep(seconds(29)).await;
    assert_eq!(world.health(&[at(one, None)]).await, [format!("0 80 {draining}")], "59 s");
    sleep(seconds(1)).await;
    assert_eq!(world.health(&[]).await, ["0 8080 healthy ", "1 80 healthy "], "counted from the first call");
    assert_eq!(world.health(&[at(one, None)]).await, ["0 80 unused Target.NotRegistered"]);
    world.deregister(at(one, Some(8_080))).await;
    assert_eq!(registered(), [other]);

    // One that is registered again while it drains is not gone when the old delay is over.
    sleep(seconds(59)).await;
    world.register(at(one, Some(8_080))).await;
    sleep(seconds(32)).await;
    assert_eq!(world.health(&[]).await, ["0 8080 healthy ", "1 80 healthy "]);
}

#[tokio::test(start_paused = true)]
async fn a_target_drains_from_its_last_deregistration() {
    let world = targets();
    let one = || at(&world.ids[1], None);
    let state = async || world.health(&[one()]).await.concat();
    world.register(one()).await;
    world.deregister(one()).await;
    sleep(seconds(31)).await;
    assert!(state().await.contains("draining"), "a health check makes nothing of it");
    sleep(seconds(30)).await;
    assert!(state().await.contains("NotRegistered"));
    for _ in 0..2 {
        world.register(one()).await;
        world.deregister(one()).await;
        sleep(seconds(40)).await;
    }
    assert!(state().await.contains("draining"), "the first delay is over, the second is not");
    sleep(seconds(20)).await;
    assert!(state().await.contains("NotRegistered"));
}

#[tokio::test(start_paused = true)]
async fn machines_that_are_gone_are_deregistered() {
    let world = targets();
    let all: Vec<_> = world.ids.iter().map(|id| at(id, None)).collect();
    for target in &all {
        world.register(target.clone()).await;
    }
    sleep(seconds(31)).await;
    world.fake.with(|fake| {
        fake.interrupt(&world.ids[0]);
        fake.stop_machine(&world.ids[1]);
    });
    let unused = "1 80 unused Target.InvalidState";
    sleep(seconds(119)).await;
    assert_eq!(world.health(&[]).await, ["0 80 healthy ", unused, "2 80 healthy "]);
    sleep(seconds(10)).await;
    assert_eq!(world.health(&[]).await, ["0 80 unused Target.InvalidState", unused, "2 80 healthy "]);
    sleep(seconds(15)).await;
    let draining = "0 80 draining Target.DeregistrationInProgress";
    assert_eq!(world.health(&[]).await, [draining, unused, "2 80 healthy "]);
    sleep(seconds(60)).await;
    assert_eq!(world.health(&[]).await, [unused, "2 80 healthy "]);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_targets_is_refused() {
    let world = targets();
    let elsewhere = MachinePlan { vpc: "vpc-1".to_owned(), ..MachinePlan::default() };
    let elsewhere = world.fake.with(|fake| {
        fake.stop_machine(&world.ids[2]);
        fake.add_machines(&elsewhere).remove(0)
    });
    let unknown = world.arn.replace("/web/", "/nope/");
    let abroad = world.arn.replace("us-east-1", "eu-west-1");
    let fit = world.ids[1].as_str();
    let rows = [
        ("an unknown group", unknown.as_str(), fit, "TargetGroupNotFound", "TargetGroupNotFound"),
        ("no ARN", "web", fit, "ValidationError", "ValidationError"),
        ("another region's", &abroad, fit, "ValidationError", "ValidationError"),
        ("an address", &world.arn, "10.0.0.1", "ValidationError", "ValidationError"),
        ("nobody", &world.arn, NO_ID, "InvalidTarget", ""),
        ("of another VPC", &world.arn, &elsewhere, "InvalidTarget", ""),
        ("stopped", &world.arn, &world.ids[2], "InvalidTarget", ""),
    ];
    for (case, arn, id, registering, deregistering) in rows {
        let call = world.elb.register_targets().target_group_arn(arn).targets(at(fit, None));
        assert_eq!(code(call.targets(at(id, None)).send().await), registering, "{case}");
        let answer = world.elb.deregister_targets().target_group_arn(arn).targets(at(id, None)).send().await;
        let seen = answer.err().map(|error| error.code().unwrap_or_default().to_owned());
        assert_eq!(seen.unwrap_or_default(), deregistering, "{case}: deregistered");
        sleep(seconds(1)).await;
    }
    let registered = world.fake.with(|fake| fake.targets(&world.arn));
    assert_eq!(registered, [world.ids[0].as_str()], "none of them, and not those beside them either");
}

#[tokio::test(start_paused = true)]
async fn registrations_have_a_bucket_of_their_own() {
    let world = targets();
    let mut codes = Vec::new();
    for _ in 0..30 {
        let call = world.elb.deregister_targets().target_group_arn(&world.arn).targets(at("i-1", None));
        codes.extend(call.send().await.err().and_then(|error| error.code().map(str::to_owned)));
    }
    // 30 calls in 0.6 s: 20, and the two that have flown in meanwhile.
    assert_eq!(codes, ["Throttling"; 8]);
    assert!(world.elb.describe_target_health().target_group_arn(&world.arn).send().await.is_ok());
}
