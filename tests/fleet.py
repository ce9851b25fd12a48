"""200 instances of all kinds, and who launched them: the fleet of the deployed tag policy's test."""

from __future__ import annotations

import re
from typing import Any

from environment import ROOT
from policy import CALLER, PERSON

COMPLETE = {"ProjectCode": "Proj001", "CreatedBy": "ops", "Expires": "2030-01-01"}
# Of each kind how many there are, whose name CreatedBy has in the end, and what the fake is told about them.
KINDS: dict[str, tuple[int, str, dict[str, Any]]] = {
    "complete": (90, "ops", {"tags": COMPLETE, "launched_hours_ago": 100}),
    "named": (40, PERSON, {"tags": {"Name": "a"}, "owner": CALLER, "per_reservation": 20, "launched_hours_ago": 50}),
    "with empty values": (
        20,
        "deploy",
        {
            "tags": {**COMPLETE, "ProjectCode": "", "CreatedBy": ""},
            "owner": {"assumed_role": {"role": "deploy", "session": "i-0123456789abcdef0"}},
            "launched_hours_ago": 60,
        },
    ),
    "untagged": (20, "build", {"owner": {"iam_user": "build"}, "launched_hours_ago": 70}),
    "of a tagged group": (10, "ops", {"group": "workers", "tags": {"Name": "b"}, "launched_hours_ago": 10}),
    "of a group": (5, "ann", {"group": "batch", "tags": {"Name": "c"}, "launched_hours_ago": 10}),
    "older than the trail": (10, "Undefined", {"tags": {"Name": "d"}, "launched_hours_ago": 24 * 365}),
    "stopped": (5, "root", {"state": "stopped", "tags": {"Name": "e"}, "owner": "root", "launched_hours_ago": 90}),
}
GROUPS = [
    {"name": "workers", "tags": {"CreatedBy": "ops"}},
    {"name": "batch", "creator": {"iam_user": "ann"}, "created_hours_ago": 200},
]


def ids(kind: str) -> list[str]:
    """The ids of a kind's instances."""
    place = list(KINDS).index(kind)
    return [f"i-{place:08x}{number:09x}" for number in range(KINDS[kind][0])]


# So that the samples of launches are of instances that can be seen, and need not be waited for.
LAUNCHES = (ROOT / "events" / "tag-policy").glob("launch*.json")
LAUNCHED = sorted({one for event in LAUNCHES for one in re.findall(r'"(i-[0-9a-f]{17})"', event.read_text())})
MACHINES = [
    *({"ids": ids(kind), "count": count, **plan} for kind, (count, _, plan) in KINDS.items()),
    {"ids": LAUNCHED, "count": len(LAUNCHED), "tags": COMPLETE},
]
WORLD = {"machines": MACHINES, "groups": GROUPS, "settings": {"caller": CALLER}}
