"""The services behind the edge, as far as these tests steer them: they speak their real protocol on the real bus, each
as its own NATS user. What they do themselves is tested with them, and the whole path end to end."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from libs.bus import Bus
from libs.bus.topology import ACCOUNTS, BOTS, CATALOGUE, FEEDS
from libs.contracts import keys, rpc, ssid_rpc, subjects
from libs.contracts.account import AccountChoice, AccountType, Balance, Balances, SessionState, SessionStatus
from libs.contracts.bots import Activity, BotConfig, BotState, BotStatus
from libs.contracts.crm.notices import Notice
from libs.contracts.crm.stats import CRM_STATS, CrmStats
from libs.contracts.ids import new_id
from libs.contracts.market import Candle, Catalogue, Feed, FeedDemand
from libs.contracts.money import Preview
from libs.contracts.orders import OrderState, TradeRecorded
from libs.contracts.platform import Platform, UserLimits
from libs.contracts.rpc import ErrorCode, RpcError
from libs.contracts.score import Score
from libs.contracts.signing_up import BrokerSignUp, SignUp
from libs.contracts.strategies import StrategyDescription, StrategyList
from tests.messages import a_closing, a_score, a_settlement, an_active, an_opening, an_order

EURUSD = Feed(76, 60)
GBPUSD = Feed(81, 60)
START = 1_790_000_000
HISTORY = 20
"""Candles that are past."""
BROKER = "broker"
"""Under which the gateway is told to refuse as one without a session does."""


ACTIVES = (
    an_active(76, "EURUSD-OTC", "EUR/USD OTC", "forex"),
    an_active(81, "GBPUSD-OTC", "GBP/USD OTC", "forex"),
    an_active(2268, "BTCUSD-OTC-op", "Bitcoin", "crypto"),
)


def candle(feed: Feed, number: int, close: float = 1.1) -> Candle:
    """The `number`-th candle of a feed."""
    start = START + number * feed.size
    return Candle(
        active_id=feed.active_id, size=feed.size, id=number, start=start, end=start + feed.size,
        open=1.0, high=2.0, low=0.5, close=close, at=datetime.fromtimestamp(start, UTC),
    )  # fmt: skip


class Backend:
    def __init__(self, gateway: Bus, bots: Bus, analytics: Bus, crm: Bus) -> None:
        self.gateway = gateway
        self.bots = bots
        self.analytics = analytics
        self.crm = crm
        self.asked: list[Any] = []
        """Every request, in order."""
        self.refusals: dict[str, RpcError] = {}
        """By endpoint name: what it answers instead."""
        self.gates: dict[Feed, asyncio.Event] = {}
        """Feeds whose history is told only when the event is set."""

        self.settled = rpc.Settled(total=0, closed=0)
        self.signed_up = BrokerSignUp(status=201, id=1000042, email="new@example.test", first_name="New")

    def reset(self) -> None:
        """Before another test; users keep the tests apart otherwise."""
        self.asked.clear()
        self.refusals.clear()
        self.gates.clear()
        self.settled = rpc.Settled(total=0, closed=0)
        self.signed_up = BrokerSignUp(status=201, id=1000042, email="new@example.test", first_name="New")

    async def start(self) -> None:
        await self.gateway.bucket(CATALOGUE).put("actives", Catalogue(at=datetime.now(UTC), actives=ACTIVES))
        await self.gateway.serve(
            "gateway",
            {
                rpc.CONNECT: self._connect,
                rpc.RECONNECT: self._reconnect,
                rpc.DISCONNECT: self._disconnect,
                rpc.CANDLES: self._candles,
                rpc.SIGN_UP: self._sign_up,
            },
        )
        await self.gateway.serve(
            "gateway-ssid",
            {
                ssid_rpc.SSID_STATS: self._ssid_stats,
                ssid_rpc.SSID_STATUS: self._ssid_status,
                ssid_rpc.RENEW_SSID: self._renew_ssid,
                ssid_rpc.CLEAN_UP_SSIDS: self._clean_up_ssids,
            },
        )
        await self.gateway.serve_on(subjects.session_rpc("*", rpc.SETTLE.name), rpc.SETTLE, self._settle)
        await self.bots.serve(
            "bots",
            {
                rpc.START_BOT: self._start,
                rpc.STOP_BOT: self._stop,
                rpc.PREVIEW_BOT: self._preview,
                rpc.PAUSE_BOT: self._pause,
                rpc.RESUME_BOT: self._resume,
                rpc.RECONFIGURE_BOT: self._reconfigure,
                rpc.PLATFORM: self._platform,
                rpc.SET_PLATFORM: self._set_platform,
                rpc.USER_LIMITS: self._limits,
                rpc.SET_USER_LIMITS: self._set_limits,
                rpc.CHOOSE_ACCOUNT: self._choose,
                rpc.STRATEGIES: self._strategies,
            },
        )
        await self.analytics.serve("analytics", {rpc.RECORD_STATUS: self._record, rpc.COUNT_SCANNER: self._count})
        await self.crm.serve("crm", {CRM_STATS: self._crm_stats})

    def requests(self, type_: type[Any]) -> list[Any]:
        return [request for request in self.asked if isinstance(request, type_)]

    async def session(self, user: str, state: SessionState, demo: str = "10000.50", real: str | None = None) -> None:
        """What the gateway says of a user."""
        now = datetime.now(UTC)
        bucket = self.gateway.bucket(ACCOUNTS)
        await bucket.put(keys.balance(user), Balances(user=user, at=now, balances=_balances(demo, real)))
        await bucket.put(keys.session(user), SessionStatus(user=user, at=now, state=state))

    async def status(self, user: str, activity: Activity, **changes: Any) -> None:
        """What the bots say of a user's bot."""
        status = a_status(user, activity, **changes)
        await self.bots.bucket(BOTS).put(keys.bot_status(status.bot), status)

    async def score(self, user: str, **changes: Any) -> Score:
        score = a_score(id=new_id(), user=user, at=datetime.now(UTC), **changes)
        await self.bots.bucket(BOTS).put(keys.bot_score(score.bot), score)
        return score

    async def notice(self, user: str) -> None:
        notice = Notice(id=new_id(), at=datetime.now(UTC), user=user, title="News", body="Something <b>new</b>")
        await self.crm.append(subjects.notice(user), notice, id=notice.id)

    async def opened(self, user: str, order_id: str) -> None:
        event = an_opening(order=an_order(order_id=order_id, user=user))
        recorded = TradeRecorded(id=f"{user}.{order_id}.opened", at=datetime.now(UTC), trade_id=7, opened=event)
        await self.analytics.append(subjects.ledger(user, OrderState.OPENED), recorded, id=recorded.id)

    async def closed(self, user: str, order_id: str, profit: str = "8.20") -> None:
        settlement = a_settlement(profit=Decimal(profit))
        event = a_closing(order=an_order(order_id=order_id, user=user), settlement=settlement)
        recorded = TradeRecorded(id=f"{user}.{order_id}.closed", at=datetime.now(UTC), trade_id=7, closed=event)
        await self.analytics.append(subjects.ledger(user, OrderState.CLOSED), recorded, id=recorded.id)

    async def tick(self, feed: Feed, number: int, close: float = 1.1) -> None:
        await self.gateway.publish(subjects.candle(feed), candle(feed, number, close))

    async def demand(self) -> set[Feed]:
        """What all edges together want of the gateway now."""
        entries = await self.gateway.bucket(FEEDS).entries(">", FeedDemand)
        return {feed for entry in entries for feed in entry.value.feeds}

    async def _connect(self, request: rpc.ConnectSession) -> rpc.SessionReport:
        self._note(rpc.CONNECT.name, request)
        return await self._connected(request)

    async def _reconnect(self, request: rpc.ConnectSession) -> rpc.SessionReport:
        self._note(rpc.RECONNECT.name, request)
        return await self._connected(request)

    async def _connected(self, request: rpc.ConnectSession) -> rpc.SessionReport:
        await self.session(request.user, SessionState.CONNECTED)
        now = datetime.now(UTC)
        status = SessionStatus(user=request.user, at=now, state=SessionState.CONNECTED)
        balances = Balances(user=request.user, at=now, balances=_balances("10000.50", None))
        return rpc.SessionReport(status=status, balances=balances)

    async def _disconnect(self, request: rpc.OfUser) -> rpc.SessionReport:
        self._note(rpc.DISCONNECT.name, request)
        await self.session(request.user, SessionState.DISCONNECTED)
        status = SessionStatus(user=request.user, at=datetime.now(UTC), state=SessionState.DISCONNECTED)
        return rpc.SessionReport(status=status, balances=None)

    async def _ssid_stats(self, request: ssid_rpc.SsidPage) -> ssid_rpc.SsidStats:
        self._note(ssid_rpc.SSID_STATS.name, request)
        now = datetime.now(UTC)
        old = ssid_rpc.KeptSsid(broker_user_id="41", expires_at=now - timedelta(hours=1), expired=True)
        return ssid_rpc.SsidStats(total=7, expired=2, system_active=True, page=(old, _kept("42")))

    async def _ssid_status(self, request: ssid_rpc.OfBrokerUser) -> ssid_rpc.SsidStatus:
        self._note(ssid_rpc.SSID_STATUS.name, request)
        known = request.broker_user_id == "42"
        return ssid_rpc.SsidStatus(kept=_kept(request.broker_user_id) if known else None)

    async def _renew_ssid(self, request: ssid_rpc.RenewSsid) -> ssid_rpc.KeptSsid:
        self._note(ssid_rpc.RENEW_SSID.name, request)
        return _kept(request.broker_user_id)

    async def _clean_up_ssids(self, request: ssid_rpc.CleanUpSsids) -> ssid_rpc.SsidsCleaned:
        self._note(ssid_rpc.CLEAN_UP_SSIDS.name, request)
        return ssid_rpc.SsidsCleaned(cleaned=2)

    async def _settle(self, request: rpc.OfUser) -> rpc.Settled:
        self._note(rpc.SETTLE.name, request)
        return self.settled

    async def _sign_up(self, request: SignUp) -> BrokerSignUp:
        self._note(rpc.SIGN_UP.name, request)
        return self.signed_up

    async def _candles(self, request: rpc.CandleQuery) -> rpc.CandlePage:
        if request.size == 0:
            # Asked only to see whether there is a broker.
            if BROKER in self.refusals:
                raise self.refusals[BROKER]
            raise RpcError(ErrorCode.INVALID_REQUEST, "`size` must be one of …")
        self._note(rpc.CANDLES.name, request)
        feed = Feed(request.active_id, request.size)
        if feed in self.gates:
            await self.gates[feed].wait()
        return rpc.CandlePage(candles=tuple(candle(feed, number) for number in range(HISTORY)))

    async def _start(self, request: rpc.StartBot) -> BotStatus:
        self._note(rpc.START_BOT.name, request)
        status = a_status(request.user, Activity.ANALYZING, config=request.config, state=BotState.STARTING)
        await self.bots.bucket(BOTS).put(keys.bot_status(status.bot), status)
        return status

    async def _stop(self, request: rpc.StopBot) -> BotStatus:
        self._note(rpc.STOP_BOT.name, request)
        return a_status(request.user, Activity.STOPPED, state=BotState.STOPPING, reason=request.reason)

    async def _preview(self, request: rpc.StartBot) -> Preview:
        self._note(rpc.PREVIEW_BOT.name, request)
        return Preview(
            stakes=(Decimal(1), Decimal("2.5")), loss=Decimal("3.5"), ended_by="", worst_loss=Decimal(9),
            bounded_by="balance",
        )  # fmt: skip

    async def _pause(self, request: rpc.OfBots) -> BotStatus:
        self._note(rpc.PAUSE_BOT.name, request)
        return a_status(request.user, Activity.PAUSED, state=BotState.PAUSED)

    async def _resume(self, request: rpc.OfBots) -> BotStatus:
        self._note(rpc.RESUME_BOT.name, request)
        return a_status(request.user, Activity.ANALYZING)

    async def _reconfigure(self, request: rpc.StartBot) -> BotStatus:
        self._note(rpc.RECONFIGURE_BOT.name, request)
        return a_status(request.user, Activity.ANALYZING, config=request.config)

    async def _choose(self, request: rpc.ChooseAccount) -> AccountChoice:
        self._note(rpc.CHOOSE_ACCOUNT.name, request)
        choice = AccountChoice(user=request.user, at=datetime.now(UTC), account_type=request.account_type)
        await self.bots.bucket(BOTS).put(keys.account_choice(request.user), choice)
        return choice

    async def _strategies(self, _: rpc.Nothing) -> StrategyList:
        parameters = {"least": {"type": "number", "default": 0.5}}
        one = StrategyDescription(name="own", text="Mine.", warm_up=3, parameters=parameters, source="own.py")
        return StrategyList(strategies=(one,))

    async def _platform(self, _: rpc.Nothing) -> Platform:
        return Platform(notice="As it was")

    async def _set_platform(self, request: rpc.SetPlatform) -> Platform:
        self._note(rpc.SET_PLATFORM.name, request)
        return request.platform

    async def _limits(self, request: rpc.OfUser) -> UserLimits:
        self._note(rpc.USER_LIMITS.name, request)
        return UserLimits(max_trades_per_day=7)

    async def _set_limits(self, request: rpc.SetUserLimits) -> UserLimits:
        self._note(rpc.SET_USER_LIMITS.name, request)
        return request.limits

    async def _record(self, request: rpc.OfUser) -> rpc.Nothing:
        self._note(rpc.RECORD_STATUS.name, request)
        return rpc.Nothing()

    async def _count(self, request: rpc.Nothing) -> rpc.ScannerCounted:
        self._note(rpc.COUNT_SCANNER.name, request)
        return rpc.ScannerCounted(aggregated=7, upserted=3, removed=1)

    async def _crm_stats(self, request: rpc.Nothing) -> CrmStats:
        self._note(CRM_STATS.name, request)
        return CrmStats(at=datetime.now(UTC), contacts=12, leads=8, customers=4)

    def _note(self, endpoint: str, request: Any) -> None:
        self.asked.append(request)
        if endpoint in self.refusals:
            raise self.refusals[endpoint]


def _kept(broker_user_id: str) -> ssid_rpc.KeptSsid:
    """For another eleven and a half hours."""
    expires_at = datetime.now(UTC) + timedelta(hours=11.5)
    return ssid_rpc.KeptSsid(broker_user_id=broker_user_id, expires_at=expires_at, expired=False)


def a_status(user: str, activity: Activity, **changes: Any) -> BotStatus:
    now = datetime.now(UTC)
    fields: dict[str, Any] = {
        "id": new_id(), "user": user, "at": now, "run": "run-1", "number": 3, "state": BotState.RUNNING,
        "activity": activity, "label": f"Label of {activity}", "config": BotConfig(), "started_at": now,
    }  # fmt: skip
    return BotStatus(**fields | changes)


def _balances(demo: str, real: str | None) -> tuple[Balance, ...]:
    found = [Balance(id=1, type=AccountType.DEMO, amount=Decimal(demo), currency="USD")]
    if real is not None:
        found.append(Balance(id=2, type=AccountType.REAL, amount=Decimal(real), currency="EUR"))
    return tuple(found)
