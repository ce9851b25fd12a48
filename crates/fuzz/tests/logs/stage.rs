//! A function on a stage: a world of which every value is a secret, and the log as it would be written.

use std::time::Duration;

use aws_fake::client::FakeAws;
use aws_fake::log::Log;
use aws_fake::scenario::Scenario;
use aws_fake::world::identity::Identity;
use aws_fake::world::launches::MachinePlan;
use aws_fake::world::names;
use aws_fake::world::tables::TablePlan;
use aws_helpers::{sdk, telemetry};
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;

/// Stands in every tag, rule and name of a person.
pub(crate) const SECRET: &str = "zq7secret";
/// A record's id, as SQS gives it.
const MESSAGE: &str = "059f36b4-87a3-44ab-83d2-661970000009";
const TOPIC: &str = "ecs-drain";
/// Instances of the sample events.
const MACHINES: [&str; 3] = ["i-0b662ef9931388ba0", "i-0a1b2c3d4e5f60718", "i-0a1b2c3d4e5f60701"];

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Function {
    Drainer,
    Metrics,
    Spot,
    Tags,
}

impl Function {
    /// Its name, and that of its folder of sample events.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Drainer => "ecs-drainer",
            Self::Metrics => "ecs-metrics",
            Self::Spot => "spot-interruption",
            Self::Tags => "tag-policy",
        }
    }
}

enum Deployed {
    Drainer(ecs_drainer::Drainer),
    Metrics(ecs_metrics::EcsMetrics),
    Spot(spot_interruption::Spot),
    Tags(tag_policy::TagPolicy),
}

