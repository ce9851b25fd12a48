//! The functions, wired as the template does it.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_fake::FakeAws;
use aws_fake::plumbing::Plumbing;
use aws_fake::world::names;
use aws_helpers::settings::{SettingError, Variables};
use ecs_drainer::Drainer;
use ecs_drainer::settings::Settings;
use serde_json::Value;
use spot_interruption::Spot;

use crate::blinders::Blinder;
use crate::environments::Pool;
use crate::plan::{Plan, TOPIC};
use crate::seam::Seam;

/// The timeout of the function that is told of spot notices, as in the template.
const SPOT_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads the drainer's settings as they are planned.
pub(crate) fn settings(plan: &Plan) -> Result<Settings, SettingError> {
    Settings::read(&variables(&plan.variables))
}

fn variables(given: &[(&'static str, String)]) -> Variables {
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    given.chain([("DRAIN_TOPIC_ARN".to_owned(), names::topic_arn(TOPIC))]).collect()
}

/// Topic, queues, events and both functions.
pub(crate) fn wire(
    plan: &Plan,
    fake: &FakeAws,
    mut settings: Settings,
    seam: &Seam,
    blinder: Option<Blinder>,
) -> Result<Plumbing, SettingError> {
    let config = seam.sdk_config();
    let mut wiring = plan.plumbing.clone();
    if blinder == Some(Blinder::Redelivery) {
        wiring.max_receive = 1;
    }
    if blinder == Some(Blinder::ReRead) {
        settings.settle = Duration::ZERO;
    }
    let clients = ecs_drainer::Clients::new(&config);
    let start = move |config: &SdkConfig| Drainer::new(settings.clone(), clients.clone(), config);
    let pool = Rc::new(Pool::new(fake, &config, &plan.environments, plan.seed, start));
    let mut plumbing = Plumbing::new(fake, wiring, move |event| {
        let pool = Rc::clone(&pool);
        async move {
            let event = pool.receive(event);
            let answer = pool.invoke(async |drainer: &Drainer| drainer.handle(event).await).await;
            let answer = answer.map_err(|error| error.to_string());
            blinder.map_or(answer.clone(), |blinder| blinder.answer(answer))
        }
    });
    wire_spot(plan, fake, &config, &mut plumbing)?;
    plumbing.watch_moves();
    Ok(plumbing)
}

fn wire_spot(
    plan: &Plan,
    fake: &FakeAws,
    config: &SdkConfig,
    plumbing: &mut Plumbing,
) -> Result<(), SettingError> {
    let settings = spot_interruption::settings::Settings::read(&variables(&plan.spot_variables))?;
    // Most worlds have no notice, and the clients take a while to make.
    let clients = OnceCell::new();
    let start = move |config: &SdkConfig| {
        let clients = clients.get_or_init(|| spot_interruption::Clients::new(config)).clone();
        Spot::new(settings.clone(), clients, config)
    };
    let pool = Rc::new(Pool::new(fake, config, &plan.environments, plan.seed ^ 1, start));
    plumbing.invoke_on(is_notice, SPOT_TIMEOUT, move |event: Value| {
        let pool = Rc::clone(&pool);
        async move {
            let answer = pool.invoke(async |spot: &Spot| spot.handle(event).await).await;
            answer.map_err(|error| error.to_string())
        }
    });
    Ok(())
}

/// The rules of the template: interruption warnings, and rebalance recommendations.
fn is_notice(event: &Value) -> bool {
    let kinds = ["EC2 Spot Instance Interruption Warning", "EC2 Instance Rebalance Recommendation"];
    let text = |field: &str| event.get(field).and_then(Value::as_str);
    text("source") == Some("aws.ec2") && text("detail-type").is_some_and(|kind| kinds.contains(&kind))
}
