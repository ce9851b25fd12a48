"""The functions for this machine's processor, as AWS would be given them, and what they may weigh."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import sys
from collections.abc import Callable
from pathlib import Path

from environment import DEBUG, LOCAL, ROOT, clean_environment
from processes import Child, Failed, Register, children

TEMPLATE = ROOT / "template.yaml"
RELEASE, QUICK = LOCAL / "build", LOCAL / "build-quick"
BUILD_SECONDS = 3_600  # a release build from nothing on two busy cores; the EC2 SDK takes a third of it
# Everything that goes into a build, besides the crates.
SOURCES = (
    "template.yaml",
    "Cargo.*",
    "rust-toolchain.toml",
    ".cargo/config.toml",
    "tests/requirements/sam.txt",
    "tests/packed.py",
)
IN_NO_FUNCTION = {"aws-fake", "empty-function", "costs", "fuzz", "simulation", "tag-policy-rules", "tests", "examples"}
# Beginnings of variables that change what cargo makes.
TELL_CARGO = ("CARGO_PROFILE_", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS")
# Bytes of the binary, and of it zipped. A cold start fetches the one and reads the other; a second TLS stack or a lost
# profile setting adds megabytes. TLS and the SDK's runtime alone make three quarters of it.
LARGEST = {
    "EcsDrainer": (9_000_000, 3_600_000),
    "SpotInterruption": (7_400_000, 3_200_000),
    "TagPolicy": (9_600_000, 4_000_000),
    "EcsMetrics": (8_550_000, 3_500_000),
    "SmokeTest": (7_400_000, 3_200_000),
}


def architecture() -> str:
    """This machine's, in Lambda's words."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def fingerprint() -> str:
    """Changes when a function would come out differently, also by what the shell tells cargo."""
    crates = (ROOT / "crates").rglob("*")
    files = [path for path in crates if path.is_file() and not IN_NO_FUNCTION & set(path.parts)]
    told = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith(TELL_CARGO))
    digest = hashlib.sha256("\0".join([architecture(), *told]).encode())
    for path in sorted([*files, *(path for pattern in SOURCES for path in ROOT.glob(pattern))]):
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build(run: Path, register: Register, say: Callable[[str], None] = print, release: bool = False) -> Path:
    """What AWS would be given: a folder with the template and the functions.

    Unoptimised, as `make rust` compiles them, unless a release build is there already or wanted.
    """
    with (LOCAL / "build.lock").open("w") as lock:  # several processes may want it; it is let go with the file
        fcntl.flock(lock, fcntl.LOCK_EX)
        now = fingerprint()
        for folder, make in ((RELEASE, sam_build), (QUICK, cargo_build)):
            stamp = folder.with_suffix(".built")
            if stamp.exists() and stamp.read_text() == now:
                return folder
            if release:
                break
        stamp.unlink(missing_ok=True)
        make(folder, run, register, say)
        pack(folder, run, register)
        stamp.write_text(now)
        return folder


def sam_build(folder: Path, run: Path, register: Register, say: Callable[[str], None]) -> None:
    """As `make build`, for this machine's processor.

    SAM has one function compiled after the other, and a link takes a minute of one core; so all are compiled before,
    and SAM finds them there.
    """
    environment = clean_environment()
    command = ["cargo", "lambda", "build", "--release", "--locked"]
    command += ["--arm64"] if architecture() == "arm64" else []
    command += [argument for function in LARGEST for argument in ("--package", crate(function))]
    register(Child(command, environment, run / "cargo-lambda.log", ROOT)).result(BUILD_SECONDS, say)
    no_settings = run / "empty.toml"
    no_settings.touch()
    command = ["sam", "build", "--template", ROOT / "template.yaml", "--build-dir", folder]
    command += ["--language-extensions", "--config-file", no_settings]
    command += ["--parameter-overrides", f"Architecture={architecture()}"]
    register(Child(command, environment, run / "sam-build.log", ROOT)).result(BUILD_SECONDS, say)


def cargo_build(folder: Path, run: Path, register: Register, say: Callable[[str], None]) -> None:
    """The functions that the tests of the crates are compiled with: nothing is compiled once more."""
    environment = clean_environment()
    register(Child(["make", "rust"], environment, run / "make-rust.log", ROOT)).result(BUILD_SECONDS, say)
    template = TEMPLATE.read_text()
    for function in LARGEST:
        binary = folder / function / "bootstrap"
        binary.parent.mkdir(parents=True, exist_ok=True)
        strip = ["strip", "-o", binary, DEBUG / crate(function)]  # less to be uploaded
        register(Child(strip, environment, run / "strip.log", ROOT)).result(BUILD_SECONDS)
        template = template.replace(f"CodeUri: crates/{crate(function)}\n", f"CodeUri: {function}\n")
    for path in re.findall(r"DefinitionUri: (.+)", template):
        template = template.replace(f"DefinitionUri: {path}\n", f"DefinitionUri: {ROOT / path}\n")
    (folder / "template.yaml").write_text(template)


def pack(folder: Path, run: Path, register: Register) -> None:
    """Leaves a template.json that is deployed faster."""
    command = [ROOT / ".venv" / "sam" / "bin" / "python", ROOT / "tests" / "packed.py", folder]
    register(Child(command, clean_environment(), run / "packed.log", ROOT)).result(BUILD_SECONDS)


def crate(function: str) -> str:
    """Of a function by its name in the template: EcsDrainer's is ecs-drainer."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", function).lower()


def sizes(folder: Path, function: str) -> tuple[int, int]:
    """Of a built function's binary, and of its archive."""
    return (folder / function / "bootstrap").stat().st_size, (folder / f"{function}.zip").stat().st_size


def main() -> int:
    """Builds, and compares the binaries' sizes with what is allowed."""
    run = LOCAL / "sam-build"
    run.mkdir(parents=True, exist_ok=True)
    try:
        with children() as register:
            folder = build(run, register, release=True)
    except Failed as fault:
        print(fault, file=sys.stderr)
        return 1
    sound = True
    for function, (largest, largest_zipped) in LARGEST.items():
        size, zipped = sizes(folder, function)
        print(f"{function}: {size:,} bytes of {largest:,} allowed, zipped {zipped:,} of {largest_zipped:,}")
        sound = sound and size <= largest and zipped <= largest_zipped
    return int(not sound)


if __name__ == "__main__":
    sys.exit(main())
