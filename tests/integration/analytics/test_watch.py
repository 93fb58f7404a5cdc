"""Alarms of the platform as it runs: raised once, also over a restart, and ended when it is over."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from libs.bus import Bus, BusError
from libs.bus.topology import ACCOUNTS, ALARMS, ALERTS, BOTS, ORDERS
from libs.contracts import admin_rpc as rpc
from libs.contracts import keys, subjects
from libs.contracts.account import AccountType, Balance, Balances
from libs.contracts.admin import AlertsQuery
from libs.contracts.alerts import Alert, Severity
from libs.contracts.bots import Activity, BotConfig, BotState, BotStatus
from libs.contracts.codec import decode
from libs.contracts.ids import new_id
from libs.contracts.market import Feed
from libs.contracts.orders import OrderState, RejectCode, TradeFailed
from services.analytics.watch.board import Alarm, Board
from services.analytics.watch.heartbeat import Beat
from services.analytics.watch.hysteresis import Limit
from services.analytics.watch.rules import Observation
from tests.integration.analytics.books import Books, until
from tests.integration.nats_server import NatsServer, eventually
from tests.integration.numbers import number
from tests.integration.service_process import ServiceProcess, StartService
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import NOW, a_candle, a_closing, a_position, a_score, a_settlement, an_order

pytestmark = pytest.mark.takes(80)

Start = Callable[..., Awaitable[ServiceProcess]]
REAL = AccountType.REAL


class Raised:
    """All alerts, in order."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def of(self, kind: str) -> list[Alert]:
        return [alert for alert in self.alerts if alert.kind == kind]

    def about(self, person: Person) -> list[Alert]:
        """Others have losses of their own in the shared database."""
        return [alert for alert in self.alerts if alert.user == person.user]


@pytest.fixture
async def raised(bus: Bus) -> Raised:
    raised = Raised()
    await bus.tail(ALERTS, subjects.ALL_ALERTS, lambda stored: raised.alerts.append(decode(stored.data, Alert)))
    return raised


@pytest.fixture
async def start(start_service: StartService, supabase_server: SupabaseServer) -> Start:
    async def start(server: SupabaseServer = supabase_server, **settings: str) -> ServiceProcess:
        defaults = {"PREGAO_ALERT_SERVICES": "", "PREGAO_ALERT_PATIENCE": "1"}
        return await start_service("analytics", "analytics", **server.environment, **(defaults | settings))

    return start


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """What a NATS server that is started after it stores on."""
    disk = tmp_path / "data"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a file system of a few megabytes cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


async def test_dead_letters_are_one_alarm_until_they_are_gone(bus: Bus, raised: Raised, start: Start) -> None:
    analytics = await start()
    for _ in range(3):
        await bus.append(subjects.trade(new_id(), OrderState.CLOSED), a_score(), id=new_id())
    await eventually(lambda: raised.of("dead_letters"), timeout=20)
    [alarm] = raised.of("dead_letters")
    assert (alarm.severity, alarm.details["stream"], alarm.details["consumer"]) == ("warning", "TRADES", "analytics")
    await analytics.kill()
    analytics = await start()
    # One that is raised shows that the rules were asked once more.
    await bus.append(subjects.trade(new_id(), OrderState.REJECTED), a_score(), id=new_id())
    await eventually(lambda: len(raised.of("dead_letters")) == 2, timeout=20)
    assert raised.of("dead_letters")[1].details["consumer"] == "analytics-logs"
    async for letter in bus.dead_letters().all():
        await bus.dead_letters().drop(letter.number)
    await eventually(lambda: len(raised.of("dead_letters")) == 4, timeout=20)
    ends = raised.of("dead_letters")[2:]
    assert {end.ends for end in ends} == {alert.id for alert in raised.of("dead_letters")[:2]}
    assert {end.severity for end in ends} == {Severity.INFO}
    rows = (await bus.call(rpc.ALERTS, AlertsQuery(type="dead_letters", limit=4))).rows
    assert [row.is_resolved for row in rows if row.details == alarm.details] in ([True, True], [True])
    assert analytics.logged("bus_error") == [], "it may all that it does"


def a_balance(user: str, amount: str, currency: str = "USD") -> Balances:
    real = Balance(id=1, type=REAL, amount=Decimal(amount), currency=currency)
    return Balances(user=user, at=NOW, balances=(real,))


async def trade(books: Books, person: Person, profit: str) -> None:
    order = an_order(order_id=new_id(), user=person.user, account_type=REAL, at=datetime.now(UTC))
    position = a_position(position_id=number(), opened_at=datetime.now(UTC))
    settlement = a_settlement(profit=Decimal(profit), closed_at=datetime.now(UTC))
    await books.tell(a_closing(order=order, position=position, settlement=settlement))


