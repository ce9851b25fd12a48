"""moto's server with what the fake's demo scenario has: a cluster, a group, container instances, a task."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError

from conftest import Clients
from environment import ROOT, clean_environment, client_settings
from processes import Child, children, free_port, wait_for

CLUSTER, GROUP, INSTANCES = "prod", "prod-ecs", 3


@contextlib.contextmanager
def moto_server(run: Path) -> Iterator[Clients]:
    """A moto of our own on loopback."""
    port = free_port()
    clients = Clients(f"http://127.0.0.1:{port}")
    run.mkdir(parents=True, exist_ok=True)
    program = [ROOT / ".venv" / "judge" / "bin" / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    with children() as register:
        moto = register(Child(program, clean_environment(), run / "moto.log", run))

        def answers() -> bool:
            moto.running()
            with contextlib.suppress(BotoCoreError):
                return bool(clients("sts").get_caller_identity())
            return False

        wait_for("moto answers", answers, 30)
        yield clients


def furnish(clients: Clients) -> str:
    """Makes the world and a topic; the topic's ARN."""
    # Takes longer to import than all else here, and each process that collects the tests would.
    from moto.ec2.utils import generate_instance_identity_document

    ec2, ecs, asg = clients("ec2"), clients("ecs"), clients("autoscaling")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    asg.create_launch_configuration(LaunchConfigurationName="ecs", ImageId=image, InstanceType="m6g.xlarge")
    asg.create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        LaunchConfigurationName="ecs",
        MinSize=1,
        MaxSize=4,
        DesiredCapacity=INSTANCES,
        AvailabilityZones=["us-east-1a"],
    )
    ecs.create_cluster(clusterName=CLUSTER)
    ecs.register_task_definition(
        family="web", containerDefinitions=[{"name": "web", "image": "web", "cpu": 64, "memory": 64}]
    )
    (group,) = asg.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"]
    for instance in group["Instances"]:
        found = boto3.resource("ec2", **client_settings(clients.endpoint)).Instance(instance["InstanceId"])
        document = json.dumps(generate_instance_identity_document(found))
        ecs.register_container_instance(cluster=CLUSTER, instanceIdentityDocument=document)
    members = ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
    for member in members:
        ecs.start_task(cluster=CLUSTER, taskDefinition="web", containerInstances=[member], startedBy="ecs-svc/1")
    return clients("sns").create_topic(Name="drain")["TopicArn"]


def furnish_services(clients: Clients) -> None:
    """The same with the demo scenario's services."""
    furnish(clients)
    for name, strategy in (("web", "REPLICA"), ("api", "REPLICA"), ("log-agent", "DAEMON")):
        clients("ecs").create_service(
            cluster=CLUSTER,
            serviceName=name,
            taskDefinition="web",
            desiredCount=2,
            launchType="EC2",
            schedulingStrategy=strategy,
        )
