"""What is asked and answered of files that are made in the background."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from libs.contracts.codec import Message
from libs.contracts.exports import ExportState
from libs.contracts.pattern import END
from services.socket_edge.requests import Request

ExportId = Annotated[str, Meta(pattern=r"^[0-9a-f-]{36}" + END)]


class OfExport(Request, frozen=True, kw_only=True):
    id: ExportId


class ExportFile(OfExport, frozen=True, kw_only=True):
    expires: Annotated[int, Meta(ge=0, le=2**40)]
    """Epoch seconds."""
    signature: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}" + END)]


class ExportStatus(Message, frozen=True, kw_only=True, rename="camel"):
    """Of a file, for an hour after its last change."""

    id: str
    state: ExportState
    file_name: str
    started_at: datetime
    updated_at: datetime
    rows: int
    """That are in the file…"""
    total: int | None
    """…of so many, if that is known…"""
    progress: float | None
    """…in percent."""
    error: str
    link: str | None
    """Where the file is, for whoever asked for it, with their token; when it is done. Every answer has a new one…"""
    link_expires_at: datetime | None
    """…which is good until then."""
