//! One world, all functions in it, and Lambda, `CodePipeline` and `CodeDeploy` as far as the smoke test sees them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_fake::client::FakeAws;
use aws_fake::faults::{Calls, Fault, FaultKind};
use aws_fake::log::Log;
use aws_fake::record;
use aws_fake::scenario::Scenario;
use aws_fake::world::launches::MachinePlan;
use aws_fake::world::names;
use aws_fake::world::tables::TablePlan;
use aws_helpers::sdk;
use aws_helpers::settings::Variables;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::base64;
use aws_smithy_types::body::SdkBody;
use ecs_drainer::Drainer;
use ecs_metrics::EcsMetrics;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use smoke_test::settings::Settings;
use smoke_test::{Clients, SmokeTest};
use spot_interruption::Spot;
use tag_policy::TagPolicy;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

pub(crate) const FUNCTIONS: [&str; 4] = ["ecs-drainer", "spot-interruption", "tag-policy", "ecs-metrics"];
const VERSION: &str = "7";
/// A function's ARN, but for its crate's name.
const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:fleetkeeper-";
/// What `CodeDeploy`'s deployments of the stack belong to; SAM gives the names.
const DEPLOYMENTS: &str = "arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:fleetkeeper-ServerlessDeploymentApplication-1A2B3C/fleetkeeper-EcsDrainerDeploymentGroup-1A2B3C";

/// A word to whoever waits.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) operation: String,
    pub(crate) body: Value,
}

/// An account with the stack deployed in it.
pub(crate) struct Account {
    pub(crate) fake: FakeAws,
    /// The version that the aliases name.
    pub(crate) serving: &'static str,
    /// The function that has no room for another invocation.
    pub(crate) busy: &'static str,
    /// Whether nobody may be told anything.
    pub(crate) deaf: bool,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    told: Vec<Told>,
    qualifiers: Vec<String>,
}

/// A request on its way to whoever answers it in the test's own thread: the functions cannot leave it.
type Sent = (HttpRequest, oneshot::Sender<HttpResponse>);

#[derive(Debug)]
struct Wire(mpsc::UnboundedSender<Sent>);

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (answer, answered) = oneshot::channel();
        self.0.send((request, answer)).unwrap();
        HttpConnectorFuture::new(async { Ok(answered.await.unwrap()) })
    }
}

impl Account {
    pub(crate) fn new() -> Self {
        let machines = MachinePlan { count: 3, ..MachinePlan::default() };
        let scenario = Scenario::new(1)
            .topic("ecs-drain")
            .topic("reports")
            .cluster("prod", 2)
            .cluster("test", 1)
            .machines(machines)
            .table(TablePlan::new("rules", "RuleId", "N"))
            .table(TablePlan::new("state", "Id", "S"))
            .table(TablePlan::new("lease", "LeaseId", "S"));
        Self { fake: FakeAws::new(scenario), serving: VERSION, busy: "", deaf: false, seen: Arc::default() }
    }

    /// From now on this operation fails.
    pub(crate) fn strike(&self, operation: &str, kind: FaultKind) {
        let fault = Fault { operation: Some(operation.to_owned()), calls: Calls::All, kind };
        self.fake.with(|world| world.add_fault(fault));
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.seen.lock().unwrap().told.clone()
    }

    pub(crate) fn qualifiers(&self) -> Vec<String> {
        self.seen.lock().unwrap().qualifiers.clone()
    }

    /// One invocation of the smoke test.
    pub(crate) async fn handle(&self, event: Value) -> Result<Value, String> {
        let (sender, mut sent) = mpsc::unbounded_channel::<Sent>();
        let connector = SharedHttpConnector::new(Wire(sender));
        let config = self.config("smoke-test", &[]).into_builder();
        let config = config.http_client(http_client_fn(move |_, _| connector.clone())).build();
        let arn = |name: &str| format!("{ARN}{name}:{VERSION}");
        let variables: Variables = FUNCTIONS
            .map(|name| (format!("{}_VERSION_ARN", name.to_uppercase().replace('-', "_")), arn(name)))
            .into_iter()
            .collect();
        let test = SmokeTest::new(Settings::read(&variables).unwrap(), Clients::new(&config), &config);
        let answers = async {
            while let Some((request, answer)) = sent.recv().await {
                answer.send(self.answer(&request).await).unwrap();
            }
        };
        let local = LocalSet::new();
        local
            .run_until(async {
                tokio::select! {
                    answer = test.handle(&event) => answer.map_err(|error| error.to_string()),
                    () = answers => unreachable!("the smoke test holds the other end"),
                }
            })
            .await
    }

    fn config(&self, function: &'static str, variables: &[(&str, &str)]) -> SdkConfig {
        self.fake.function_config(function, variables, sdk::retries(), sdk::timeouts())
    }

