"""What the tests share: an isolated process, and the fake AWS where a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

import fleet
import policy
import spot
from environment import LOCAL, client_settings, isolate
from local_stack import RUNS, Stack, fake_aws, local_stack

isolate()
JUDGES = "test_permissions.py"
WHOLE = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Permissions are held against what all other tests have called, and these may run side by side before."""
    text = "all other tests have just run, and passed: judge what was called on their stacks"
    parser.addoption("--after-all", action="store_true", help=text)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Stacks of an earlier session are nothing to this one."""
    is_worker = hasattr(session.config, "workerinput")
    if not is_worker and not session.config.option.after_all:
        RUNS.unlink(missing_ok=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Permissions come last. Side by side run only files that deploy: all else is one group."""
    there = {file.name for file in Path(__file__).parent.glob("test_*.py")}
    chosen = config.option.keyword or config.option.markexpr or any("::" in argument for argument in config.args)
    whole = not chosen and {item.path.name for item in items} >= there
    config.stash[WHOLE] = whole or config.option.after_all
    items.sort(key=lambda item: item.path.name == JUDGES)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))


def group(item: pytest.Item) -> str:
    """Those of a group run one after the other, in one process: they have a stack in common, or a folder for logs."""
    text = item.path.read_text()
    shared = {"stack", "spot_stack"} & {*getattr(item, "fixturenames", ())}
    if shared or 'getfixturevalue("stack")' in text:
        return min(shared, default="stack")
    return item.path.name if "local_stack(" in text else "rest"


@pytest.fixture
def whole_suite(request: pytest.FixtureRequest) -> bool:
    """Whether all tests run, or just have, and none has failed so far."""
    return request.config.stash.get(WHOLE, False) and not request.session.testsfailed


class Clients:
    """boto3 clients of one endpoint, without retries: a test wants the first answer."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def __call__(self, service: str) -> Any:
        return boto3.client(service, **client_settings(self.endpoint))


@pytest.fixture
def fake() -> Iterator[Clients]:
    """A fake AWS of this test's own, at the beginning of its scenario."""
    with fake_aws(LOCAL / "tests") as endpoint:
        yield Clients(endpoint)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole stack, deployed once for all that can share it: a drain, and the tag policy's runs.

    Nothing starts the metric writer here: its calls would be taken for theirs.
    """
    parameters = {"PassIntervalSeconds": 5, "ReportEmail": policy.ADDRESS, "EcsMetricsDriver": "off"}
    with local_stack(parameters, world=fleet.WORLD) as deployed:
        yield deployed


@pytest.fixture(scope="session")
def spot_stack() -> Iterator[Stack]:
    """The stack for spot notices: what is looked for there is not to be found by another event or an earlier look."""
    with local_stack(spot.PARAMETERS, world=spot.TESTED) as deployed:
        spot.tag(deployed, [*spot.instances(deployed), *spot.SAMPLED, spot.ALONE])
        spot.subscribe(deployed)
        yield deployed
