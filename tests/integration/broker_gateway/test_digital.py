"""What is peculiar to digital options: their fate is told by events; the fault matrix has those that no list shows."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from libs.bus.topology import CATALOGUE
from libs.contracts.market import Catalogue
from libs.contracts.orders import OptionKind, OrderState, RejectCode
from services.paper_broker.faults import SuspendActive
from tests.integration.broker_gateway.rig import Rig, until
from tests.integration.broker_gateway.test_kinds import timed
from tests.integration.service_process import ServiceProcess

pytestmark = pytest.mark.takes(40)

EURUSD = 76


async def started(rig: Rig) -> ServiceProcess:
    async def known() -> bool:
        return await rig.bus.bucket(CATALOGUE).get("actives", Catalogue) is not None

    gateway = await rig.start_gateway()
    await until(known)
    await rig.connect()
    return gateway


def soon() -> dict[str, Any]:
    """Expires as soon as possible, and can be bought for some seconds yet."""
    left = timed(OptionKind.DIGITAL, periods=1)
    return left if left["duration"] > 20 else timed(OptionKind.DIGITAL, periods=2)


async def in_the_books(rig: Rig, order_id: str) -> None:
    """The broker's only position is the one of that order, with the same result."""
    record = await rig.record(order_id)
    assert record.position is not None
    assert record.settlement is not None
    (booked,) = await rig.broker_positions()
    assert booked["external_id"] == record.position.position_id
    assert record.settlement.profit == Decimal(str(booked["pnl_realized"]))
    assert {name: count for name, count in rig.events.items() if name.startswith(order_id)} == {
        f"{order_id}.opened": 1,
        f"{order_id}.closed": 1,
    }


@pytest.mark.timeout(180)
async def test_one_expires_also_after_the_gateway_was_killed_meanwhile(rig: Rig) -> None:
    gateway = await started(rig)
    order_id = await rig.intend(**soon())
    record = await rig.submit(order_id)
    assert record.state is OrderState.OPENED, record.reason
    await gateway.kill()
    await rig.start_gateway()
    closed = await rig.becomes(order_id, OrderState.CLOSED, timeout=150)
    assert closed.settlement is not None
    assert not closed.settlement.sold
    await in_the_books(rig, order_id)


async def test_one_that_is_rejected_after_it_was_answered_is_rejected(rig: Rig) -> None:
    await started(rig)
    record = await rig.submit(await rig.intend(stake=Decimal(10001), **timed(OptionKind.DIGITAL)))
    assert (record.state, record.code) == (OrderState.REJECTED, RejectCode.REFUSED)
    assert await rig.broker_positions() == []


async def test_a_suspended_active_is_told_within_seconds_and_not_bought(rig: Rig) -> None:
    await started(rig)

    async def told(suspended: bool) -> bool:
        """Of every kind of option."""
        catalogue = await rig.bus.bucket(CATALOGUE).get("actives", Catalogue)
        assert catalogue is not None
        (active,) = [active for active in catalogue.value.actives if active.id == EURUSD]
        return {offering.kind: offering.suspended for offering in active.options} == dict.fromkeys(
            OptionKind, suspended
        )

    await until(partial(told, False))
    await rig.broker.inject(SuspendActive(active=EURUSD))
    await until(partial(told, True))
    record = await rig.submit(await rig.intend(active_id=EURUSD, **timed(OptionKind.DIGITAL)))
    assert (record.state, record.code) == (OrderState.REJECTED, RejectCode.REFUSED)
    assert await rig.broker_positions() == []
