//! Decides the tags of a fleet, of which a tenth lacks one. `make guard` counts the instructions.

use std::error::Error;
use std::hint::black_box;

use jiff::Timestamp;
use serde_json::json;
use tag_policy::decide;
use tag_policy::instance::{Frame, Instance};
use tag_policy::owner::Owners;
use tag_policy::rules::check;

const INSTANCES: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let rules = check(&[
        json!({"RuleId": 1, "TagKey": "ProjectCode", "Action": "Update", "Required": "Y", "Default": "Proj007"}),
        json!({"RuleId": 2, "TagKey": "CreatedBy", "Action": "UserLookup", "Required": "Y", "Default": ""}),
        json!({"RuleId": 3, "TagKey": "Expires", "Action": "Function", "Required": "N", "Default": "today()"}),
    ]);
    let now = Timestamp::from_second(1_780_000_000)?;
    let frame = Frame { now, account: Some("123456789012".to_owned()), region: Some("eu-west-1".to_owned()) };
    let fleet: Vec<Instance> = (0..INSTANCES).map(instance).collect();
    for _ in 0..10 {
        let plan = decide::tags(&rules.rules, black_box(&fleet), |_| true, &Owners::default(), &frame, None);
        black_box(plan);
    }
    Ok(())
}

fn instance(number: usize) -> Instance {
    let mut tags =
        vec![("CreatedBy".to_owned(), "ann".to_owned()), ("Name".to_owned(), format!("web-{number}"))];
    if !number.is_multiple_of(10) {
        tags.push(("ProjectCode".to_owned(), "Proj001".to_owned()));
    }
    Instance { id: format!("i-{number:017x}"), tags, ..Instance::default() }
}
