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
from local_stack import Stack, fake_aws, local_stack

isolate()
WHOLE = pytest.StashKey[bool]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Permissions come last: they are held against what all other tests have called, if all of them run."""
    there = {file.name for file in Path(__file__).parent.glob("test_*.py")}
    chosen = config.option.keyword or config.option.markexpr or any("::" in argument for argument in config.args)
    config.stash[WHOLE] = not chosen and {item.path.name for item in items} >= there
    items.sort(key=lambda item: item.path.name == "test_permissions.py")


@pytest.fixture
def whole_suite(request: pytest.FixtureRequest) -> bool:
    """Whether all tests run, and none has failed so far."""
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
