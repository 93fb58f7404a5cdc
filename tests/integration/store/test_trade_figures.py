"""What figures are made of: a ledger checked by hand, and others against adding up naively."""

import math
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby, pairwise
from statistics import fmean
from typing import Any
from uuid import UUID

import pytest
from scipy.stats import binomtest

from libs.contracts.account import AccountType
from libs.contracts.ids import new_id
from libs.contracts.orders import Direction, TradeClosed, TradeOpened
from libs.store import Database
from libs.store.trade_figures import Exposure, Selection, Streaks, TradeFigures
from libs.store.trades import Trades
from tests.integration.numbers import number
from tests.integration.store.catalog import Catalog
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import a_closing, a_position, a_settlement, an_opening, an_order

DEMO, REAL = AccountType.DEMO, AccountType.REAL


@pytest.fixture
def trades(database: Database) -> Trades:
    return Trades(database)


@pytest.fixture
def figures(database: Database) -> TradeFigures:
    return TradeFigures(database)


@pytest.fixture
def day() -> date:
    """A Monday; on it and the six days after it nobody else trades."""
    return date(1890, 1, 6) + timedelta(weeks=number() % 4_000)


def of(day: date, person: Person | None = None, accounts: tuple[AccountType, ...] = (REAL,)) -> Selection:
    """The week from that day on."""
    user = UUID(person.user) if person else None
    return Selection(accounts=accounts, user=user, first=day, last=day + timedelta(days=6))


def at(day: date, seconds: float) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds)


def a_trade(
    person: Person, opened_at: datetime, profit: str | None, lasted: float = 60, waited: float = 0.2, **changes: Any
) -> list[TradeOpened | TradeClosed]:
    """Of 10.00 on a real account at 82 %; not settled without a profit. `waited`: seconds for the acknowledgement."""
    quote = changes.pop("fill", 1.0)
    order = an_order(
        order_id=new_id(), user=person.user, at=opened_at - timedelta(seconds=0.1), **{"account_type": REAL, **changes}
    )
    position = a_position(
        position_id=number(), opened_at=opened_at, expiry=opened_at + timedelta(seconds=lasted), open_quote=quote
    )
    opening = an_opening(order=order, position=position, at=order.at + timedelta(seconds=waited))
    if profit is None:
        return [opening]
    settlement = a_settlement(profit=Decimal(profit), closed_at=position.expiry)
    return [opening, a_closing(order=order, position=position, settlement=settlement)]


async def test_a_week_by_hand(trades: Trades, figures: TradeFigures, owner: Person, day: date) -> None:
    told = [
        a_trade(owner, at(day, 0), "8.20", waited=0.1, quote=1.0, fill=1.0001),
        a_trade(owner, at(day, 30), "-10", waited=0.3, quote=1.0, fill=1.0002, direction=Direction.PUT),
        a_trade(owner, at(day, 3600), "0", waited=0.2),
        a_trade(owner, at(day + timedelta(days=6), 86399), None, waited=0.2, stake=Decimal(25)),
        a_trade(owner, at(day + timedelta(days=7), 0), "8.20", waited=9),
        a_trade(owner, at(day, 0), "8.20", waited=9, account_type=DEMO),
    ]
    for events in told:
        for event in events:
            await trades.record([event])
    totals = await figures.totals(of(day, owner))
    assert (totals.wins, totals.losses, totals.ties) == (1, 1, 1)
    assert (totals.won, totals.lost, totals.staked, totals.promised) == (
        Decimal("8.20"), Decimal(10), Decimal(30), Decimal("24.6"),
    )  # fmt: skip
    assert (totals.win_rate_lower, totals.win_rate_upper) == (9.45, 90.55)
    assert (totals.acknowledged, totals.filled) == (4, 2)
    assert totals.acknowledged_p50 == pytest.approx(200)
    assert totals.acknowledged_p99 == pytest.approx(297)
    assert totals.slippage_mean == pytest.approx(-0.5), "a put that was bought higher was bought better"
    assert totals.slippage_p50 == pytest.approx(-0.5)

    assert await figures.exposure(of(day, owner)) == Exposure(
        seconds_at_risk=90 + 60 + 1, stake_seconds=600 * 3 + 25, most_at_risk=Decimal(25), most_open=2
    ), "of the last trade one second is in the week"
    assert await figures.streaks(of(day, owner)) == [Streaks(wins=1, losses=1, runs=2, longest_win=1, longest_loss=1)]
    assert [(one.day, one.pnl, one.staked) for one in await figures.returns(of(day, owner))] == [
        (day, Decimal("-1.80"), Decimal(30)), (day + timedelta(days=6), Decimal(0), Decimal(25)),
    ]  # fmt: skip


