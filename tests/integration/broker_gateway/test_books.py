"""What the broker's books say of a user's orders, for whoever keeps the ledger."""

from datetime import timedelta

import pytest

from libs.bus.topology import CATALOGUE
from libs.contracts.market import Catalogue
from libs.contracts.orders import OrderState
from libs.contracts.rpc import BOOKS, Books, BooksQuery
from libs.contracts.subjects import session_rpc
from tests.integration.broker_gateway.rig import CLOCK, Rig, until
from tests.messages import USER

pytestmark = pytest.mark.takes(25)


async def books(rig: Rig, query: BooksQuery) -> Books:
    return await rig.bus.call(BOOKS, query, subject=session_rpc(USER, "books"))


async def test_open_and_closed_positions_are_told_and_orders_without_are_not(rig: Rig) -> None:
    await rig.start_gateway()
    await rig.connect()
    await until(lambda: rig.bus.bucket(CATALOGUE).get("actives", Catalogue))  # so that it knows what is on offer
    began = CLOCK.now() - timedelta(seconds=1)
    assert (await books(rig, BooksQuery(since=began))).trades == ()
    closed, still_open = await rig.intend(), await rig.intend(duration=30)
    await rig.intend()  # never submitted
    for order_id in (closed, still_open):
        assert (await rig.submit(order_id)).state is OrderState.OPENED
    await rig.becomes(closed, OrderState.CLOSED)

    told = (await books(rig, BooksQuery(since=began))).trades
    assert [trade.order.order_id for trade in told] == [closed, still_open]
    assert [trade.settlement is None for trade in told] == [False, True]
    assert not any(trade.missing for trade in told)
    [listed] = [one for one in await rig.broker_positions() if one["status"] == "closed"]
    assert told[0].settlement == rig.closings[closed].settlement
    assert told[0].position.position_id == listed["external_id"]

    [first] = (await books(rig, BooksQuery(since=began, limit=1))).trades
    assert first == told[0]
    assert (await books(rig, BooksQuery(since=told[1].order.at))).trades == told[1:]