async def test_losses_of_a_user_are_alarms_and_others_are_left_alone(
    bus: Bus, books: Books, raised: Raised, start: Start, supabase_server: SupabaseServer
) -> None:
    person, lucky = await supabase_server.sign_up(), await supabase_server.sign_up()
    await bus.bucket(ACCOUNTS).put(keys.balance(person.user), a_balance(person.user, "80"))
    await bus.bucket(ACCOUNTS).put(keys.balance(lucky.user), a_balance(lucky.user, "80000", "JPY"))
    await trade(books, person, "-10")
    settings = {"PREGAO_ALERT_LOSS_STREAK": "3", "PREGAO_ALERT_PLATFORM_DRAWDOWN": "20"}
    analytics = await start(**settings)
    for profit in ("-5", "-5", "-2"):
        await trade(books, person, profit)
        await trade(books, lucky, "5000")
    await books.settled(person, 4)
    await eventually(lambda: len(raised.about(person)) == 2, timeout=30)
    first = {alert.kind: alert for alert in raised.about(person)}
    assert sorted(first) == ["drawdown_user", "loss_streak"]
    assert first["drawdown_user"].type == "drawdown"
    await eventually(lambda: raised.of("drawdown_platform"), timeout=20)
    [together] = raised.of("drawdown_platform")
    assert (together.details["currency"], together.details["lost"]) == ("USD", "22.00"), "yen are no dollars"
    await analytics.kill()
    await start(**settings)
    await trade(books, person, "30")
    await eventually(lambda: len(raised.about(person)) == 4, timeout=30)
    assert {alert.kind: alert.ends for alert in raised.about(person)[2:]} == {kind: first[kind].id for kind in first}
    assert raised.about(lucky) == []


async def test_rejections_and_lost_sessions_are_alarms(bus: Bus, raised: Raised, start: Start) -> None:
    user, other = new_id(), new_id()
    await start(PREGAO_ALERT_REJECTIONS="3", PREGAO_ALERT_SESSION_PATIENCE="0")
    for _ in range(3):
        order = an_order(order_id=new_id(), user=user)
        failed = TradeFailed(
            id=order.order_id, at=NOW, order=order, state=OrderState.REJECTED, code=RejectCode.REFUSED, reason="No"
        )
        await bus.append(subjects.trade(user, OrderState.REJECTED), failed, id=failed.id)
    status = BotStatus(
        id=new_id(), user=other, at=NOW, run="run-1", number=1, state=BotState.RECOVERING, activity=Activity.ANALYZING,
        label="Waiting", config=BotConfig(), started_at=NOW,
    )  # fmt: skip
    await bus.bucket(BOTS).put(keys.bot_status(status.bot), status)
    await eventually(lambda: raised.of("orders_rejected_user") and raised.of("session_lost"), timeout=20)
    assert [alert.user for alert in raised.of("orders_rejected_user")] == [user]
    assert [alert.user for alert in raised.of("session_lost")] == [other]
    await bus.bucket(BOTS).delete(keys.bot_status(status.bot))
    await eventually(lambda: len(raised.of("session_lost")) == 2, timeout=20)


async def test_a_database_and_a_service_that_are_gone_are_alarms_until_they_are_back(
    bus: Bus, raised: Raised, start: Start, own_supabase_server: SupabaseServer
) -> None:
    async def hear(_: str, __: object) -> None:
        """It is there, and answers nobody."""

    def missing(service: str) -> list[Alert]:
        return [alert for alert in raised.of("service_missing") if alert.details["service"] == service]

    heard = await bus.subscribe("$SRV.PING.frozen", Beat, hear)
    await start(own_supabase_server, PREGAO_ALERT_SERVICES="crm,edge,frozen")
    edge = await bus.serve("edge", {})
    own_supabase_server.stop()
    await eventually(lambda: raised.of("database_away") and missing("crm") and missing("frozen"), timeout=30)
    await heard.stop()  # it is waited for in every turn
    own_supabase_server.start()
    crm = await bus.serve("crm", {})
    await eventually(lambda: len(raised.of("database_away")) == len(missing("crm")) == 2, timeout=30)
    assert (len(missing("edge")), len(missing("frozen"))) == (0, 1)
    assert raised.of("database_away")[1].ends == raised.of("database_away")[0].id
    for served in (edge, crm):
        await served.stop()


async def test_candles_that_come_late_are_an_alarm_until_they_are_punctual(
    bus: Bus, raised: Raised, start: Start
) -> None:
    await start()
    lag = 60

    async def market() -> None:
        while True:
            end = int(datetime.now(UTC).timestamp()) - lag
            await bus.publish(subjects.closed_candle(Feed(76, 60)), a_candle(start=end - 60, end=end))
            await asyncio.sleep(0.2)

    feed = asyncio.create_task(market())
    await eventually(lambda: raised.of("feed_lag"), timeout=20)
    lag = 0
    await eventually(lambda: len(raised.of("feed_lag")) == 2, timeout=20)
    feed.cancel()
    late, over = raised.of("feed_lag")
    assert (late.severity, over.ends) == (Severity.CRITICAL, late.id)
    assert 60 <= float(late.details["seconds"]) < 63


