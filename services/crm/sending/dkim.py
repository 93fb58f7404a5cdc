"""Mails are signed by the sender's domain (DKIM, RFC 6376; Ed25519: RFC 8463). How they are brought into the form that
is signed is dkimpy's; it has no RSA but in Python, which takes 8 ms a mail, so the signature itself is OpenSSL's."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from dkim.canonicalization import CanonicalizationPolicy

from libs.service import CannotStart

_FORM = b"relaxed/relaxed"
SIGNED = (
    "from", "to", "subject", "date", "message-id", "mime-version", "content-type", "list-unsubscribe",
    "list-unsubscribe-post", "reply-to",
)  # fmt: skip
"""Also where they are missing: nobody adds them later."""


class Signer:
    def __init__(self, domain: str, selector: str, key: RSAPrivateKey | Ed25519PrivateKey) -> None:
        self._domain = domain
        self._selector = selector
        self._key = key
        self._policy = CanonicalizationPolicy.from_c_value(_FORM)

    @classmethod
    def of_file(cls, domain: str, selector: str, file: Path) -> "Signer":
        """Raises CannotStart."""
        try:
            key = load_pem_private_key(file.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise CannotStart(f"PREGAO_MAIL_DKIM_KEY_FILE: {file} holds no private key") from error
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            raise CannotStart("PREGAO_MAIL_DKIM_KEY_FILE: only RSA and Ed25519 keys sign mails")
        return cls(domain, selector, key)

    def signed(self, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
        """The header that says so, of a mail with these headers (name, and value with its line's end), each there at
        most once, and this body."""
        digest = b64encode(sha256(self._policy.canonicalize_body(body)).digest()).decode()
        algorithm = "rsa-sha256" if isinstance(self._key, RSAPrivateKey) else "ed25519-sha256"
        value = (
            f" v=1; a={algorithm}; c={_FORM.decode()}; d={self._domain}; s={self._selector};\r\n"
            f" h={':'.join(SIGNED)};\r\n bh={digest};\r\n b="
        ).encode()
        known = {name.lower(): (name, text) for name, text in headers}
        chosen = [known[name.encode()] for name in SIGNED if name.encode() in known]
        parts = [*chosen, (b"DKIM-Signature", value)]
        written = b"".join(name + b":" + text for name, text in self._policy.canonicalize_headers(parts))
        return b"DKIM-Signature:" + value + _folded(self._sign(written.removesuffix(b"\r\n"))) + b"\r\n"

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self._key, RSAPrivateKey):
            return b64encode(self._key.sign(data, PKCS1v15(), hashes.SHA256()))
        return b64encode(self._key.sign(sha256(data).digest()))


def _folded(text: bytes) -> bytes:
    return b"\r\n ".join(text[at : at + 72] for at in range(0, len(text), 72))
