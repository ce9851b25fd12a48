"""What a release says of itself: its version, its notes, and its template as the Application Repository takes it.

python tests/release.py notes
python tests/release.py template .aws-sam/build/template.yaml > .aws-sam/build/published.yaml
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from awscli.customizations.cloudformation.yamlhelper import yaml_dump, yaml_parse

from environment import ROOT

CHANGELOG = ROOT / "CHANGELOG.md"
# What the Application Repository is given to read; `sam package` uploads it.
TEXTS = {"LicenseUrl": str(ROOT / "LICENSE"), "ReadmeUrl": str(ROOT / "README.md")}
# `## [0.1.0] - 2026-01-31` or `## [Unreleased]`, and what follows up to the next.
SECTION = re.compile(r"^## \[([^\]]+)\](?: - (\S+))?\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
# The only one that the Application Repository takes ("Provided Transform … is unsupported").
TAKEN = "AWS::Serverless-2016-10-31"

# Without the other transform SAM does not see parameters' values: a changed one would reach $LATEST, and not the alias.
OF_VERSIONS = {"AutoPublishAlias", "AutoPublishAliasAllProperties", "DeploymentPreference"}
# So there are no versions to shift calls between, and none that the smoke test could be told of.
GUARD = "GuardsRollOut"
GUARDED = {GUARD, "MakesSmokeTest"}

Template = dict[str, Any]


def packages() -> list[dict[str, Any]]:
    """The workspace's packages, as cargo reads them."""
    command = ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)["packages"]


def version() -> str:
    """The workspace's one version."""
    (only,) = {package["version"] for package in packages()}
    return only


def sections(changelog: str) -> dict[str, tuple[str, str]]:
    """Of each version in the changelog's order the date and the text."""
    return {number: (date, text.strip()) for number, date, text in SECTION.findall(changelog)}


def notes(of: str) -> str:
    """What the changelog says of a version."""
    found = sections(CHANGELOG.read_text())
    if of not in found:
        raise SystemExit(f"{CHANGELOG.name} has no section [{of}]; it has {', '.join(found)}")
    return found[of][1]


def published(template: Template) -> Template:
    """The template with the application's texts; without loops, the guarded roll-out, and what only they needed."""
    slim = unguarded({**template, "Transform": TAKEN, "Resources": without_loops(template["Resources"])})
    for resource in slim["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"] = {
                key: said for key, said in resource["Properties"].items() if key not in OF_VERSIONS
            }
    before: Template = {}
    while before != slim:
        before = slim
        for section in ("Conditions", "Parameters", "Mappings"):
            kept = {name: value for name, value in slim[section].items() if used(slim, name, section)}
            slim = {**slim, section: kept}
    shown, application = "AWS::CloudFormation::Interface", "AWS::ServerlessRepo::Application"
    metadata = slim["Metadata"]
    groups = metadata[shown]["ParameterGroups"]
    chosen = [
        {**group, "Parameters": [one for one in group["Parameters"] if one in slim["Parameters"]]} for group in groups
    ]
    interface = {"ParameterGroups": [group for group in chosen if group["Parameters"]]}
    return {**slim, "Metadata": {shown: interface, application: {**metadata[application], **TEXTS}}}


def without_loops(resources: Template) -> Template:
    """The resources that are not made in a loop."""
    return {name: value for name, value in resources.items() if not name.startswith("Fn::ForEach")}


def unguarded(value: Any) -> Any:
    """What is left where no roll-out is guarded, and functions are called without an alias."""
    if isinstance(value, list):
        return [unguarded(one) for one in value if one != {"Condition": GUARD}]
    if not isinstance(value, dict):
        return value
    if value.get("Fn::If", [""])[0] in GUARDED:
        return unguarded(value["Fn::If"][2])
    if str(value.get("Ref", "")).endswith(".Alias"):
        return {"Fn::GetAtt": [value["Ref"].removesuffix(".Alias"), "Arn"]}
    kept = {key: one for key, one in value.items() if not (isinstance(one, dict) and one.get("Condition") in GUARDED)}
    return {key: unguarded(one) for key, one in kept.items()}


def used(template: Template, name: str, section: str) -> bool:
    """Whether anything but its own definition refers to a parameter, a condition or a mapping."""
    parts = {key: value for key, value in template.items() if key not in ("Metadata", "Parameters")}
    if section == "Conditions":
        parts["Conditions"] = {key: value for key, value in template["Conditions"].items() if key != name}
    word = re.escape(name)
    reference = rf'"(Ref|Condition)": "{word}"|"Fn::(If|FindInMap)": \["{word}"|\$\{{{word}\}}'
    return re.search(reference, json.dumps(parts)) is not None


def main(arguments: list[str]) -> int:
    """Prints what is asked for."""
    match arguments:
        case ["notes"]:
            print(notes(version()))
        case ["template", built]:
            sys.stdout.write(yaml_dump(published(yaml_parse(Path(built).read_text()))))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
