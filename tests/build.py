"""`sam build` of the template for this machine's processor, and what the outcome may weigh."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from environment import LOCAL, ROOT, clean_environment
from processes import Child, Failed, Register, children

RELEASE, QUICK = LOCAL / "build", LOCAL / "build-quick"
BUILD_SECONDS = 1_800  # a release build from nothing on two busy cores
# Everything that goes into the functions' binaries, besides the crates.
SOURCES = ("template.yaml", "Cargo.*", "rust-toolchain.toml", ".cargo/config.toml", "tests/requirements/sam.txt")
# Bytes of the binary. A cold start reads it all; a second TLS stack or a lost profile setting adds megabytes.
LARGEST = {"EcsDrainer": 9_000_000}


def architecture() -> str:
    """This machine's, in Lambda's words."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def fingerprint() -> str:
    """Changes when a function would come out differently. The fake goes into none."""
    crates = (ROOT / "crates").rglob("*")
    files = [path for path in crates if path.is_file() and "aws-fake" not in path.parts]
    digest = hashlib.sha256(architecture().encode())
    for path in sorted([*files, *(path for pattern in SOURCES for path in ROOT.glob(pattern))]):
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build(run: Path, register: Register, say: Callable[[str], None] = print, quick: bool = False) -> Path:
    """`sam build`, when something has changed since the last one: it takes long even to find out that nothing has.

    A quick one is unoptimised, for a first run; it gives way to a release build that is there.
    Answers the folder of the built template.
    """
    now = fingerprint()
    for folder in (RELEASE, QUICK) if quick else (RELEASE,):
        stamp = folder.with_suffix(".built")
        if stamp.exists() and stamp.read_text() == now:
            return folder
    stamp.unlink(missing_ok=True)
    no_settings = run / "empty.toml"
    no_settings.touch()
    command = ["sam", "build", "--template", ROOT / "template.yaml", "--build-dir", folder]
    command += ["--config-file", no_settings, "--parameter-overrides", f"Architecture={architecture()}"]
    mode = {"SAM_BUILD_MODE": "debug"} if quick else {}
    register(Child(command, clean_environment() | mode, run / "sam-build.log", ROOT)).result(BUILD_SECONDS, say)
    stamp.write_text(now)
    return folder


def main() -> int:
    """Builds, and compares the binaries' sizes with what is allowed."""
    run = LOCAL / "sam-build"
    run.mkdir(parents=True, exist_ok=True)
    try:
        with children() as register:
            built = build(run, register)
    except Failed as fault:
        print(fault, file=sys.stderr)
        return 1
    sizes = {function: (built / function / "bootstrap").stat().st_size for function in LARGEST}
    for function, size in sizes.items():
        print(f"{function}: {size:,} bytes of {LARGEST[function]:,} allowed")
    return int(any(size > LARGEST[function] for function, size in sizes.items()))


if __name__ == "__main__":
    sys.exit(main())
