"""The templates' security, by checkov: each finding is mended, or excused where it stands.

    .venv/sam/bin/python tests/scan.py

A resource excuses a check in its metadata, as checkov knows it: `checkov: { skip: [{ id: …, comment: why }] }`. What is excused
without need is a finding, too. Scanned is what SAM makes of the template, since that is what is deployed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environment import LOCAL, ROOT, clean_environment
from transformed import Template, transformed

KEY = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
# They ask for a key of the customer's. Whether there is one is for the customer to say.
ONLY_WITH_A_KEY = frozenset({"CKV_AWS_26", "CKV_AWS_27", "CKV_AWS_119", "CKV_AWS_158", "CKV_AWS_173"})


@dataclass(frozen=True)
class Scan:
    """A template, the parameters it is deployed with, and checks that are not asked of it."""

    template: str
    parameters: dict[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.template} with everything in it" if self.parameters else self.template


EVERYTHING = {
    "CreateSmokeTest": "yes",
    "EcsMetricsAlarmClusters": "prod",
    "EcsMetricsDriver": "state-machine",
    "EcsMetricsExtraMetrics": "launch-types,instances,services,capacity,pending-age",
    "FirstPasses": "direct",
    "KmsKeyArn": KEY,
    "OrganizationId": "o-abcdefghij",
    "RebalanceRecommendations": "drain",
    "ReportEmail": "operations@example.com",
    "RollOut": "guarded",
    "StandaloneTasks": "stop",
    "UntaggedAction": "terminate",
}
EXAMPLES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "examples").glob("*.yaml"))
SCANS = (
    Scan("template.yaml", left_out=ONLY_WITH_A_KEY),
    Scan("template.yaml", EVERYTHING),
    *map(Scan, ["pipeline.yaml", *EXAMPLES]),
)


def excuses(template: Template) -> dict[tuple[str, str], str]:
    """Of each resource the checks that it excuses, with the reason."""
    found = {}
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Lambda::EventInvokeConfig":
            continue  # has its function's metadata, by SAM
        for excuse in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            found[name, excuse["id"]] = excuse.get("comment", "")
    return found


def findings(templates: list[Template]) -> list[dict[tuple[str, str], str]]:
    """Of each template what checkov finds, its excuses set aside, by resource and check."""
    LOCAL.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=LOCAL) as folder:
        for number, template in enumerate(templates):
            resources = {name: dict(resource) for name, resource in template["Resources"].items()}
            for resource in resources.values():
                resource.pop("Metadata", None)
            (Path(folder) / f"{number}.json").write_text(json.dumps({**template, "Resources": resources}))
        command = [ROOT / ".venv" / "scan" / "bin" / "checkov", "--directory", folder, "--framework", "cloudformation"]
        command += ["--skip-download", "--compact", "--output", "json"]  # without the first it asks its maker for more rules
        answer = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, timeout=600, check=False)
    report: dict[str, Any] = json.loads(answer.stdout) if answer.stdout.startswith("{") else {}
    if "results" not in report or report["summary"]["parsing_errors"] or not report["summary"]["passed"]:
        raise SystemExit(f"checkov could not read the templates:\n{answer.stdout}{answer.stderr}")
    found: list[dict[tuple[str, str], str]] = [{} for _ in templates]
    for failed in report["results"]["failed_checks"]:
        resource = failed["resource"].split(".", 1)[1]
        found[int(Path(failed["file_path"]).stem)][resource, failed["check_id"]] = failed["check_name"]
    return found


def main() -> int:
    """Scans all templates."""
    wrong: list[str] = []
    excused: dict[tuple[str, str, str], str] = {}
    needed: set[tuple[str, str, str]] = set()
    templates = [transformed(scan.template, **scan.parameters) for scan in SCANS]
    for scan, template, found in zip(SCANS, templates, findings(templates), strict=True):
        here = excuses(template)
        excused |= {(scan.template, *excuse): why for excuse, why in here.items()}
        needed |= {(scan.template, *finding) for finding in found}
        unexcused = {at: said for at, said in found.items() if at not in here and at[1] not in scan.left_out}
        wrong += [f"{scan.template}: {name}: {check}: {said}" for (name, check), said in unexcused.items()]
        print(f"{scan}: {len(template['Resources'])} resources, {len(here)} findings excused, {len(unexcused)} not")
    wrong += [f"{': '.join(at)} is excused without a reason" for at, why in excused.items() if not why.strip()]
    wrong += [f"{': '.join(at)} is excused, but not found" for at in excused.keys() - needed]
    for line in wrong:
        print(f"  {line}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
