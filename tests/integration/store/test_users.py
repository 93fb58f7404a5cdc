"""Users are found as a naive look at all of them would find them, and their trades add up as by hand."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from libs.contracts.account import AccountType
from libs.contracts.ids import new_id
from libs.contracts.orders import TradeClosed, TradeResult
from libs.store import Database
from libs.store.cursors import BadCursor, write_cursor
from libs.store.trades import Trades
from libs.store.users import FoundUser, UserOrder, UserPosition, Users, Wanted, cursor_of, position_of
from tests.integration.store.test_trade_sums import a_story
from tests.integration.supabase_server import Person, SupabaseServer

DEMO, REAL = AccountType.DEMO, AccountType.REAL
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
PHONE = "+55 11 91234-0007"


@pytest.fixture
def users(database: Database) -> Users:
    return Users(database)


class Crowd:
    """People with a prefix of their own, and what they have traded."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.people: list[Person] = []
        self.trades: dict[str, list[TradeClosed]] = {}

    def of(self, user: UUID, account: AccountType = REAL) -> list[TradeClosed]:
        return [one for one in self.trades[str(user)] if one.order.account_type is account]


@pytest.fixture
async def crowd(supabase_server: SupabaseServer, database: Database) -> Crowd:
    crowd, chance = Crowd(new_id()[-12:]), random.Random(8)
    for number in range(9):
        person = await supabase_server.sign_up(email=f"{crowd.prefix}-{number}@example.test")
        accounts: tuple[AccountType, ...] = ((), (DEMO,), (REAL,), (DEMO, REAL))[number % 4]
        profits = [(account, profit) for account in accounts for profit in chance.choices(("8.20", "-10", "0"), k=3)]
        crowd.people.append(person)
        crowd.trades[person.user] = [
            a_story(person, FIRST + timedelta(hours=hour), profit=profit, account_type=account)[1]
            for hour, (account, profit) in enumerate(profits)
        ]
    await Trades(database).record([trade for trades in crowd.trades.values() for trade in trades])
    return crowd


def accounts_of(crowd: Crowd, person: Person) -> str:
    traded = {one.order.account_type for one in crowd.trades[person.user]}
    return "both" if len(traded) == 2 else "real" if traded == {REAL} else "demo"


@pytest.mark.parametrize("accounts", ["real", "demo", "both"])
async def test_users_are_those_with_an_account_of_that_type(users: Users, crowd: Crowd, accounts: str) -> None:
    wanted = msgspec.convert({"accounts": accounts, "search": crowd.prefix}, Wanted)
    found = await users.find(wanted, UserOrder(), 200)
    expected = {
        person.email: accounts_of(crowd, person)
        for person in crowd.people
        if accounts == "both" or accounts_of(crowd, person) in (accounts, "both")
    }
    assert {one.email: one.account_type for one in found} == expected
    assert await users.count(wanted) == len(expected)
    for one in found:
        assert one.total == len(expected)
        trades = crowd.of(one.user_id)
        assert (one.total_trades, one.total_pnl) == (
            len(trades), sum((trade.settlement.profit for trade in trades), Decimal(0)),
        )  # fmt: skip
        wins = sum(trade.settlement.result is TradeResult.WIN for trade in trades)
        assert one.win_rate == (round(100 * wins / len(trades), 2) if trades else 0)
        assert (one.is_active, one.is_suspended, one.bot_running) == (True, False, False)


async def test_a_search_is_part_of_an_address_a_number_or_a_name(
    supabase_server: SupabaseServer, users: Users, owner: Person, stranger: Person
) -> None:
    marked = f"Ana {new_id()[-12:]}"
    path = f"/rest/v1/profiles?user_id=eq.{owner.user}"
    await supabase_server.as_service("PATCH", path, {"full_name": marked, "phone": f"{PHONE}{marked[-6:]}"})
    for text in (owner.email.upper(), owner.email[3:20], marked.lower(), f"0007{marked[-6:]}"):
        found = await users.find(Wanted(search=text), UserOrder(), 10)
        assert [one.email for one in found] == [owner.email], text
    for text in ("%", "_" * 30, f"{owner.email}x", "' or true --", "\\"):
        assert await users.find(Wanted(search=text), UserOrder(), 10) == []
        assert await users.count(Wanted(search=text)) == 0


async def test_who_is_suspended_is_not_active(database: Database, users: Users, crowd: Crowd) -> None:
    banned = crowd.people[0]
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert await database.call("ban_user", target=banned.user, until=until)
    away = await users.find(Wanted(search=crowd.prefix, active=False), UserOrder(), 200)
    assert [(one.email, one.is_suspended) for one in away] == [(banned.email, True)]
    assert await users.count(Wanted(search=crowd.prefix, active=True)) == len(crowd.people) - 1


KEYS: dict[str, Callable[[FoundUser], object]] = {
    "email": lambda one: one.email,
    "created_at": lambda one: one.created_at,
    "total_pnl": lambda one: one.total_pnl,
    "total_trades": lambda one: one.total_trades,
    "win_rate": lambda one: one.win_rate,
}