async def test_nothing_is_nothing(figures: TradeFigures, owner: Person, day: date) -> None:
    selection = of(day, owner)
    totals = await figures.totals(selection)
    assert totals.wins == totals.acknowledged == 0
    assert totals.staked == 0
    assert totals.win_rate_lower is None
    assert totals.acknowledged_p99 is None
    assert totals.slippage_mean is None
    assert (await figures.exposure(selection)).most_at_risk == 0
    assert await figures.streaks(selection) == []
    assert await figures.heat(selection, 5) == []
    assert await figures.returns(selection) == []
    assert await figures.weeks(day, day) == []


async def test_the_answer_of_the_broker_is_timed_whatever_is_told_first(
    trades: Trades, figures: TradeFigures, owner: Person, day: date
) -> None:
    opening, closing = a_trade(owner, at(day, 0), "8.20", waited=0.4)
    await trades.record([closing, opening])
    only_closed = a_trade(owner, at(day, 90), "8.20")[1]
    await trades.record([only_closed])
    totals = await figures.totals(of(day, owner))
    assert (totals.wins, totals.acknowledged) == (2, 1)
    assert totals.acknowledged_p50 == pytest.approx(400)


Told = list[tuple[TradeOpened, TradeClosed]]


def naive_exposure(told: Told, day: date) -> tuple[float, float, Decimal, int]:
    """Of the week from that day on, from one change to the next."""
    begins, ends = at(day, 0), at(day + timedelta(days=7), 0)
    spans = [
        (max(begins, opened.position.opened_at), min(ends, closed.settlement.closed_at), opened.order.stake)
        for opened, closed in told
    ]
    moments = sorted({begins, ends, *(moment for span in spans for moment in span[:2] if begins <= moment <= ends)})
    at_risk, stake_seconds, most, most_open = 0.0, 0.0, Decimal(0), 0
    for moment, following in pairwise(moments):
        stakes = [stake for opened, closed, stake in spans if opened <= moment < closed]
        seconds = (following - moment).total_seconds()
        at_risk += seconds * bool(stakes)
        stake_seconds += seconds * float(sum(stakes, Decimal(0)))
        most, most_open = max(most, sum(stakes, Decimal(0))), max(most_open, len(stakes))
    return at_risk, stake_seconds, most, most_open


def naive_streaks(told: Told) -> list[Streaks]:
    """Of each user and account, in any order."""
    found = []
    ordered = sorted(told, key=lambda one: (one[0].order.user, one[0].order.account_type, one[0].position.opened_at))
    for _, own in groupby(ordered, key=lambda one: (one[0].order.user, one[0].order.account_type)):
        results = [closed.settlement.result.value for _, closed in own if closed.settlement.profit]
        runs = [(result, len(list(group))) for result, group in groupby(results)]
        found.append(
            Streaks(
                wins=results.count("WIN"),
                losses=results.count("LOSS"),
                runs=len(runs),
                longest_win=max((length for result, length in runs if result == "WIN"), default=0),
                longest_loss=max((length for result, length in runs if result == "LOSS"), default=0),
            )
        )
    return sorted((one for one in found if one.runs), key=repr)


def some_trades(chance: random.Random, people: Sequence[Person], day: date, count: int) -> Told:
    told = []
    for second in chance.sample(range(600), count):
        opening, closing = a_trade(
            chance.choice(people),
            at(day, second),
            chance.choice(("8.20", "8.20", "-10", "-10", "0")),
            lasted=chance.randrange(1, 60),
            stake=Decimal(chance.randrange(1, 100)),
            ticker=chance.choice(("EURUSD-OTC", "GBPUSD-OTC", "USDJPY-OTC")),
        )
        assert isinstance(opening, TradeOpened)
        assert isinstance(closing, TradeClosed)
        told.append((opening, closing))
    return told


