"""A session API that has the wrong session, or none."""

import pytest

from libs.contracts.account import SessionState
from libs.contracts.alerts import Alert
from libs.contracts.rpc import CONNECT, ConnectSession, ErrorCode, RpcError
from services.paper_broker.faults import ExpireSession
from tests.integration.broker_gateway.rig import BROKER_USER, SYSTEM_USER, Rig, until
from tests.integration.broker_gateway.session_api import SessionApi
from tests.integration.nats_server import eventually
from tests.messages import OTHER_USER


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
