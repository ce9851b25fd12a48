"""TLS in front of the fake AWS, with an authority of its own, as AWS has it: RSA, an intermediate, TLS 1.3.

The functions trust it as they are, since both SDKs take their roots from a file that a variable names. It has the
machine's own authorities, too: reading some hundred of them is part of every first call.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from processes import Failed

HOST = "127.0.0.1"
# Where distributions keep all authorities in one file: Amazon Linux, on which Lambda runs, and Debian.
BUNDLES = ("/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt")
CHUNK = 1 << 16


@dataclass(frozen=True)
class Front:
    """Where TLS is spoken, and files of what to trust: as much as a machine does, and only what must be."""

    address: str
    authorities: Path
    one_authority: Path


@dataclass(frozen=True)
class Issuer:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def machine_bundle() -> Path:
    """The machine's own authorities."""
    found = [path for path in map(Path, BUNDLES) if path.exists()]
    if not found:
        raise Failed(f"no certificates of authorities in {', '.join(BUNDLES)}")
    return found[0]


def issue(name: str, issuer: Issuer | None, server: bool = False) -> Issuer:
    """A certificate for a day: an authority's, or the server's; without an issuer it signs itself."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=not server, path_length=None), critical=True)
    )
    if server:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))])
        builder = builder.add_extension(names, critical=False)
    return Issuer(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def certificates(folder: Path) -> tuple[ssl.SSLContext, Path, Path]:
    """The server's side of TLS, and files for clients: all authorities, and the server's alone."""
    root = issue("Bench Root", None)
    middle = issue("Bench Intermediate", root)
    server = issue(HOST, middle, server=True)
    key = server.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain, every, one = (folder / f"{name}.pem" for name in ("server", "authorities", "authority"))
    chain.write_bytes(key + server.pem() + middle.pem())
    one.write_bytes(root.pem())
    every.write_bytes(machine_bundle().read_bytes() + b"\n" + root.pem())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain)
    return context, every, one


@contextlib.contextmanager
def tls_front(address: str, folder: Path) -> Iterator[Front]:
    """Passes on to the address what comes by TLS, while the block lasts."""
    context, every, one = certificates(folder)
    behind = urlsplit(address)
    with socket.create_server((HOST, 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):  # closed at the end
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        def serve(client: socket.socket) -> None:
            # A client that ends takes its connections along, in whatever state they are.
            with contextlib.suppress(OSError), client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with (
                    context.wrap_socket(client, server_side=True) as near,
                    socket.create_connection((behind.hostname or HOST, behind.port or 80)) as far,
                ):
                    far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    answers = threading.Thread(target=pump, args=(far, near), daemon=True)
                    answers.start()
                    pump(near, far)
                    answers.join()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        host, port = listener.getsockname()
        yield Front(f"https://{host}:{port}", every, one)
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def pump(source: socket.socket, drain: socket.socket) -> None:
    """Passes on what comes until it ends, and the end."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            drain.sendall(data)
    with contextlib.suppress(OSError):
        drain.shutdown(socket.SHUT_WR)
