"""Session ids that live for seconds: nobody has to mend anything by hand."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from libs.bus import Bus
from libs.contracts.orders import OrderState
from libs.contracts.rpc import RpcError
from tests.integration.broker_gateway.rig import BROKER_USER, Rig, until
from tests.integration.paper_broker import StartPaperBroker
from tests.integration.service_process import ServiceProcess, StartService

VALIDITY = 3
RENEWALS = 2


@pytest.fixture
async def short_lived(
    bus: Bus, start_paper_broker: StartPaperBroker, start_service: StartService
) -> AsyncIterator[Rig]:
    """At a broker whose session ids are valid for seconds."""
    rig = Rig(bus, await start_paper_broker(PREGAO_PAPER_SESSION_SECONDS=str(VALIDITY)), start_service)
    stop = await rig.listen()
    yield rig
    await stop()


async def test_trading_goes_on_over_several_renewals(short_lived: Rig) -> None:
    rig = short_lived
    gateway = await rig.start_gateway(PREGAO_SESSION_VALIDITY=str(VALIDITY))
    await rig.connect()
    opened: list[str] = []
    while len(issued(gateway)) <= RENEWALS:
        order_id = await rig.intend()
        with suppress(RpcError):  # nobody serves the session while it changes its id, and nothing is sent
            if (await rig.submit(order_id)).state is OrderState.OPENED:
                opened.append(order_id)

    async def settled() -> bool:
        return all(rig.events[f"{order_id}.closed"] for order_id in opened)

    await until(settled, timeout=20)
    assert len(opened) > RENEWALS
    assert set(rig.events.values()) == {1}
    assert len(await rig.broker_positions()) == len(opened)
    assert gateway.logged("session_id_not_renewed") == []


def issued(gateway: ServiceProcess) -> list[dict[str, Any]]:
    return [line for line in gateway.logged("session_id_issued") if line["broker_user_id"] == str(BROKER_USER)]
