"""cloud-custodian's own command line, which tells at its end how much memory it has had at most, in KiB.

    tags_custodian.py FILE run POLICIES ...

The process that started it could not see that any more, and would take its own memory for the child's if it asked for
`ru_maxrss`, which is inherited.
"""

from __future__ import annotations

import sys
from pathlib import Path

from c7n.cli import main


def most_memory() -> str:
    """Of this process, so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    answer = Path(sys.argv.pop(1))
    try:
        main()
    finally:
        answer.write_text(most_memory())
