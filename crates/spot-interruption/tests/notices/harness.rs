//! One world, one function, and what became of an instance.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_fake::client::FakeAws;
use aws_fake::faults::{Calls, Fault, FaultKind};
use aws_fake::log::Log;
use aws_fake::scenario::Scenario;
use aws_fake::world::launches::MachinePlan;
use aws_fake::world::{Departure, World, names};
use aws_helpers::sdk;
use aws_helpers::settings::Variables;
use serde_json::{Value, json};
use spot_interruption::settings::Settings;
use spot_interruption::{Clients, Spot};
use tokio::time::{Instant, sleep};
use tracing::subscriber::DefaultGuard;

pub(crate) const DRAIN: &str = "ecs-drain";
pub(crate) const OPERATIONS: &str = "operations";
/// The tag that names target groups, unless told otherwise.
pub(crate) const TAG: &str = "loadBalancerTargetGroup";

/// A world with a function in it.
pub(crate) struct Run {
    pub(crate) fake: FakeAws,
    pub(crate) spot: Spot,
    log: Log,
    _logging: DefaultGuard,
}

/// What became of one event.
pub(crate) struct Outcome {
    pub(crate) answer: Result<Value, String>,
    pub(crate) took: Duration,
}

impl Outcome {
    /// The answer of an invocation that succeeded.
    pub(crate) fn done(&self) -> &Value {
        self.answer.as_ref().unwrap()
    }
}

/// What a call is struck by, from a moment after the event on.
pub(crate) type Blow = (u64, &'static str, Calls, FaultKind);

/// A target group's ARN, by its name.
pub(crate) fn arn(name: &str) -> String {
    names::target_group_arn(name)
}

/// ARNs of target groups, as a tag has them.
pub(crate) fn tag(groups: &[&str]) -> String {
    groups.iter().map(|name| arn(name)).collect::<Vec<_>>().join(",")
}

impl Run {
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        Self::with(Scenario::new(1), variables)
    }

    /// The function in a world with both topics.
    pub(crate) fn with(scenario: Scenario, variables: &[(&str, &str)]) -> Self {
        let fake = FakeAws::new(scenario.topic(DRAIN).topic(OPERATIONS));
        let topics = [DRAIN, OPERATIONS].map(names::topic_arn);
        let needed = [("DRAIN_TOPIC_ARN", topics[0].as_str()), ("NOTICE_TOPIC_ARN", &topics[1])];
        let variables = [&needed, variables].concat();
        let config = fake.function_config("spot-interruption", &variables, sdk::retries(), sdk::timeouts());
        let variables: Variables = variables.into_iter().collect();
        let settings = Settings::read(&variables).unwrap();
        let spot = Spot::new(settings, Clients::new(&config), &config);
        let (log, logging) = Log::of("spot_interruption");
        Self { fake, spot, log, _logging: logging }
    }

    /// An instance that was launched an hour ago, with this value of its tag, in these target groups.
    pub(crate) fn instance(&self, value: Option<&str>, groups: &[&str]) -> String {
        let tags = value.map(|value| (TAG.to_owned(), value.to_owned())).into_iter().collect();
        let launched_ago = Duration::from_secs(3_600);
        let plan = MachinePlan { tags, launched_ago, ..MachinePlan::default() };
        self.fake.with(|world| {
            let id = world.add_machines(&plan).remove(0);
            for name in groups {
                world.register_target(&arn(name), &id);
            }
            id
        })
    }

    pub(crate) fn target_groups(&self, groups: &[&str]) {
        self.fake.with(|world| groups.iter().for_each(|name| drop(world.add_target_group(name))));
    }

    /// The event that the world emits when it does something.
    pub(crate) fn event(&self, what: impl FnOnce(&mut World)) -> Value {
        let outbox = self.fake.with(|world| {
            what(world);
            world.take_outbox()
        });
        let events = outbox.into_iter().filter_map(|out| match out.what {
            Departure::Event(event) if event["source"] == "aws.ec2" => Some(event),
            _ => None,
        });
        events.collect::<Vec<_>>().pop().expect("an event of EC2's")
    }

    pub(crate) fn warning(&self, id: &str) -> Value {
        self.event(|world| world.interrupt(id))
    }

    pub(crate) async fn handle(&self, event: &Value) -> Outcome {
        let began = Instant::now();
        // Boxed: the tests' own futures would grow with it.
        let answer = Box::pin(self.spot.handle(event.clone())).await;
        Outcome { answer: answer.map_err(|error| error.to_string()), took: began.elapsed() }
    }

    /// The same while things go wrong.
    pub(crate) async fn handle_under(&self, event: &Value, blows: &[Blow]) -> Outcome {
        let strike = async {
            for (after, operation, calls, kind) in blows {
                sleep(Duration::from_millis(*after)).await;
                self.fake.with(|world| world.add_fault(Fault::of(operation, *calls, *kind)));
            }
        };
        tokio::join!(self.handle(event), strike).0
    }

    /// A warning for this instance, and what became of it.
    pub(crate) async fn interrupt(&self, id: &str) -> Outcome {
        self.handle(&self.warning(id)).await
    }

    /// Drain requests so far, with their moments.
    pub(crate) fn requests(&self) -> Vec<(Duration, Value)> {
        self.fake.with(|world| {
            let messages = world.published_to(DRAIN);
            messages.map(|one| (one.at, serde_json::from_str(&one.message).unwrap())).collect()
        })
    }

    /// Notices so far, as machines get them, with their moments.
    pub(crate) fn notices(&self) -> Vec<(Duration, Value)> {
        self.fake.with(|world| {
            let messages = world.published_to(OPERATIONS);
            messages.map(|one| (one.at, serde_json::from_str(&one.text_for("sqs")).unwrap())).collect()
        })
    }

    /// Notices so far, as people get them: subject and text.
    pub(crate) fn mails(&self) -> Vec<(String, String)> {
        self.fake.with(|world| {
            let messages = world.published_to(OPERATIONS);
            messages.map(|one| (one.subject.clone().unwrap_or_default(), one.text_for("email"))).collect()
        })
    }

    /// The instances that a target group still sends requests to.
    pub(crate) fn targets(&self, name: &str) -> Vec<String> {
        self.fake.with(|world| world.targets(&arn(name)))
    }

    /// Calls so far, by operation, refused ones included.
    pub(crate) fn calls(&self) -> BTreeMap<String, usize> {
        self.fake.with(|world| world.calls_by_operation())
    }

    /// Every call with its time and its error: what a failed assertion prints.
    pub(crate) fn story(&self) -> Vec<String> {
        self.fake.with(|world| {
            let line = |(at, operation, error): (Duration, &str, Option<&str>)| {
                format!("{:8.2} {operation} {}", at.as_secs_f64(), error.unwrap_or_default())
            };
            world.calls().map(line).collect()
        })
    }

    /// The log lines whose message begins so.
    pub(crate) fn logged(&self, begins: &str) -> Vec<Value> {
        let lines = self.log.lines().into_iter();
        lines.filter(|line| line["message"].as_str().unwrap_or_default().starts_with(begins)).collect()
    }
}

/// Events as SQS delivers them.
pub(crate) fn batch(events: &[Value]) -> Value {
    let record = |(at, event): (usize, &Value)| {
        let body = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
        json!({"messageId": format!("m-{at}"), "receiptHandle": "r", "body": body, "eventSource": "aws:sqs"})
    };
    json!({"Records": events.iter().enumerate().map(record).collect::<Vec<_>>()})
}
