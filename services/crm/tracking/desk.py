"""Answers the edge, which hands on what recipients ask it for."""

import re
from typing import Any, Literal
from uuid import UUID

import structlog

from libs.bus import Bus, BusError
from libs.contracts import subjects
from libs.contracts.crm import tracking as rpc
from libs.contracts.ids import new_id
from libs.contracts.rpc import Nothing
from libs.store import StoreUnavailable
from libs.store.crm.tracking import Tracking
from services.crm.answering import Answer, not_found
from services.crm.templates.compiled import target_of
from services.crm.templates.sample import data_of
from services.crm.templates.tags import Tag
from services.crm.templates.versions import Versions
from services.crm.tracking.links import BadToken, Links, Purpose, Signed

log = structlog.get_logger()

_MACHINES = re.compile(
    r"bot\b|crawl|spider|scan|preview|proofpoint|mimecast|barracuda|fireeye|curl/|wget/|python|go-http|java/|headless",
    re.IGNORECASE,
)
_PREFETCHED = "Mozilla/5.0"
"""All that Apple's mail privacy protection says, which loads every image of every mail."""


class TrackingDesk:
    """Raises RpcError NOT_FOUND for tokens that are none."""

    def __init__(
        self, bus: Bus, tracking: Tracking, versions: Versions, links: Links, sender: dict[str, str], home: str
    ) -> None:
        """`home`: where links lead that lead nowhere any more."""
        self._bus = bus
        self._tracking = tracking
        self._versions = versions
        self._links = links
        self._sender = sender
        self._home = home

    def endpoints(self) -> dict[Any, Answer]:
        return {
            rpc.OPENED: self.opened,
            rpc.CLICKED: self.clicked,
            rpc.PREFERENCES: self.preferences,
            rpc.CHOOSE: self.choose,
        }

    async def opened(self, request: rpc.Looked) -> Nothing:
        await self._note(self._read(Purpose.OPEN, request.token), "open", request)
        return Nothing()

    async def clicked(self, request: rpc.Looked) -> rpc.Target:
        signed = self._read(Purpose.CLICK, request.token)
        try:
            await self._note(signed, "click", request)
        except BusError as error:  # whoever clicks is shown the way all the same
            log.warning("click_not_noted", mail=str(signed.mail), error=str(error))
        try:
            return rpc.Target(url=await self._target(signed))
        except StoreUnavailable as error:
            log.warning("link_leads_home", mail=str(signed.mail), error=str(error))
            return rpc.Target(url=self._home)

    async def preferences(self, request: rpc.OfMail) -> rpc.Preferences:
        preferences = await self._tracking.preferences(self._read(Purpose.PREFERENCES, request.token).mail)
        if preferences is None:
            raise not_found("mail")
        return preferences

    async def choose(self, request: rpc.Choose) -> Nothing:
        signed = self._read(Purpose.LEAVE if request.one_click else Purpose.PREFERENCES, request.token)
        how = "one-click" if request.one_click else "preferences"
        subscribed = request.subscribed and not request.one_click
        if not await self._tracking.choose(signed.mail, request.topic, how, request.address, subscribed=subscribed):
            raise not_found("mail")
        return Nothing()

    def _read(self, purpose: Purpose, token: str) -> Signed:
        try:
            return self._links.read(purpose, token)
        except BadToken:
            raise not_found("mail") from None

    async def _note(self, signed: Signed, kind: Literal["open", "click"], request: rpc.Looked) -> None:
        """In the stream: whoever looks does not wait for the database."""
        agent = request.agent.strip()
        machine = not request.whole or agent in ("", _PREFETCHED) or _MACHINES.search(agent) is not None
        event = rpc.Seen(
            id=UUID(new_id()),
            mail=signed.mail,
            kind=kind,
            number=signed.number,
            machine=machine,
            at=self._bus.clock.now(),
        )
        await self._bus.append(subjects.crm_seen(kind), event, id=str(event.id), timeout=0.5)

    async def _target(self, signed: Signed) -> str:
        if signed.version is None:
            return self._home
        compiled = await self._versions.find(signed.version)
        links = compiled.document.links if compiled is not None else []
        if signed.number >= len(links):
            return self._home
        link = links[signed.number]
        if not any(isinstance(piece, Tag) for piece in link.pieces):
            return target_of(link, {})
        mail = await self._tracking.written(signed.mail)
        if mail is None:
            return self._home
        return target_of(link, data_of(mail.contact, {}, self._sender, mail.data))
