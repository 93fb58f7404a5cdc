"""A mail as it is handed over, read and verified by who gets it."""

import email.policy
import re
from base64 import b64encode
from email.parser import BytesParser
from uuid import UUID

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from libs.contracts.ids import new_id
from libs.store.crm.mails import ClaimedMail
from services.crm.keys import Keys
from services.crm.sending.dkim import Signer
from services.crm.sending.letter import Writer
from services.crm.templates.cleaning import clean
from services.crm.templates.compiled import Source, compile_template
from services.crm.tracking.links import Links
from tests.unit.socket_edge.hand_clock import HandClock

SENDER = {"name": "Pregão, news", "email": "news@sender.example.test", "address": "1 Street"}
LINKS = Links(Keys(["a key of tests"]), "https://mail.example.test", "bounces.example.test")
PAGE = '<p>Olá {{contact.first_name}}</p><a href="https://shop.example.test/">look</a>' + "<p>long line</p>" * 200
COMPILED, _ = compile_template(Source("Para {{contact.first_name}}: " + "é" * 100, "", clean(PAGE), ""))
NAMES = (
    "Ana",
    'José da Silva, "o Zé" <x@y.test>',
    "名前" * 40,
    "a\r\nBcc: eve@example.test",
    "=?utf-8?q?x?=",
    "😀" * 60,
)
KEYS = (generate_private_key(65537, 2048), Ed25519PrivateKey.generate())


def written(key: RSAPrivateKey | Ed25519PrivateKey, name: str) -> bytes:
    mail = ClaimedMail(
        id=UUID(new_id()), channel="email", contact_id=UUID(new_id()), template_version_id=UUID(new_id()),
        class_="marketing", topic="*", campaign_id=None, subject="", data={}, attempts=1, lapses=0,
        contact={"email": "ana@example.test", "name": name, "first_name": name},
    )  # fmt: skip
    return Writer(SENDER, LINKS, Signer("sender.example.test", "pregao", key), HandClock()).letter(mail, COMPILED).data


def verified(data: bytes, key: RSAPrivateKey | Ed25519PrivateKey) -> bool:
    if isinstance(key, RSAPrivateKey):
        kind, public = b"rsa", key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        kind, public = b"ed25519", key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def lookup(_name: bytes, timeout: int = 5) -> bytes:
        return b"v=DKIM1; k=" + kind + b"; p=" + b64encode(public)

    return bool(dkim.verify(data, dnsfunc=lookup))


@pytest.mark.parametrize("key", KEYS, ids=["rsa", "ed25519"])
@pytest.mark.parametrize("name", NAMES)
def test_what_arrives_is_what_was_signed(key: RSAPrivateKey | Ed25519PrivateKey, name: str) -> None:
    data = written(key, name)
    assert verified(data, key)
    assert max(len(line) for line in data.split(b"\r\n")) <= 998
    arrived = BytesParser(policy=email.policy.default).parsebytes(data)
    assert [address.addr_spec for address in arrived["To"].addresses] == ["ana@example.test"]
    assert (arrived["Bcc"], arrived["List-Unsubscribe-Post"]) == (None, "List-Unsubscribe=One-Click")
    part = arrived.get_body(("html",))
    assert part is not None
    assert "long line" in part.get_content()


HEADERS = (b"List-Unsubscribe: <https://mail", b"List-Unsubscribe-Post: List", b"To: ", b"From: ")


def test_mailboxes_find_where_to_unsubscribe() -> None:
    """RFC 8058, as they read it: with nothing decoded."""
    head = written(KEYS[0], "Ana").partition(b"\r\n\r\n")[0].split(b"\r\n")
    [leave] = [line for line in head if line.lower().startswith(b"list-unsubscribe:")]
    assert re.fullmatch(rb"List-Unsubscribe: <https://mail\.example\.test/m/u/[A-Za-z0-9._-]{50,}>", leave)
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in head


@pytest.mark.parametrize("header", HEADERS)
def test_nobody_changes_where_to_unsubscribe(header: bytes) -> None:
    data = written(KEYS[0], "Ana")
    assert data.count(header) == 1
    assert not verified(data.replace(header, header + b"x"), KEYS[0])
