"""Contacts from a file of CSV, and contacts as one.

A file is uploaded in pieces, cut anywhere; checked, which writes nothing; and worked off in the background.
"""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, field

from libs.contracts.codec import Message
from libs.contracts.crm.common import By, Of, OfBy
from libs.contracts.crm.contacts import Tags
from libs.contracts.pattern import END
from libs.contracts.rpc import Endpoint, ErrorCode

MOST_BYTES = 100 * 1024 * 1024
MOST_ROWS = 1_000_000
MOST_PIECES = 1000
PIECE = 400_000
"""Characters of one piece at most: they fit a message of the bus."""

State = Literal["uploading", "checked", "running", "done", "failed", "cancelled"]
FileName = Annotated[str, Meta(pattern=r"^[\w][\w. ()-]{0,119}" + END)]
"""Shown, and nothing else: no path is made of it."""
Column = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00]*$")]


class NewImport(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    file_name: FileName = "contacts.csv"
    mapping: Annotated[dict[Column, Column], Meta(max_length=200)] = field(default_factory=dict)
    """Fields by column, where a column is not called as its field; empty: it is left out."""
    tags: Tags = ()
    """For every contact in it."""
    updates: bool = True
    """Whether contacts that are known are changed, or left as they are."""


class StartImport(By, frozen=True, kw_only=True):
    wanted: NewImport


class PieceOf(Of, frozen=True, kw_only=True):
    number: Annotated[int, Meta(ge=0, lt=MOST_PIECES)]


class NewPiece(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=PIECE, pattern=r"^[^\x00]*$")]


class AddPiece(OfBy, frozen=True, kw_only=True):
    number: int
    text: str


class RowError(Message, frozen=True, kw_only=True):
    line: int
    """Of the file, from 1: that of the header."""
    message: str


class Import(Message, frozen=True, kw_only=True):
    id: UUID
    file_name: str
    state: State
    mapping: dict[str, str]
    tags: tuple[str, ...]
    updates: bool
    bytes: int
    total: int | None
    """Rows, once it was checked…"""
    done: int
    """…of which so many were worked off…"""
    inserted: int
    updated: int
    unchanged: int
    skipped: int
    """Known, and not to be changed; or erased once, and never to come back."""
    failed: int
    errors: tuple[RowError, ...]
    """The first 100."""
    error: str | None
    """Why the whole failed."""
    created_at: datetime
    updated_at: datetime


class Checked(Message, frozen=True, kw_only=True):
    """What an import would do; nothing was written."""

    total: int
    valid: int
    known: int
    """Of the valid: contacts that are there already."""
    columns: dict[str, str]
    """Fields by column."""
    ignored: tuple[str, ...]
    """Columns that are no field."""
    errors: tuple[RowError, ...]
    """The first 100."""


class ExportContacts(By, frozen=True, kw_only=True):
    segment: UUID | None = None
    """None: all contacts."""
    after: UUID | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000


class ContactLines(Message, frozen=True, kw_only=True):
    text: str
    """Lines of CSV (RFC 4180); the first page begins with the names of the columns."""
    next: UUID | None
    """Where the next page begins; None: that was all."""


_NOT_FOUND, _CONFLICT = ErrorCode.NOT_FOUND, ErrorCode.CONFLICT

START_IMPORT = Endpoint("crm", "new_import", StartImport, Import)
ADD_PIECE = Endpoint("crm", "add_import_piece", AddPiece, Import, (_NOT_FOUND, _CONFLICT))
CHECK_IMPORT = Endpoint("crm", "check_import", OfBy, Checked, (_NOT_FOUND, _CONFLICT), timeout=60.0)
RUN_IMPORT = Endpoint("crm", "run_import", OfBy, Import, (_NOT_FOUND, _CONFLICT))
CANCEL_IMPORT = Endpoint("crm", "cancel_import", OfBy, Import, (_NOT_FOUND, _CONFLICT))
IMPORT = Endpoint("crm", "import", Of, Import, (_NOT_FOUND,))
EXPORT_CONTACTS = Endpoint("crm", "export_contacts", ExportContacts, ContactLines, (_NOT_FOUND,), timeout=15.0)
