//! Calls as CloudTrail has them.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{
    World,
    identity::Identity,
    launches::{DEFAULT_TYPE, IMAGE},
    machines::{Machine, Tags},
    names::{self, ACCOUNT},
    trail::TrailEvent,
};
use crate::json::given;

impl World {
    /// Writes a call about instances into the trail, such as `StopInstances`.
    pub fn write_call(
        &mut self,
        name: &str,
        identity: &Identity,
        age: Duration,
        instances: &[&str],
    ) -> TrailEvent {
        let items: Vec<_> = instances.iter().map(|id| json!({"instanceId": id})).collect();
        let instances = instances.iter().map(|id| ("AWS::EC2::Instance".to_owned(), (*id).to_owned()));
        self.write_trail(TrailEvent {
            id: String::new(),
            at: self.ago(age),
            source: "ec2.amazonaws.com".to_owned(),
            name: name.to_owned(),
            identity: identity.clone(),
            resources: instances.collect(),
            error: None,
            request: json!({"instancesSet": {"items": items}}),
            response: json!({"instancesSet": {"items": items}}),
        })
    }

    /// Writes into the trail who created an Auto Scaling group.
    pub fn write_group_creation(&mut self, group: &str, identity: &Identity, age: Duration) -> TrailEvent {
        self.write_trail(TrailEvent {
            id: String::new(),
            at: self.ago(age),
            source: "autoscaling.amazonaws.com".to_owned(),
            name: "CreateAutoScalingGroup".to_owned(),
            identity: identity.clone(),
            resources: vec![("AWS::AutoScaling::AutoScalingGroup".to_owned(), group.to_owned())],
            error: None,
            request: json!({"autoScalingGroupName": group, "minSize": 0, "maxSize": 10}),
            response: Value::Null,
        })
    }

    /// `RunInstances` as CloudTrail has it.
    pub(super) fn launch_call(
        &mut self,
        identity: &Identity,
        reservation: &str,
        ids: &[String],
        age: Duration,
    ) -> TrailEvent {
        let machines: Vec<_> = ids.iter().filter_map(|id| self.fleet.get(id)).collect();
        let tags = machines.first().map(|machine| tag_items(machine.tags.newest())).unwrap_or_default();
        let items: Vec<_> = machines.iter().map(|machine| launched_item(machine)).collect();
        let token = machines.first().and_then(|machine| machine.client_token.clone());
        // What a launch is about besides its instances comes first, as it does on AWS.
        let mut resources = vec![("AWS::EC2::Ami".to_owned(), IMAGE.to_owned())];
        if let Some(machine) = machines.first() {
            resources.push(("AWS::EC2::VPC".to_owned(), machine.vpc.clone()));
            resources.push(("AWS::EC2::Subnet".to_owned(), names::subnet_id(&machine.vpc, &machine.zone)));
        }
        resources.extend(ids.iter().map(|id| ("AWS::EC2::Instance".to_owned(), id.clone())));
        let tag_set =
            (!tags.is_empty()).then(|| json!({"items": [{"resourceType": "instance", "tags": tags}]}));
        TrailEvent {
            id: String::new(),
            at: self.ago(age),
            source: "ec2.amazonaws.com".to_owned(),
            name: "RunInstances".to_owned(),
            identity: identity.clone(),
            resources,
            error: None,
            request: given(json!({
                "instancesSet": {"items": [{"imageId": IMAGE, "minCount": ids.len().max(1), "maxCount": ids.len().max(1)}]},
                "instanceType": machines.first().map_or(DEFAULT_TYPE, |machine| &machine.instance_type),
                "clientToken": token,
                "tagSpecificationSet": tag_set,
            })),
            response: json!({
                "requestId": names::uuid(&mut self.ids),
                "reservationId": reservation,
                "ownerId": ACCOUNT,
                "groupSet": {},
                "instancesSet": {"items": items},
            }),
        }
    }
}

fn tag_items(tags: &Tags) -> Vec<Value> {
    let own = tags.iter().filter(|(key, _)| !key.starts_with("aws:"));
    own.map(|(key, value)| json!({"key": key, "value": value})).collect()
}

fn launched_item(machine: &Machine) -> Value {
    let tags = tag_items(machine.tags.newest());
    let since = machine.launched_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    given(json!({
        "instanceId": machine.id,
        "imageId": IMAGE,
        "instanceState": {"code": 0, "name": "pending"},
        "instanceType": machine.instance_type,
        "launchTime": u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        "placement": {"availabilityZone": machine.zone, "tenancy": "default"},
        "subnetId": names::subnet_id(&machine.vpc, &machine.zone),
        "vpcId": machine.vpc,
        "clientToken": machine.client_token,
        "tagSet": (!tags.is_empty()).then(|| json!({"items": tags})),
    }))
}
