"""Sums of trades: what adding up the rows anew gives, whatever was delivered, deleted, repeated and reordered."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from libs.contracts.account import AccountType
from libs.contracts.ids import new_id
from libs.contracts.orders import TradeClosed, TradeOpened
from libs.store import Database
from libs.store.trade_sums import KeySums, Sums, TradeSums
from libs.store.trades import Trades
from tests.integration.numbers import number
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import a_closing, a_position, a_settlement, an_opening, an_order

DEMO, REAL = AccountType.DEMO, AccountType.REAL
ALL = "", (DEMO, REAL)
Story = tuple[TradeOpened, TradeClosed]


@pytest.fixture
def trades(database: Database) -> Trades:
    return Trades(database)


@pytest.fixture
def sums(database: Database) -> TradeSums:
    return TradeSums(database)


@pytest.fixture
def day() -> date:
    """On which nobody else trades."""
    return date(1971, 1, 1) + timedelta(days=3 * number() % 18_000)


def a_story(person: Person, opened_at: datetime, stake: str = "10", profit: str = "8.20", **changes: Any) -> Story:
    order = an_order(order_id=new_id(), user=person.user, stake=Decimal(stake), **changes)
    position = a_position(position_id=number(), opened_at=opened_at)
    settlement = a_settlement(profit=Decimal(profit))
    return an_opening(order=order, position=position), a_closing(order=order, position=position, settlement=settlement)


def some_stories(chance: random.Random, people: Sequence[Person], day: date, count: int) -> list[Story]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return [
        a_story(
            chance.choice(people),
            midnight + timedelta(seconds=chance.randrange(2 * 86400)),
            stake=str(chance.randrange(1, 5000) / Decimal(100)),
            profit=chance.choice(("8.20", "-10", "0", "0.82")),
            account_type=chance.choice((DEMO, REAL)),
            ticker=chance.choice(("EURUSD-OTC", "GBPUSD-OTC")),
            strategy=chance.choice(("balanced", "mhi")),
        )
        for _ in range(count)
    ]


def added_up(stories: Iterable[tuple[Story, bool]], key: Callable[[TradeOpened], object]) -> dict[object, Sums]:
    """Naively; with each story whether it is settled."""
    found: dict[object, list[tuple[Story, bool]]] = defaultdict(list)
    for story, settled in stories:
        found[key(story[0])].append((story, settled))
    return {
        name: Sums(
            trades=len(group),
            wins=sum(settled and closed.settlement.profit > 0 for (_, closed), settled in group),
            losses=sum(settled and closed.settlement.profit < 0 for (_, closed), settled in group),
            ties=sum(settled and closed.settlement.profit == 0 for (_, closed), settled in group),
            volume=sum((opened.order.stake for (opened, _), _ in group), Decimal(0)),
            pnl=sum((closed.settlement.profit for (_, closed), settled in group if settled), Decimal(0)),
        )
        for name, group in found.items()
    }


def bare(one: Sums) -> Sums:
    return Sums(
        trades=one.trades, wins=one.wins, losses=one.losses, ties=one.ties, volume=one.volume, pnl=one.pnl
    )  # fmt: skip


async def agree(sums: TradeSums, there: list[tuple[Story, bool]], day: date) -> None:
    """What the database says of the two days, against what is there."""
    for accounts in ((DEMO,), (REAL,), (DEMO, REAL)):
        of = [(story, settled) for story, settled in there if story[0].order.account_type in accounts]
        told = await sums.by_day(accounts, day, day + timedelta(days=1))
        assert {one.day: bare(one) for one in told} == added_up(of, lambda one: one.position.opened_at.date())
        traders = {(story[0].position.opened_at.date(), story[0].order.user) for story, _ in of}
        assert {one.day: one.active_users for one in told} == {
            day: sum(of == day for of, _ in traders) for day, _ in traders
        }
        keys: dict[str, Callable[[TradeOpened], object]] = {
            "asset": lambda one: one.order.ticker,
            "strategy": lambda one: one.order.strategy,
            "hour": lambda one: f"{one.position.opened_at.hour:02}",
            "asset_hour": lambda one: f"{one.position.opened_at.hour:02} {one.order.ticker}",
        }
        for what, key in keys.items():
            rows: list[KeySums] = await sums.by(what, accounts, day, day + timedelta(days=1))  # type: ignore[arg-type]
            assert {one.key: bare(one) for one in rows} == added_up(of, key), what


@pytest.mark.parametrize("seed", range(4))
async def test_sums_are_what_adding_up_anew_gives(
    supabase_server: SupabaseServer,
    trades: Trades,
    sums: TradeSums,
    owner: Person,
    stranger: Person,
    day: date,
    seed: int,
) -> None:
    chance = random.Random(seed)
    stories = some_stories(chance, (owner, stranger), day, 40)
    settled = {story[0].order.order_id for story in stories if chance.random() < 0.8}
    deliveries: list[TradeOpened | TradeClosed] = [opened for opened, _ in stories]
    deliveries += [closed for _, closed in stories if closed.order.order_id in settled]
    deliveries += chance.sample(deliveries, 20)
    chance.shuffle(deliveries)
    while deliveries:
        size = chance.randrange(1, 12)
        await trades.record(deliveries[:size])
        del deliveries[:size]
    there = [(story, story[0].order.order_id in settled) for story in stories]
    await agree(sums, there, day)

    await supabase_server.as_person(owner, "DELETE", f"/rest/v1/trade_history?user_id=eq.{owner.user}")
    left = [
        (story, done)
        for story, done in there
        if story[0].order.user != owner.user or story[0].order.account_type is REAL or not done
    ]
    assert len(left) < len(there)
    await agree(sums, left, day)


async def test_the_best_are_told_with_all_they_have_traded(
    trades: Trades, sums: TradeSums, owner: Person, stranger: Person, day: date
) -> None:
    """Stakes far beyond what is usual, in a database that others use, too."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    most = number() * 10_000
    for person, stake, profit in ((owner, most, -1), (stranger, most - 1, most)):
        await trades.record([a_story(person, at, str(stake), str(profit), account_type=REAL)[1]])
        await trades.record([a_story(person, at, "1", "0.8", account_type=DEMO)[1]])
    by_volume = await sums.top_users([REAL], by_volume=True, limit=200)
    assert [
        (one.email, one.volume, one.win_rate) for one in by_volume if one.email in (owner.email, stranger.email)
    ] == [(owner.email, Decimal(most), 0.0), (stranger.email, Decimal(most - 1), 100.0)]
    by_pnl = await sums.top_users([REAL, DEMO], by_volume=False, limit=200)
    best = next(one for one in by_pnl if one.email in (owner.email, stranger.email))
    assert (best.email, best.full_name, best.trades) == (stranger.email, "Somebody New", 2)
    assert best.pnl == Decimal(most) + Decimal("0.8")
