"""One tick of `ecs-metrics`: four counts of some clusters."""

from datetime import datetime
from typing import Any

import boto3

COUNTS = {
    "RunningTask": "runningTasksCount",
    "PendingTask": "pendingTasksCount",
    "ActiveServices": "activeServicesCount",
    "RegisteredContainerInstances": "registeredContainerInstancesCount",
}
ecs = boto3.client("ecs")
cloudwatch = boto3.client("cloudwatch")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Reads the counts and writes them."""
    due = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
    clusters = ecs.describe_clusters(clusters=event["clusters"])["clusters"]
    data = [
        {
            "MetricName": metric,
            "Dimensions": [{"Name": "ClusterName", "Value": cluster["clusterName"]}],
            "Timestamp": due,
            "Value": cluster[count],
            "Unit": "Count",
            "StorageResolution": 1,
        }
        for cluster in clusters
        for metric, count in COUNTS.items()
    ]
    cloudwatch.put_metric_data(Namespace="ECS", MetricData=data)
    return {"data": len(data)}
