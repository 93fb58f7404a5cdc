"""What becomes of mails after they were handed over (functions `crm_*`)."""

from collections.abc import Iterable
from typing import Any, Literal
from uuid import UUID

import msgspec

from libs.contracts.crm.tracking import Preferences, Seen
from libs.store.database import Database
from libs.store.rows import read_optional, read_value


class WrittenMail(msgspec.Struct, frozen=True):
    template_version_id: UUID
    data: dict[str, Any]
    campaign_id: UUID | None
    contact: dict[str, Any]


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """What was told of a mail that was handed over."""

    mail: UUID
    event: str
    """Under which it is told once."""
    kind: Literal["delivered", "bounce", "complaint"]
    hard: bool = False
    why: str = ""


class Tracking:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, events: Iterable[Seen]) -> int:
        """Once, however often they come; how many were news."""
        told = [msgspec.to_builtins(event) for event in events]
        return read_value(await self._database.call("crm_record_seen", events=told), int)

    async def written(self, mail: UUID) -> WrittenMail | None:
        return read_optional(await self._database.call("crm_mail_written", mail=str(mail)), WrittenMail)

    async def preferences(self, mail: UUID) -> Preferences | None:
        return read_optional(await self._database.call("crm_preferences", mail=str(mail)), Preferences)

    async def choose(self, mail: UUID, topic: str | None, how: str, address: str, *, subscribed: bool) -> bool:
        """False: there is no such mail."""
        data = await self._database.call(
            "crm_choose", mail=str(mail), topic=topic, subscribed=subscribed, how=how, ip=address or None
        )
        return read_value(data, bool)

    async def returned(self, events: Iterable[Returned]) -> int:
        """Each once, however often it is told; of how many there are such mails."""
        told = [msgspec.to_builtins(event) for event in events]
        return read_value(await self._database.call("crm_mails_returned", events=told), int)