/// A function in its world.
pub(crate) struct Stage {
    pub(crate) fake: FakeAws,
    deployed: Deployed,
    /// What stands in sample events → what there is in this world.
    cast: Vec<(&'static str, String)>,
    log: Log,
    _logging: DefaultGuard,
}

fn scenario() -> Scenario {
    let rule = |id: &str, key: &str, action: &str, default: &str| json!({"RuleId": {"N": id}, "TagKey": {"S": key}, "Action": {"S": action}, "Required": {"S": "Y"}, "Default": {"S": default}});
    let mut rules = TablePlan::new("rules", "RuleId", "N");
    let items = json!([rule("1", "Project", "Update", SECRET), rule("2", "CreatedBy", "UserLookup", SECRET)]);
    rules.items = serde_json::from_value(items).unwrap();
    let groups = ["web", "api"].map(names::target_group_arn).join(",");
    let secret = |key: &str| (key.to_owned(), format!("{SECRET}-{key}"));
    let mut tags = [secret("Name"), secret("Team")].to_vec();
    tags.push(("loadBalancerTargetGroup".to_owned(), format!("{SECRET} {groups}")));
    let plan = MachinePlan {
        count: MACHINES.len(),
        ids: MACHINES.map(str::to_owned).into(),
        tags: tags.into_iter().collect(),
        launched_ago: Duration::from_secs(48 * 3_600),
        owner: Some(Identity::iam_user(SECRET)),
        ..MachinePlan::default()
    };
    let scenario = Scenario::new(1).cluster("prod", 2).hook(TOPIC, 60).service("web", 2, (100, 200));
    let scenario = scenario.topic("operations").topic("reports").machines(plan);
    let tables = [rules, TablePlan::new("state", "Id", "S"), TablePlan::new("lease", "LeaseId", "S")];
    tables.into_iter().fold(scenario, Scenario::table)
}

impl Stage {
    /// The function as it is deployed, logging at INFO.
    pub(crate) fn new(function: Function) -> Self {
        let fake = FakeAws::new(scenario());
        let config = fake.sdk_config_with(sdk::retries(), sdk::timeouts());
        let arn = names::topic_arn;
        let variables = [
            ("DRAIN_TOPIC_ARN", arn(TOPIC)),
            ("NOTICE_TOPIC_ARN", arn("operations")),
            ("REPORT_TOPIC_ARN", arn("reports")),
            ("RULES_TABLE", "rules".to_owned()),
            ("STATE_TABLE", "state".to_owned()),
            ("LEASE_TABLE", "lease".to_owned()),
            ("EXTRA_METRICS", "instances,services,capacity,pending-age,launch-types".to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        let deployed = match function {
            Function::Drainer => {
                let settings = ecs_drainer::settings::Settings::read(&variables).unwrap();
                let clients = ecs_drainer::Clients::new(&config);
                Deployed::Drainer(ecs_drainer::Drainer::new(settings, clients, &config))
            }
            Function::Metrics => {
                let settings = ecs_metrics::settings::Settings::read(&variables).unwrap();
                Deployed::Metrics(ecs_metrics::EcsMetrics::new(settings, &config))
            }
            Function::Spot => {
                let settings = spot_interruption::settings::Settings::read(&variables).unwrap();
                let clients = spot_interruption::Clients::new(&config);
                Deployed::Spot(spot_interruption::Spot::new(settings, clients, &config))
            }
            Function::Tags => {
                let settings = tag_policy::settings::Settings::read(&variables).unwrap();
                let clients = tag_policy::Clients::new(&config);
                Deployed::Tags(tag_policy::TagPolicy::new(settings, clients, &config))
            }
        };
        let cast = fake.with(|world| {
            for name in ["web", "api"] {
                world.add_target_group(name);
                world.register_target(&names::target_group_arn(name), MACHINES[0]);
            }
            let leaving = world.instances("prod-ecs").remove(0);
            world.scale_in_instance(&leaving);
            world.take_outbox();
            let token = world.actions().next().unwrap().token.clone();
            vec![
                ("i-01234567890abcdef", leaving.clone()),
                ("i-0633ac2b0d9769723", leaving),
                ("86799385-e46d-40b9-a393-6ff3da981d7e", token.clone()),
                ("0befcbdb-6ecd-498a-9ff7-ae9b54447cd6", token),
                ("my-asg", "prod-ecs".to_owned()),
                // The world begins later than the samples: what is too old is told of and not done.
                ("2026-05-08T1", "2026-01-01T0".to_owned()),
                ("2026-05-09T1", "2026-01-02T0".to_owned()),
            ]
        });
        let log = Log::default();
        let writer = log.clone();
        let subscriber = telemetry::subscriber(function.name(), None, move || writer.clone());
        Self { fake, deployed, cast, log, _logging: tracing::subscriber::set_default(subscriber) }
    }

    /// A sample event, as if it came from this world.
    pub(crate) fn casting(&self, sample: &Value) -> Value {
        let text = self.cast.iter().fold(sample.to_string(), |text, (old, new)| text.replace(old, new));
        serde_json::from_str(&text).unwrap()
    }

    /// Hands an event to the function, and what it publishes to itself so many times over; returns the error answers.
    pub(crate) async fn play(&self, event: Value, rounds: usize) -> Vec<String> {
        let mut errors: Vec<String> = self.handle(event).await.err().into_iter().collect();
        let mut answered = 0;
        for _ in 0..rounds {
            tokio::time::sleep(Duration::from_secs(50)).await;
            let published = self
                .fake
                .with(|world| world.published_to(TOPIC).map(|one| one.message.clone()).collect::<Vec<_>>());
            if !matches!(self.deployed, Deployed::Drainer(_)) || published.len() == answered {
                break;
            }
            let records =
                published.iter().skip(answered).map(|body| json!({"messageId": MESSAGE, "body": body}));
            answered = published.len();
            errors.extend(self.handle(json!({"Records": records.collect::<Vec<_>>()})).await.err());
        }
        errors
    }

    async fn handle(&self, event: Value) -> Result<Value, String> {
        let now = self.fake.with(|world| Timestamp::try_from(world.calendar().date(world.now())).unwrap());
        let deadline = now + jiff::SignedDuration::from_secs(240);
        let request = "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned();
        match &self.deployed {
            Deployed::Drainer(drainer) => Box::pin(drainer.handle(event)).await.map_err(|e| e.to_string()),
            Deployed::Spot(spot) => Box::pin(spot.handle(event)).await.map_err(|e| e.to_string()),
            Deployed::Metrics(metrics) => {
                let function = "ecs-metrics".to_owned();
                let invocation = ecs_metrics::Invocation { request, deadline, function };
                Box::pin(metrics.handle(event, &invocation)).await.map_err(|e| e.to_string())
            }
            Deployed::Tags(policy) => {
                let invocation = tag_policy::Invocation { request, deadline, account: None };
                Box::pin(policy.handle(event, &invocation)).await.map_err(|e| e.to_string())
            }
        }
    }

    /// The lines so far, as they were written.
    pub(crate) fn lines(&self) -> String {
        self.log.text()
    }
}
