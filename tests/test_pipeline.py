"""The pipeline: what its builds call is called here, and what it deploys is deployed here as it does it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from awscli.customizations.cloudformation.yamlhelper import yaml_parse

import local_stack
from environment import LOCAL, OWN, ROOT, clean_environment
from local_stack import ARTIFACTS, Stack
from moto_world import moto_server
from pages import commands
from processes import children
from test_smoke import FUNCTIONS, sample, send
from test_template import PARAMETERS
from transformed import typed
from waiting import WAITING, waiting

PIPELINE = yaml_parse((ROOT / "pipeline.yaml").read_text())
SPECS = {name: yaml_parse((ROOT / name).read_text()) for name in ("buildspec.yml", "buildspec-deploy-tests.yml")}
STAGES = ("beta", "gamma", "prod")
STAGE_SECONDS = 180
# What the specs' own tests, this very test among them, must not run again: of each target all that make would do is asked.
DRY = """
rustup() { command rustup "$@" --help > /dev/null; }
make() { command make --dry-run "$@" > /dev/null; }
set -e
"""


def resolved(value: Any, **parameters: str) -> Any:
    """A value of pipeline.yaml with its parameters in place; a resource stands for itself."""
    if isinstance(value, list):
        return [resolved(one, **parameters) for one in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Sub" in value:
        return re.sub(r"\$\{(\w+)\}", lambda name: parameters.get(name[1], name[1]), value["Fn::Sub"])
    if "Fn::If" in value:
        return resolved(value["Fn::If"][1], **parameters)
    if "Ref" in value:
        return parameters.get(value["Ref"], value["Ref"])
    if "Fn::GetAtt" in value:
        return "arn:aws:iam::123456789012:role/" + value["Fn::GetAtt"][0]
    return {key: resolved(one, **parameters) for key, one in value.items()}


def stages() -> dict[str, list[dict[str, Any]]]:
    """The pipeline's stages with their actions, in order."""
    found = resolved(PIPELINE["Resources"]["Pipeline"]["Properties"]["Stages"], Application="fleetkeeper")
    return {stage["Name"]: stage["Actions"] for stage in found}


def configurations(stage: str) -> list[dict[str, str]]:
    """Of a stage's actions, in the order of their running."""
    actions = sorted(stages()[stage.capitalize()], key=lambda action: action["RunOrder"])
    return [action["Configuration"] for action in actions]


@dataclass
class Artefact:
    """What the build leaves, and where that went."""

    folder: Path
    stack: Stack


