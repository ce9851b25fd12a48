//! Decides a thousand notices of each kind. `make guard` counts the instructions.

use std::error::Error;
use std::hint::black_box;

use aws_helpers::settings::Variables;
use jiff::Timestamp;
use spot_interruption::decide;
use spot_interruption::event::{Action, Kind, Notice};
use spot_interruption::observe::Sight;
use spot_interruption::settings::Settings;

const NOTICES: usize = 1_000;
const TARGET_GROUPS: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/73e2d6bc24d8a067, \
                             arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/api/73e2d6bc24d8a068";

fn main() -> Result<(), Box<dyn Error>> {
    let topic = ("DRAIN_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:drain");
    let settings = Settings::read(&Variables::from_iter([topic]))?;
    let now = Timestamp::from_second(1_780_000_000)?;
    let sight = Sight { launched_at: Some(now), target_groups: Some(TARGET_GROUPS.to_owned()) };
    for kind in [Kind::Interruption(Action::Terminate), Kind::Rebalance] {
        let instance = "i-0b662ef9931388ba0".to_owned();
        let notice = Notice { instance, kind, time: now, account: None, region: None };
        for _ in 0..NOTICES {
            black_box(decide::course(black_box(&notice), now, &settings));
            black_box(decide::request(black_box(&notice), Some(&sight)));
            black_box(decide::target_groups(black_box(TARGET_GROUPS)));
        }
    }
    Ok(())
}
