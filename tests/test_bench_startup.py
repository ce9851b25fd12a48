"""The start-up bench: the runtime API that it speaks, and its smallest run."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import bench_startup
from bench_startup import (
    EMPTY,
    OURS,
    THEIRS,
    Measured,
    Results,
    contestants,
    less_cpu,
    measure,
    report,
    same_calls,
    tables,
    trusting_one,
)
from bench_startup_run import WORLD, Contestant, Function, Runner, Start, functions
from bench_startup_tls import machine_bundle, tls_front
from environment import DEBUG, clean_environment
from local_stack import start_fake
from processes import Failed, Register, children
from runtime_api import NEXT, RUNTIME, Connection, RuntimeApi, split_request

NOTHING = Function(EMPTY, "EmptyFunction", dict)


def test_requests_are_split_where_they_end() -> None:
    """With a length, in chunks with or without trailers, in pieces."""
    length = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    chunked = b"POST /b HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n"
    for whole, path in ((length, "/a"), (chunked + b"\r\n", "/b"), (chunked + b"Some-Trailer: x\r\n\r\n", "/b")):
        assert split_request(whole + b"GET") == ("POST", path, b"abc", b"GET")
        for end in range(len(whole)):
            assert split_request(whole[:end]) is None, whole[:end]
    assert split_request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == ("GET", "/", b"", b"")


class Doubler(threading.Thread):
    """A function that doubles a number, on one connection that it keeps; of nothing it makes an error."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection(address, timeout=5)
        self.headers: dict[str, str] = {}

    def run(self) -> None:
        """Until an event ends it."""
        while True:
            self.connection.request("GET", NEXT)
            response = self.connection.getresponse()
            event = json.loads(response.read())
            self.headers = dict(response.getheaders())
            path = f"{RUNTIME}/invocation/{self.headers['Lambda-Runtime-Aws-Request-Id']}"
            if event is None:
                self.connection.request("POST", f"{path}/error", b'{"errorType": "None"}')
                return
            self.connection.request("POST", f"{path}/response", json.dumps(event * 2).encode())
            assert self.connection.getresponse().read()


def test_a_function_is_invoked_as_by_lambda() -> None:
    """Again and again on one connection, without Nagle's delay; an error is one."""
    with RuntimeApi("doubler") as api:
        doubler = Doubler(api.address)
        doubler.start()
        assert api.first_poll(5) > 0
        answers = [api.invoke(json.dumps(number).encode(), 5) for number in range(200)]
        assert [json.loads(answer.body) for answer in answers] == [number * 2 for number in range(200)]
        assert all(0 < answer.nanoseconds < 1e9 for answer in answers)
        assert {"Lambda-Runtime-Deadline-Ms", "Lambda-Runtime-Invoked-Function-Arn"} < doubler.headers.keys()
        assert doubler.headers["Lambda-Runtime-Invoked-Function-Arn"].endswith(":function:doubler")
        (connection,) = api.connections
        assert connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        with pytest.raises(Failed, match="errorType"):
            api.invoke(b"null", 5)
        doubler.join()


def test_a_function_that_ends_or_says_nothing_is_an_error() -> None:
    """Not a figure."""
    with RuntimeApi("silent") as api:
        with pytest.raises(Failed, match="has said nothing"):
            api.first_poll(0.1)
        with pytest.raises(Failed, match="has not asked"):
            api.invoke(b"{}", 0.1)

        def ended() -> None:
            raise Failed("it ended with 1")

        api.alive = ended
        with pytest.raises(Failed, match="it ended with 1"):
            api.first_poll(5)


def test_a_request_that_is_cut_off_is_an_error() -> None:
    """Half a request is none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        far = socket.create_connection(listener.getsockname())
        near, _ = listener.accept()
    with near, far:
        connection = Connection(near)
        far.sendall(b"GET ")
        assert connection.read() is None
        far.close()
        with pytest.raises(Failed, match="hung up"):
            connection.read()


def test_tls_is_checked(tmp_path: Path) -> None:
    """Only who trusts the front's own authority can speak to it; what it says comes from behind it."""
    with socket.create_server(("127.0.0.1", 0)) as behind:
        address = "http://{}:{}".format(*behind.getsockname())
        with tls_front(address, tmp_path) as front:
            place = urlsplit(front.address)
            host, port = place.hostname or "", place.port or 0
            stranger = ssl.create_default_context(cafile=machine_bundle())
            with socket.create_connection((host, port)) as plain, pytest.raises(ssl.SSLCertVerificationError):
                stranger.wrap_socket(plain, server_hostname=host)
            for trusted in (front.authorities, front.one_authority):
                context = ssl.create_default_context(cafile=trusted)
                plain = socket.create_connection((host, port))
                with plain, context.wrap_socket(plain, server_hostname=host) as client:
                    far, _ = behind.accept()
                    client.sendall(b"asked")
                    assert far.recv(5) == b"asked"
                    far.sendall(b"answered")
                    assert client.recv(8) == b"answered"
                    far.close()


