"""Whatever the shell has, what runs here reaches this machine only, and is measured as anywhere."""

from __future__ import annotations

import pytest

from environment import clean_environment

HOSTILE = {
    "AWS_PROFILE": "prod",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "real",
    "AWS_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL": "http://192.0.2.1",
    "AWS_ENDPOINT_URL_ECS": "http://192.0.2.1",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere",
    "AWS_CONFIG_FILE": "/nowhere",
    "HTTPS_PROXY": "http://192.0.2.1",
    "http_proxy": "http://192.0.2.1",
    "SAM_CLI_CONTAINER_CONNECTION_TIMEOUT": "4711",
    "MINISTACK_HOST": "192.0.2.1",
    "MAKEFLAGS": " -j2 --jobserver-auth=3,4",
    "MFLAGS": "-j2 --jobserver-auth=3,4",
    "MAKELEVEL": "47",
    "PYTHONDONTWRITEBYTECODE": "bytecode",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_would_change_something_is_left_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, HOSTILE[name])
    assert HOSTILE[name] not in clean_environment().values()


def test_the_path_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/a/b")
    assert clean_environment()["PATH"].endswith("/a/b")
