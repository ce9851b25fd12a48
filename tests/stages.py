"""Each stage's parameters, from its table of samconfig.toml to where the pipeline's CloudFormation actions read them.

    .venv/sam/bin/python tests/stages.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import tomlkit

from environment import ROOT

STAGES = ("beta", "gamma", "prod")


def parameters(stage: str) -> dict[str, str]:
    """A stage's parameters of the template."""
    tables = tomlkit.parse((ROOT / "samconfig.toml").read_text()).unwrap()
    overrides = tables[stage]["deploy"]["parameters"]["parameter_overrides"]
    return dict(override.split("=", 1) for override in overrides)


def main(folder: Path) -> None:
    """Writes a file a stage (CodePipeline user guide, template configuration file)."""
    folder.mkdir(parents=True, exist_ok=True)
    for stage in STAGES:
        (folder / f"{stage}.json").write_text(json.dumps({"Parameters": parameters(stage)}, indent=2) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
