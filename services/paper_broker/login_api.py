"""`POST /v2/login`: a session id for an e-mail address and a password (quadcode-protocol §4.2)."""

import msgspec
from aiohttp import web

from services.paper_broker.broker import Broker
from services.paper_broker.log_in import LogIn


class Credentials(msgspec.Struct, frozen=True):
    identifier: str
    password: str


class LoginApi:
    def __init__(self, broker: Broker) -> None:
        self._sessions = broker.sessions
        self._log_in = LogIn(broker.accounts)

    async def post(self, request: web.Request) -> web.Response:
        """`{code: "success", ssid}`; 400 or 401 with `{code, message}`."""
        try:
            credentials = msgspec.json.decode(await request.read(), type=Credentials)
        except msgspec.MsgspecError as error:
            return _refused(400, "invalid_request", str(error))
        user_id = await self._log_in.user(credentials.identifier, credentials.password)
        if user_id is None:
            return _refused(401, "invalid_credentials", "Invalid credentials.")
        return web.json_response({"code": "success", "ssid": self._sessions.create(user_id)})


def _refused(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)