def run_phases(spec: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """All commands of a build, in one shell as CodeBuild runs them; the expensive ones only as far as they are known."""
    phases = SPECS[spec]["phases"].values()
    commands = [command for phase in phases for command in phase["commands"]]
    variables = SPECS[spec].get("env", {}).get("variables", {})
    return subprocess.run(
        ["bash", "-c", DRY + "\n".join(commands)],
        cwd=folder,
        env=clean_environment() | variables | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def checked_out(folder: Path) -> Path:
    """The sources as CodeBuild has them, by links; what is built is not there."""
    for entry in ROOT.iterdir():
        if entry.name not in (".local", ".git", "packaged.yaml", "stages"):
            (folder / entry.name).symlink_to(entry)
    (folder / ".local").mkdir()
    return folder


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Artefact]:
    """What the build's own commands make of the built functions, and an emulator that it may be deployed to."""
    folder = checked_out(tmp_path_factory.mktemp("source"))
    run = LOCAL / f"pipeline-{os.getpid()}"
    run.mkdir(parents=True)
    (run / "empty.toml").touch()
    with children() as register:
        built = local_stack.build(run, register)
        stack = local_stack.start(run, register, {})
        stack.client("s3").create_bucket(Bucket=ARTIFACTS)
        (folder / ".local" / "build").symlink_to(built)
        (folder / ".local" / "build.built").touch()
        environment = {"CODEBUILD_BUILD_SUCCEEDING": "1", "ARTIFACT_BUCKET": ARTIFACTS}
        answer = run_phases("buildspec.yml", folder, {**stack.environment, **environment})
        assert answer.returncode == 0, answer.stdout + answer.stderr
        yield Artefact(folder, stack)


def test_a_build_that_failed_leaves_nothing(tmp_path: Path) -> None:
    """CodeBuild runs post_build all the same."""
    folder = checked_out(tmp_path)
    answer = run_phases("buildspec.yml", folder, {"CODEBUILD_BUILD_SUCCEEDING": "0", "ARTIFACT_BUCKET": "none"})
    assert answer.returncode == 1 and not answer.stderr, answer.stderr
    assert not (folder / "packaged.yaml").exists() and not (folder / "stages").exists()


def test_what_is_handed_on_is_there(artefact: Artefact) -> None:
    for pattern in SPECS["buildspec.yml"]["artifacts"]["files"]:
        assert list(artefact.folder.glob(pattern)), f"nothing is {pattern}"
    packaged = yaml_parse((artefact.folder / "packaged.yaml").read_text())
    functions = {
        name: resource["Properties"]["CodeUri"]
        for name, resource in packaged["Resources"].items()
        if isinstance(resource, dict) and resource["Type"] == "AWS::Serverless::Function"
    }
    assert len(functions) == len(FUNCTIONS) + 1  # and the one that tests them
    assert all(code.startswith(f"s3://{ARTIFACTS}/code/") for code in functions.values()), functions


def test_the_second_build_takes_what_the_first_has_built(artefact: Artefact, tmp_path: Path) -> None:
    folder = checked_out(tmp_path)
    answer = run_phases("buildspec-deploy-tests.yml", folder, {"CODEBUILD_SRC_DIR_Built": str(artefact.folder)})
    assert answer.returncode == 0, answer.stderr
    assert (folder / ".local" / "build" / "template.yaml").exists() and (folder / ".local" / "build.built").exists()


def test_reports_are_where_they_are_written() -> None:
    (rust,), (python, judged) = (
        [path for report in spec["reports"].values() for path in report["files"]] for spec in SPECS.values()
    )
    makefile, settings = (ROOT / "Makefile").read_text(), (ROOT / ".config" / "nextest.toml").read_text()
    assert rust == "target/nextest/ci/junit.xml" and "--profile ci" in makefile
    assert "[profile.ci.junit]" in settings and 'path = "junit.xml"' in settings
    (command,) = [c for c in SPECS["buildspec-deploy-tests.yml"]["phases"]["build"]["commands"] if "REPORT=" in c]
    assert command.endswith(f"REPORT={python}")
    asked = ["make", "--dry-run", "test-python", f"REPORT={python}"]
    answer = subprocess.run(asked, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=True)
    assert [line.split("--junitxml=")[1] for line in answer.stdout.splitlines() if " -m pytest " in line] == [python, judged]


def test_one_artefact_goes_through_all_stages() -> None:
    assert list(stages()) == ["Source", "Build", "DeployTests", "Beta", "Gamma", "Approval", "Prod"]
    ((build,),) = (action["OutputArtifacts"] for action in stages()["Build"])
    for stage in STAGES:
        plan, deploy, test = configurations(stage)
        taken = stages()[stage.capitalize()][0]["InputArtifacts"]
        assert taken == [build], stage
        assert plan["TemplatePath"] == f"{build['Name']}::packaged.yaml"
        assert plan["TemplateConfiguration"] == f"{build['Name']}::stages/{stage}.json"
        assert plan["StackName"] == deploy["StackName"] == f"fleetkeeper-{stage}"
        assert plan["ChangeSetName"] == deploy["ChangeSetName"]
        assert test["FunctionName"] == f"fleetkeeper-{stage}-smoke-test"
        assert (plan["ActionMode"], deploy["ActionMode"]) == ("CHANGE_SET_REPLACE", "CHANGE_SET_EXECUTE"), stage
        assert plan["RoleArn"].endswith(":role/StackRole"), stage
    # CloudFormation knows no aliases, so that each stage is written out.
    assert len({json.dumps(configurations(stage)).replace(stage, "") for stage in STAGES}) == 1


def test_a_stage_that_fails_goes_back() -> None:
    """But Beta: what failed there is looked at there."""
    declared = PIPELINE["Resources"]["Pipeline"]["Properties"]
    going_back = [stage["Name"] for stage in declared["Stages"] if stage.get("OnFailure") == {"Result": "ROLLBACK"}]
    assert declared["PipelineType"] == "V2" and going_back == ["Gamma", "Prod"]


def test_the_page_s_command_says_all_that_the_pipeline_must_be_told() -> None:
    (command,) = (command for command in commands("docs/pipeline.md") if "pipeline.yaml" in command)
    said = set(re.findall(r'[ "](\w+)=', command))
    required = {name for name, parameter in PIPELINE["Parameters"].items() if "Default" not in parameter}
    assert required <= said <= PIPELINE["Parameters"].keys() and "--capabilities CAPABILITY_IAM" in command


def test_roles_are_taken_for_this_account_only() -> None:
    for role in typed(PIPELINE, "AWS::IAM::Role").values():
        (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_code_that_stacks_go_back_to_outlives_the_pipeline() -> None:
    bucket = PIPELINE["Resources"]["ArtifactBucket"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"


def test_builds_run_on_the_functions_processor() -> None:
    """What is tested is what is deployed; and in the owner's image, whose tools are pinned."""
    projects = typed(PIPELINE, "AWS::CodeBuild::Project")
    assert PARAMETERS["Architecture"]["Default"] == "arm64" and len(projects) == len(SPECS)
    for project in projects.values():
        environment = project["Properties"]["Environment"]
        assert (environment["Type"], environment["Image"]) == ("ARM_CONTAINER", {"Ref": "BuildImage"})


def test_the_pipeline_is_one_that_codepipeline_takes() -> None:
    """By boto3's model of it, and moto's checks."""

    def as_asked(value: Any) -> Any:
        """CloudFormation's names begin with a capital, the API's do not; what a stage's actions are set to is the same."""
        if isinstance(value, list):
            return [as_asked(one) for one in value]
        if not isinstance(value, dict):
            return value
        named = {key[0].lower() + key[1:]: one for key, one in value.items()}
        return {key: one if key == "configuration" else as_asked(one) for key, one in named.items()}

    declared = resolved(PIPELINE["Resources"]["Pipeline"]["Properties"], Application="fleetkeeper")
    with moto_server(OWN) as moto:
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "codepipeline.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        role = moto("iam").create_role(RoleName="PipelineRole", AssumeRolePolicyDocument=json.dumps(trust))
        asked = as_asked(declared) | {"roleArn": role["Role"]["Arn"], "version": 1}
        taken = moto("codepipeline").create_pipeline(pipeline=asked)["pipeline"]
        assert [stage["name"] for stage in taken["stages"]] == list(stages())


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_sets_what_the_template_has(artefact: Artefact, stage: str) -> None:
    given = json.loads((artefact.folder / "stages" / f"{stage}.json").read_text())["Parameters"]
    for name, value in given.items():
        declared = PARAMETERS[name]
        assert value in declared.get("AllowedValues", [value]), name
        assert re.fullmatch(declared.get("AllowedPattern", ".*"), value), name
    assert given["CreateSmokeTest"] == "yes"


def test_stages_do_not_share_what_acts_by_itself(artefact: Artefact) -> None:
    """Two stacks of one region hear the same events."""
    given = [
        json.loads((artefact.folder / "stages" / f"{stage}.json").read_text())["Parameters"] for stage in STAGES
    ]
    beta, gamma, prod = given
    for switch in ("TaskStoppedEvents", "TerminatedEvents", "SpotInterruptions", "ScheduledRuns", "LaunchEvents"):
        assert beta[switch] == gamma[switch] == "DISABLED" and switch not in prod, switch
    for own in ("RulesTableName", "EcsMetricsNamespace"):
        values = [parameters.get(own, PARAMETERS[own]["Default"]) for parameters in given]
        assert len(set(values)) == len(STAGES), own


def test_beta_is_deployed_and_tested_as_the_pipeline_does_it(artefact: Artefact) -> None:
    """Change set, execution, and the job that CodePipeline sends; the template is the one that was packaged."""
    plan, deploy, test = configurations("beta")
    stack, client = artefact.stack, artefact.stack.client("cloudformation")
    given = json.loads((artefact.folder / "stages" / "beta.json").read_text())["Parameters"]
    given["Architecture"] = local_stack.architecture()
    template = plan["TemplatePath"].split("::")[1]
    stack.client("s3").upload_file(str(artefact.folder / template), ARTIFACTS, template)  # too large for the call itself
    client.create_change_set(
        StackName=plan["StackName"],
        ChangeSetName=plan["ChangeSetName"],
        ChangeSetType="CREATE",
        TemplateURL=f"{stack.emulator}/{ARTIFACTS}/{template}",
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        Capabilities=plan["Capabilities"].split(","),
    )
    named = {"StackName": deploy["StackName"], "ChangeSetName": deploy["ChangeSetName"]}
    client.get_waiter("change_set_create_complete").wait(**named, WaiterConfig={"Delay": 1, "MaxAttempts": STAGE_SECONDS})
    client.execute_change_set(**named)
    waiter = client.get_waiter("stack_create_complete")
    waiter.wait(StackName=deploy["StackName"], WaiterConfig={"Delay": 1, "MaxAttempts": STAGE_SECONDS})

    function = test["FunctionName"]
    with waiting() as words:
        lambdas = stack.client("lambda")
        variables = lambdas.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        variables |= {f"AWS_ENDPOINT_URL_{service.upper()}": words.address for service in WAITING}
        lambdas.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
        stack.outputs["SmokeTestName"] = function
        succeeded, answer = send(stack, sample("codepipeline-job"))
        assert succeeded and answer["passed"], answer
        ((told, word),) = words.heard
    assert told == "PutJobSuccessResult" and all(name in word["executionDetails"]["summary"] for name in FUNCTIONS)


def test_cloudformation_reads_the_pipeline_itself() -> None:
    """Which knows no YAML aliases; SAM resolves those of the template."""
    assert not re.search(r"(^|[\s\[{,])[&*]\w", re.sub(r'"[^"]*"|#.*', "", (ROOT / "pipeline.yaml").read_text()))
