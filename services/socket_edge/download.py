"""Answers that are files: written while they are made, with no more than a piece of them in memory."""

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import structlog
from aiohttp import web

_SLOWEST = 30.0
"""Seconds in which a client must have taken a piece."""
_NAME = re.compile(r"[\w.-]+", re.ASCII)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Download:
    name: str
    type: str
    """Content type."""
    pieces: AsyncGenerator[bytes]
    """Asked for the next one when the client has taken the last; closed when it has all, or leaves."""

    def response(self) -> web.StreamResponse:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"no name of a file: {self.name}")
        return _Response(self)


class _Response(web.StreamResponse):
    """Written when the middlewares have seen it. What fails on the way cuts the connection: a file without its end is
    seen to be none."""

    def __init__(self, download: Download) -> None:
        super().__init__(headers={"Content-Disposition": f'attachment; filename="{download.name}"'})
        self.content_type = download.type
        self._pieces = download.pieces

    async def write_eof(self, data: bytes = b"") -> None:
        try:
            async for piece in self._pieces:
                async with asyncio.timeout(_SLOWEST):
                    await self.write(piece)
        except ConnectionError:
            raise
        except Exception as error:
            log.warning("download_cut_off", error=str(error) or type(error).__name__)
            raise ConnectionAbortedError("the file could not be sent") from error
        finally:
            await self._pieces.aclose()
        await super().write_eof(data)
