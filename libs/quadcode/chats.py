"""Chat rooms and what is said in the public ones (quadcode-protocol §17)."""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from libs.quadcode.declarations import Call, Channel, Listener, Subscription, Topic


class ChatRoom(Struct, frozen=True, kw_only=True):
    id: str
    type: str = ""
    """`global`, `notification`, `support` …"""
    locale: str | None = None
    name: str = ""
    subject: str = ""
    is_public: bool = False
    is_write: bool = False
    is_regulated: bool | None = None
    is_unread_messages: bool = False
    last_read_message_id: str | int = ""
    online_users: int = 0
    name_loc: str | None = None
    """Key of the display name."""
    icon: str | None = None
    icon_2x: str | None = None
    use_real_name: bool | None = None


class ChatRooms(Struct, frozen=True, rename="camel"):
    is_successful: bool = False
    data: tuple[ChatRoom, ...] = ()


class ChatMessage(Struct, frozen=True, kw_only=True):
    id: str
    room_id: str
    text: str
    date: float
    """Epoch milliseconds."""
    type: str = ""
    sender: str = ""
    sender_id: int = 0
    is_sender_admin: bool = False
    is_sender_system: bool = False
    removed: bool = False
    author_only: bool = False
    previous_id: str | None = None
    sender_flag: str | None = None
    sender_avatar_url: str | None = None
    is_sender_vip: bool | None = None
    is_sender_professional: bool | None = None
    attachments: list[Any] | None = None
    """In shapes that are not known."""


class ChatMessages(Struct, frozen=True):
    data: tuple[ChatMessage, ...]

    @property
    def room_id(self) -> str:
        return self.data[0].room_id if self.data else ""


REQUEST_CHAT_ROOM: Call[UnsetType, ChatRooms] = Call("request-chat-room", "1.0", UnsetType, ChatRooms)
"""The one request without a body."""
CHAT_MESSAGE_GENERATED = Topic(
    "chat-message-public-generated", "1.0", "chat", "chat-message-public-generated", ChatMessages, ("room_id",)
)


class Chats:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def rooms(self) -> Sequence[ChatRoom]:
        """None when the broker says it did not succeed. Raises NotConnected or RequestFailed."""
        reply = await self._channel.request(REQUEST_CHAT_ROOM, UNSET)
        return reply.data if reply.is_successful else ()

    async def watch(self, room_id: str, listener: Listener[ChatMessages]) -> Subscription:
        """Raises RequestFailed."""
        return await self._channel.subscribe(CHAT_MESSAGE_GENERATED, (room_id,), listener)
