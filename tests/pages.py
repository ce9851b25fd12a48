"""The pages that people read, and the commands that they say."""

from __future__ import annotations

import re
import shlex
import string
import subprocess
from collections.abc import Mapping
from pathlib import Path

from environment import ROOT

SECTION = r"^#+ {heading}$(.*?)(?=^#+ |\Z)"


def commands(page: str, heading: str = "") -> list[str]:
    """The lines of a page's sh blocks, or of those of one section; continued ones joined, without comments."""
    text = (ROOT / page).read_text()
    if heading:
        (text,) = re.findall(SECTION.format(heading=re.escape(heading)), text, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [command for line in lines if (command := re.sub(r" +#.*", "", line).strip())]


def run(
    command: str, environment: Mapping[str, str], cwd: Path = ROOT, /, **names: str
) -> subprocess.CompletedProcess[str]:
    """A command of a page, with what its reader has in variables."""
    words = shlex.split(string.Template(command).safe_substitute(names))
    return subprocess.run(words, env=environment, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)


def done(command: str, environment: Mapping[str, str], cwd: Path = ROOT, /, **names: str) -> str:
    """The same, which must go well; what it prints."""
    answer = run(command, environment, cwd, **names)
    assert answer.returncode == 0, f"{command}\n{answer.stdout}{answer.stderr}"
    return answer.stdout
