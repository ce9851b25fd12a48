"""What is published: one version everywhere, its notes, the Application Repository's metadata, bills of materials."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from awscli.customizations.cloudformation.yamlhelper import yaml_parse

import release
from environment import LOCAL, ROOT, clean_environment
from moto_world import moto_server
from test_template import TEMPLATE
from transformed import typed

APPLICATION = TEMPLATE["Metadata"]["AWS::ServerlessRepo::Application"]
PACKAGES = {package["name"]: package for package in release.packages()}
CHANGELOG = release.sections(release.CHANGELOG.read_text())
FUNCTIONS = re.findall(r"^ *CodeUri: crates/(\S+)$", (ROOT / "template.yaml").read_text(), re.MULTILINE)
RELEASED = [number for number in CHANGELOG if number != "Unreleased"]
# Keep a Changelog's.
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
# The Application Repository's rules, from the reference of its CreateApplication.
RULES = {
    "Name": r"[a-zA-Z0-9\\-]{1,140}",
    "Author": r"(?=.{1,127}$)[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?",
    "Description": r"(?s).{1,256}",
    "SemanticVersion": r"\d+\.\d+\.\d+",
}
ONLY_IN_LOOPS = {"EcsMetricsAlarmClusters", "EcsMetricsPendingThreshold"}
OF_ROLL_OUTS = {"RollOut", "CreateSmokeTest"}
# Dependencies of tests. Nothing that is deployed has them.
OF_TESTS = {"aws-fake", "libfuzzer-sys", "proptest", "simulation"}
# A package of the lock file: name, version, and the digest unless it is a crate of ours.
LOCKED = re.compile(r'^name = "(.*)"\nversion = "(.*)"(?:\nsource = ".*"\nchecksum = "(.*)")?$', re.MULTILINE)
RUN = LOCAL / "publishing"


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("the template's metadata", APPLICATION["SemanticVersion"]),
        ("the stack's output", TEMPLATE["Outputs"]["Version"]["Value"]),
        ("the changelog's newest release", RELEASED[0]),
        *((f"the package {name}", package["version"]) for name, package in PACKAGES.items()),
    ],
)
def test_there_is_one_version(where: str, said: str) -> None:
    (stated,) = re.findall(
        r'^\[workspace\.package\]\nversion = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE
    )
    assert said == stated, where


def test_the_lock_file_has_it_too() -> None:
    """Offline, cargo refuses a lock file that would have to change."""
    command = ["cargo", "metadata", "--locked", "--offline", "--format-version", "1"]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)


@pytest.mark.parametrize("field", RULES)
def test_the_application_repository_takes_the_metadata(field: str) -> None:
    assert re.fullmatch(RULES[field], APPLICATION[field]), APPLICATION[field]


def test_labels_are_few_and_short() -> None:
    labels = APPLICATION["Labels"]
    assert len(labels) <= 10
    assert [label for label in labels if not re.fullmatch(r"[a-zA-Z0-9+\-_:/@]{1,127}", label)] == []


def test_nothing_is_claimed_that_cargo_does_not_say() -> None:
    """No address that nobody has given; one that somebody gives Cargo.toml is to be given here too."""
    for name, package in PACKAGES.items():
        assert APPLICATION["SpdxLicenseId"] == package["license"], name
        assert APPLICATION.get("HomePageUrl") == package["homepage"], name
        assert APPLICATION.get("SourceCodeUrl") == package["repository"], name
        assert package["authors"] == [], name
    assert APPLICATION["Author"] == APPLICATION["Name"], "nobody publishes it yet; CONTRIBUTING.md says who sets it"
    assert "Apache License\n" in (ROOT / "LICENSE").read_text()[:200]


def test_the_changelog_is_in_order() -> None:
    assert next(iter(CHANGELOG)) == "Unreleased", "where the next change is noted"
    numbers = [tuple(int(part) for part in number.split(".")) for number in RELEASED]
    assert numbers == sorted(set(numbers), reverse=True)
    dates = [CHANGELOG[number][0] for number in RELEASED]
    assert all(re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", date) for date in dates)
    assert dates == sorted(dates, reverse=True)
    for number, (_, text) in CHANGELOG.items():
        assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= KINDS, number


def test_notes_of_the_release_are_the_changelogs() -> None:
    asked = subprocess.run(["make", "--silent", "release-notes"], cwd=ROOT, capture_output=True, text=True, check=True)
    notes = asked.stdout.strip()
    assert "### Added" in notes and notes in release.CHANGELOG.read_text()
    assert "## [" not in notes, "only one version's"


def test_a_version_without_notes_is_no_release() -> None:
    with pytest.raises(SystemExit, match=r"no section \[99\.0\.0\]"):
        release.notes("99.0.0")


def test_what_is_published_is_the_template_without_loops_and_roll_outs() -> None:
    """The Application Repository refuses templates with any other transform than SAM's, on which both depend."""
    published = release.published(TEMPLATE)
    assert published["Transform"] == "AWS::Serverless-2016-10-31"
    for section in ("Resources", "Outputs"):
        left_out = TEMPLATE[section].keys() - published[section].keys()
        loose = {name for name in left_out if not name.startswith("Fn::ForEach")}
        assert left_out and all(TEMPLATE[section][name]["Condition"] in release.GUARDED for name in loose), section
    assert TEMPLATE["Parameters"].keys() - published["Parameters"].keys() == ONLY_IN_LOOPS | OF_ROLL_OUTS
    written = json.dumps(published)
    assert not re.findall(r'\w+\.(?:Alias|Version)\b|AutoPublish\w+|"(?:GuardsRollOut|MakesSmokeTest)"', written)
    assert TEMPLATE == yaml_parse((ROOT / "template.yaml").read_text()), "only a copy is changed"
    groups = published["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(published["Parameters"])


@contextmanager
def application_repository() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Takes every application, and keeps what it was sent."""
    taken: list[dict[str, Any]] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """`CreateApplication`, the only call of a first publication."""
            taken.append({"path": self.path, **json.loads(self.rfile.read(int(self.headers["Content-Length"])))})
            body = json.dumps(
                {"applicationId": "arn:aws:serverlessrepo:us-east-1:123456789012:applications/fleetkeeper"}
            )
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Nothing: pytest's output is not its log."""

    server = HTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sam(*arguments: str | Path, **endpoints: str) -> None:
    """A command of SAM's, in this folder, with its AWS elsewhere."""
    command = ["sam", *arguments, "--config-file", RUN / "empty.toml", "--region", "us-east-1"]
    environment = clean_environment() | endpoints
    answer = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def derived() -> Path:
    """The template as it is published, where paths of built functions are those of their sources."""
    RUN.mkdir(parents=True, exist_ok=True)
    (RUN / "empty.toml").touch()
    (RUN / "built.yaml").write_text(re.sub(r"(\w+Uri: )(\w)", rf"\1{ROOT}/\2", (ROOT / "template.yaml").read_text()))
    command = [".venv/judge/bin/python", "tests/release.py", "template", RUN / "built.yaml"]
    answer = subprocess.run(command, cwd=ROOT, env=clean_environment(), check=True, capture_output=True, text=True)
    (RUN / "derived.yaml").write_text(answer.stdout)
    return RUN / "derived.yaml"


def test_sam_publishes_it() -> None:
    """By the commands of `make publish`, except that the functions' sources stand for what is built of them."""
    published = RUN / "published.yaml"
    with moto_server(RUN) as clients, application_repository() as (repository, taken):
        clients("s3").create_bucket(Bucket="applications")
        package = ["--template-file", derived(), "--s3-bucket", "applications", "--output-template-file", published]
        sam("package", *package, AWS_ENDPOINT_URL=clients.endpoint)
        sam("publish", "--template", published, "--fail-on-same-version", AWS_ENDPOINT_URL=repository)
        (sent,) = taken
        texts = [sent[name].removeprefix("s3://applications/") for name in ("licenseUrl", "readmeUrl")]
        stored = [clients("s3").get_object(Bucket="applications", Key=key)["Body"].read().decode() for key in texts]
    assert stored == [(ROOT / name).read_text() for name in ("LICENSE", "README.md")]
    assert sent["path"] == "/applications" and sent["semanticVersion"] == release.version()
    assert sent["name"] == APPLICATION["Name"] and sent["spdxLicenseId"] == APPLICATION["SpdxLicenseId"]
    body = yaml_parse(sent["templateBody"])
    assert body["Transform"] == "AWS::Serverless-2016-10-31" and "Fn::ForEach" not in sent["templateBody"]
    places = [one["Properties"]["CodeUri"] for one in typed(body, "AWS::Serverless::Function").values()]
    assert len(places) == len(FUNCTIONS) - 1, "the smoke test goes with the guarded roll-out"
    assert all(place.startswith("s3://applications/") for place in places)


def test_the_published_template_is_sound() -> None:
    answer = subprocess.run(
        ["cfn-lint", derived()], env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout


@pytest.fixture(scope="module")
def materials() -> dict[str, dict[str, Any]]:
    """Of each function its bill of materials; the first time, the tool is compiled for a minute."""
    made = subprocess.run(["make", "sbom"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    folder = ROOT / "target" / "sbom"
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.cdx.json" for name in FUNCTIONS)
    return {name: json.loads((folder / f"{name}.cdx.json").read_text()) for name in FUNCTIONS}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_bill_of_materials_has_all_that_is_compiled(function: str, materials: dict[str, dict[str, Any]]) -> None:
    """It may have more: the lock file has optional dependencies, too, that nothing switches on."""
    bill = materials[function]
    listed = {(part["name"], part["version"]): part for part in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["version"] == release.version()
    tree = ["cargo", "tree", "--locked", "--offline", "-p", function, "--edges", "normal,build", "--prefix", "none"]
    answer = subprocess.run(
        [*tree, "--target", "aarch64-unknown-linux-gnu"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    compiled = set(re.findall(r"^(\S+) v(\S+)", answer.stdout, re.MULTILINE)) - {(function, release.version())}
    assert len(compiled) > 100 and compiled - listed.keys() == set()
    assert {name for name, _ in listed} & OF_TESTS == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_bill_of_materials_is_the_lock_files(function: str, materials: dict[str, dict[str, Any]]) -> None:
    """Name, version and digest of every part that does not come from here; and its license."""
    locked = LOCKED.findall((ROOT / "Cargo.lock").read_text())
    digests = {(name, version): digest for name, version, digest in locked}
    for part in materials[function]["components"]:
        known = digests[part["name"], part["version"]]
        assert [one["content"] for one in part.get("hashes", []) if one["alg"] == "SHA-256"] == [known] * bool(known), (
            part
        )
        assert part["licenses"], part["name"]
