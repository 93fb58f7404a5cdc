"""Every kind of option over a real gateway and a real paper broker: bought as asked, sold where that is possible."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from libs.bus import Bus
from libs.bus.topology import CATALOGUE
from libs.contracts.market import Catalogue
from libs.contracts.orders import OptionKind, OrderState, RejectCode
from libs.contracts.rpc import ErrorCode, RpcError
from tests.integration.broker_gateway.rig import BROKER_USER, CLOCK, Rig, until
from tests.integration.paper_broker import StartPaperBroker
from tests.integration.service_process import StartService

pytestmark = pytest.mark.takes(20)

PERIODS = {OptionKind.TURBO: 60, OptionKind.BINARY: 900, OptionKind.DIGITAL: 60}
SELLABLE = list(PERIODS)


@pytest.fixture
async def trading(rig: Rig) -> Rig:
    await begin(rig)
    return rig


async def begin(rig: Rig) -> None:
    async def known() -> bool:
        return await rig.bus.bucket(CATALOGUE).get("actives", Catalogue) is not None

    await rig.start_gateway()
    await until(known)
    await rig.connect()


def timed(kind: OptionKind, periods: int = 2) -> dict[str, Any]:
    """An expiration that can still be bought for a while; `periods=1` may be in its deadtime."""
    now, period = CLOCK.now(), PERIODS[kind]
    second = (int(now.timestamp()) // period + periods) * period
    expiration = datetime.fromtimestamp(second, UTC)
    return {"option": kind, "expiration": expiration, "duration": round((expiration - now).total_seconds())}


async def test_bought_for_its_expiration_and_sold_once(trading: Rig) -> None:
    for number, kind in enumerate(SELLABLE, 1):
        asked = timed(kind)
        order_id = await trading.intend(**asked)
        record = await trading.submit(order_id)
        assert record.state is OrderState.OPENED, record.reason
        assert record.position is not None
        assert record.position.expiry == asked["expiration"]
        await trading.sell(order_id)
        closed = await trading.becomes(order_id, OrderState.CLOSED)
        assert closed.settlement is not None
        assert closed.settlement.sold
        assert (await trading.sell(order_id)).settlement == closed.settlement
        positions = {position["external_id"]: position for position in await trading.broker_positions()}
        booked = positions[record.position.position_id]
        reason = "default" if kind is OptionKind.DIGITAL else "sold"
        assert (booked["close_reason"], booked["instrument_type"]) == (reason, f"{kind}-option")
        assert closed.settlement.profit == Decimal(str(booked["pnl_realized"]))
        assert len(positions) == number


async def test_a_sale_whose_closing_is_not_told_is_found_long_before_the_expiration(trading: Rig) -> None:
    order_id = await trading.intend(**timed(OptionKind.BINARY))
    await trading.submit(order_id)
    await trading.broker.fault("withhold-result", BROKER_USER, seconds=1)
    await trading.sell(order_id)
    closed = await trading.becomes(order_id, OrderState.CLOSED)
    assert closed.settlement is not None
    assert closed.settlement.sold


async def test_an_expiration_that_is_not_on_offer_is_not_sent(trading: Rig) -> None:
    for kind in SELLABLE:
        record = await trading.submit(await trading.intend(**timed(kind, periods=600)))
        assert (record.state, record.code) == (OrderState.REJECTED, RejectCode.REFUSED)
    assert await trading.broker_positions() == []


async def test_a_blitz_option_cannot_be_sold(trading: Rig) -> None:
    order_id = await trading.intend()
    await trading.submit(order_id)
    with pytest.raises(RpcError) as raised:
        await trading.sell(order_id)
    assert raised.value.code is ErrorCode.NOT_SELLABLE


async def test_the_minimum_is_compared_with_what_the_broker_pays_now(trading: Rig) -> None:
    for number, kind in enumerate(OptionKind, 1):
        asked = {} if kind is OptionKind.BLITZ else timed(kind)
        record = await trading.submit(await trading.intend(min_payout=100, **asked))
        assert (record.state, record.code) == (OrderState.REJECTED, RejectCode.PAYOUT_TOO_LOW)
        bought = await trading.submit(await trading.intend(min_payout=50, **asked))
        assert bought.position is not None, bought.reason
        assert bought.position.payout >= 50
        assert len(await trading.broker_positions()) == number


async def test_a_purchase_whose_answer_is_lost_is_found_by_kind_and_expiration(trading: Rig) -> None:
    found: set[int] = set()
    for kind in SELLABLE:
        await trading.broker.fault("drop-before-reply", BROKER_USER)
        order_id = await trading.intend(**timed(kind))
        await trading.submit(order_id)
        record = await trading.becomes(order_id, OrderState.OPENED)
        assert record.position is not None
        found.add(record.position.position_id)
        booked = await trading.broker_positions()
        assert {position["external_id"] for position in booked} == found
        assert len(booked) == len(found)


async def test_a_kind_that_is_switched_off_is_rejected_and_not_sent(
    bus: Bus, start_paper_broker: StartPaperBroker, start_service: StartService
) -> None:
    rig = Rig(bus, await start_paper_broker(PREGAO_PAPER_DISABLED_FEATURES="turbo-instrument"), start_service)
    await begin(rig)
    record = await rig.submit(await rig.intend(**timed(OptionKind.TURBO)))
    assert record.state is OrderState.REJECTED
    assert "turbo-instrument" in (record.reason or "")
    assert await rig.broker_positions() == []
