//! Decides a thousand drains in each of some states. `make guard` counts the instructions.

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use aws_helpers::settings::Variables;
use ecs_drainer::decide::{self, Sight};
use ecs_drainer::drain::{ContainerInstance, Count, Drain, Hook, Presence, Status, Task, Terms};
use ecs_drainer::settings::Settings;
use jiff::Timestamp;

const DRAINS: usize = 1_000;
const TASKS: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let topic = ("DRAIN_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:drain");
    let settings = Settings::read(&Variables::from_iter([topic]))?;
    let began = Timestamp::from_second(1_780_000_000)?;
    let drain = drain(began)?;
    let sights = [TASKS, TASKS / 2, 0].map(|left| sight(began, left));
    for _ in 0..DRAINS {
        for sight in &sights {
            for seconds in [20, 7_200] {
                let now = began.checked_add(Duration::from_secs(seconds))?;
                black_box(decide::next(black_box(&drain), black_box(sight), now, &settings));
                black_box(decide::needs_heartbeat(black_box(&drain), None, now, &settings));
            }
        }
    }
    Ok(())
}

fn drain(began: Timestamp) -> Result<Drain, jiff::Error> {
    let later = |seconds| began.checked_add(Duration::from_secs(seconds));
    let terms = Terms { heartbeat_seconds: 900, held_until: later(900)?, limit: later(90_000)? };
    let hook = Hook {
        group: "prod-ecs".to_owned(),
        name: "drain".to_owned(),
        token: Some("86799385-e46d-40b9-a393-6ff3da981d7e".to_owned()),
        terms: Some(terms),
    };
    Ok(Drain {
        hook: Some(hook),
        draining_since: Some(began),
        count: Some(Count { tasks: TASKS, holds_from: later(10)? }),
        ..Drain::begin("i-01234567890abcdef".to_owned(), began)
    })
}

/// An instance with so many tasks that have not stopped; ECS wants half of these.
fn sight(began: Timestamp, left: usize) -> Sight {
    let task = |number: usize| Task {
        arn: format!("arn:aws:ecs:us-east-1:123456789012:task/prod/{number:032}"),
        group: format!("service:{}", number % 3),
        wanted: number < left / 2,
        stopped: number >= left,
        stopping_at: Some(began),
    };
    let instance = ContainerInstance {
        cluster: "prod".to_owned(),
        arn: "arn:aws:ecs:us-east-1:123456789012:container-instance/prod/0".to_owned(),
        instance: "i-01234567890abcdef".to_owned(),
        status: Status::Draining,
        wanted_tasks: left / 2,
        connected: true,
        mark: None,
    };
    Sight {
        presence: Presence::Registered(instance),
        tasks: Some(Ok((0..TASKS).map(task).collect())),
        waited_for: None,
        membership: None,
    }
}
