"""What administrators allow, as they last said."""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import TypeVar

import msgspec
import structlog

from libs.bus import Bus, BusUnavailable, Entry
from libs.bus.topology import PLATFORM
from libs.contracts import keys
from libs.contracts.account import AccountType
from libs.contracts.bots import BotConfig
from libs.contracts.clock import Clock
from libs.contracts.platform import BarredUser, Platform, PlatformRecord, UserLimits, UserLimitsRecord
from libs.contracts.rpc import ErrorCode, Nothing, OfUser, RpcError, SetPlatform, SetUserLimits
from services.bot_runtime.policy import Refusal, Rule, Situation
from services.bot_runtime.policy.calendar import UTC_DAYS
from services.bot_runtime.policy.losses import SMALLEST_STAKE, StopLoss
from services.bot_runtime.policy.rules import OpenPositions, TradesPerDay

log = structlog.get_logger()

PLATFORM_KEY = "platform"
BARRED = "This account is suspended"

N = TypeVar("N", int, Decimal)


def limits_key(user: str) -> str:
    return f"user.{user}"


class PlatformRules:
    """Asked before every order: a change counts at once, for bots that run as well."""

    def __init__(self) -> None:
        self.platform = Platform()
        self._limits: dict[str, UserLimits] = {}
        self._barred: set[str] = set()
        self._changed: Callable[[], None] | None = None

    async def follow(self, bus: Bus, changed: Callable[[], None]) -> None:
        """Current when it returns, and kept so until the bus is closed; `changed()` is called with every change."""
        self._changed = changed
        await bus.mirror(PLATFORM, PLATFORM_KEY, PlatformRecord, self._platform_changed)
        await bus.mirror(PLATFORM, limits_key("*"), UserLimitsRecord, self._limits_changed)
        await bus.mirror(PLATFORM, keys.barred("*"), BarredUser, self._barred_changed)

    def limits(self, user: str) -> UserLimits:
        """The platform's and the user's own, whichever is stricter."""
        own = self._limits.get(user)
        return self.platform.limits if own is None else _stricter(self.platform.limits, own)

    @property
    def notice(self) -> str:
        """Of a maintenance, for people."""
        return self.platform.notice or "Trading is paused for maintenance"

    def barred(self, user: str) -> bool:
        """Whether the user may not even come in: nothing is done for them any more."""
        return user in self._barred

    def obstacle(self, user: str, account_type: AccountType) -> str:
        """Why nothing may be opened now, for people; empty if it may."""
        limits = self.limits(user)
        if self.platform.maintenance:
            return self.notice
        if not limits.trading:
            return "Trading is blocked for this user"
        if account_type is AccountType.REAL and not limits.real_account:
            return "Trading with real money is blocked for this user"
        return ""

    def _platform_changed(self, _: str, entry: Entry[PlatformRecord] | None) -> None:
        self.platform = Platform() if entry is None else entry.value.value
        self._tell()

    def _limits_changed(self, key: str, entry: Entry[UserLimitsRecord] | None) -> None:
        user = key.removeprefix(limits_key(""))
        if entry is None:
            self._limits.pop(user, None)
        else:
            self._limits[user] = entry.value.value
        self._tell()

    def _barred_changed(self, key: str, entry: Entry[BarredUser] | None) -> None:
        user = key.removeprefix(keys.barred(""))
        if entry is None:
            self._barred.discard(user)
        else:
            self._barred.add(user)
        self._tell()

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed()


