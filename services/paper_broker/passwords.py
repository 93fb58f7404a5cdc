"""Passwords are kept as salted scrypt digests (RFC 7914), so that whoever reads the file does not know them."""

from hashlib import scrypt
from hmac import compare_digest
from secrets import token_bytes

_SALT = 16
_COST = 2**14
"""With eight blocks: 16 MiB and some 40 ms per digest. In an event loop, call these in a thread."""


def digest(password: str) -> bytes:
    """Another one each time."""
    salt = token_bytes(_SALT)
    return salt + _derived(password, salt)


def matches(password: str, digest: bytes | None) -> bool:
    """No digest matches no password, and takes as long to say so: users cannot be found out by the time."""
    known = digest if digest is not None else bytes(_SALT)
    return compare_digest(_derived(password, known[:_SALT]), known[_SALT:])


def _derived(password: str, salt: bytes) -> bytes:
    return scrypt(password.encode(), salt=salt, n=_COST, r=8, p=1, dklen=32)
