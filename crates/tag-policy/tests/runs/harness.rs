//! One world, one function, and what became of them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_fake::client::FakeAws;
use aws_fake::plumbing::invocation;
use aws_fake::scenario::Scenario;
use aws_fake::world::launches::MachinePlan;
use aws_fake::world::machines::Tags;
use aws_fake::world::tables::TablePlan;
use aws_fake::world::{Departure, names};
use aws_helpers::sdk;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tag_policy::settings::Settings;
use tag_policy::{Clients, Invocation, TagPolicy};

pub(crate) const RULES: &str = "acme_cloud_policy_tagging_def";
pub(crate) const STATE: &str = "state";
pub(crate) const TOPIC: &str = "tag-reports";
/// The World's first day, on which all runs here begin.
pub(crate) const TODAY: &str = "2026-01-01";
/// What Lambda gives a run.
const TIMEOUT: SignedDuration = SignedDuration::from_secs(600);

/// A world with a function in it.
pub(crate) struct World {
    pub(crate) fake: FakeAws,
    pub(crate) policy: TagPolicy,
}

/// The published table's items.
pub(crate) fn published() -> Vec<Value> {
    vec![
        json!({"RuleId": {"N": "1"}, "TagKey": {"S": "ProjectCode"}, "Action": {"S": "Update"}, "Required": {"S": "Y"}, "Default": {"S": "Proj007"}}),
        json!({"RuleId": {"N": "2"}, "TagKey": {"S": "CreatedBy"}, "Action": {"S": "UserLookup"}, "Required": {"S": "Y"}, "Default": {"S": ""}}),
        json!({"RuleId": {"N": "3"}, "TagKey": {"S": "Expires"}, "Action": {"S": "Function"}, "Required": {"S": "N"}, "Default": {"S": "today()"}}),
    ]
}

/// An empty fleet with these rules.
pub(crate) fn scenario(rules: &[Value]) -> Scenario {
    let mut table = TablePlan::new(RULES, "RuleId", "N");
    table.items = serde_json::from_value(json!(rules)).unwrap();
    let mut scenario = Scenario::new(1).table(table).table(TablePlan::new(STATE, "Id", "S"));
    scenario.topics.push(TOPIC.to_owned());
    scenario
}

pub(crate) fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// So many instances with these tags, launched long ago.
pub(crate) fn machines(count: usize, pairs: &[(&str, &str)]) -> MachinePlan {
    MachinePlan { count, tags: tags(pairs), launched_ago: days(100), ..MachinePlan::default() }
}

pub(crate) fn hours(n: u64) -> Duration {
    Duration::from_secs(3_600 * n)
}

pub(crate) fn days(n: u64) -> Duration {
    hours(24 * n)
}

impl World {
    pub(crate) fn new(scenario: Scenario) -> Self {
        Self::with(scenario, &[])
    }

    pub(crate) fn with(scenario: Scenario, variables: &[(&str, &str)]) -> Self {
        let fake = FakeAws::new(scenario);
        let topic = names::topic_arn(TOPIC);
        let variables = [&[("STATE_TABLE", STATE), ("REPORT_TOPIC_ARN", topic.as_str())], variables].concat();
        let config = fake.function_config("tag-policy", &variables, sdk::retries(), sdk::timeouts());
        let settings = Settings::read(&variables.into_iter().collect()).unwrap();
        let policy = TagPolicy::new(settings, Clients::new(&config), &config);
        Self { fake, policy }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.fake.with(|world| Timestamp::try_from(world.calendar().date(world.now())).unwrap())
    }

    /// The published scheduled event, now.
    pub(crate) fn scheduled(&self, id: &str) -> Value {
        json!({
            "account": "123456789012", "region": "us-east-1", "detail": {}, "detail-type": "Scheduled Event",
            "source": "aws.events", "time": format!("{:.0}", self.now()), "id": id,
            "resources": ["arn:aws:events:us-east-1:123456789012:rule/my-schedule"],
        })
    }

    fn invocation(&self, request: &str) -> Invocation {
        Invocation { request: request.to_owned(), deadline: self.now() + TIMEOUT, account: None }
    }

