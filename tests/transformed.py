"""A template as CloudFormation reads it after both transforms, by what SAM itself does them with.

    .venv/sam/bin/python tests/transformed.py template.yaml '[{"RollOut": "guarded"}]'

Parameters have their values or defaults, loops are written out, conditions decided: what is not made is not there.
Run with SAM's own Python; tests call `transformed`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from environment import LOCAL, REGION, ROOT, clean_environment

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "fleetkeeper",
    "AWS::URLSuffix": "amazonaws.com",
}
SAM = ROOT / "tests" / "requirements" / "sam.txt"
# What `sam package` puts into a bucket.
LOCAL_FILES = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::StateMachine": "DefinitionUri"}

Template = dict[str, Any]


@functools.cache
def rendered(template: str, choices: str) -> str:
    """The template after its transforms, once for each choice of parameters; as JSON, by SAM's own Python.

    Kept under a hash of all that it depends on: to make one takes seconds.
    """
    sources = (ROOT / template, Path(__file__), ROOT / "tests" / "environment.py", SAM)
    told = hashlib.sha256(b"\0".join([choices.encode(), *(source.read_bytes() for source in sources)]))
    kept = LOCAL / "transformed" / f"{told.hexdigest()}.json"
    if not kept.exists():
        python = ROOT / ".venv" / "sam" / "bin" / "python"
        command = [python, __file__, ROOT / template, choices]
        environment = clean_environment()
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert answer.returncode == 0, answer.stderr
        kept.parent.mkdir(parents=True, exist_ok=True)
        written = kept.with_suffix(f".{os.getpid()}")
        written.write_text(answer.stdout)
        written.rename(kept)  # whole, since other processes look for it
    return kept.read_text()


def transformed_each(choices: Sequence[Mapping[str, str]], template: str = "template.yaml") -> list[Template]:
    """The template, of which the path is relative to the project, for each choice of parameters."""
    return json.loads(rendered(template, json.dumps(choices, sort_keys=True)))


def transformed(template: str = "template.yaml", /, **parameters: str) -> Template:
    """The template for one choice of parameters."""
    (only,) = transformed_each([parameters], template)
    return only


def typed(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """A template's resources of a type, transformed or not; those in loops aside."""
    resources = template["Resources"].items()
    return {name: made for name, made in resources if not name.startswith("Fn::") and made["Type"] == kind}


class NoPolicies:
    """Knows no managed policy, since the templates name none."""

    def load(self) -> dict[str, str]:
        """None."""
        return {}


def transform(template: Template, parameters: dict[str, str]) -> Template:
    """Both transforms in CloudFormation's order, and then only what is made."""
    from samcli.lib.cfn_language_extensions.sam_integration import check_using_language_extension, expand_language_extensions
    from samtranslator.translator.transform import transform as serverless

    if not check_using_language_extension(template):
        return template  # an example without transforms
    whole = expand_language_extensions(template, {**PSEUDO, **parameters}, enabled=True).expanded_template
    conditions = {name: decided(value, whole["Conditions"]) for name, value in whole.get("Conditions", {}).items()}
    whole["Resources"] = made(whole["Resources"], conditions)
    whole["Outputs"] = made(whole.get("Outputs", {}), conditions)
    for output in whole["Outputs"].values():
        output.pop("Condition", None)
    for resource in whole["Resources"].values():
        if file := LOCAL_FILES.get(resource["Type"]):
            resource["Properties"][file] = f"s3://artifacts/{resource['Properties'][file]}"
    result: Template = serverless(whole, dict(parameters), NoPolicies())
    resources = subbed(made(result["Resources"], conditions), whole["Resources"].keys())
    for resource in resources.values():
        resource.pop("Condition", None)
    kept = ("AWSTemplateFormatVersion", "Description", "Outputs")
    return {name: result[name] for name in kept if name in result} | {"Resources": resources}


def subbed(value: Any, names: Set[str]) -> Any:
    """With Fn::Sub again where resources are named in words: SAM CLI leaves only the words."""
    if isinstance(value, str):
        return {"Fn::Sub": value} if names & set(re.findall(r"\$\{(\w+)", value)) else value
    if isinstance(value, list):
        return [subbed(part, names) for part in value]
    if isinstance(value, dict):
        return {key: part if key == "Fn::Sub" else subbed(part, names) for key, part in value.items()}
    return value


def decided(value: Any, conditions: dict[str, Any]) -> bool:
    """Whether a condition holds, whose parameters have been filled in."""
    if isinstance(value, bool):
        return value
    ((function, given),) = value.items()
    if function == "Condition":
        return decided(conditions[given], conditions)
    if function == "Fn::Equals":
        return bool(str(given[0]) == str(given[1]))
    parts = [decided(part, conditions) for part in given]
    return {"Fn::And": all(parts), "Fn::Or": any(parts), "Fn::Not": not parts[0]}[function]


def made(section: Template, conditions: dict[str, bool]) -> Template:
    """What of a section the conditions let be."""
    return {name: value for name, value in section.items() if conditions.get(value.get("Condition", ""), True)}


def main() -> None:
    """Prints the template of the command line, for each choice of parameters."""
    from samtranslator.yaml_helper import yaml_parse

    os.environ["AWS_DEFAULT_REGION"] = PSEUDO["AWS::Region"]  # where samtranslator looks for it
    path, choices = sys.argv[1:]
    template = yaml_parse(Path(path).read_text())
    json.dump([transform(template, parameters) for parameters in json.loads(choices)], sys.stdout, default=str)


if __name__ == "__main__":
    main()