@pytest.mark.parametrize("seed", range(3))
async def test_it_is_what_adding_up_naively_gives(
    trades: Trades, figures: TradeFigures, owner: Person, stranger: Person, day: date, seed: int
) -> None:
    chance = random.Random(seed)
    told = some_trades(chance, (owner, stranger), day, 40)
    events = [event for pair in told for event in pair]
    chance.shuffle(events)
    await trades.record(events)

    exposure = await figures.exposure(of(day))
    assert (exposure.seconds_at_risk, exposure.stake_seconds, exposure.most_at_risk, exposure.most_open) == (
        naive_exposure(told, day)
    )  # fmt: skip
    assert sorted(await figures.streaks(of(day)), key=repr) == naive_streaks(told)
    heat = await figures.heat(of(day), 2)
    [cell] = [one for one in heat if one.weekday]
    assert (cell.weekday, cell.hour, cell.trades) == (1, 0, 40)
    assert cell.pnl == sum((closed.settlement.profit for _, closed in told), Decimal(0))
    by_asset: dict[str, int] = {}
    for opened, _ in told:
        by_asset[opened.order.ticker] = by_asset.get(opened.order.ticker, 0) + 1
    most = sorted(by_asset.items(), key=lambda one: (-one[1], one[0]))[:2]
    assert {(one.asset, one.trades) for one in heat if not one.weekday} == set(most)


def trades_of_all_kinds(chance: random.Random, people: Sequence[Person], day: date, count: int) -> Told:
    """From the day before the week to the one after it; some last for days, some fills are not known to be worse."""
    told = []
    for _ in range(count):
        opening, closing = a_trade(
            chance.choice(people),
            at(day - timedelta(days=1), chance.randrange(9 * 86400)),
            chance.choice(("8.20", "8.20", "-10", "0")),
            lasted=chance.choice((30, 60, 3600, 86400, 200_000)),
            waited=chance.uniform(0.001, 3),
            stake=Decimal(chance.randrange(1, 100)),
            account_type=chance.choice((DEMO, REAL)),
            direction=chance.choice(tuple(Direction)),
            quote=1.0,
            fill=chance.choice((1.0, 1.0001, 0.9998)),
        )
        assert isinstance(opening, TradeOpened)
        assert isinstance(closing, TradeClosed)
        told.append((opening, closing))
    return told


def nearest_rank(values: Sequence[float], share: float) -> float:
    return sorted(values)[math.ceil(share * len(values)) - 1]


def slippage(opened: TradeOpened) -> float:
    order = opened.order
    assert order.quote is not None
    change = 10_000 * (opened.position.open_quote - order.quote) / order.quote
    return change if order.direction is Direction.CALL else -change


async def agree(figures: TradeFigures, there: Told, timed: set[str], day: date) -> None:
    """What is told of everybody in the week, against what is there. `timed`: orders with a known time of the answer."""
    for accounts in ((DEMO,), (REAL,), (REAL, DEMO)):
        mine = [one for one in there if one[0].order.account_type in accounts]
        begins, ends = at(day, 0), at(day + timedelta(days=7), 0)
        opened = [one for one in mine if begins <= one[0].position.opened_at < ends]
        totals = await figures.totals(of(day, accounts=accounts))
        profits = [closed.settlement.profit for _, closed in opened]
        assert (totals.wins, totals.losses, totals.ties, totals.won, totals.lost, totals.staked, totals.promised) == (
            sum(profit > 0 for profit in profits), sum(profit < 0 for profit in profits), profits.count(Decimal(0)),
            sum((profit for profit in profits if profit > 0), Decimal(0)),
            -sum((profit for profit in profits if profit < 0), Decimal(0)),
            sum((one.order.stake for one, _ in opened), Decimal(0)),
            sum((one.order.stake * Decimal("0.82") for one, _ in opened), Decimal(0)),
        )  # fmt: skip
        waits = [1000 * (one.at - one.order.at).total_seconds() for one, _ in opened if one.order.order_id in timed]
        slips = [slippage(one) for one, _ in opened]
        assert (totals.acknowledged, totals.filled) == (len(waits), len(slips))
        assert totals.acknowledged_p50 == pytest.approx(nearest_rank(waits, 0.5), rel=0.01)
        assert totals.acknowledged_p99 == pytest.approx(nearest_rank(waits, 0.99), rel=0.01)
        assert totals.slippage_mean == pytest.approx(fmean(slips))
        assert totals.slippage_p50 == pytest.approx(nearest_rank(slips, 0.5), rel=0.01)
        assert totals.slippage_p99 == pytest.approx(nearest_rank(slips, 0.99), rel=0.01)
        heat = await figures.heat(of(day, accounts=accounts), 5)
        assert sum(one.trades for one in heat if one.weekday) == len(opened)
        assert sum(one.pnl for one in heat if one.asset) == sum(profits)
        for before, after in ((0, 0), (1, 1), (0, -1), (-2, 1), (-2, -2)):
            first, last = day - timedelta(days=before), day + timedelta(days=6 + after)
            period = Selection(accounts=accounts, user=None, first=first, last=last)
            own = [one for one in mine if first <= one[0].position.opened_at.date() <= last]
            assert sorted(await figures.streaks(period), key=repr) == naive_streaks(own), (first, last)
        told = await figures.exposure(of(day, accounts=accounts))
        at_risk, stake_seconds, most, most_open = naive_exposure(mine, day)
        assert (told.most_at_risk, told.most_open) == (most, most_open)
        assert told.seconds_at_risk == pytest.approx(at_risk)
        assert told.stake_seconds == pytest.approx(stake_seconds)