@pytest.mark.parametrize("by", KEYS)
@pytest.mark.parametrize("ascending", [True, False])
async def test_pages_are_in_order_and_without_gaps(users: Users, crowd: Crowd, by: str, ascending: bool) -> None:
    wanted, order = Wanted(search=crowd.prefix), msgspec.convert({"by": by, "ascending": ascending}, UserOrder)
    whole = await users.find(wanted, order, 200)
    keys = [(KEYS[by](one), one.user_id) for one in whole]
    assert keys == sorted(keys, reverse=not ascending)
    assert len(whole) == len(crowd.people)
    paged: list[FoundUser] = []
    while page := await users.find(wanted, order, 2, after=position_of(cursor_of(paged[-1]), order) if paged else None):
        paged += page
    assert paged == whole
    assert await users.find(wanted, order, 3, 4) == whole[4:7]
    assert {one.total for one in paged} == {len(crowd.people)}


@pytest.mark.parametrize("value", ["x", "1e999999", "nan", "1.5", "9" * 19])
def test_a_cursor_that_is_none_is_refused(value: str) -> None:
    cursor = write_cursor(UserPosition(value, UUID(new_id())))
    with pytest.raises(BadCursor):
        position_of(cursor, UserOrder(by="total_trades"))


def test_a_cursor_cannot_hold_what_the_database_cannot_read() -> None:
    with pytest.raises(BadCursor):
        position_of(write_cursor(UserPosition("a\0b", UUID(new_id()))), UserOrder(by="email"))


async def test_a_user_with_all_that_is_known(users: Users, trades: Trades, owner: Person) -> None:
    later = FIRST + timedelta(days=2, hours=12)
    await trades.record([a_story(owner, FIRST, profit="-10", account_type=DEMO)[1]])
    await trades.record([a_story(owner, later, account_type=REAL)[1]])
    user = await users.user(UUID(owner.user))
    assert user is not None
    assert (user.email, user.account_type, user.is_active) == (owner.email, "both", True)
    assert (user.total_trades_real, user.total_pnl_real, user.win_rate_real) == (1, Decimal("8.20"), 100.0)
    assert (user.total_trades_demo, user.total_pnl_demo, user.win_rate_demo) == (1, Decimal(-10), 0.0)
    assert (user.total_volume_real, user.first_trade_demo, user.first_trade_real) == (Decimal(10), FIRST, later)
    assert (user.days_to_convert, user.last_trade_at) == (2.5, later)
    assert (user.session_count, user.last_session_at) == (0, None)
    assert await users.user(UUID(new_id())) is None


async def test_who_traded_real_money_first_was_not_converted(users: Users, trades: Trades, owner: Person) -> None:
    await trades.record([a_story(owner, FIRST, account_type=REAL)[1]])
    await trades.record([a_story(owner, FIRST + timedelta(days=1), account_type=DEMO)[1]])
    user = await users.user(UUID(owner.user))
    assert user is not None
    assert user.days_to_convert is None


@pytest.fixture
def trades(database: Database) -> Trades:
    return Trades(database)


@pytest.mark.parametrize("seed", range(6))
async def test_figures_are_what_counting_by_hand_gives(users: Users, trades: Trades, owner: Person, seed: int) -> None:
    """The stories close in the order in which they open; two of them in the same moment."""
    chance = random.Random(seed)
    profits = chance.choices(("8.20", "-10", "0", "3.3"), (4, 4, 1, 1), k=seed * 5)
    closed = []
    for number, profit in enumerate(profits):
        opened, closing = a_story(owner, FIRST, profit=profit, ticker=f"A{number % 3}", strategy=f"s{number % 2}")
        settlement = msgspec.structs.replace(closing.settlement, closed_at=FIRST + timedelta(minutes=number // 2))
        closed.append(msgspec.structs.replace(closing, settlement=settlement))
        await trades.record([opened if number == len(profits) else closed[-1]])
    await trades.record([a_story(owner, FIRST)[0]])  # is open: counts in nothing

    figures = await users.figures(UUID(owner.user), (DEMO,))
    won, top, fall = Decimal(0), Decimal(0), Decimal(0)
    for profit in profits:
        won += Decimal(profit)
        top = max(top, won)
        fall = max(fall, top - won)
    assert (figures.decided, figures.pnl, figures.drawdown) == (len(profits), won, fall)
    amounts = list(map(Decimal, profits)) or [Decimal(0)]
    assert (figures.best, figures.worst) == (max(amounts), min(amounts))
    assert figures.streak == streak([amount for amount in amounts if amount])

    slices = await users.slices(UUID(owner.user), (DEMO,))
    assert {one.key: one.pnl for one in slices if one.of == "asset"} == {
        f"A{rest}": sum(map(Decimal, profits[rest::3])) for rest in range(min(3, len(profits)))
    }
    assert sum(one.decided for one in slices if one.of == "strategy") == len(profits)


def streak(decided: list[Decimal]) -> int:
    if not decided:
        return 0
    same = 0
    for amount in reversed(decided):
        if (amount > 0) is not (decided[-1] > 0):
            break
        same += 1
    return same if decided[-1] > 0 else -same
