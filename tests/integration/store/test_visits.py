"""Visits and activity come out the same, in whatever order and however often their events come."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from libs.contracts.account import AccountType
from libs.contracts.ids import new_id
from libs.contracts.visits import Seen
from libs.store import Database
from libs.store.activity import ActivityLog, Told
from libs.store.trades import Trades
from libs.store.visits import GAP, Visits
from tests.integration.store.test_trade_sums import a_story
from tests.integration.supabase_server import Person

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
Span = tuple[datetime, datetime]


@pytest.fixture
def visits(database: Database) -> Visits:
    return Visits(database)


@pytest.fixture
def activity(database: Database) -> ActivityLog:
    return ActivityLog(database)


def merged(spans: Iterable[Span]) -> list[Span]:
    """By hand: the newest first."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first - found[-1][1] <= GAP:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found[::-1]


@pytest.mark.parametrize("seed", range(5))
async def test_what_lies_close_together_is_one_visit(
    visits: Visits, owner: Person, stranger: Person, seed: int
) -> None:
    chance = random.Random(seed)
    spans: dict[str, list[Span]] = {owner.user: [], stranger.user: []}
    told = []
    for _ in range(40):
        person = chance.choice((owner, stranger))
        first = NOON + timedelta(minutes=chance.randrange(1500))
        span = (first, first + timedelta(minutes=chance.choice((0, 1, 20, 70))))
        spans[person.user].append(span)
        told.append(Seen(user=person.user, first=span[0], last=span[1]))
    told += chance.sample(told, 10)
    chance.shuffle(told)
    while told:
        size = chance.randrange(1, 9)
        await visits.record(told[:size])
        del told[:size]
    for person in (owner, stranger):
        found, total = await visits.of_user(UUID(person.user), 100, 0)
        expected = merged(spans[person.user])
        assert [(one.created_at, one.last_activity) for one in found] == expected
        assert total == len(expected) > 1


async def test_a_visit_has_the_trades_that_were_opened_meanwhile(
    database: Database, visits: Visits, owner: Person
) -> None:
    await visits.record([Seen(user=owner.user, first=NOON, last=NOON + timedelta(minutes=10))])
    await visits.record([Seen(user=owner.user, first=NOON + timedelta(hours=5), last=NOON + timedelta(hours=6))])
    for minute, profit, account in ((0, "8.20", "demo"), (10, "-10", "real"), (11, "8.20", "demo"), (310, "1", "demo")):
        at = NOON + timedelta(minutes=minute)
        await Trades(database).record([a_story(owner, at, profit=profit, account_type=AccountType(account))[1]])
    newest, total = await visits.of_user(UUID(owner.user), 1, 0)
    [older], _ = await visits.of_user(UUID(owner.user), 1, 1)
    assert ([(one.trades, one.pnl) for one in newest], total) == ([(1, Decimal(1))], 2)
    assert (older.trades, older.pnl) == (2, Decimal("-1.80"))
    assert await visits.of_user(UUID(owner.user), 5, 2) == ([], 2)


async def test_nobody_who_is_gone_has_visits_or_activity(visits: Visits, activity: ActivityLog) -> None:
    gone = new_id()
    await visits.record([Seen(user=gone, first=NOON, last=NOON)])
    await activity.keep([told(gone, 0, "connected")])
    assert await visits.of_user(UUID(gone), 5, 0) == ([], 0)
    assert await activity.of_user(UUID(gone), 5, 0) == ([], 0)


def told(user: str, minute: int, action: str, run: str = "", account_type: str = "demo") -> Told:
    details = {"run": run, "account_type": account_type} if run else {}
    at = NOON + timedelta(minutes=minute)
    return Told(event_id=f"{user}.{minute}", user_id=user, action=action, details=details, created_at=at)


async def test_what_a_bot_was_told_is_read_from_what_it_was_told_before(activity: ActivityLog, owner: Person) -> None:
    story = [
        told(owner.user, 0, "connected"),
        told(owner.user, 1, "bot_run", "run-1"),
        told(owner.user, 2, "bot_run", "other", "real"),
        told(owner.user, 3, "bot_run", "run-1"),
        told(owner.user, 4, "bot_paused", "run-1"),
        told(owner.user, 5, "bot_run", "run-1"),
        told(owner.user, 6, "bot_stopped", "run-1"),
        told(owner.user, 7, "bot_run", "run-2"),
    ]
    for one in story:
        await activity.keep([one])
    await activity.keep(story[::-1])
    entries, total = await activity.of_user(UUID(owner.user), 50, 0)
    assert [entry.action for entry in reversed(entries)] == [
        "connected", "bot_started", "bot_started", "bot_configured", "bot_paused", "bot_resumed", "bot_stopped",
        "bot_started",
    ]  # fmt: skip
    assert total == len(story)
    assert {entry.actor_id for entry in entries} == {None}
    page, _ = await activity.of_user(UUID(owner.user), 2, 3)
    assert page == entries[3:5]


async def test_what_somebody_did_is_theirs_too(activity: ActivityLog, owner: Person) -> None:
    await activity.record(owner.user, "export", {"rows": 3})
    [entry], total = await activity.of_user(UUID(owner.user), 5, 0)
    assert (entry.action, entry.details, str(entry.actor_id), entry.user_id, total) == (
        "export", {"rows": 3}, owner.user, None, 1,
    )  # fmt: skip
