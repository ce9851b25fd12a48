"""What `make bench-tags` looks at: a fleet with faults, rules that mend them, and custodian's policies for the same.

Of a hundred instances sixty are as they should be. Everything here can be done by both: custodian has no way of asking
who launched an instance that is there already, so no rule does.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

TOPIC = "arn:aws:sns:us-east-1:123456789012:tag-reports"
RULES_TABLE, STATE_TABLE = "rules", "state"
# What repairs write, in both languages. Expires is computed.
DEFAULTS = {"ProjectCode": "Proj007", "Stage": "dev", "Expires": "today()"}
IN_CUSTODIAN = {**DEFAULTS, "Expires": "{now:%Y-%m-%d}"}
# A tag that is missed and not written: only people know it.
REPORTED = "CostCentre"
COMPLETE = {"ProjectCode": "Proj001", "Stage": "prod", "Expires": "2030-01-01", REPORTED: "CC-1234"}
# Every instance has it, or custodian would now and then ask for all tags once more: it draws one instance to see
# whether EC2 has told them. It is AWS's own, and so an instance with nothing else counts as untagged.
BESIDES = {"aws:cloudformation:stack-name": "web"}
# Which tags are missing, and of how many instances in a hundred.
MISSING = {
    ("ProjectCode",): 10,
    ("Stage",): 8,
    ("Expires",): 8,
    (REPORTED,): 6,
    ("ProjectCode", "Expires"): 6,
    tuple(COMPLETE): 2,
}
LAUNCHED_TOGETHER = 4


def kinds(instances: int) -> dict[tuple[str, ...], int]:
    """How many instances lack what; nothing is lacked by those that remain."""
    lacking = {missing: instances * percent // 100 for missing, percent in MISSING.items()}
    return {(): instances - sum(lacking.values()), **lacking}


def repairs(instances: int, today: str) -> Counter[tuple[str, str]]:
    """How many instances get which tag with which value."""
    found: Counter[tuple[str, str]] = Counter()
    for missing, count in kinds(instances).items():
        for key in DEFAULTS.keys() & missing:
            found[key, today if DEFAULTS[key] == "today()" else DEFAULTS[key]] += count
    return found


def world(instances: int, latency_ms: int) -> dict[str, Any]:
    """The fake's scenario. Nothing is throttled: how often each would have to wait can be read off its calls."""
    machines = [
        {
            "count": count,
            "per_reservation": LAUNCHED_TOGETHER,
            "launched_hours_ago": 100,
            "tags": {**BESIDES, **{key: value for key, value in COMPLETE.items() if key not in missing}},
        }
        for missing, count in kinds(instances).items()
    ]
    tables = [
        {"name": RULES_TABLE, "key": [{"name": "RuleId", "type": "N"}], "items": rules()},
        {"name": STATE_TABLE, "key": [{"name": "Id", "type": "S"}]},
    ]
    settings = {"throttling": False, "latency_seconds": latency_ms / 1_000}
    return {"settings": settings, "machines": machines, "tables": tables}


def rules() -> list[dict[str, Any]]:
    """Items of the rules' table."""
    items: list[dict[str, str]] = [
        {"TagKey": key, "Action": "Function" if value.endswith("()") else "Update", "Required": "Y", "Default": value}
        for key, value in DEFAULTS.items()
    ]
    items.append({"TagKey": REPORTED, "Action": "Update", "OnMissing": "report"})
    return [
        {"RuleId": {"N": str(number)}, **{name: {"S": value} for name, value in item.items()}}
        for number, item in enumerate(items, 1)
    ]


def policies(notify: bool) -> dict[str, Any]:
    """Custodian's file: the same three checks, each said to people when `notify`.

    One policy repairs all tags: with a default only for what is absent, instances that lack the same share calls. All
    three ask for the same instances, which custodian describes once and keeps in its cache.
    """
    repairs = {key: {"type": "resource", "default-value": value} for key, value in IN_CUSTODIAN.items()}
    return {
        "policies": [
            policy("untagged", [{"type": "tag-count", "count": 0, "op": "eq"}], [], notify),
            policy("unpaid", [{f"tag:{REPORTED}": "absent"}], [], notify),
            policy(
                "incomplete",
                [{"or": [{f"tag:{key}": "absent"} for key in repairs]}],
                [{"type": "tag", "tags": repairs}],
                notify,
            ),
        ]
    }


def policy(name: str, filters: list[dict[str, Any]], actions: list[dict[str, Any]], notify: bool) -> dict[str, Any]:
    """One policy over all instances, in pages as large as they come."""
    if notify:
        transport = {"type": "sns", "topic": TOPIC}
        told = {"type": "notify", "to": ["cloud-team@example.com"], "subject": name, "transport": transport}
        actions = [*actions, told]
    return {
        "name": name,
        "resource": "aws.ec2",
        "query": [{"MaxResults": 1_000}],
        "filters": filters,
        "actions": actions,
    }