@pytest.mark.parametrize("seed", range(2))
async def test_figures_of_everybody_are_what_adding_up_anew_gives(
    supabase_server: SupabaseServer,
    trades: Trades,
    figures: TradeFigures,
    owner: Person,
    stranger: Person,
    day: date,
    seed: int,
) -> None:
    """Whatever the order and however often; also when they were asked for in between, as days are kept."""
    chance = random.Random(seed)
    told = trades_of_all_kinds(chance, (owner, stranger), day, 60)
    openings, pairs = [opened for opened, _ in told], [event for pair in told for event in pair]
    chance.shuffle(openings)
    chance.shuffle(pairs)
    await trades.record(openings[:40])
    timed = {opened.order.order_id for opened in openings[:40]}
    await figures.totals(of(day, accounts=(DEMO, REAL)))
    closed: set[str] = set()
    while pairs:
        batch, pairs = pairs[:25], pairs[25:]
        await trades.record(batch)
        timed |= {one.order.order_id for one in batch if isinstance(one, TradeOpened)} - closed
        closed |= {one.order.order_id for one in batch if isinstance(one, TradeClosed)}
        assert await figures.work_out((REAL, DEMO), day, day + timedelta(days=6), 1) == 1
        await figures.exposure(of(day))
    await trades.record(openings)
    await agree(figures, told, timed, day)

    await supabase_server.as_person(owner, "DELETE", f"/rest/v1/trade_history?user_id=eq.{owner.user}")
    left = [one for one in told if one[0].order.user != owner.user or one[0].order.account_type is REAL]
    assert len(left) < len(told)
    await agree(figures, left, timed, day)
    assert await figures.work_out((REAL, DEMO), day, day + timedelta(days=6), 9) == 0, "nothing changed since"


async def test_people_who_go_on_to_real_money(
    trades: Trades, figures: TradeFigures, owner: Person, stranger: Person, day: date
) -> None:
    await trades.record(a_trade(owner, at(day, 0), "8.20", account_type=DEMO))
    await trades.record(a_trade(stranger, at(day + timedelta(days=6), 0), "8.20", account_type=DEMO))
    [before] = await figures.weeks(day, day + timedelta(days=6))
    assert (before.week, before.people, before.converted, before.median_days) == (day, 2, 0, None)
    await trades.record(a_trade(owner, at(day + timedelta(days=1), 43200), "8.20"))
    [after] = await figures.weeks(day, day + timedelta(days=6))
    assert (after.people, after.converted, after.median_days) == (2, 1, 1.5)
    await trades.record(a_trade(stranger, at(day - timedelta(days=3), 0), "8.20"))
    assert [one.people for one in await figures.weeks(day, day + timedelta(days=6))] == [1], "began with real money"


def test_the_interval_is_wilsons(catalog: Catalog) -> None:
    cases = [(0, 1), (1, 1), (1, 2), (10, 15), (519, 1000)]
    bounds = ", ".join(
        f"private.wilson_lower({wins}, {total})::text as l{n}, private.wilson_upper({wins}, {total})::text as u{n}"
        for n, (wins, total) in enumerate(cases)
    )
    [[row]] = catalog.ask(("", f"select {bounds}"))
    for n, (wins, total) in enumerate(cases):
        known = binomtest(wins, total).proportion_ci(method="wilson")
        assert float(str(row[f"l{n}"])) == pytest.approx(100 * known.low, abs=0.0051)
        assert float(str(row[f"u{n}"])) == pytest.approx(100 * known.high, abs=0.0051)
