"""A session API in front of the paper broker's own, that has the wrong session, or none."""

from aiohttp import web

from tests.integration.paper_broker import PaperBroker


class SessionApi:
    """In front of the paper broker's own."""

    def __init__(self, broker: PaperBroker) -> None:
        self.broker = broker
        self.instead: dict[int, int] = {}
        """Whose session is given to whom."""
        self.refused: set[int] = set()
        self.status = 404
        """How they are refused."""

    async def handle(self, request: web.Request) -> web.Response:
        user = int(request.match_info["user"])
        if user in self.refused:
            return web.json_response({"error": "no such user"}, status=self.status)
        return web.json_response({"ssid": await self.broker.session(self.instead.get(user, user)), "userId": user})
