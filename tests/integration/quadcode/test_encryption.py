"""The broker is talked to over TLS alone, and only after it has shown that it is the broker."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from libs.contracts.clock import SystemClock
from libs.quadcode import Client, FixedSessionId, NotConnected, QuadcodeError


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of 127.0.0.1, with its key, signed by itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "broker.pem"
    path.write_bytes(private + made.public_bytes(pem))
    return path


class Server:
    """Notes what it is told, and answers each request alike."""

    def __init__(self, answer: bytes) -> None:
        self.heard = b""
        self.connections = 0
        self._answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.heard += await reader.readuntil(b"\r\n\r\n")
        writer.write(self._answer)
        writer.close()


@asynccontextmanager
async def listening(server: Server, certificate: Path | None) -> AsyncIterator[int]:
    """The port."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context) as listener:
        yield listener.sockets[0].getsockname()[1]


async def failure(port: int) -> QuadcodeError:
    """Why there is no connection to wss://127.0.0.1:port."""
    client = Client(
        f"wss://127.0.0.1:{port}/echo/websocket", FixedSessionId("sim-1"), clock=SystemClock(), jitter=lambda: 0.0,
        timeout=5.0,
    )  # fmt: skip
    client.start()
    with pytest.raises(QuadcodeError):
        await client.wait_connected(1.0)
    failed = client.failure
    await client.close()
    assert isinstance(failed, NotConnected)
    return failed


async def test_who_cannot_show_a_certificate_that_is_trusted_is_told_nothing(certificate: Path) -> None:
    server = Server(b"")
    async with listening(server, certificate) as port:
        assert "CERTIFICATE_VERIFY_FAILED" in str(await failure(port))
    assert server.heard == b""


async def test_a_redirect_does_not_lead_out_of_tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    plain = Server(b"")
    async with listening(plain, None) as elsewhere:
        location = f"Location: ws://127.0.0.1:{elsewhere}/echo/websocket\r\nContent-Length: 0\r\n\r\n"
        server = Server(b"HTTP/1.1 302 Found\r\n" + location.encode())
        async with listening(server, certificate) as port:
            await failure(port)
    assert b"platform=82" in server.heard, "it was trusted, and asked"
    assert plain.connections == 0
