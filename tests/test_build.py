"""What is deployed without a release build is the template with the functions that the crates' tests were compiled with."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from awscli.customizations.cloudformation.yamlhelper import yaml_parse

import build
from environment import ROOT
from processes import children
from transformed import LOCAL_FILES


def with_paths(template: Path) -> tuple[dict[str, Any], dict[str, Path]]:
    """A template without the paths in it, and those by resource."""
    parsed = yaml_parse(template.read_text())
    made = {name: one for name, one in parsed["Resources"].items() if not name.startswith("Fn::")}
    known = {name: LOCAL_FILES.get(one["Type"]) for name, one in made.items()}
    return parsed, {name: template.parent / made[name]["Properties"].pop(key) for name, key in known.items() if key}


@pytest.fixture(scope="module")
def unoptimised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of such a build, packed."""
    folder, run = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("run")
    with children() as register:
        build.cargo_build(folder, run, register, print)
        build.pack(folder, run, register)
    return folder


def test_every_function_has_its_crate() -> None:
    _, paths = with_paths(build.TEMPLATE)
    crates = {name: path for name, path in paths.items() if path.suffix != ".json"}
    assert crates == {function: ROOT / "crates" / build.crate(function) for function in build.LARGEST}


def test_another_profile_is_another_build(monkeypatch: pytest.MonkeyPatch) -> None:
    before = build.fingerprint()
    monkeypatch.setenv("CARGO_PROFILE_RELEASE_OPT_LEVEL", "z")
    assert build.fingerprint() != before


def test_nothing_but_the_paths_differs(unoptimised: Path) -> None:
    template, paths = with_paths(build.TEMPLATE)
    built, found = with_paths(unoptimised / "template.yaml")
    assert built == template
    functions = {function: unoptimised / function for function in build.LARGEST}
    assert found == {**paths, **functions}


@pytest.mark.parametrize("function", build.LARGEST)
def test_a_function_is_there_and_can_be_run(unoptimised: Path, function: str) -> None:
    binary = unoptimised / function / "bootstrap"
    assert binary.stat().st_mode & 0o111 == 0o111
    whole = (build.DEBUG / build.crate(function)).stat().st_size
    assert 0 < binary.stat().st_size < whole, "without symbols"


def test_what_is_packed_is_the_same(unoptimised: Path) -> None:
    template, paths = with_paths(unoptimised / "template.yaml")
    packed, found = with_paths(unoptimised / "template.json")
    assert packed == template
    archives = {function: unoptimised / f"{function}.zip" for function in build.LARGEST}
    assert found == {**paths, **archives}
    for function, file in archives.items():
        with zipfile.ZipFile(file) as archive:
            (entry,) = archive.infolist()
            assert (entry.filename, entry.external_attr >> 16) == ("bootstrap", 0o100755)
            assert archive.read(entry) == (unoptimised / function / "bootstrap").read_bytes()
