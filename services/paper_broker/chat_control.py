"""`POST /control/chat-messages`: something is said in a chat room."""

from aiohttp import web

from services.paper_broker import wire
from services.paper_broker.chats import Chats, Saying
from services.paper_broker.http_api import Tokens, guarded


class ChatControl:
    def __init__(self, chats: Chats, tokens: Tokens) -> None:
        self._chats = chats
        self._tokens = tokens

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/control/chat-messages", guarded(self._tokens, self.post))]

    async def post(self, request: web.Request) -> web.Response:
        """`{room_id, text, sender, sender_id, type, is_sender_admin}` → the message as clients get it."""
        message = self._chats.say(wire.decode(await request.read(), Saying))
        return web.Response(body=wire.encode(message), content_type="application/json")
