//! What a call is about, as permissions name it: the action, the ARNs, and the condition keys that AWS fills in.
//!
//! From the Service Authorization Reference. What the tests hold against it is a copy that others keep.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cloudwatch;
use crate::{
    wire::{Parameters, Request, Service},
    world::{
        World,
        names::{self, REGION},
    },
};

/// Condition keys with their values.
pub(crate) type Context = BTreeMap<String, String>;

/// One thing that a call needs a permission for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Its ARN, or `*` where the action has none.
    pub(crate) resource: String,
    /// What a policy's conditions may ask about it.
    pub(crate) context: Context,
}

/// A call's action, as a policy names it.
pub(crate) fn action(request: &Request) -> String {
    let prefix = match request.service {
        Service::Ecs => "ecs",
        Service::AutoScaling => "autoscaling",
        Service::Sns => "sns",
        Service::Ec2 => "ec2",
        Service::CloudTrail => "cloudtrail",
        Service::DynamoDb => "dynamodb",
        Service::CloudWatch => "cloudwatch",
        Service::LoadBalancing => "elasticloadbalancing",
    };
    // One of the operations that are permitted under another's name.
    let operation = request.operation.strip_suffix("Batch").filter(|name| *name == "Publish");
    format!("{prefix}:{}", operation.unwrap_or(&request.operation))
}

/// All that a call is about; nothing where that cannot be told.
pub(crate) fn subjects(world: &World, request: &Request) -> Vec<Subject> {
    let (parameters, context) = match &request.parameters {
        Parameters::Json(parameters) => (parameters, context(request.service, parameters)),
        Parameters::Raw(raw) => {
            let namespace = cloudwatch::namespace_of(raw);
            let key = namespace.map(|namespace| ("cloudwatch:namespace".to_owned(), namespace));
            (&Value::Null, key.into_iter().collect())
        }
    };
    let mut resources = match request.service {
        Service::Ecs => of_ecs(&request.operation, parameters),
        Service::AutoScaling if request.operation.starts_with("Describe") => Vec::new(),
        Service::AutoScaling => texts(parameters, "AutoScalingGroupName").map(names::group_arn).collect(),
        Service::Ec2 => machines(&request.operation, parameters).map(names::instance_arn).collect(),
        Service::Sns => texts(parameters, "TopicArn").map(str::to_owned).collect(),
        Service::LoadBalancing => texts(parameters, "TargetGroupArn").map(str::to_owned).collect(),
        Service::DynamoDb => tables(parameters).map(names::table_arn).collect(),
        Service::CloudTrail | Service::CloudWatch => Vec::new(),
    };
    // Questions about many things at once name none: their answer is whatever there is. Nor do metric data.
    let is_general =
        ["List", "Describe", "Lookup", "Put"].iter().any(|verb| request.operation.starts_with(verb));
    if resources.is_empty() && is_general {
        resources.push("*".to_owned());
    }
    let about = |resource: String| Subject { context: with_tags(world, &resource, &context), resource };
    resources.into_iter().map(about).collect()
}

fn context(service: Service, parameters: &Value) -> Context {
    let key = match service {
        Service::Ecs => ("ecs:cluster".to_owned(), cluster(parameters)),
        Service::Ec2 => ("ec2:Region".to_owned(), REGION.to_owned()),
        _ => return Context::new(),
    };
    Context::from([key])
}

/// The same with the tags of an instance.
fn with_tags(world: &World, resource: &str, context: &Context) -> Context {
    let mut context = context.clone();
    if resource.starts_with("arn:aws:ec2:")
        && let Some(machine) = world.fleet.get(names::short_id(resource))
    {
        let tags = machine.tags.newest().iter();
        context.extend(tags.map(|(key, value)| (format!("aws:ResourceTag/{key}"), value.clone())));
    }
    context
}

fn cluster(parameters: &Value) -> String {
    let name = texts(parameters, "cluster").next().unwrap_or("default");
    if name.starts_with("arn:") { name.to_owned() } else { names::cluster_arn(name) }
}

fn of_ecs(operation: &str, parameters: &Value) -> Vec<String> {
    let cluster = cluster(parameters);
    let name = names::short_id(&cluster);
    let arn = |parameter: &str, make: fn(&str, &str) -> String| {
        texts(parameters, parameter).map(|id| make(name, names::short_id(id))).collect()
    };
    match operation {
        "DescribeClusters" => {
            let named =
                |id: &str| if id.starts_with("arn:") { id.to_owned() } else { names::cluster_arn(id) };
            texts(parameters, "clusters").map(named).collect()
        }
        "ListContainerInstances" => vec![cluster],
        "DescribeContainerInstances" | "UpdateContainerInstancesState" => {
            arn("containerInstances", names::container_instance_arn)
        }
        "ListTasks" => arn("containerInstance", names::container_instance_arn),
        "PutAttributes" | "DeleteAttributes" => {
            let attributes = parameters.get("attributes").and_then(Value::as_array).into_iter().flatten();
            let targets = attributes.flat_map(|attribute| texts(attribute, "targetId"));
            targets.map(|id| names::container_instance_arn(name, names::short_id(id))).collect()
        }
        "DescribeTasks" => arn("tasks", names::task_arn),
        "StopTask" => arn("task", names::task_arn),
        "DescribeServices" => arn("services", names::service_arn),
        _ => Vec::new(),
    }
}

