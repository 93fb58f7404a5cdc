"""Chat rooms, and the messages that are said in them over the control API (quadcode-protocol §17)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from libs.contracts.clock import Clock
from libs.contracts.ids import new_id
from services.paper_broker.epoch import milliseconds
from services.paper_broker.errors import invalid
from services.paper_broker.hub import Hub, Topic
from services.paper_broker.topics import CHAT_MESSAGE
from services.paper_broker.wire import Id, event


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """As `request-chat-room` lists it, without what changes."""

    id: str
    type: str
    name: str
    name_loc: str
    subject: str = ""
    locale: str | None = None
    icon: str = ""
    icon_2x: str = ""
    use_real_name: bool = False
    is_public: bool = True
    is_write: bool = False
    """Nobody can write over the wire: the protocol that is known has no message for it."""
    is_regulated: bool | None = None
    is_unread_messages: bool = False


ROOMS = {
    room.id: room
    for room in (
        Room(id="global-en", type="global", name="English chat", name_loc="front.chat-global-en", locale="en"),
        Room(id="global-es", type="global", name="Chat en español", name_loc="front.chat-global-es", locale="es"),
        Room(id="global-pt", type="global", name="Chat em português", name_loc="front.chat-global-pt", locale="pt"),
        Room(id="notification", type="notification", name="Notifications", name_loc="front.chat-notification"),
        Room(id="support", type="support", name="Support", name_loc="front.chat-support"),
    )
}


class Saying(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message as it is handed in."""

    room_id: str
    text: Annotated[str, Meta(min_length=1, max_length=4000)]
    sender: Annotated[str, Meta(min_length=1, max_length=200)] = "Paper broker"
    sender_id: Id = 0
    type: Annotated[str, Meta(min_length=1, max_length=50)] = "text"
    is_sender_admin: bool = False


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    room_id: str
    type: str
    text: str
    sender: str
    sender_id: int
    sender_flag: str
    sender_avatar_url: str
    is_sender_vip: bool
    is_sender_professional: bool
    is_sender_admin: bool
    is_sender_system: bool
    date: int
    """Epoch milliseconds."""
    removed: bool
    author_only: bool
    previous_id: str | None = None


class Chats:
    def __init__(self, hub: Hub, clock: Clock) -> None:
        self._hub = hub
        self._clock = clock
        self._last: dict[str, str] = {}
        """Id of the last message by room."""

    def rooms(self) -> list[dict[str, object]]:
        online = len(list(self._hub))
        return [
            msgspec.structs.asdict(room) | {"last_read_message_id": self._last.get(room.id, ""), "online_users": online}
            for room in ROOMS.values()
        ]

    def say(self, saying: Saying) -> Message:
        """Told to everybody who listens to the room. Raises Refused."""
        if saying.room_id not in ROOMS:
            raise invalid("room_id", f"must be one of {', '.join(ROOMS)}")
        message = Message(
            id=new_id(),
            **msgspec.structs.asdict(saying),
            sender_flag="",
            sender_avatar_url="",
            is_sender_vip=False,
            is_sender_professional=False,
            is_sender_system=saying.sender_id == 0,
            date=milliseconds(self._clock),
            removed=False,
            author_only=False,
            previous_id=self._last.get(saying.room_id),
        )
        self._last[saying.room_id] = message.id
        self._hub.publish(Topic(CHAT_MESSAGE, (message.room_id,)), event("chat", CHAT_MESSAGE, {"data": [message]}))
        return message
