"""What `spot-interruption` does with the warning of an instance that is in no target group."""

import json
import os
from typing import Any

import boto3

TAG = "loadBalancerTargetGroup"
ec2 = boto3.client("ec2")
sns = boto3.client("sns")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Looks at the instance, asks for its drain, and tells the operators."""
    instance_id = event["detail"]["instance-id"]
    (reservation,) = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
    (instance,) = reservation["Instances"]
    if any(tag["Key"] == TAG for tag in instance.get("Tags", [])):
        raise NotImplementedError("the bench's instance has no target groups")
    request = {"drain": instance_id, "launched": instance["LaunchTime"].isoformat()}
    sns.publish(TopicArn=os.environ["DRAIN_TOPIC_ARN"], Message=json.dumps(request))
    notice = f"EC2 interrupts {instance_id}. Its drain is requested."
    sns.publish(TopicArn=os.environ["NOTICE_TOPIC_ARN"], Subject="Spot interruption", Message=notice)
    return {"instance": instance_id}
