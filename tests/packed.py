"""Does once what `sam deploy` would do for each stack: makes archives of the functions, and reads YAML, which is slow.

    .venv/sam/bin/python tests/packed.py .local/build

Writes template.json beside the template.yaml of a build; SAM reads it several times for a deployment. Run with SAM's own
Python, which knows CloudFormation's short forms; `build.py` does.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

from samcli.yamlhelper import yaml_parse

EXECUTABLE = 0o100755 << 16


def archive(binary: Path, file: Path) -> None:
    """What Lambda takes: a file that may be run. Its date never changes: the same code makes the same archive."""
    entry = zipfile.ZipInfo(binary.name)
    entry.external_attr = EXECUTABLE
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr(entry, binary.read_bytes())


def main(folder: Path) -> None:
    """Packs a build."""
    template = yaml_parse((folder / "template.yaml").read_text())
    for name, resource in template["Resources"].items():
        if not name.startswith("Fn::") and resource["Type"] == "AWS::Serverless::Function":
            archive(folder / name / "bootstrap", folder / f"{name}.zip")
            resource["Properties"]["CodeUri"] = f"{name}.zip"
    (folder / "template.json").write_text(json.dumps(template))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
