"""`make guard`: functions and decisions take no more instructions than they did.

Unlike time, a count is the same on a busy machine; it differs by a thousandth between processors, which have other ways to
copy memory. Whoever needs more, or less, writes the new number here, and says why in the commit.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from build import RELEASE
from environment import DEBUG, LOCAL, ROOT, clean_environment
from processes import Child, Failed, Register, children
from runtime_api import SETTINGS, RuntimeApi

# Millions of instructions on x86_64, of the main thread. Of a function, as it is deployed, from its first to its first
# poll for an event: a cold start is billed. Beside it another thread reads the machine's certificates, which are others
# elsewhere. Of the examples, unoptimised: a thousand drains, each in six states; the tags of a thousand instances, ten
# times; six ticks for a thousand clusters; two thousand spot notices.
START = {"EcsDrainer": 3.37, "SpotInterruption": 3.31, "TagPolicy": 4.42, "EcsMetrics": 3.39, "SmokeTest": 3.36}
DECIDE = {"decide-drains": 42.8, "decide-tags": 136.7, "decide-ticks": 106.7, "decide-notices": 136.9}
TOLERANCE = 0.10
FOLDER = LOCAL / "guard"
UNPACKED = ROOT / ".venv" / "valgrind" / "usr"  # where `make` puts it on a machine that has none
SECONDS = 120
TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)


def counted(name: str, program: Path, environment: dict[str, str], register: Register) -> Child:
    """A program under callgrind, whose profile `callgrind_annotate .local/guard/NAME.out-01` shows."""
    valgrind = shutil.which("valgrind", path=os.pathsep.join([os.environ["PATH"], str(UNPACKED / "bin")]))
    if valgrind is None:
        raise Failed("valgrind is not there: install it (Debian: apt-get install valgrind)")
    if Path(valgrind).is_relative_to(UNPACKED):
        environment = {**environment, "VALGRIND_LIB": str(UNPACKED / "libexec" / "valgrind")}
    out = FOLDER / f"{name}.out"
    command = [valgrind, "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}", program]
    return register(Child(command, environment, FOLDER / f"{name}.log", ROOT))


def millions(child: Child) -> float:
    """The instructions of the main thread of a program that has ended."""
    profile = child.log.with_suffix(".out-01")
    found = TOTALS.search(profile.read_text()) if profile.exists() else None
    if found is None:
        raise child.failure("says no count")
    return int(found[1]) / 1e6


def start(function: str, register: Register) -> float:
    """Instructions of a function's start, in millions."""
    environment = clean_environment() | SETTINGS[function] | {"AWS_LAMBDA_FUNCTION_NAME": function}
    environment |= {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_FUNCTION_VERSION": "1"}
    with RuntimeApi(function) as api:
        environment["AWS_LAMBDA_RUNTIME_API"] = api.address
        child = counted(function, RELEASE / function / "bootstrap", environment, register)
        api.alive = child.running
        api.first_poll(SECONDS)
        child.stop()  # by the signal at which callgrind writes its count
    return millions(child)


def decide(example: str, register: Register) -> float:
    """Instructions of an example, in millions."""
    child = counted(example, DEBUG / "examples" / example, clean_environment(), register)
    child.result(SECONDS)
    return millions(child)


def holds(name: str, now: float, before: float) -> bool:
    """Says how a count compares with the one before, and whether it is near enough."""
    near = abs(now - before) <= TOLERANCE * before
    verdict = "" if near else f": more than {TOLERANCE:.0%} off; mend it, or write the new number into tests/guard.py"
    print(f"{name}: {now:.2f} million instructions, {before:.2f} before{verdict}")
    return near


def main() -> int:
    """Counts, and compares."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        print(f"not counted: the numbers are of Linux on x86_64, this is {sys.platform} on {platform.machine()}")
        return 0
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    jobs: list[tuple[dict[str, float], Callable[[str, Register], float]]] = [(START, start), (DECIDE, decide)]
    try:
        with children() as register:
            sound = [
                holds(name, count(name, register), before) for numbers, count in jobs for name, before in numbers.items()
            ]
    except Failed as fault:
        print(fault, file=sys.stderr)
        return 1
    return int(not all(sound))


if __name__ == "__main__":
    sys.exit(main())
