"""What is signed is verified by who reads it, and not if anything was changed on its way."""

from base64 import b64encode
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.service import CannotStart
from services.crm.sending.dkim import SIGNED, Signer

KEY = generate_private_key(65537, 2048)
PUBLIC = b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
HEADERS = [
    (b"From", b" news@sender.example.test\r\n"), (b"To", b" ana@example.test\r\n"),
    (b"Subject", b" Hello,\r\n you\r\n"),
    (b"Message-ID", b" <1@sender.example.test>\r\n"), (b"List-Unsubscribe", b" <https://a.test/u>\r\n"),
    (b"List-Unsubscribe-Post", b" List-Unsubscribe=One-Click\r\n"),
]  # fmt: skip


def lookup(name: bytes, timeout: int = 5) -> bytes:
    assert name == b"pregao._domainkey.sender.example.test."
    return b"v=DKIM1; k=rsa; p=" + PUBLIC


def a_mail(headers: list[tuple[bytes, bytes]], body: bytes, signature: bytes) -> bytes:
    return signature + b"".join(name + b":" + value for name, value in headers) + b"\r\n" + body


def signed(body: bytes) -> bytes:
    return Signer("sender.example.test", "pregao", KEY).signed(HEADERS, body)


@settings(max_examples=30)
@given(st.text("ab \t.=\r\n", max_size=80))
def test_it_is_verified(text: str) -> None:
    body = text.replace("\r", "").replace("\n", "\r\n").encode() + b"\r\n"
    assert dkim.verify(a_mail(HEADERS, body, signed(body)), dnsfunc=lookup)


@pytest.mark.parametrize("changed", range(len(HEADERS)))
def test_a_header_that_was_changed_is_seen(changed: int) -> None:
    body = b"Hello\r\n"
    headers = [(name, b" other\r\n" if at == changed else value) for at, (name, value) in enumerate(HEADERS)]
    assert not dkim.verify(a_mail(headers, body, signed(body)), dnsfunc=lookup)


def test_a_header_that_was_added_is_seen_and_so_is_another_body() -> None:
    body = b"Hello\r\n"
    assert "reply-to" in SIGNED
    added = [*HEADERS, (b"Reply-To", b" eve@example.test\r\n")]
    assert not dkim.verify(a_mail(added, body, signed(body)), dnsfunc=lookup)
    assert not dkim.verify(a_mail(HEADERS, b"Bye\r\n", signed(body)), dnsfunc=lookup)


def test_an_ed25519_signature_is_verified_by_who_reads_it() -> None:
    key, other, body = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), b" Hello \t you \r\n\r\n"
    signature = Signer("sender.example.test", "pregao", key).signed(HEADERS, body)

    def verified(headers: list[tuple[bytes, bytes]], body: bytes, known: Ed25519PrivateKey) -> bool:
        public = b64encode(known.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

        def lookup(_name: bytes, timeout: int = 5) -> bytes:
            return b"v=DKIM1; k=ed25519; p=" + public

        return bool(dkim.verify(a_mail(headers, body, signature), dnsfunc=lookup))

    assert verified(HEADERS, body, key)
    assert not verified(HEADERS, b"Bye\r\n", key)
    assert not verified([(b"From", b" eve@example.test\r\n"), *HEADERS[1:]], body, key)
    assert not verified(HEADERS, body, other)


def test_keys_are_read_from_files(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    for key in (KEY, Ed25519PrivateKey.generate()):
        assert isinstance(key, RSAPrivateKey | Ed25519PrivateKey)
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        algorithm = b"a=rsa-sha256" if key is KEY else b"a=ed25519-sha256"
        assert algorithm in Signer.of_file("a.test", "s", file).signed(HEADERS, b"x\r\n")
    file.write_text("no key")
    with pytest.raises(CannotStart, match="PREGAO_MAIL_DKIM_KEY_FILE"):
        Signer.of_file("a.test", "s", file)