/// The instances that a call of EC2 is about. `DescribeInstances` has ids too, and supports no resources.
fn machines<'p>(operation: &str, parameters: &'p Value) -> impl Iterator<Item = &'p str> {
    let parameter = match operation {
        "CreateTags" | "DeleteTags" => "ResourceId",
        "DescribeInstances" => "",
        _ => "InstanceId",
    };
    texts(parameters, parameter)
}

/// The table that a call of DynamoDB names, or those of a batch.
fn tables(parameters: &Value) -> impl Iterator<Item = &str> {
    let batch = parameters.get("RequestItems").and_then(Value::as_object).into_iter();
    texts(parameters, "TableName").chain(batch.flat_map(|tables| tables.keys().map(String::as_str)))
}

/// A parameter's text, or its texts.
fn texts<'p>(parameters: &'p Value, name: &str) -> impl Iterator<Item = &'p str> {
    let found = parameters.get(name);
    let many = found.and_then(Value::as_array).into_iter().flatten();
    found.into_iter().chain(many).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{settings::Settings, world::clock::Calendar};

    #[test]
    fn calls_are_about_what_they_name() {
        let ecs = |rest: &str| format!("arn:aws:ecs:us-east-1:123456789012:{rest}");
        let one = |rest: &str| vec![ecs(rest)];
        let all = || vec!["*".to_owned()];
        let rows = [
            (Service::Ecs, "ListClusters", json!({}), all()),
            (
                Service::Ecs,
                "DescribeClusters",
                json!({"clusters": ["a", ecs("cluster/b")]}),
                vec![ecs("cluster/a"), ecs("cluster/b")],
            ),
            (Service::Ecs, "ListContainerInstances", json!({"cluster": "a"}), one("cluster/a")),
            (
                Service::Ecs,
                "DescribeContainerInstances",
                json!({"cluster": "a", "containerInstances": ["x"]}),
                one("container-instance/a/x"),
            ),
            (Service::Ecs, "ListTasks", json!({"cluster": "a"}), all()),
            (
                Service::Ecs,
                "ListTasks",
                json!({"cluster": "a", "containerInstance": "x"}),
                one("container-instance/a/x"),
            ),
            (
                Service::Ecs,
                "PutAttributes",
                json!({"cluster": "a", "attributes": [{"name": "n", "targetId": "x"}]}),
                one("container-instance/a/x"),
            ),
            (Service::Ecs, "StopTask", json!({"cluster": "a", "task": ecs("task/a/t")}), one("task/a/t")),
            (
                Service::Ecs,
                "DescribeServices",
                json!({"cluster": "a", "services": ["s"]}),
                one("service/a/s"),
            ),
            (
                Service::AutoScaling,
                "CompleteLifecycleAction",
                json!({"AutoScalingGroupName": "g"}),
                vec![names::group_arn("g")],
            ),
            (Service::AutoScaling, "DescribeLifecycleHooks", json!({"AutoScalingGroupName": "g"}), all()),
            (Service::Sns, "Publish", json!({"TopicArn": "arn:t"}), vec!["arn:t".to_owned()]),
            (Service::Ec2, "DescribeInstances", json!({"InstanceId": ["i-1"]}), all()),
            (
                Service::Ec2,
                "CreateTags",
                json!({"ResourceId": ["i-1", "i-2"]}),
                vec![names::instance_arn("i-1"), names::instance_arn("i-2")],
            ),
            (Service::Ec2, "StopInstances", json!({"InstanceId": ["i-1"]}), vec![names::instance_arn("i-1")]),
            (Service::DynamoDb, "Scan", json!({"TableName": "t"}), vec![names::table_arn("t")]),
            (
                Service::DynamoDb,
                "BatchGetItem",
                json!({"RequestItems": {"t": {}}}),
                vec![names::table_arn("t")],
            ),
            (
                Service::LoadBalancing,
                "DeregisterTargets",
                json!({"TargetGroupArn": "arn:g"}),
                vec!["arn:g".to_owned()],
            ),
            (Service::CloudTrail, "LookupEvents", json!({}), all()),
            (Service::Sns, "Publish", json!({}), vec![]),
        ];
        let world = World::new(Settings::default(), Calendar::default());
        for (service, operation, parameters, expected) in rows {
            let request = Request {
                service,
                operation: operation.to_owned(),
                parameters: Parameters::Json(parameters),
            };
            let found = subjects(&world, &request);
            let resources: Vec<_> = found.into_iter().map(|subject| subject.resource).collect();
            assert_eq!(resources, expected, "{operation}");
        }
    }
}