    /// What AWS answers.
    async fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        if let Some(operation) = request.headers().get("x-amz-target") {
            return self.hear(operation, body);
        }
        let uri = request.uri();
        let name = FUNCTIONS.into_iter().find(|name| uri.contains(&format!("-{name}/"))).unwrap();
        if name == self.busy {
            let refusal = json!({"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "message": "Rate Exceeded."});
            let mut response = HttpResponse::new(status(429), SdkBody::from(refusal.to_string()));
            response.headers_mut().insert("x-amzn-ErrorType", "TooManyRequestsException");
            return response;
        }
        let (_, qualifier) = uri.split_once("Qualifier=").unwrap();
        note("lambda:InvokeFunction", &format!("{ARN}{name}:{qualifier}"));
        self.seen.lock().unwrap().qualifiers.push(qualifier.to_owned());
        let ran = if qualifier == "live" { self.serving } else { qualifier };
        let (answer, log) = Box::pin(self.run(name, body)).await;
        let (failed, payload) = match answer {
            Ok(payload) => (false, payload),
            Err(message) => (true, json!({"errorType": "T", "errorMessage": message})),
        };
        let mut response = HttpResponse::new(status(200), SdkBody::from(payload.to_string()));
        let headers = response.headers_mut();
        headers.insert("X-Amz-Executed-Version", ran.to_owned());
        headers.insert("X-Amz-Log-Result", base64::encode(log));
        if failed {
            headers.insert("X-Amz-Function-Error", "Unhandled");
        }
        response
    }

    fn hear(&self, operation: &str, body: Value) -> HttpResponse {
        if self.deaf {
            let refusal = json!({"__type": "AccessDeniedException", "message": "not you"});
            return HttpResponse::new(status(400), SdkBody::from(refusal.to_string()));
        }
        let (service, call) = operation.split_once('.').unwrap();
        match service.split_once('_').unwrap().0 {
            "CodePipeline" => note(&format!("codepipeline:{call}"), "*"),
            _ => note(&format!("codedeploy:{call}"), DEPLOYMENTS),
        }
        self.seen.lock().unwrap().told.push(Told { operation: operation.to_owned(), body });
        HttpResponse::new(status(200), SdkBody::from("{}"))
    }

    /// One invocation of a real function: its answer, and the end of its log.
    async fn run(&self, name: &'static str, event: Value) -> (Result<Value, String>, String) {
        let (drain, reports) = (names::topic_arn("ecs-drain"), names::topic_arn("reports"));
        let deadline = Timestamp::try_from(self.fake.with(|world| world.calendar().date(world.now())))
            .unwrap()
            + SignedDuration::from_secs(600);
        let request = "r-1".to_owned();
        let (log, _logging) = Log::of(&name.replace('-', "_"));
        macro_rules! settings {
            ($function:ident, $variables:expr) => {
                $function::settings::Settings::read(&$variables.into_iter().collect()).unwrap()
            };
        }
        let answer = match name {
            "ecs-drainer" => {
                let variables = [("DRAIN_TOPIC_ARN", drain.as_str())];
                let (config, settings) = (self.config(name, &variables), settings!(ecs_drainer, variables));
                let drainer = Drainer::new(settings, ecs_drainer::Clients::new(&config), &config);
                drainer.handle(event).await.map_err(|error| error.to_string())
            }
            "spot-interruption" => {
                let variables = [("DRAIN_TOPIC_ARN", drain.as_str())];
                let (config, settings) =
                    (self.config(name, &variables), settings!(spot_interruption, variables));
                let spot = Spot::new(settings, spot_interruption::Clients::new(&config), &config);
                spot.handle(event).await.map_err(|error| error.to_string())
            }
            "tag-policy" => {
                let variables = [
                    ("RULES_TABLE", "rules"),
                    ("STATE_TABLE", "state"),
                    ("REPORT_TOPIC_ARN", reports.as_str()),
                ];
                let (config, settings) = (self.config(name, &variables), settings!(tag_policy, variables));
                let policy = TagPolicy::new(settings, tag_policy::Clients::new(&config), &config);
                let invocation = tag_policy::Invocation { request, deadline, account: None };
                policy.handle(event, &invocation).await.map_err(|error| error.to_string())
            }
            _ => {
                let variables = [("LEASE_TABLE", "lease")];
                let (config, settings) =
                    (self.config("ecs-metrics", &variables), settings!(ecs_metrics, variables));
                let writer = EcsMetrics::new(settings, &config);
                let invocation =
                    ecs_metrics::Invocation { request, deadline, function: "ecs-metrics".to_owned() };
                writer.handle(event, &invocation).await.map_err(|error| error.to_string())
            }
        };
        let lines: Vec<String> = log.lines().iter().map(Value::to_string).collect();
        (answer, lines.join("\n"))
    }
}

/// Writes a call down for those who hold it against the permissions.
fn note(action: &str, resource: &str) {
    record::note("smoke-test", BTreeMap::new(), action, resource).unwrap();
}

fn status(code: u16) -> StatusCode {
    StatusCode::try_from(code).unwrap()
}
