//! One world, one function, one line of what became of it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use aws_fake::client::FakeAws;
use aws_fake::log::Log;
use aws_fake::plumbing::{Plumbing, PlumbingSettings};
use aws_fake::scenario::Scenario;
use aws_fake::world::World;
use aws_fake::world::hooks::EndedBy;
use aws_helpers::sdk;
use aws_helpers::settings::Variables;
use ecs_drainer::settings::Settings;
use ecs_drainer::{Clients, Drainer};
use serde_json::Value;
use tracing::subscriber::DefaultGuard;

/// The topic of every scenario here.
pub(crate) const TOPIC: &str = "ecs-drain";
/// How long a lifecycle action may last at all, and so a run.
pub(crate) const LIMIT: Duration = Duration::from_secs(50 * 3_600);

/// A world with a function in it.
pub(crate) struct Run {
    pub(crate) fake: FakeAws,
    pub(crate) plumbing: Plumbing,
    /// The function's first environment.
    pub(crate) drainer: Rc<Drainer>,
    log: Log,
    _logging: DefaultGuard,
}

/// How the function is run.
#[derive(Default)]
pub(crate) struct Wiring {
    pub(crate) variables: Vec<(&'static str, &'static str)>,
    pub(crate) plumbing: PlumbingSettings,
    /// Whether every invocation gets a new environment, so that nothing is ever remembered.
    pub(crate) cold: bool,
}

impl Wiring {
    pub(crate) fn with(variables: &[(&'static str, &'static str)]) -> Self {
        Self { variables: variables.to_vec(), ..Self::default() }
    }

    pub(crate) fn cold(mut self) -> Self {
        self.cold = true;
        self
    }

    pub(crate) fn plumbing(mut self, change: impl FnOnce(&mut PlumbingSettings)) -> Self {
        change(&mut self.plumbing);
        self
    }
}

/// One cluster `prod` of so many instances whose group's hook tells the topic.
pub(crate) fn cluster(instances: usize) -> Scenario {
    Scenario::new(1).cluster("prod", instances).hook(TOPIC, 900)
}

/// A drain that uses every kind of call: a heartbeat, a net pass, tasks that stop late.
pub(crate) fn long_drain(cold: bool) -> Run {
    Run::new(cluster(3).service("web", 6, (100, 1_000)), Wiring { cold, ..Wiring::default() })
}

impl Run {
    pub(crate) fn new(scenario: Scenario, wiring: Wiring) -> Self {
        let fake = FakeAws::new(scenario);
        let topic = aws_fake::world::names::topic_arn(TOPIC);
        let variables = [wiring.variables.as_slice(), &[("DRAIN_TOPIC_ARN", topic.as_str())]].concat();
        let config = fake.function_config("ecs-drainer", &variables, sdk::retries(), sdk::timeouts());
        let variables: Variables = variables.into_iter().collect();
        let settings = Settings::read(&variables).unwrap();
        let clients = Clients::new(&config);
        let environment = move || Rc::new(Drainer::new(settings.clone(), clients.clone(), &config));
        let drainer = environment();
        // As Lambda does it: an invocation takes a free environment, the one used last, or gets a new one; one
        // that dies takes its environment with it.
        let free = Rc::new(RefCell::new(vec![drainer.clone()]));
        let handler = move |event| {
            let warm = if wiring.cold { None } else { free.borrow_mut().pop() };
            let (drainer, free) = (warm.unwrap_or_else(&environment), free.clone());
            async move {
                let answer = drainer.handle(event).await.map_err(|error| error.to_string());
                free.borrow_mut().push(drainer);
                answer
            }
        };
        let plumbing = Plumbing::new(&fake, wiring.plumbing, handler);
        let (log, logging) = Log::of("ecs_drainer");
        Self { fake, plumbing, drainer, log, _logging: logging }
    }

    /// Lets the first instances of the group leave.
    pub(crate) fn scale_in(&mut self, instances: usize) -> Vec<String> {
        self.fake.with(|world| {
            world.scale_in("prod-ecs", instances);
            world.held_instances()
        })
    }

    /// Runs on for so many seconds.
    pub(crate) async fn run(&mut self, seconds: u64) {
        assert!(!self.plumbing.run_until(|_| false, Duration::from_secs(seconds)).await);
    }

    /// Runs until nothing is left to happen, and checks what must hold whatever the scenario was: every
    /// held instance was let go, none while a task had not stopped unless that was allowed, nothing
    /// forgotten and nothing in the dead letters.
    pub(crate) async fn finish(&mut self) -> &mut Self {
        assert!(self.plumbing.run_until_quiet(LIMIT).await, "still busy: {:?}", self.plumbing);
        assert_eq!(self.plumbing.stats().dead_letters, Vec::<String>::new(), "dead letters");
        self
    }

    /// What became of each instance that was held: result, by whom, and how many tasks had not stopped.
    pub(crate) fn outcomes(&self) -> Vec<(String, EndedBy, usize)> {
        self.fake.with(|world| {
            let actions = world.actions().map(|action| {
                let outcome = action.outcome.expect("the action has ended");
                (outcome.result.name().to_owned(), outcome.by, outcome.tasks_not_stopped)
            });
            actions.collect()
        })
    }

    /// Asserts that so many instances were let go by the function, with this result, and empty.
    pub(crate) fn all_let_go(&self, instances: usize, result: &str) -> &Self {
        let expected = vec![(result.to_owned(), EndedBy::Call, 0); instances];
        assert_eq!(self.outcomes(), expected, "{:#?}", self.story());
        self
    }

    /// Seconds from the last task's end to the hook's, for an instance that was let go.
    pub(crate) fn delay(&self, instance: &str) -> f64 {
        self.fake.with(|world| {
            let end = world.hook_outcome(instance).expect("the hook has ended").at;
            let last = world.last_stop(instance).expect("all tasks have stopped");
            end.saturating_sub(last).as_secs_f64()
        })
    }

    pub(crate) fn count(&self, operation: &str) -> usize {
        self.fake.with(|world| world.count_calls(operation))
    }

    /// Calls of the function, without those of the scenario.
    pub(crate) fn calls(&self) -> usize {
        self.fake.with(|world| world.calls_by_operation().values().sum())
    }

    /// The log lines whose message begins so.
    pub(crate) fn logged(&self, begins: &str) -> Vec<Value> {
        let lines = self.log.lines().into_iter();
        lines.filter(|line| line["message"].as_str().unwrap_or_default().starts_with(begins)).collect()
    }

    /// Lines of the log, and bytes of all.
    pub(crate) fn log_size(&self) -> (usize, usize) {
        let text = self.log.text();
        (text.lines().count(), text.len())
    }

    /// Every call with its time and its error: what a failed assertion prints.
    pub(crate) fn story(&self) -> Vec<String> {
        self.fake.with(|world: &mut World| {
            let line = |(at, operation, error): (Duration, &str, Option<&str>)| {
                format!("{:8.2} {operation} {}", at.as_secs_f64(), error.unwrap_or_default())
            };
            world.calls().map(line).collect()
        })
    }
}

pub(crate) fn hours(n: u32) -> Duration {
    Duration::from_secs(3_600) * n
}
