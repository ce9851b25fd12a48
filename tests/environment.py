"""The environment of everything that runs locally: nothing in it can reach an AWS account."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
DEBUG = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug"
REGION = "us-east-1"
# Logs of this process's tests: several may run side by side, and of some a file tells the address.
OWN = LOCAL / "tests" / os.environ.get("PYTEST_XDIST_WORKER", "alone")

# What could point a client, the emulator or SAM somewhere else, or give it somebody's credentials.
FOREIGN_PREFIXES = ("AWS_", "SAM_", "MINISTACK_", "LAMBDA_", "LOCALSTACK_")
FOREIGN = (
    # The flags and the job server of an outer `make` are not for one that a test starts.
    *("MAKEFLAGS", "MFLAGS", "MAKELEVEL"),
    # With this, every Python program compiles all that it imports, every time: seconds, in whatever is measured.
    "PYTHONDONTWRITEBYTECODE",
)


def is_foreign(name: str) -> bool:
    """Whether a variable of the caller's is kept away from what runs locally."""
    return name.upper().startswith(FOREIGN_PREFIXES) or name.upper().endswith("_PROXY") or name in FOREIGN


def clean_environment() -> dict[str, str]:
    """The caller's environment without AWS, with credentials that are good for emulators only."""
    environment = {name: value for name, value in os.environ.items() if not is_foreign(name)}
    path = [str(ROOT / ".venv" / venv / "bin") for venv in ("sam", "judge")]
    return environment | {
        "PATH": os.pathsep.join([*path, environment.get("PATH", os.defpath)]),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "NO_PROXY": "127.0.0.1,localhost",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "1",  # seconds between two looks at the stack, instead of 5
        "__SAM_CLI_APP_DIR": str(LOCAL / "sam"),  # instead of ~/.aws-sam
        # The C compiler of the machine links; cargo-lambda's default, Zig, is for other machines' glibc.
        "CARGO_LAMBDA_COMPILER": "cargo",
        "CARGO_TERM_COLOR": "never",
    }


def isolate() -> None:
    """Makes this very process as clean as its children: boto3 reads profiles and proxies here."""
    cleaned = clean_environment()
    os.environ.clear()
    os.environ.update(cleaned)


def client_settings(endpoint: str) -> dict[str, str]:
    """Keyword arguments of a boto3 client that can only reach `endpoint`."""
    return {
        "endpoint_url": endpoint,
        "region_name": REGION,
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }
