"""Lambda's runtime API for one function on this machine, and when the function asked what.

As Lambda speaks it: HTTP/1.1 on connections that are kept, sent at once (no Nagle delay), all headers of an invocation.
Whatever is done between two clock readings is a system call or two, and the same for every function.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from processes import Failed

RUNTIME = "/2018-06-01/runtime"
NEXT = f"{RUNTIME}/invocation/next"
ANSWER = re.compile(RUNTIME + r"/invocation/([^/]+)/(response|error)")
TOPIC = "arn:aws:sns:us-east-1:123456789012:"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:"
# What the functions cannot start without, by their names in the template.
SETTINGS = {
    "EcsDrainer": {"DRAIN_TOPIC_ARN": f"{TOPIC}drain"},
    "SpotInterruption": {"DRAIN_TOPIC_ARN": f"{TOPIC}drain", "NOTICE_TOPIC_ARN": f"{TOPIC}operations"},
    "TagPolicy": {"RULES_TABLE": "rules", "STATE_TABLE": "state", "REPORT_TOPIC_ARN": f"{TOPIC}reports"},
    "EcsMetrics": {"CLUSTERS": "prod"},
    "SmokeTest": {
        f"{name}_VERSION_ARN": f"{FUNCTION}{name.lower()}:1"
        for name in ("ECS_DRAINER", "SPOT_INTERRUPTION", "TAG_POLICY", "ECS_METRICS")
    },
}
TIMEOUT_SECONDS = 60  # a function's, where nothing else is said
PATIENCE_SECONDS = 30  # beyond that, on a busy machine
LOOK_SECONDS = 0.5  # between two looks at whether the function is still there
ACCEPTED = b'{"status":"OK"}\n'


@dataclass
class Request:
    """What the function sent, and when its last byte was here (nanoseconds of the monotonic clock)."""

    method: str
    path: str
    body: bytes
    at: int


@dataclass
class Answer:
    """A function's answer to an event, and the time from the event's first byte out to the answer's last one in."""

    body: bytes
    nanoseconds: int


class Connection:
    """One connection of the function, whose bytes become requests."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connected
        self._received = b""
        self.ended = False

    def read(self) -> Request | None:
        """What has come; a request as soon as it is whole. An end in the middle of one is an error."""
        received = self.socket.recv(1 << 16)
        now = time.perf_counter_ns()
        self.ended = not received
        if self.ended and self._received:
            raise Failed(f"the function hung up after {self._received!r}")
        self._received += received
        split = split_request(self._received)
        if split is None:
            return None
        method, path, body, self._received = split
        return Request(method, path, body, now)

    def send(self, status: str, body: bytes, headers: str = "") -> None:
        """Answers, in one segment if it is short."""
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self.socket.sendall(head.encode() + body)


def split_request(received: bytes) -> tuple[str, str, bytes, bytes] | None:
    """Method, path, body, and what comes after it; none if the request is not whole yet."""
    head, found, rest = received.partition(b"\r\n\r\n")
    if not found:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = unchunk(rest)
        return (method, path, *body) if body else None
    length = int(headers.get("content-length", 0))
    return (method, path, rest[:length], rest[length:]) if len(rest) >= length else None


def unchunk(received: bytes) -> tuple[bytes, bytes] | None:
    """The body that was sent in chunks and trailers, and what comes after it; none if it is not whole yet."""
    body = b""
    while True:
        size, found, received = received.partition(b"\r\n")
        if not found:
            return None
        if (length := int(size.split(b";")[0], 16)) == 0:
            break
        if len(received) < length + 2:
            return None
        body, received = body + received[:length], received[length + 2 :]
    while True:  # trailers end with an empty line
        trailer, found, received = received.partition(b"\r\n")
        if not found:
            return None
        if not trailer:
            return body, received


class RuntimeApi:
    """A function's side of Lambda, for as long as the block lasts. `alive` fails when the function has ended."""

    def __init__(self, name: str) -> None:
        self._arn = f"{FUNCTION}{name}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self.connections: list[Connection] = []
        self._waiting: Connection | None = None  # where the next event goes
        self.alive: Callable[[], None] = lambda: None
        host, port = self._listener.getsockname()
        self.address = f"{host}:{port}"

    def __enter__(self) -> RuntimeApi:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for closing in (self._listener, *(connection.socket for connection in self.connections)):
            closing.close()

    def first_poll(self, seconds: float) -> int:
        """When the function asked for its first event (nanoseconds of the monotonic clock)."""
        return self._poll(seconds)

    def invoke(self, event: bytes, seconds: float = TIMEOUT_SECONDS) -> Answer:
        """Gives the event, takes the answer, and waits until the function asks for the next one: then it rests.

        The function has so many seconds, and is told its deadline.
        """
        if self._waiting is None:
            raise Failed("the function has not asked for an event")
        request_id = str(uuid.uuid4())
        headers = (
            f"Lambda-Runtime-Aws-Request-Id: {request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {int((time.time() + seconds) * 1_000)}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {self._arn}\r\n"
            f"Lambda-Runtime-Trace-Id: Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0\r\n"
        )
        began = time.perf_counter_ns()
        self._waiting.send("200 OK", event, headers)
        connection, request = self._next_request(seconds + PATIENCE_SECONDS)
        answer = ANSWER.fullmatch(request.path)
        if answer is None or answer[1] != request_id or answer[2] == "error":
            raise Failed(f"the function answers {request.method} {request.path} {request.body.decode()}")
        connection.send("202 Accepted", ACCEPTED)
        self._poll(seconds + PATIENCE_SECONDS)
        return Answer(request.body, request.at - began)

    def _poll(self, seconds: float) -> int:
        self._waiting, request = self._next_request(seconds)
        if (request.method, request.path) != ("GET", NEXT):
            raise Failed(f"the function sends {request.method} {request.path} {request.body.decode()}")
        return request.at

    def _next_request(self, seconds: float) -> tuple[Connection, Request]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ready = self._selector.select(LOOK_SECONDS)
            if not ready:
                self.alive()
            for key, _ in ready:
                connection: Connection | None = key.data
                if connection is None:
                    connection = Connection(self._listener.accept()[0])
                    self.connections.append(connection)
                    self._selector.register(connection.socket, selectors.EVENT_READ, connection)
                elif (request := connection.read()) is not None:
                    return connection, request
                elif connection.ended:
                    self._selector.unregister(connection.socket)
        raise Failed(f"the function has said nothing for {seconds:g} seconds")
