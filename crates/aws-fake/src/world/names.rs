//! Identifiers and ARNs, made from the seed so that a run can be repeated exactly.

use rand::{Rng, rngs::SmallRng};

/// The account of everything in the World.
pub const ACCOUNT: &str = "123456789012";
/// The region of everything in the World.
pub const REGION: &str = "us-east-1";

/// The VPC of everything that does not say another.
pub const DEFAULT_VPC: &str = "vpc-0a1b2c3d4e5f60718";

/// `length` hexadecimal digits.
fn hex(rng: &mut SmallRng, length: usize) -> String {
    (0..length).map(|_| char::from_digit(rng.random_range(0..16), 16).unwrap_or('0')).collect()
}

/// An id of a task or of a container instance: 32 hexadecimal digits.
pub fn resource_id(rng: &mut SmallRng) -> String {
    hex(rng, 32)
}

/// An id of an EC2 instance: `i-` and 17 hexadecimal digits.
pub fn instance_id(rng: &mut SmallRng) -> String {
    format!("i-{}", hex(rng, 17))
}

/// An id of a launch: `r-` and 17 hexadecimal digits.
pub fn reservation_id(rng: &mut SmallRng) -> String {
    format!("r-{}", hex(rng, 17))
}

/// The id of the one subnet that a VPC has in a zone.
pub fn subnet_id(vpc: &str, zone: &str) -> String {
    format!("subnet-0{:016x}", hash(format!("{vpc} {zone}").as_bytes()))
}

/// The id of the one network interface that an instance has.
pub fn interface_id(instance: &str) -> String {
    format!("eni-{}", instance.trim_start_matches("i-"))
}

/// FNV-1a, and its bits mixed: the same on every machine, and for ever.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A UUID: tokens, request ids, message ids.
pub fn uuid(rng: &mut SmallRng) -> String {
    uuid::Builder::from_random_bytes(rng.random()).into_uuid().to_string()
}

/// ARN of a cluster.
pub fn cluster_arn(cluster: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{cluster}")
}

/// Whether something is a name, or an ARN of this account and region.
pub fn is_here(name_or_arn: &str) -> bool {
    !name_or_arn.starts_with("arn:") || name_or_arn.starts_with(&format!("arn:aws:ecs:{REGION}:{ACCOUNT}:"))
}

/// ARN of a service.
pub fn service_arn(cluster: &str, service: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:service/{cluster}/{service}")
}

/// ARN of a task definition.
pub fn task_definition_arn(family: &str, revision: u32) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:{revision}")
}

/// ARN of a container instance.
pub fn container_instance_arn(cluster: &str, id: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:container-instance/{cluster}/{id}")
}

/// ARN of a task.
pub fn task_arn(cluster: &str, id: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task/{cluster}/{id}")
}

/// ARN of an Auto Scaling group.
pub fn group_arn(group: &str) -> String {
    let id = "26e7234b-03a4-47fb-b0a9-2b241662774e";
    format!("arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:{id}:autoScalingGroupName/{group}")
}

/// ARN of an EC2 instance.
pub fn instance_arn(instance: &str) -> String {
    format!("arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{instance}")
}

/// ARN of a target group: its last part is made from the name, so that a scenario can name it.
pub fn target_group_arn(name: &str) -> String {
    let id = hash(name.as_bytes());
    format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/{name}/{id:016x}")
}

/// ARN of the one load balancer, which sends requests to every target group.
pub fn load_balancer_arn() -> String {
    format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/fake/50dc6c495c0c9188")
}

/// ARN of a table.
pub fn table_arn(table: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}")
}

/// ARN of a topic.
pub fn topic_arn(topic: &str) -> String {
    format!("arn:aws:sns:{REGION}:{ACCOUNT}:{topic}")
}

/// The last part of an ARN, or the short id itself.
pub fn short_id(id_or_arn: &str) -> &str {
    id_or_arn.rsplit('/').next().unwrap_or(id_or_arn)
}