def test_a_peer_with_other_calls_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it takes would say nothing."""
    ours, theirs = (Contestant(side, NOTHING, ("x",)) for side in (OURS, THEIRS))
    calls = {ours: {"Scan": 1}, theirs: {"Scan": 1}}
    monkeypatch.setattr(Runner, "calls", lambda _self, _fake, contestant: calls[contestant])
    runner = Runner(Path(), "", Path())
    assert same_calls(runner, "", [ours, theirs]) == {EMPTY: {"Scan": 1}}
    calls[theirs] = {"Scan": 2}
    with pytest.raises(Failed, match=r"boto3 calls \{'Scan': 2\}, the other \{'Scan': 1\}"):
        same_calls(runner, "", [ours, theirs])


def test_the_report_says_what_is_missed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Goal by goal."""
    monkeypatch.setattr(bench_startup, "bars", lambda *_, **__: "")
    (tmp_path / "TagPolicy").mkdir()
    (tmp_path / "TagPolicy" / "bootstrap").write_bytes(bytes(1_000_000))
    (tmp_path / "TagPolicy.zip").write_bytes(bytes(900_000))
    tag_policy = Function("tag-policy", "TagPolicy", dict)
    ours, theirs = Contestant(OURS, tag_policy, ("x",)), Contestant(THEIRS, tag_policy, ("x",))
    empty = Contestant("empty", NOTHING, ("x",))
    plain: Results = {ours: [Start(4, 3, 2, 7, [1], 1, 9)], theirs: [Start(100, 80, 20, 90, [10], 5, 70)]}
    plain[empty] = [Start(2, 1, 0.5, 1.5)]
    tls: Results = {ours: [Start(4, 3, 8, 9, peak_mb=11)], theirs: [Start(100, 80, 60, 120, peak_mb=75)]}
    measured = Measured(plain, tls, {ours: [Start(3.5, 1, 2, 2)]})
    text = report(measured, {"tag-policy": {"Scan": 1, "UpdateItem": 1}, EMPTY: {}}, tmp_path, 1, 1)
    for line in (
        "\n- tag-policy: 1 Scan, 1 UpdateItem\n",
        "| tag-policy: start | ≤ 5 ms | 4 ms | met |",
        "| tag-policy: times faster to start than boto3 | ≥ 50× | 25× | **missed** |",
        "| tag-policy: memory | ≤ 10 MB | 11 MB | **missed** |",
        "| tag-policy: zipped, of 1.0 MB | ≤ 3 MB | 0.900 MB | met |",
    ):
        assert line in text
    assert "| tag-policy, ours | 4 | 3.50 | 3 | 5 | 11 |" in tables(measured)
    assert "| empty | 0.500 | - | - | - | 0 |" in tables(measured)


def test_rounds_are_compared_one_by_one() -> None:
    # The medians differ by 1, the rounds by 1, 2 and 3.
    starts, others = ([Start(0, 0, 0, cpu) for cpu in each] for each in ((10, 2, 23), (9, 0, 20)))
    assert less_cpu(starts, others).median == 2


def test_each_round_has_everybody_once_and_an_order_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Contestant] = []

    def start(_self: Runner, contestant: Contestant, warm: int) -> Start:
        started.append(contestant)
        return Start(1, 1, 1, 1)

    monkeypatch.setattr(Runner, "start", start)
    everybody = [Contestant(str(number), NOTHING, ("x",)) for number in range(9)]
    before = Contestant("before", NOTHING, ("x",))
    results = measure(Runner(Path(), "", Path()), 4, 0, everybody, before, "")
    assert set(started[::2]) == {before}
    started = started[1::2]
    rounds = [tuple(started[first : first + 9]) for first in range(0, len(started), 9)]
    assert len(rounds) == len(set(rounds)) == 5, "one that does not count, and four"
    assert all(set(one) == set(everybody) for one in rounds)
    assert list(results) == everybody and {len(starts) for starts in results.values()} == {4}


def test_ours_start_once_more_with_one_authority(tmp_path: Path) -> None:
    ours, theirs = (Contestant(side, NOTHING, ("x",)) for side in (OURS, THEIRS))
    trusting = trusting_one([ours, theirs], tmp_path / "one.pem")
    assert list(trusting) == [ours]
    runner = Runner(tmp_path, "", tmp_path / "all.pem")
    for contestant, expected in ((ours, "all.pem"), (theirs, "all.pem"), (trusting[ours], "one.pem")):
        environment = runner.environment(contestant)
        assert {environment[name] for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE")} == {str(tmp_path / expected)}


@pytest.fixture
def register() -> Iterator[Register]:
    """What ends with the test."""
    with children() as registering:
        yield registering


def test_the_smallest_run(register: Register, tmp_path: Path) -> None:
    """Each function once against its peer, and one of ours over TLS."""
    (tmp_path / "world.json").write_text(json.dumps(WORLD))
    fake = start_fake(tmp_path, clean_environment(), register, scenario=tmp_path / "world.json")
    built = tmp_path / "built"
    for function in functions(fake):
        (built / function.resource).mkdir(parents=True)
        (built / function.resource / "bootstrap").symlink_to(DEBUG / function.crate)
    with tls_front(fake, tmp_path) as front:
        *callers, _ = contestants(built, Path(), fake)
        calls = same_calls(Runner(tmp_path, fake, front.authorities), fake, callers)
        assert set(calls) == {"ecs-drainer", "tag-policy", "ecs-metrics", "spot-interruption"}
        assert all(calls.values())
        start = Runner(tmp_path, front.address, front.authorities).start(callers[0], warm=2)
        assert 0 < start.poll_cpu_ms < start.first_cpu_ms
        assert 0 < start.poll_ms < 1_000
        assert len(start.warm_ms) == 2
        assert start.peak_mb > 5