async def test_a_stream_that_is_nearly_full_is_an_alarm_until_there_is_room(
    bus: Bus, raised: Raised, start: Start
) -> None:
    """One that refuses what is new: an order could not be written down any more."""
    config = (await bus._jetstream.api.stream_info(ORDERS.stream)).config
    await bus._jetstream.api.update_stream(config.evolve(max_bytes=128_000))
    await start()
    key = f"{new_id()}.{new_id()}"
    await bus.bucket(ORDERS).put(key, Beat(instance="x" * 112_000))
    await eventually(lambda: raised.of("stream_nearly_full"), timeout=20)
    await bus._jetstream.api.purge_stream(ORDERS.stream)
    await eventually(lambda: len(raised.of("stream_nearly_full")) == 2, timeout=20)
    full, over = raised.of("stream_nearly_full")
    assert (full.severity, full.details["stream"], over.ends) == (Severity.CRITICAL, "orders", full.id)


async def test_a_full_disk_is_told_by_readiness_and_the_log(
    small_disk: Path, nats_server: NatsServer, bus: Bus, start: Start
) -> None:
    analytics = await start()
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space left"), ballast.open("wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()
    await until(lambda: not_storing(analytics), timeout=30)
    await eventually(lambda: analytics.logged("nats_stores_nothing"))
    with pytest.raises(BusError):
        await bus.append(subjects.trade(new_id(), OrderState.CLOSED), a_closing(), id=new_id(), timeout=1)
    ballast.unlink()
    nats_server.kill()
    nats_server.start()
    await until(lambda: ready(analytics), timeout=30)
    await eventually(lambda: analytics.logged("nats_stores_again"))


async def test_a_frozen_nats_is_told_by_readiness_and_the_log(start: Start, nats_server: NatsServer) -> None:
    analytics = await start()
    nats_server.freeze()
    await until(lambda: not_storing(analytics), timeout=30)
    await eventually(lambda: analytics.logged("nats_stores_nothing"))
    nats_server.thaw()
    await until(lambda: ready(analytics), timeout=30)


async def not_storing(process: ServiceProcess) -> bool:
    return "nats stores" in (await process.failing() or [])


async def ready(process: ServiceProcess) -> bool:
    return await process.failing() == []


def observed(*users: str) -> list[Observation]:
    return [Observation("session_lost", user, 1, Limit(1, 1), f"{user} is lost", user=user) for user in users]


async def test_a_crash_between_knowing_and_telling_tells_once(bus: Bus, raised: Raised) -> None:
    board = Board(bus)
    await board.see(observed("u"), ["session_lost"])
    await eventually(lambda: raised.alerts)
    [entry] = await bus.bucket(ALARMS).entries("alarm.>", Alarm)
    assert entry.value.told
    untold = msgspec.structs.replace(entry.value, told=False)
    await bus.bucket(ALARMS).put(entry.key, untold)
    again = Board(bus)
    await again.read()
    await again.see(observed("u"), ["session_lost"])
    await again.see(observed(), ["something_else"])
    await again.see(observed(), ["session_lost"])
    await eventually(lambda: len(raised.alerts) == 2)
    assert [alert.ends for alert in raised.alerts] == ["", raised.alerts[0].id]
    assert await bus.bucket(ALARMS).entries("alarm.>", Alarm) == []

    await bus.bucket(ALARMS).put(entry.key, entry.value)  # as one that died before it was deleted
    await again.read()
    await again.see(observed(), ["session_lost"])
    marker = msgspec.structs.replace(raised.alerts[0], id="marker", kind="marker")
    await bus.append(subjects.alert(marker.severity), marker, id=marker.id)
    await eventually(lambda: raised.of("marker"))
    assert len(raised.alerts) == 3, "its end was told already"


async def test_the_same_trouble_of_very_many_is_one_more_alarm(bus: Bus, raised: Raised) -> None:
    board = Board(bus)
    users = [f"user {each}" for each in range(50)]
    for _ in range(2):
        await board.see(observed(*users), ["session_lost"])
    await board.see(observed(*users[:10]), ["session_lost"])
    await bus.append(subjects.alert(Severity.INFO), Alert(
        id="last", at=NOW, severity=Severity.INFO, service="x", kind="last", message=""
    ), id="last")  # fmt: skip
    await eventually(lambda: raised.of("last"))
    lost = raised.of("session_lost")
    assert len([alert for alert in lost if not alert.ends]) == 20
    assert len([alert for alert in lost if alert.ends]) == 10
    assert [bool(alert.ends) for alert in raised.of("session_lost_many")] == [False, True]