    /// Hands an event to the function, as the invocation with this id.
    pub(crate) async fn invoke(&self, event: &Value, request: &str) -> Result<Value, String> {
        let invocation = self.invocation(request);
        // Boxed: the tests' own futures would grow with it.
        let answer = Box::pin(self.policy.handle(event.clone(), &invocation));
        answer.await.map_err(|error| error.to_string())
    }

    /// The same, where a fault may kill the function; none if it did.
    pub(crate) async fn survive(&self, event: &Value, request: &str) -> Option<Result<Value, String>> {
        let survived = invocation::run(self.invoke(event, request)).await;
        if survived.is_none() {
            // Lambda tries again once the dead attempt's time is over.
            tokio::time::sleep(Duration::from_secs(660)).await;
        }
        survived
    }

    /// One run, an hour after whatever was before.
    pub(crate) async fn run(&self, id: &str) -> Value {
        tokio::time::sleep(hours(1)).await;
        self.invoke(&self.scheduled(id), &format!("request-{id}")).await.unwrap()
    }

    /// Launch events that the world has emitted since this was last asked.
    pub(crate) fn launch_events(&self) -> Vec<Value> {
        let outbox = self.fake.with(aws_fake::world::World::take_outbox);
        let events = outbox.into_iter().filter_map(|out| match out.what {
            Departure::Event(event) if event["source"] == "aws.ec2" => Some(event),
            _ => None,
        });
        events.collect()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.fake.with(|world| world.machines().map(|machine| machine.id.clone()).collect())
    }

    pub(crate) fn tag(&self, id: &str, key: &str) -> Option<String> {
        self.fake.with(|world| world.tag(id, key).map(str::to_owned))
    }

    /// How many instances have a tag with this value.
    pub(crate) fn tagged(&self, key: &str, value: &str) -> usize {
        self.fake.with(|world| {
            world.machines().filter(|one| one.tags.newest().get(key).is_some_and(|own| own == value)).count()
        })
    }

    pub(crate) fn state(&self, id: &str) -> String {
        self.fake.with(|world| world.machine_state(id).map_or("gone", |state| state.name()).to_owned())
    }

    /// Calls by operation since the last time this was asked.
    pub(crate) fn calls(&self, since: usize) -> BTreeMap<String, usize> {
        self.fake.with(|world| {
            let mut counts = BTreeMap::new();
            for (_, operation, _) in world.calls().skip(since) {
                *counts.entry(operation.to_owned()).or_default() += 1;
            }
            counts
        })
    }

    pub(crate) fn call_count(&self) -> usize {
        self.fake.with(|world| world.calls().count())
    }

    pub(crate) fn count(&self, operation: &str) -> usize {
        self.fake.with(|world| world.count_calls(operation))
    }

    /// Errors that calls were answered with.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.fake.with(|world| {
            world
                .calls()
                .filter_map(|(_, operation, error)| Some(format!("{operation}: {}", error?)))
                .collect()
        })
    }

    /// Subject and text of each mail so far.
    pub(crate) fn mails(&self) -> Vec<(String, String)> {
        self.fake.with(|world| {
            let mails = world.published_to(TOPIC);
            mails.map(|one| (one.subject.clone().unwrap_or_default(), one.text_for("email"))).collect()
        })
    }

    /// The JSON of each report so far.
    pub(crate) fn reports(&self) -> Vec<Value> {
        self.fake.with(|world| {
            world.published_to(TOPIC).map(|one| serde_json::from_str(&one.text_for("sqs")).unwrap()).collect()
        })
    }

    /// Every tag that was written, as often as it was: instance, key, value.
    pub(crate) fn written(&self) -> Vec<(String, String, String)> {
        self.fake.with(|world| {
            let mut written = Vec::new();
            for entry in world.history().iter().filter(|entry| entry.what == "tagged") {
                for id in entry.fields["instances"].as_array().unwrap() {
                    for (key, value) in entry.fields["tags"].as_object().unwrap() {
                        let text = |value: &Value| value.as_str().unwrap().to_owned();
                        written.push((text(id), key.clone(), text(value)));
                    }
                }
            }
            written
        })
    }

    /// The item of the state table with this id.
    pub(crate) fn item(&self, id: &str) -> Option<Value> {
        self.fake.with(|world| world.items(STATE)).into_iter().find(|item| item["Id"]["S"] == id)
    }
}
