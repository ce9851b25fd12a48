//! `DescribeAvailabilityZones`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    check_dry_run,
    filters::{self, Filter, Values},
    input, invalid,
};
use crate::{
    services::{Answer, from_text},
    world::{World, names::REGION},
};

/// A local zone that nobody has opted in to: it is told only when all zones are asked for.
const LOCAL_ZONE: &str = "us-east-1-bos-1a";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Describe {
    #[serde(default)]
    zone_name: Vec<String>,
    #[serde(default, deserialize_with = "from_text")]
    all_availability_zones: Option<bool>,
    #[serde(default)]
    filter: Vec<Filter>,
    #[serde(default, deserialize_with = "from_text")]
    dry_run: Option<bool>,
}

pub(super) fn describe(world: &mut World, parameters: Value) -> Answer {
    let ask: Describe = input(parameters)?;
    filters::check(&ask.filter)?;
    check_dry_run(ask.dry_run)?;
    let mut zones: Vec<_> = (1..).zip(&world.zones).map(|(number, zone)| regular(number, zone)).collect();
    if ask.all_availability_zones == Some(true) {
        zones.push(local());
    }
    if !ask.zone_name.is_empty() {
        let is_there = |name: &String| zones.iter().any(|zone| zone["zoneName"] == **name);
        if let Some(name) = ask.zone_name.iter().find(|name| !is_there(name)) {
            return Err(invalid(format!("Invalid availability zone: [{name}]")));
        }
        zones.retain(|zone| ask.zone_name.iter().any(|name| zone["zoneName"] == **name));
    }
    for Filter { name, value } in ask.filter {
        let field = match name.as_str() {
            "zone-name" => "zoneName",
            "zone-type" => "zoneType",
            "opt-in-status" => "optInStatus",
            "region-name" => "regionName",
            "state" => "zoneState",
            other => return Err(invalid(format!("The filter '{other}' is invalid"))),
        };
        let values = Values::new(value);
        zones.retain(|zone| zone[field].as_str().is_some_and(|text| values.fit(text)));
    }
    Ok(json!({"availabilityZoneInfo": zones}))
}

fn regular(number: usize, name: &str) -> Value {
    json!({
        "zoneName": name,
        "zoneId": format!("use1-az{number}"),
        "zoneState": "available",
        "zoneType": "availability-zone",
        "regionName": REGION,
        "groupName": format!("{REGION}-zg-1"),
        "networkBorderGroup": REGION,
        "optInStatus": "opt-in-not-required",
        "messageSet": [],
    })
}

fn local() -> Value {
    json!({
        "zoneName": LOCAL_ZONE,
        "zoneId": "use1-bos1-az1",
        "zoneState": "available",
        "zoneType": "local-zone",
        "regionName": REGION,
        "groupName": "us-east-1-bos-1",
        "networkBorderGroup": "us-east-1-bos-1",
        "optInStatus": "not-opted-in",
        "messageSet": [],
    })
}
