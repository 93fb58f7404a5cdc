"""`/admin` and `/bot`, and what no client may do."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import socketio

from libs.bus.topology import BOTS
from libs.contracts import admin_rpc as rpc
from libs.contracts import keys, subjects
from libs.contracts.account import AccountType
from libs.contracts.admin import NoQuery
from libs.contracts.admin_rows import Realtime
from libs.contracts.alerts import Alert, AlertRecorded, Severity
from libs.contracts.bots import Activity, BotSignal, BotState, Signal
from libs.contracts.ids import BotId, new_id
from libs.contracts.logs import LogLevel, LogOrigin, LogRecorded
from libs.contracts.orders import Direction
from libs.contracts.rpc import ErrorCode, RpcError
from libs.contracts.users import UserActed, UserAction
from services.socket_edge.emissions import EMISSIONS, NAMESPACES
from tests.integration.edge.backend import BROKER, Backend
from tests.integration.edge.client import Browser, Edge
from tests.integration.edge.database_proxy import between
from tests.integration.edge.stack import Browse, eventually, running
from tests.integration.edge.test_standing import LIMIT
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import NOW

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPERATOR = (
    "/admin connected",
    "/admin trade:completed",
    "/admin bot:status-update",
    "/admin alert:new",
    "/admin log:new",
    "/admin health:change",
    "/admin user:activated",
    "/admin user:suspended",
    "/admin user:roleUpdated",
    "/admin user:passwordReset",
    "/admin metrics:update",
    "/admin disconnect",
)
BOT = ("/bot connected", "/bot trade:new", "/bot signal:new", "/bot resumed", "/bot resume-gap")


async def an_operator(browse: Browse, supabase_server: SupabaseServer, person: Person) -> Browser:
    await supabase_server.appoint(person, "admin")
    browser = await browse(person, *OPERATOR, namespaces=["/admin"])
    await browser.heard("/admin connected")
    return browser


@pytest.mark.parametrize("who", ["nobody", "somebody"])
async def test_only_administrators_are_let_in(edge: Edge, person: Person, who: str) -> None:
    browser = Browser()
    refused: list[Any] = []
    browser.socket.on("connect_error", refused.append, namespace="/admin")
    with pytest.raises(socketio.exceptions.ConnectionError):
        await browser.socket.connect(
            edge.url,
            auth={"token": person.token if who == "somebody" else ""},
            transports=["websocket"],
            namespaces=["/admin"],
        )
    assert refused[0]["message"] == {"nobody": "unauthorized", "somebody": "forbidden"}[who]


async def test_what_goes_wrong_inside_refuses_a_socket_and_tells_nothing(
    supabase_server: SupabaseServer, tmp_path: Path, person: Person
) -> None:
    await supabase_server.appoint(person, "admin")
    async with (
        between(supabase_server) as (database, url),
        running(tmp_path, supabase_server, variables={"PREGAO_SUPABASE_URL": url}) as stack,
    ):
        database.answers["admin_users"] = '[{"role": {"surprise": 1}}]'
        browser, refused = Browser(), list[Any]()
        browser.socket.on("connect_error", refused.append, namespace="/admin")
        arguments: dict[str, Any] = {"auth": {"token": person.token}, "transports": ["websocket"]}
        with pytest.raises(socketio.exceptions.ConnectionError):
            await browser.socket.connect(stack.edge.url, namespaces=["/admin"], **arguments)
        assert refused == [{"message": "internal", "data": {"code": "INTERNAL", "error": "Internal server error"}}]
        assert len(stack.edge.process.logged("connection_failed")) == 1
        del database.answers["admin_users"]
        other = Browser("/admin connected")
        await other.socket.connect(stack.edge.url, namespaces=["/", "/admin"], **arguments)
        await other.heard("/admin connected")
        await stack.edge.until_metric("pregao_edge_sockets", 2)
        await other.socket.disconnect()


async def test_who_is_no_administrator_any_more_is_cut_off(
    browse: Browse, supabase_server: SupabaseServer, person: Person
) -> None:
    operator = await an_operator(browse, supabase_server, person)
    await supabase_server.as_service("DELETE", f"/rest/v1/admin_users?user_id=eq.{person.user}")
    await operator.until(lambda: operator.named("/admin disconnect"), LIMIT)


async def test_operators_see_trades_bots_and_alerts_of_everybody(
    browse: Browse, backend: Backend, supabase_server: SupabaseServer, person: Person, somebody_else: Person
) -> None:
    operator = await an_operator(browse, supabase_server, person)
    user = somebody_else.user
    await backend.status(user, Activity.ANALYZING)
    await operator.heard("/admin bot:status-update")
    await backend.status(user, Activity.TRACKING)
    await backend.closed(user, "order-1", profit="-10")
    await backend.status(user, Activity.STOPPED, state=BotState.STOPPED, reason="stop_loss")
    await raise_alarm(backend, user)
    (trade,) = await operator.heard("/admin trade:completed")
    assert (trade["userId"], trade["pnl"], trade["result"], trade["tradeId"]) == (user, -10, "LOSS", "7")
    running, stopped = await operator.heard("/admin bot:status-update", 2)
    assert (running["userId"], running["state"]) == (user, "running")
    assert (stopped["state"], stopped["reason"]) == ("stopped", "stop_loss")
    (told,) = await operator.heard("/admin alert:new")
    assert (told["severity"], told["kind"], told["userId"]) == ("critical", "order_unknown", user)
    assert (told["id"], told["alert_type"], told["is_read"], told["is_resolved"]) == (17, "error", False, False)
    (entry,) = await operator.heard("/admin log:new")
    assert (entry["id"], entry["level"], entry["origin"], entry["message"]) == (4, "error", "bot", "It broke")
    assert entry["metadata"] == {"user": user}
    seqs = [payload["seq"] for _, payload in operator.got if "seq" in payload]
    assert seqs == sorted(set(seqs))


async def test_operators_are_told_when_the_broker_goes_and_comes(
    browse: Browse, backend: Backend, supabase_server: SupabaseServer, person: Person, edge: Edge
) -> None:
    operator = await an_operator(browse, supabase_server, person)
    await eventually(edge, "/health", person, lambda _, body: body["connections"]["avalon"] == "connected")

    def told() -> list[tuple[str, str]]:
        """Of the broker; on a busy machine others may come and go, too."""
        changes = operator.named("/admin health:change")
        return [(each["from"], each["to"]) for each in changes if each["service"] == "avalon"]

    went, came = ("healthy", "disconnected"), ("disconnected", "healthy")
    backend.refusals[BROKER] = RpcError(ErrorCode.UNAVAILABLE, "no session to the broker")
    await operator.until(lambda: told()[-1:] == [went], timeout=20)
    backend.refusals.clear()
    await operator.until(lambda: told()[-2:] == [went, came], timeout=20)
    times = [each["timestamp"] for each in operator.named("/admin health:change")]
    assert times == sorted(times)


async def test_a_user_hears_of_the_own_bots_trades_and_signals(
    browse: Browse, backend: Backend, person: Person, somebody_else: Person
) -> None:
    mine, other = [await browse(each, *BOT, namespaces=["/bot", "/"]) for each in (person, somebody_else)]
    await mine.heard("/bot connected")
    await backend.opened(person.user, "order-1")
    await follow(backend, person.user)
    (trade,) = await mine.heard("/bot trade:new")
    assert (trade["tradeId"], trade["asset"], trade["direction"]) == ("7", "EURUSD-OTC", "CALL")
    (signal,) = await mine.heard("/bot signal:new")
    assert (signal["direction"], signal["confidence"], signal["timeframe"]) == ("PUT", 70, 60)
    assert signal["seq"] > trade["seq"] == signal["prevSeq"]
    await mine.heard("position:opened")
    assert "trade:new" not in [event for event, _ in mine.got]
    await follow(backend, somebody_else.user)
    await other.heard("/bot signal:new")
    assert other.named("/bot trade:new") == []


async def test_what_was_missed_of_bots_is_told_again(browse: Browse, backend: Backend, person: Person) -> None:
    first = await browse(person, *BOT, namespaces=["/bot"])
    await first.heard("/bot connected")
    await backend.opened(person.user, "order-1")
    (trade,) = await first.heard("/bot trade:new")
    await first.socket.disconnect()
    await follow(backend, person.user)
    auth = {"token": person.token, "lastSeq": trade["seq"]}
    returned = await browse(person, *BOT, namespaces=["/bot"], auth=auth)
    (resumed,) = await returned.heard("/bot resumed")
    assert resumed["missed"] == 1
    assert [event for event, _ in returned.got] == ["/bot connected", "/bot signal:new", "/bot resumed"]


async def raise_alarm(backend: Backend, user: str) -> None:
    """As analytics does when it is in the database."""
    now = datetime.now(UTC)
    alert = Alert(
        id=new_id(), at=now, severity=Severity.CRITICAL, service="gateway", kind="order_unknown",
        message="A human must look", user=user,
    )  # fmt: skip
    recorded = AlertRecorded(id=f"{alert.id}.recorded", at=now, number=17, alert=alert)
    await backend.analytics.append(subjects.OPERATORS_ALERT, recorded, id=recorded.id)
    entry = LogRecorded(
        id=new_id(), at=now, number=4, level=LogLevel.ERROR, origin=LogOrigin.BOT, message="It broke",
        metadata={"user": user},
    )  # fmt: skip
    await backend.analytics.append(subjects.OPERATORS_LOG, entry, id=entry.id)


async def follow(backend: Backend, user: str) -> None:
    now = datetime.now(UTC)
    signal = Signal(
        id=new_id(), at=now, active_id=76, size=60, candle_end=60, strategy="x", direction=Direction.PUT, confidence=70
    )
    told = BotSignal(user=user, at=now, run="r", order_id="o", signal=signal)
    await backend.bots.bucket(BOTS).put(keys.bot_signal(BotId(user, AccountType.DEMO)), told)


@pytest.mark.parametrize("namespace", list(NAMESPACES))
async def test_clients_cannot_tell_what_only_services_tell(
    browse: Browse, backend: Backend, supabase_server: SupabaseServer, person: Person, namespace: str
) -> None:
    await supabase_server.appoint(person, "admin")
    error = "error" if namespace == "/" else f"{namespace} error"
    attacker = await browse(person, error, namespaces=[namespace])
    bystander = await browse(person, *BOT, *OPERATOR, namespaces=list(NAMESPACES))
    forged = [*sorted({each.name for each in EMISSIONS}), "bot:trade", "bot:signal"]
    codes = set()
    for number, event in enumerate(forged):
        answer = await attacker.socket.call(event, {"userId": person.user}, namespace=namespace, timeout=10)
        assert answer["ok"] is False, event
        codes.add(answer["error"])
        if number == 0:
            (told,) = await attacker.heard(error)
            assert told["event"] == event
    assert codes <= {"NOT_ALLOWED", "UNKNOWN_EVENT", "TOO_MANY_REQUESTS"}
    await backend.opened(person.user, "order-1")
    await bystander.heard("position:opened")
    await bystander.heard("/bot trade:new")
    names = [event for event, _ in bystander.got]
    assert sorted(names) == ["/admin connected", "/bot connected", "/bot trade:new", "position:opened"]


async def test_an_unknown_namespace_is_refused(edge: Edge, person: Person) -> None:
    browser = Browser()
    with pytest.raises(socketio.exceptions.ConnectionError):
        await browser.socket.connect(
            edge.url, auth={"token": person.token}, transports=["websocket"], namespaces=["/elsewhere"]
        )


FIGURES = Realtime(
    total_users=12, active_bots=3, active_sessions=4, recent_trades=100, win_rate="55.50", win_rate_value=55.5,
    trades_today=9, win_rate_today=44.44, pnl_today=Decimal("-1.5"), uptime=86400.5, services={"database": "healthy"},
    sources={}, timestamp=NOW,
)  # fmt: skip


async def figures(_: NoQuery) -> Realtime:
    return FIGURES


async def act_on(backend: Backend, user: str, by: str) -> list[UserActed]:
    """Everything that can be done to a user."""
    changes: dict[UserAction, dict[str, str]] = {
        UserAction.SUSPENDED: {"reason": "chargeback"},
        UserAction.ACTIVATED: {},
        UserAction.ROLE: {"role": "support"},
        UserAction.PASSWORD_RESET: {},
    }
    done = [
        UserActed(id=new_id(), at=datetime.now(UTC), user=user, by=by, action=action, **more)
        for action, more in changes.items()
    ]
    for acted in done:
        await backend.analytics.append(subjects.OPERATORS_USER, acted, id=acted.id)
    return done


async def test_operators_are_told_figures_of_now_again_and_again_and_when_they_ask(
    backend: Backend, browse: Browse, supabase_server: SupabaseServer, person: Person
) -> None:
    operator = await an_operator(browse, supabase_server, person)
    refused = await operator.socket.call("request:metrics", namespace="/admin")
    assert refused == {"ok": False, "error": "UNAVAILABLE"}, "nobody knows them"
    served = await backend.analytics.serve("analytics", {rpc.REALTIME: figures})
    assert await operator.socket.call("request:metrics", namespace="/admin") == {"ok": True}
    first, *_ = await operator.heard("/admin metrics:update", 3)
    assert first == {
        "timestamp": NOW.isoformat().replace("+00:00", "Z"), "uptime": 86400.5, "totalUsers": 12, "activeBots": 3,
        "activeSessions": 4, "tradesToday": 9, "winRate": 44.44, "pnlToday": -1.5,
        "services": {"database": "healthy"},
    }  # fmt: skip
    await served.stop()


async def test_operators_see_what_is_done_to_users(
    backend: Backend, browse: Browse, supabase_server: SupabaseServer, person: Person, somebody_else: Person
) -> None:
    operator = await an_operator(browse, supabase_server, person)
    done = await act_on(backend, somebody_else.user, person.user)
    expected: list[tuple[str, dict[str, str]]] = [
        ("suspended", {"reason": "chargeback"}), ("activated", {}), ("roleUpdated", {"newRole": "support"}),
        ("passwordReset", {}),
    ]  # fmt: skip
    for acted, (event, more) in zip(done, expected, strict=True):
        (told,) = await operator.heard(f"/admin user:{event}")
        assert told.pop("seq") > 0
        assert datetime.fromisoformat(told.pop("timestamp")) == acted.at
        assert told == {"userId": somebody_else.user, "adminUserId": person.user, **more}
