"""What the commands of the benches have in common: options, the binaries that they measure, and the end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import bench_report as report
from build import build
from environment import LOCAL, isolate
from processes import Failed, children


def command_line(what: str | None) -> argparse.ArgumentParser:
    """With what every bench can be told; `what` is its module's documentation."""
    parser = argparse.ArgumentParser(description=(what or "").split("\n", 1)[0])
    binaries = "a folder of functions and archives as `make size` leaves it, of another commit for instance"
    parser.add_argument("--built", type=Path, help=binaries)
    parser.add_argument("--page", type=Path, default=report.PAGE, help="written instead; its charts go beside it")
    return parser


def asked(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; charts go where they say."""
    options = parser.parse_args(arguments)
    report.CHARTS = options.page.with_suffix("")
    return options


def folder(name: str) -> Path:
    """Where a bench leaves its logs."""
    made = LOCAL / f"bench-{name}"
    made.mkdir(parents=True, exist_ok=True)
    return made


def bench(
    name: str, heading: str, options: argparse.Namespace, measure: Callable[[Path], str], built_with: Callable[[], str]
) -> int:
    """Builds, measures, and writes the block: its text is what `measure` makes of the folder of built functions."""
    isolate()
    try:
        with children() as register:
            built: Path = options.built or build(folder(name), register, release=True)
        text = measure(built.absolute())
    except (Failed, TimeoutError, OSError) as fault:
        print(f"FAIL: {fault}", file=sys.stderr)
        return 1
    report.write_block(name, heading, f"make bench-{name}", text, built_with(), options.page)
    return 0
