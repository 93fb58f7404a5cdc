"""OAuth tokens, and where they are kept between runs."""

import asyncio
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from libs.quadcode.errors import TokensNotStored
from libs.quadcode.frames import MALFORMED


class Tokens(Struct, frozen=True, kw_only=True):
    access_token: str
    """Travels in the place of a session id."""
    refresh_token: str | None = None
    token_type: str = ""
    expires_in: float | None = None
    """Seconds from when they were given (assumed: §4.3)."""
    scope: str = ""

    def __repr__(self) -> str:
        return f"Tokens(scope={self.scope!r})"


class TokenStorage(Protocol):
    """Both raise TokensNotStored."""

    async def load(self) -> Tokens | None: ...

    async def save(self, tokens: Tokens) -> None: ...


class MemoryTokens:
    def __init__(self, tokens: Tokens | None = None) -> None:
        self._tokens = tokens

    async def load(self) -> Tokens | None:
        return self._tokens

    async def save(self, tokens: Tokens) -> None:
        self._tokens = tokens


class FileTokens:
    """A JSON file that only its owner can read (mode 0600), replaced whole; the directory must exist."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def load(self) -> Tokens | None:
        return await asyncio.to_thread(self._read)

    async def save(self, tokens: Tokens) -> None:
        await asyncio.to_thread(self._write, msgspec.json.encode(tokens))

    def _read(self) -> Tokens | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Tokens)
        except FileNotFoundError:
            return None
        except (OSError, *MALFORMED) as error:
            raise TokensNotStored(f"{self._path} cannot be read: {error}") from error

    def _write(self, data: bytes) -> None:
        try:
            descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")  # of mode 0600
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self._path)
            except BaseException:
                with suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError as error:
            raise TokensNotStored(f"{self._path} cannot be written: {error}") from error
