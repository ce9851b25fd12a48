"""What the tests share: an isolated process, and the fake AWS where a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from xdist.scheduler import LoadScopeScheduling

import fleet
import policy
import spot
from environment import OWN, client_settings, isolate
from local_stack import RUNS, Stack, fake_aws, local_stack

isolate()
JUDGES = "test_permissions.py"
# The files with the fixtures `stack` and `spot_stack`, which are there once a process.
SHARING = {"test_deployed.py", "test_events.py", "test_spot.py", "test_tag_policy.py"}
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


class ByStack(LoadScopeScheduling):
    """Tests of a file run one after the other, in one process, and so do those of files that share a stack.

    xdist's own groups are not heeded by pytest 9.2: they go by a suffix of the test's id, which it keeps elsewhere.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0].rpartition("/")[2]
        return "shared" if file in SHARING else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByStack:
    """How tests are handed out where several processes run them."""
    return ByStack(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Permissions come last, what deploys first: it waits most of its time, while another process runs the rest."""
    files = {item.path for item in items}
    there = {file.name for file in Path(__file__).parent.glob("test_*.py")}
    chosen = config.option.keyword or config.option.markexpr or any("::" in argument for argument in config.args)
    whole = not chosen and {file.name for file in files} >= there
    config.stash[WHOLE] = whole or config.option.after_all
    deploying = {file for file in files if "local_stack(" in file.read_text()}
    items.sort(key=lambda item: (item.path.name == JUDGES, item.path.name not in SHARING, item.path not in deploying))


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
    with fake_aws(OWN) as endpoint:
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
