"""Beside a broker whose time passes twenty times as fast: a test need not wait for options to expire."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from libs.bus import Bus
from libs.bus.topology import CATALOGUE
from libs.contracts.market import Catalogue
from libs.contracts.orders import OrderState
from tests.integration.broker_gateway.rig import BROKER_USER, Rig, until
from tests.integration.paper_broker import StartPaperBroker
from tests.integration.service_process import StartService

SPEED = 20


@pytest.fixture
async def rig(bus: Bus, start_paper_broker: StartPaperBroker, start_service: StartService) -> AsyncIterator[Rig]:
    broker = await start_paper_broker(PREGAO_PAPER_CLOCK_SPEED=str(SPEED))
    rig = Rig(bus, broker, start_service)
    stop = await rig.listen()

    async def known() -> bool:
        return await bus.bucket(CATALOGUE).get("actives", Catalogue) is not None

    await rig.start_gateway(PREGAO_ORDER_GRACE=str(10 * SPEED))
    await until(known)
    await rig.connect()
    yield rig
    await stop()


@pytest.mark.parametrize("fault", ["", "drop-before-reply", "swallow-event"])
async def test_options_of_a_minute_are_settled_in_seconds_whatever_is_lost(rig: Rig, fault: str) -> None:
    if fault:
        await rig.broker.fault(fault, BROKER_USER)
    order_id = await rig.intend(duration=60)
    await rig.submit(order_id)
    record = await rig.becomes(order_id, OrderState.CLOSED)
    (booked,) = await rig.broker_positions()
    assert record.position is not None
    assert record.settlement is not None
    assert record.position.position_id == booked["external_id"]
    assert record.settlement.profit == Decimal(str(booked["pnl_realized"]))
    assert {name.rsplit(".", 1)[1]: count for name, count in rig.events.items()} == {"opened": 1, "closed": 1}
