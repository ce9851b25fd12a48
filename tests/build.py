"""`sam build` of the template for this machine's processor, and what the outcome may weigh."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from environment import LOCAL, ROOT, clean_environment
from processes import Child, Failed, Register, children

BUILT = LOCAL / "build"
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


def build(run: Path, register: Register, say: Callable[[str], None] = print) -> None:
    """`sam build`, when something has changed since the last one: it takes long even to find out that nothing has."""
    stamp, now = LOCAL / "built", fingerprint()
    if stamp.exists() and stamp.read_text() == now:
        return
    stamp.unlink(missing_ok=True)
    no_settings = run / "empty.toml"
    no_settings.touch()
    command = ["sam", "build", "--template", ROOT / "template.yaml", "--build-dir", BUILT]
    command += ["--config-file", no_settings, "--parameter-overrides", f"Architecture={architecture()}"]
    register(Child(command, clean_environment(), run / "sam-build.log", ROOT)).result(BUILD_SECONDS, say)
    stamp.write_text(now)


def main() -> int:
    """Builds, and compares the binaries' sizes with what is allowed."""
    run = LOCAL / "sam-build"
    run.mkdir(parents=True, exist_ok=True)
    try:
        with children() as register:
            build(run, register)
    except Failed as fault:
        print(fault, file=sys.stderr)
        return 1
    sizes = {function: (BUILT / function / "bootstrap").stat().st_size for function in LARGEST}
    for function, size in sizes.items():
        print(f"{function}: {size:,} bytes of {LARGEST[function]:,} allowed")
    return int(any(size > LARGEST[function] for function, size in sizes.items()))


if __name__ == "__main__":
    sys.exit(main())
