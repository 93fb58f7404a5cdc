"""What the market does to margin trading while somebody looks, and while nobody does."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.paper_broker.accounts import Balance
from services.paper_broker.epoch import current_from, ticks_before
from services.paper_broker.ledger import Reason
from services.paper_broker.margin_instruments import CRYPTO, FOREX, kind_of
from services.paper_broker.margin_terms import Protection
from services.paper_broker.margin_watch import Happened
from services.paper_broker.market import Quote
from services.paper_broker.orders import OrderStatus
from services.paper_broker.positions import CloseReason, Position
from tests.unit.paper_broker.test_margin_instruments import BTC
from tests.unit.paper_broker.world import APPLE, EURUSD, USER, HandClock, World

GBPUSD = 81
HOUR = 3600


def quote_at(world: World, tick: int, active_id: int = EURUSD) -> Quote:
    active = world.broker.catalogue.get(active_id)
    assert active is not None
    return world.broker.market.quote(active, tick)


def tick(world: World) -> int:
    return ticks_before(world.broker.now())


def look(world: World) -> list[Happened]:
    return world.broker.margin.watch.advance(world.broker.now())


def away(value: object) -> Protection:
    """So much above or below the opening price."""
    return Protection(Decimal(str(value)), "delta")


def bought(world: World, active_id: int = EURUSD, **changes: Any) -> Position:
    order = world.margin_order(active_id, **changes)
    active = world.broker.catalogue.get(active_id)
    assert active is not None
    return world.broker.margin.orders.market(USER, kind_of(active), order).position


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize(("field", "reason"), [("stop_loss", "stop_loss"), ("take_profit", "take_profit")])
def test_a_position_is_closed_at_the_first_tick_that_reaches_its_price(
    world: World, side: Any, field: str, reason: str
) -> None:
    changes: Any = {field: away("0.0004")}
    position = bought(world, side=side, **changes)
    since = tick(world)
    world.clock.advance(6 * HOUR)
    ((order, closed),) = look(world)
    assert order is None
    assert closed is not None
    assert closed.closing is not None
    assert closed.closing.reason == CloseReason(reason)
    level = getattr(position.exposure, field)
    falling = (side == "buy") == (field == "stop_loss")
    for each in range(since + 1, ticks_before(closed.closing.time) + 1):
        quote = quote_at(world, each)
        price = quote.bid if side == "buy" else quote.ask
        reached = price <= level if falling else price >= level
        assert reached == (each == ticks_before(closed.closing.time))
    assert (closed.closing.quote, current_from(each)) == (price, closed.closing.time)
    assert look(world) == []


def test_what_the_price_did_before_the_order_does_not_count(world: World) -> None:
    bought(world, take_profit=away(1))
    look(world)
    since, euro = tick(world), world.broker.catalogue.get(EURUSD)
    assert euro is not None
    low = high = now = quote_at(world, since).bid
    while not low + 0.0002 < now < high - 0.0002:
        world.clock.advance(600)
        swing = world.broker.market.swing(euro, since, tick(world))
        assert swing is not None
        low, high, now = swing.low.bid, swing.high.bid, quote_at(world, tick(world)).bid
    lowest, highest = (Protection(Decimal(str(price)), "price") for price in (low, high))
    bought(world, stop_loss=lowest, take_profit=highest)
    world.clock.advance(0.25)
    assert look(world) == []


def test_what_has_the_same_price_happens_at_the_same_tick(world: World) -> None:
    near = Protection(Decimal(str(quote_at(world, tick(world)).ask)) + Decimal("0.0002"), "price")
    opened = [bought(world, take_profit=near) for _ in range(3)]
    world.clock.advance(6 * HOUR)
    closed = [each.position for each in look(world) if each.position is not None]
    assert [each.id for each in closed] == [each.id for each in opened]
    assert len({each.closing.time for each in closed if each.closing is not None}) == 1


class Played(NamedTuple):
    """What became of one order: when, at which price, and why."""

    opened: tuple[int, float] | None
    closed: tuple[int, float, str] | None


def played(world: World) -> list[Played]:
    return [
        Played(
            (each.open_time, each.open_quote),
            None if each.closing is None else (each.closing.time, each.closing.quote, each.closing.reason),
        )
        for each in world.broker.positions.all(USER)
    ]


ORDERS = st.lists(
    st.tuples(
        st.sampled_from([EURUSD, GBPUSD, BTC]),
        st.sampled_from(["buy", "sell"]),
        st.sampled_from([None, "above", "below"]),
        st.integers(5, 60),
        st.integers(5, 60),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=25, deadline=None)
@given(orders=ORDERS, looks=st.lists(st.floats(0.2, 400), max_size=12), restarted=st.booleans())
def test_it_makes_no_difference_how_often_somebody_looks(
    orders: list[Any], looks: list[float], restarted: bool
) -> None:
    """Nor whether the broker ran: one looks all the time, the other once at the end."""
    ends = []
    for moments in (looks, []):
        with TemporaryDirectory() as directory:
            world = World(HandClock(), str(Path(directory) / "broker.sqlite"))
            for active_id, side, pending, loss, profit in orders:
                _place(world, active_id, side, pending, loss, profit)
            for seconds in moments:
                world.clock.advance(seconds)
                look(world)
            if restarted:
                world.storage.close()
                world = World(world.clock, str(Path(directory) / "broker.sqlite"))
            world.clock.set(datetime(2026, 11, 24, 16, tzinfo=UTC))
            look(world)
            ends.append(played(world))
            world.storage.close()
    assert ends[0] == ends[1]


def _place(world: World, active_id: int, side: Any, pending: str | None, loss: int, profit: int) -> None:
    active = world.broker.catalogue.get(active_id)
    assert active is not None
    quote = Decimal(str(quote_at(world, tick(world), active_id).value))
    order = world.margin_order(
        active_id, side=side, stop_loss=away(quote * loss / 10_000), take_profit=away(quote * profit / 10_000)
    )
    orders, kind = world.broker.margin.orders, kind_of(active)
    if pending is None:
        orders.market(USER, kind, order)
        return
    price = quote * (Decimal("1.0003") if pending == "above" else Decimal("0.9997"))
    orders.defer(USER, kind, msgspec.structs.replace(order, stop_price=price), "stop_price")


def test_what_the_market_did_while_the_broker_was_down_counts(tmp_path: Path) -> None:
    database = str(tmp_path / "broker.sqlite")
    world = World(database=database)
    position = bought(world, stop_loss=away("0.0004"))
    price = Decimal(str(quote_at(world, tick(world)).ask)) - Decimal("0.0002")
    pending = world.broker.margin.orders.defer(USER, FOREX, world.margin_order(limit_price=price), "limit_price")
    world.storage.close()
    world.clock.advance(6 * HOUR)
    world = World(world.clock, database)
    found = world.broker.positions.find(USER, position.external_id)
    assert found is not None
    assert found.closing is not None
    assert found.closing.reason is CloseReason.STOP_LOSS
    assert found.closing.time < world.broker.now() - HOUR * 1000
    filled = world.broker.orders.find(USER, pending.id)
    assert filled is not None
    assert filled.status is OrderStatus.FILLED
    (opened,) = world.broker.positions.open(USER)
    assert opened.id == filled.position_id
    assert opened.open_quote <= float(price)


def test_nothing_happens_in_a_market_that_is_closed(world: World) -> None:
    world.clock.set(datetime(2026, 11, 24, 20, 59, 59, tzinfo=UTC))
    apple = bought(world, APPLE, stop_loss=away("0.3"), take_profit=away("0.3"))
    for moment in (datetime(2026, 11, 24, 21, 0, 1, tzinfo=UTC), datetime(2026, 11, 25, 14, 30, tzinfo=UTC)):
        world.clock.set(moment)
        assert look(world) == []
    world.clock.set(datetime(2026, 11, 25, 16, 0, tzinfo=UTC))
    ((_, closed),) = look(world)
    assert closed is not None
    assert closed.id == apple.id


def test_nothing_happens_in_a_market_that_is_frozen(world: World) -> None:
    euro = world.broker.catalogue.get(EURUSD)
    assert euro is not None
    world.broker.market.freeze(euro, world.broker.now())
    bought(world, stop_loss=away("0.0001"), take_profit=away("0.0001"))
    world.clock.advance(HOUR)
    assert look(world) == []
    world.broker.market.thaw(euro, world.broker.now())
    world.clock.advance(HOUR)
    assert len(look(world)) == 1


def test_without_anything_open_or_pending_no_price_is_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.broker.market, "swing", None)
    world.clock.advance(HOUR)
    assert look(world) == []


def small(world: World, amount: int) -> Balance:
    return world.margin_balance("EUR", amount)


def test_a_used_up_margin_closes_the_greatest_loss_first(world: World) -> None:
    """At 1:10 a rise of crypto by some percent halves the equity of who has sold so much."""
    balance = small(world, 1000)
    order = world.margin_order(BTC, user_balance_id=balance.id, side="sell")
    for count in ("0.1", "0.05"):
        more = msgspec.structs.replace(order, count=Decimal(count))
        world.broker.margin.orders.market(USER, CRYPTO, more)
    closed: list[Position] = []
    for _ in range(30):
        world.clock.advance(3 * 24 * HOUR)
        closed += [each.position for each in look(world) if each.position is not None]
        if closed:
            break
    assert {each.closing.reason for each in closed if each.closing is not None} == {CloseReason.STOP_OUT}
    assert closed[0].exposure is not None
    assert closed[0].exposure.count == Decimal("0.1")
    worth = world.broker.margin.balances.worth(small(world, 1000), tick(world))
    assert not worth.stopped_out
    assert worth.cash == world.broker.ledger.total(balance.id)


def test_only_who_is_flat_is_spared_what_is_lost_beyond_the_balance(world: World) -> None:
    """Otherwise one could close a loss, be spared it, and take the profit of the opposite position."""
    balance = small(world, 1000)
    order = world.margin_order(BTC, user_balance_id=balance.id, count=Decimal("0.1"))
    pair = [bought(world, BTC, user_balance_id=balance.id, count=order.count, side=side) for side in ("buy", "sell")]
    with world.storage.transaction():
        world.broker.ledger.post(balance.id, Decimal(-1000), Reason.RESET, world.broker.now())
    world.clock.advance(HOUR)
    prices, positions = world.broker.margin.prices, world.broker.margin.positions
    loss, profit = sorted(pair, key=lambda each: prices.valued(each, "EUR", tick(world)).pnl)
    positions.close_by_user(USER, CRYPTO, loss.external_id)
    assert small(world, 1000).amount < 0
    positions.close_by_user(USER, CRYPTO, profit.external_id)
    entries = world.broker.ledger.entries(balance.id)
    assert [entry.reason for entry in entries[-3:]] == [Reason.PNL, Reason.PNL, Reason.COVER]
    assert small(world, 1000).amount == world.broker.ledger.total(balance.id) == 0


def test_after_a_restart_the_margins_of_the_past_are_not_looked_at_again(tmp_path: Path) -> None:
    """Meanwhile the balance may have become smaller, which was no matter then."""
    database = str(tmp_path / "broker.sqlite")
    world = World(database=database)
    balance = small(world, 1000)
    position = bought(world, BTC, user_balance_id=balance.id, count=Decimal("0.1"))
    with world.storage.transaction():
        world.broker.ledger.post(balance.id, Decimal(10**6), Reason.RESET, world.broker.now())
    prices, pnls = world.broker.margin.prices, [Decimal(0)]
    while pnls[-1] < min(pnls) + 200:
        world.clock.advance(6 * HOUR)
        assert look(world) == []
        pnls.append(prices.valued(position, "EUR", tick(world)).pnl)
    just_enough = position.invest / 2 - pnls[-1] + 50
    with world.storage.transaction():
        world.broker.ledger.post(balance.id, just_enough - 1000 - 10**6, Reason.RESET, world.broker.now())
    world.storage.close()
    world = World(world.clock, database)
    assert [each.id for each in world.broker.positions.open(USER)] == [position.id]
