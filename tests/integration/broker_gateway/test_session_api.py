"""A session API that has the wrong session, or none."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from libs.bus import Consumer, Delivery
from libs.bus.topology import ALERTS
from libs.contracts.account import SessionState
from libs.contracts.alerts import Alert
from libs.contracts.rpc import CONNECT, ConnectSession, ErrorCode, RpcError
from services.paper_broker.faults import ExpireSession
from tests.integration.broker_gateway.rig import BROKER_USER, SYSTEM_USER, Rig, until
from tests.integration.nats_server import eventually
from tests.integration.paper_broker import PaperBroker
from tests.messages import OTHER_USER


class SessionApi:
    """In front of the paper broker's own."""

    def __init__(self, broker: PaperBroker) -> None:
        self.broker = broker
        self.instead: dict[int, int] = {}
        """Whose session is given to whom."""
        self.refused: set[int] = set()

    async def handle(self, request: web.Request) -> web.Response:
        user = int(request.match_info["user"])
        if user in self.refused:
            return web.json_response({"error": "no such user"}, status=404)
        return web.json_response({"ssid": await self.broker.session(self.instead.get(user, user)), "userId": user})


@pytest.fixture
async def api(paper_broker: PaperBroker) -> AsyncIterator[SessionApi]:
    api = SessionApi(paper_broker)
    app = web.Application()
    app.router.add_post("/sessions/{user}", api.handle)
    server = TestServer(app)
    await server.start_server()
    paper_broker.session_url = str(server.make_url("/sessions"))
    yield api
    await server.close()


@pytest.fixture
async def told(rig: Rig) -> AsyncIterator[list[Alert]]:
    """What an operator is told."""
    told: list[Alert] = []

    async def hear(batch: list[Delivery]) -> None:
        told.extend(delivery.decode(Alert) for delivery in batch)

    consumption = await rig.bus.consume(Consumer(ALERTS.name, "operator"), hear)
    yield told
    await consumption.stop()


async def test_a_session_of_somebody_else_is_not_used(rig: Rig, api: SessionApi) -> None:
    await rig.start_gateway()
    api.instead = {5151: BROKER_USER}
    await rig.connect()
    with pytest.raises(RpcError, match=f"of broker user {BROKER_USER}") as raised:
        await rig.connect(OTHER_USER, 5151)
    assert raised.value.code is ErrorCode.BROKER_REFUSED
    assert await rig.balances(OTHER_USER) is None


async def test_a_broker_user_id_is_written_in_one_way_only(rig: Rig, api: SessionApi) -> None:
    await rig.start_gateway()
    await rig.connect()
    for alias in (f"0{BROKER_USER}", f"0{SYSTEM_USER}"):
        with pytest.raises(RpcError, match="broker_user_id") as raised:
            await rig.bus.call(CONNECT, ConnectSession(user=OTHER_USER, broker_user_id=alias))
        assert raised.value.code is ErrorCode.INVALID_REQUEST


async def test_an_operator_is_told_when_a_session_is_lost_and_not_when_a_wrong_id_is_typed(
    rig: Rig, api: SessionApi, told: list[Alert]
) -> None:
    await rig.start_gateway()
    api.refused = {5151}
    with pytest.raises(RpcError):
        await rig.connect(OTHER_USER, 5151)
    await rig.connect()
    api.refused = {BROKER_USER}
    await rig.broker.inject(ExpireSession(user=BROKER_USER))

    async def failed() -> bool:
        return await rig.session() is SessionState.FAILED

    await until(failed)
    await eventually(lambda: told)
    assert [(alert.kind, alert.severity) for alert in told] == [("session_refused", "warning")]


async def test_an_operator_is_told_when_there_is_no_market_data(rig: Rig, api: SessionApi, told: list[Alert]) -> None:
    api.refused = {SYSTEM_USER}
    await rig.start_gateway()
    await eventually(lambda: told, timeout=20)
    assert told[0].kind == "market_not_available"
