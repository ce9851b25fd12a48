"""CodePipeline and CodeDeploy as far as the smoke test sees them: who waits for a word, and takes it only if AWS would.

What AWS would take is read out of botocore's models, which are AWS's own.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

WAITING = ("codepipeline", "codedeploy")


@dataclass
class Waiting:
    """Where the words go, and those that came."""

    address: str = ""
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


def models() -> dict[str, ServiceModel]:
    """Of both services, by what a request's target begins with."""
    session = botocore.session.get_session()
    found = [session.get_service_model(service) for service in WAITING]
    return {model.metadata["targetPrefix"]: model for model in found}


@contextlib.contextmanager
def waiting() -> Iterator[Waiting]:
    """Listens on a free port for as long as the block lasts."""
    known, words = models(), Waiting()

    class Handler(BaseHTTPRequestHandler):
        """Takes one call."""

        def do_POST(self) -> None:
            """Keeps what is sound, and refuses the rest as AWS does."""
            service, _, operation = self.headers["X-Amz-Target"].partition(".")
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            wrong = ParamValidator().validate(sent, known[service].operation_model(operation).input_shape)
            answer: dict[str, str] = {}
            if wrong.has_errors():
                answer = {"__type": "ValidationException", "message": wrong.generate_report()}
            else:
                words.heard.append((operation, sent))
            body = json.dumps(answer).encode()
            self.send_response(400 if answer else 200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """The test says what matters."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        words.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield words
        server.shutdown()
