"""Trades are found as a naive look at all of them would find them, page by page without gaps."""

import base64
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from libs.contracts.account import AccountType
from libs.contracts.orders import TradeClosed, TradeOpened, TradeResult
from libs.store import Database
from libs.store.cursors import BadCursor
from libs.store.trade_lists import Filter, FoundTrade, Order, TradeLists, cursor_of, position_of
from libs.store.trades import Trades
from tests.integration.store.test_trade_sums import a_story
from tests.integration.supabase_server import Person

DEMO, REAL = AccountType.DEMO, AccountType.REAL
BOTH = (DEMO, REAL)
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
Event = TradeOpened | TradeClosed


@pytest.fixture
def lists(database: Database) -> TradeLists:
    return TradeLists(database)


@pytest.fixture
async def there(database: Database, owner: Person) -> list[Event]:
    """Trades of the owner; some at the same time, of the same stake, of the same profit, and some open."""
    chance, events = random.Random(5), list[Event]()
    for _ in range(60):
        story = a_story(
            owner,
            FIRST + timedelta(hours=chance.randrange(100)),
            stake=chance.choice(("10", "12.5", "9")),
            profit=chance.choice(("8.20", "-10", "0")),
            account_type=chance.choice(BOTH),
            ticker=chance.choice(("EURUSD-OTC", "GBPUSD-OTC")),
            strategy=chance.choice(("balanced", "mhi")),
            duration=chance.choice((10, 60)),
        )
        events.append(chance.choice(story))
    await Trades(database).record(events)
    return events


def result_of(event: Event) -> TradeResult | None:
    return event.settlement.result if isinstance(event, TradeClosed) else None


AMOUNT_OUT_OF_RANGE = base64.urlsafe_b64encode(b'["1e999999",1]').decode()
MARCH_2 = (FIRST + timedelta(days=1)).date()
FILTERS: dict[str, tuple[dict[str, object], Callable[[Event], object]]] = {
    "all": ({}, lambda _: True),
    "real": ({"accounts": (REAL,)}, lambda one: one.order.account_type is REAL),
    "asset": ({"asset": "EURUSD-OTC"}, lambda one: one.order.ticker == "EURUSD-OTC"),
    "strategy": ({"strategy": "mhi"}, lambda one: one.order.strategy == "mhi"),
    "result": ({"result": TradeResult.TIE}, lambda one: result_of(one) is TradeResult.TIE),
    "duration": ({"seconds": 60}, lambda one: one.order.duration == 60),
    "too well paid": ({"min_payout": 83}, lambda _: False),
    "paid enough": ({"min_payout": 82, "max_payout": 82}, lambda _: True),
    "day": ({"first": MARCH_2, "last": MARCH_2}, lambda one: one.position.opened_at.date() == MARCH_2),
}


@pytest.mark.parametrize("name", FILTERS)
async def test_filters_leave_what_a_naive_look_leaves(
    lists: TradeLists, there: list[Event], owner: Person, name: str
) -> None:
    changes, matches = FILTERS[name]
    wanted = msgspec.convert({"accounts": BOTH, "user": owner.user, **changes}, Filter)
    expected = [event for event in there if matches(event)]
    found = await lists.find(wanted, Order(), 200)
    assert sorted((one.valor, one.pnl, one.ativo_nome) for one in found) == sorted(
        (
            event.order.stake,
            event.settlement.profit if isinstance(event, TradeClosed) else Decimal(0),
            event.order.ticker,
        )
        for event in expected
    )
    assert {one.email for one in found} <= {owner.email}
    sums = await lists.sum(wanted)
    assert (sums.trades, sums.volume) == (len(expected), sum(event.order.stake for event in expected))
    results = [result_of(event) for event in expected]
    assert (sums.wins, sums.losses, sums.ties) == tuple(
        results.count(each) for each in (TradeResult.WIN, TradeResult.LOSS, TradeResult.TIE)
    )


@pytest.mark.parametrize("by", ["data_abertura", "pnl", "valor"])
@pytest.mark.parametrize("ascending", [True, False])
async def test_pages_are_in_order_and_without_gaps(
    lists: TradeLists, there: list[Event], owner: Person, by: str, ascending: bool
) -> None:
    wanted = msgspec.convert({"accounts": BOTH, "user": owner.user}, Filter)
    order = msgspec.convert({"by": by, "ascending": ascending}, Order)
    whole = await lists.find(wanted, order, 200)
    keys = [(getattr(one, by), one.id) for one in whole]
    assert keys == sorted(keys, reverse=not ascending)
    assert len(whole) == len(there)

    paged: list[FoundTrade] = []
    while page := await lists.find(wanted, order, 7, after=position_of(cursor_of(paged[-1]), order) if paged else None):
        paged += page
    assert paged == whole
    assert await lists.find(wanted, order, 7, 13) == whole[13:20]


async def test_a_trade_with_all_that_is_known_of_it(lists: TradeLists, there: list[Event], owner: Person) -> None:
    [newest] = await lists.find(msgspec.convert({"accounts": BOTH, "user": owner.user}, Filter), Order(), 1)
    details = await lists.trade(newest.id)
    assert details is not None
    assert (details.id, details.email, details.valor) == (newest.id, owner.email, newest.valor)
    assert (details.balance_before, details.balance_after) == (None, None)
    assert await lists.trade(2**62) is None


@pytest.mark.parametrize(
    "cursor", ["", "x", "WyJ4IiwxXQ", "WyJuYW4iLDFd", "WyIxIiwtMV0", "W10", "\N{SNOWMAN}", AMOUNT_OUT_OF_RANGE]
)
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    for by in ("data_abertura", "pnl"):
        with pytest.raises(BadCursor):
            position_of(cursor, msgspec.convert({"by": by}, Order))
