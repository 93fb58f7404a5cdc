"""Alerts posted and mailed, by analytics as it runs, to real servers."""

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from libs.bus import Bus
from libs.contracts import subjects
from libs.contracts.alerts import Alert, Severity
from libs.contracts.clock import SystemClock
from libs.contracts.ids import new_id
from services.analytics.sinks.mail import Mail
from services.analytics.sinks.settings import SinkSettings
from services.analytics.sinks.sink import NotTaken
from tests.integration.nats_server import NatsServer, eventually
from tests.integration.service_process import ServiceProcess, StartService
from tests.integration.supabase_server import SupabaseServer
from tests.ports import free_port

pytestmark = pytest.mark.takes(40)

SECRET = "4kZ8-qT1v_bN7xLm2RcY9dWs5HgJ0pFe"
FROM, TO = "pregao@example.test", "operator@example.test"


class Receiver:
    """Of a webhook: answers as it is told, at last that it has taken it."""

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{free_port()}/alerts"
        self.answers: list[int] = []
        self.posts: list[tuple[dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        told = msgspec.json.decode(body) if body else None
        if told and told["data"]["service"] != "gateway" and told["data"]["kind"] != "nats_stores_nothing":
            return web.Response(status=204)  # analytics' own, of a machine or a database that others use, too
        self.posts.append((headers, body))
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else None)

    def kinds(self) -> list[str]:
        return [msgspec.json.decode(body)["data"]["kind"] for _, body in self.posts]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/alerts", receiver.take)
    app.router.add_route("*", "/elsewhere", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(receiver.url.split(":")[2].split("/")[0])).start()
    yield receiver
    await runner.cleanup()


class Postbox:
    """What a mail server has taken; it refuses first as often as it is told."""

    def __init__(self) -> None:
        self.port = free_port()
        self.refusals = 0
        self.tried: list[EmailMessage] = []
        self.letters: list[EmailMessage] = []
        self.to: list[str] = []

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802 - its hook's name
        letter = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
        assert isinstance(letter, EmailMessage)
        self.tried.append(letter)
        if self.refusals:
            self.refusals -= 1
            return "452 Insufficient system storage"
        self.letters.append(letter)
        self.to = envelope.rcpt_tos
        return "250 Taken"


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    postbox = Postbox()
    controller = Controller(postbox, hostname="127.0.0.1", port=postbox.port)
    controller.start()
    yield postbox
    controller.stop()


def an_alert(kind: str, **changes: Any) -> Alert:
    alert = Alert(
        id=new_id(), at=datetime.now(UTC), severity=Severity.CRITICAL, service="gateway", kind=kind,
        message="A human\nmust look", user="u-1", details={"order_id": "7"},
    )  # fmt: skip
    return msgspec.structs.replace(alert, **changes)


async def raise_(bus: Bus, *alerts: Alert) -> None:
    for alert in alerts:
        await bus.append(subjects.alert(alert.severity), alert, id=alert.id)


async def start(start_service: StartService, server: SupabaseServer, **settings: str) -> ServiceProcess:
    quiet = {"PREGAO_ALERT_SERVICES": ""}
    return await start_service("analytics", "analytics", **server.environment, **quiet, **settings)


def webhook(receiver: Receiver) -> dict[str, str]:
    return {"PREGAO_ALERT_WEBHOOK_URL": receiver.url, "PREGAO_ALERT_WEBHOOK_SECRET": SECRET}


def mail(postbox: Postbox) -> dict[str, str]:
    return {
        "PREGAO_SMTP_HOST": "127.0.0.1", "PREGAO_SMTP_PORT": str(postbox.port), "PREGAO_SMTP_SECURITY": "none",
        "PREGAO_ALERT_MAIL_FROM": FROM, "PREGAO_ALERT_MAIL_TO": TO,
    }  # fmt: skip


async def test_an_alert_is_posted_signed_until_it_is_taken_and_then_no_more(
    bus: Bus, receiver: Receiver, start_service: StartService, supabase_server: SupabaseServer
) -> None:
    receiver.answers = [503, 302]
    alert = an_alert("first")
    await raise_(bus, alert)  # while analytics is away
    analytics = await start(start_service, supabase_server, **webhook(receiver))
    await eventually(lambda: len(receiver.posts) == 3, timeout=30)
    assert {headers["webhook-id"] for headers, _ in receiver.posts} == {alert.id}
    for headers, body in receiver.posts:
        signed = f"{alert.id}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert abs(datetime.now(UTC).timestamp() - int(headers["webhook-timestamp"])) < 60
    told = msgspec.json.decode(receiver.posts[0][1])
    assert (told["type"], told["data"]["id"], told["data"]["severity"]) == ("alert.first", alert.id, "critical")
    assert (told["data"]["type"], told["data"]["details"]) == ("custom", {"order_id": "7"})
    await analytics.kill()
    await start(start_service, supabase_server, **webhook(receiver))
    await raise_(bus, an_alert("second"))
    await eventually(lambda: len(receiver.posts) == 4, timeout=20)
    assert receiver.kinds() == ["first", "first", "first", "second"]


async def test_what_is_too_slight_or_too_old_is_not_posted_and_an_end_is(
    bus: Bus, receiver: Receiver, start_service: StartService, supabase_server: SupabaseServer
) -> None:
    await start(start_service, supabase_server, **webhook(receiver))
    await raise_(
        bus,
        an_alert("slight", severity=Severity.INFO),
        an_alert("old", at=datetime.now(UTC) - timedelta(hours=25)),
        an_alert("end", severity=Severity.INFO, ends="somebody"),
        an_alert("last", severity=Severity.WARNING),
    )
    await eventually(lambda: len(receiver.posts) == 2, timeout=20)
    assert receiver.kinds() == ["end", "last"]


async def test_a_nats_that_is_frozen_is_told_without_it(
    receiver: Receiver,
    nats_server: NatsServer,
    bus: Bus,
    start_service: StartService,
    supabase_server: SupabaseServer,
) -> None:
    receiver.answers = [503]
    await start(start_service, supabase_server, PREGAO_ALERT_PATIENCE="1", **webhook(receiver))
    nats_server.freeze()
    await eventually(lambda: len(receiver.posts) == 2, timeout=40)
    assert len({headers["webhook-id"] for headers, _ in receiver.posts}) == 1
    nats_server.thaw()
    await eventually(lambda: len(receiver.posts) == 4, timeout=40)
    first, *_, again, over = [msgspec.json.decode(body)["data"] for _, body in receiver.posts]
    assert (first["kind"], first["severity"]) == ("nats_stores_nothing", "critical")
    assert (again["id"], over["ends"]) == (first["id"], first["id"]), "stored late, like every alert, and with its end"


async def test_alerts_at_once_are_one_mail_and_one_that_was_refused_comes_again(
    bus: Bus, postbox: Postbox, start_service: StartService, supabase_server: SupabaseServer
) -> None:
    postbox.refusals = 1
    await raise_(bus, an_alert("slight", severity=Severity.WARNING, message="Look here"), an_alert("grave"))
    await start(start_service, supabase_server, **mail(postbox))
    await eventually(lambda: postbox.letters, timeout=30)
    [letter] = postbox.letters
    assert (letter["From"], letter["To"], postbox.to) == (FROM, TO, [TO])
    assert letter["Subject"] == "[Pregão] critical: A human must look (and 1 more)"
    assert {tried["Message-ID"] for tried in postbox.tried} == {letter["Message-ID"]}
    text = letter.get_content()
    assert "WARNING  Look here" in text
    assert "CRITICAL  A human" in text
    assert "order_id: 7" in text


async def test_a_sink_that_is_away_holds_up_nobody(
    bus: Bus, receiver: Receiver, postbox: Postbox, start_service: StartService, supabase_server: SupabaseServer
) -> None:
    postbox.refusals = 1_000
    await start(start_service, supabase_server, **webhook(receiver), **mail(postbox))
    await raise_(bus, *(an_alert(f"kind-{number}") for number in range(5)))
    await eventually(lambda: len(receiver.posts) == 5, timeout=20)
    assert receiver.kinds() == [f"kind-{number}" for number in range(5)]
    assert postbox.letters == []


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Of a server that this process trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example.test")])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, private = tmp_path / "server.pem", tmp_path / "server.key"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, private)
    return context


@pytest.mark.parametrize("password", ["right", "wrong"])
async def test_mail_goes_encrypted_to_a_server_that_knows_us(certificate: ssl.SSLContext, password: str) -> None:
    postbox, logins = Postbox(), []

    def knows(_: SMTP, __: Session, ___: Envelope, ____: str, data: LoginPassword) -> AuthResult:
        logins.append(data)
        return AuthResult(success=data.password == b"right", handled=False)

    controller = Controller(
        postbox, hostname="127.0.0.1", port=postbox.port, tls_context=certificate, require_starttls=True,
        authenticator=knows, auth_required=True,
    )  # fmt: skip
    controller.start()
    settings = SinkSettings(
        nats_user="analytics", nats_password=SecretStr("x"), smtp_host="127.0.0.1", smtp_port=postbox.port,
        smtp_user="pregao", smtp_password=SecretStr(password), alert_mail_from=FROM, alert_mail_to=(TO,),
    )  # fmt: skip
    try:
        sent = Mail(settings, SystemClock()).send([an_alert("k")])
        if password == "right":
            await asyncio.wait_for(sent, 20)
        else:
            with pytest.raises(NotTaken, match="SMTPAuthenticationError"):
                await asyncio.wait_for(sent, 20)
    finally:
        controller.stop()
    assert len(postbox.letters) == (password == "right")
    assert {login.login for login in logins} == {b"pregao"}


async def test_a_server_without_encryption_gets_no_mail(postbox: Postbox) -> None:
    settings = SinkSettings(
        nats_user="analytics", nats_password=SecretStr("x"), smtp_host="127.0.0.1", smtp_port=postbox.port,
        alert_mail_from=FROM, alert_mail_to=(TO,),
    )  # fmt: skip
    with pytest.raises(NotTaken, match="STARTTLS"):
        await asyncio.wait_for(Mail(settings, SystemClock()).send([an_alert("k")]), 20)
    assert postbox.tried == []