class UserGate:
    """What administrators allow one user, as a money rule. Its days are those of UTC: who chose another time zone would
    begin a new one, and with it lose or trade again what the limits let them."""

    def __init__(self, rules: PlatformRules, user: str, config: BotConfig) -> None:
        self._rules = rules
        self._user = user
        self._account_type = config.account_type
        self._max_stake = config.max_stake

    def refuses(self, situation: Situation) -> Refusal | None:
        if self._rules.barred(self._user):
            return Refusal(BARRED, final=True)
        if reason := self._rules.obstacle(self._user, self._account_type):
            return Refusal(reason)
        situation = _in_utc(situation)
        return next(filter(None, (rule.refuses(situation) for rule in self._limits())), None)

    def caps(self, situation: Situation) -> Iterable[Decimal]:
        limits = self._rules.limits(self._user)
        if limits.max_stake is not None:
            yield limits.max_stake
        if limits.max_daily_loss is not None:
            left = StopLoss(limits.max_daily_loss, SMALLEST_STAKE).left(_in_utc(situation))
            yield left if left is not None else Decimal(0)

    def bounds(self, situation: Situation) -> Iterable[tuple[Decimal, str]]:
        limits, situation = self._rules.limits(self._user), _in_utc(situation)
        if limits.max_daily_loss is not None:
            left = StopLoss(limits.max_daily_loss, SMALLEST_STAKE).left(situation)
            yield left if left is not None else Decimal(0), "maxDailyLoss"
        if limits.max_trades_per_day is not None:
            yield (limits.max_trades_per_day - situation.day.trades) * self._max_stake, "maxTradesPerDay"

    def _limits(self) -> Iterator[Rule]:
        limits = self._rules.limits(self._user)
        if limits.max_daily_loss is not None:
            yield StopLoss(limits.max_daily_loss, min(SMALLEST_STAKE, limits.max_daily_loss))
        if limits.max_trades_per_day is not None:
            yield TradesPerDay(limits.max_trades_per_day, UTC_DAYS)
        if limits.max_open_positions is not None:
            yield OpenPositions(limits.max_open_positions)


def _in_utc(situation: Situation) -> Situation:
    return msgspec.structs.replace(situation, day=situation.utc_day)


class PlatformDesk:
    """The endpoints by which administrators read and say it; the edge has verified that they are administrators."""

    def __init__(self, bus: Bus) -> None:
        self._bucket = bus.bucket(PLATFORM)
        self._clock: Clock = bus.clock

    async def platform(self, _: Nothing) -> Platform:
        known = await self._bucket.get(PLATFORM_KEY, PlatformRecord)
        return Platform() if known is None else known.value.value

    async def set_platform(self, request: SetPlatform) -> Platform:
        record = PlatformRecord(at=self._clock.now(), by=request.by, value=request.platform)
        await self._put(PLATFORM_KEY, record)
        log.warning("platform_changed", by=request.by, platform=msgspec.to_builtins(request.platform))
        return request.platform

    async def user_limits(self, request: OfUser) -> UserLimits:
        known = await self._bucket.get(limits_key(request.user), UserLimitsRecord)
        return UserLimits() if known is None else known.value.value

    async def set_user_limits(self, request: SetUserLimits) -> UserLimits:
        record = UserLimitsRecord(at=self._clock.now(), by=request.by, value=request.limits)
        await self._put(limits_key(request.user), record)
        log.warning("limits_changed", by=request.by, user=request.user, limits=msgspec.to_builtins(request.limits))
        return request.limits

    async def _put(self, key: str, record: PlatformRecord | UserLimitsRecord) -> None:
        try:
            await self._bucket.put(key, record)
        except BusUnavailable as error:
            raise RpcError(ErrorCode.TIMEOUT, "the message bus did not confirm it in time") from error


def _stricter(one: UserLimits, other: UserLimits) -> UserLimits:
    both = (one, other)
    return UserLimits(
        trading=one.trading and other.trading,
        real_account=one.real_account and other.real_account,
        max_stake=_least(limits.max_stake for limits in both),
        max_trades_per_day=_least(limits.max_trades_per_day for limits in both),
        max_daily_loss=_least(limits.max_daily_loss for limits in both),
        max_open_positions=_least(limits.max_open_positions for limits in both),
    )


def _least(values: Iterable[N | None]) -> N | None:
    return min((value for value in values if value is not None), default=None)
