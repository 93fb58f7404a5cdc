"""A bot's lifecycle: any process answers, by writing what the user wants; the one that runs the bot makes it so."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from decimal import Decimal
from typing import Any

from libs.bus import Bus, BusUnavailable, Entry, RevisionConflict
from libs.bus.topology import ACCOUNTS
from libs.contracts.account import AccountType, Balances, SessionState, SessionStatus
from libs.contracts.bots import Activity, BotConfig, BotState, BotStatus, DesiredBot
from libs.contracts.ids import new_id
from libs.contracts.money import Preview
from libs.contracts.rpc import ErrorCode, OfUser, RpcError, StartBot, StopBot
from services.bot_runtime import labels
from services.bot_runtime.accounts import balance_key, session_key
from services.bot_runtime.actives import BOUGHT, Actives
from services.bot_runtime.desires import Desires
from services.bot_runtime.journal import Journal
from services.bot_runtime.platform import PlatformRules
from services.bot_runtime.policy import Account, Policy
from services.bot_runtime.policy.preview import preview
from services.bot_runtime.restore import restored
from services.bot_runtime.status import status_of
from services.bot_runtime.strategies import Strategies

_USUAL_PAYOUT = 80
"""Percent, when the broker tells none."""


class Endpoints:
    def __init__(
        self,
        bus: Bus,
        actives: Actives,
        desires: Desires,
        platform: PlatformRules,
        strategies: Strategies,
        running: Callable[[], int],
        *,
        real_accounts: bool,
    ) -> None:
        """`running()`: bots of all users that are wanted to run."""
        self._bus = bus
        self._clock = bus.clock
        self._accounts = bus.bucket(ACCOUNTS)
        self._actives = actives
        self._desires = desires
        self._platform = platform
        self._strategies = strategies
        self._running = running
        self._real_accounts = real_accounts

    async def start(self, request: StartBot) -> BotStatus:
        """Raises RpcError. Of two at once one succeeds and the other is told ALREADY_RUNNING."""
        async with _certain():
            await self._check(request)
            known = await self._desires.get(request.user)
            journal = Journal(self._bus, request.user)
            await journal.load()
            if known is not None and (known.value.running or _alive(journal.status, known.value.run)):
                raise RpcError(ErrorCode.ALREADY_RUNNING, "the bot is running, or still waits for its open position")
            await self._check_rules(request)
            desired = self._desired(request, known)
            try:
                await self._desires.start(desired, known)
            except RevisionConflict as conflict:
                raise RpcError(ErrorCode.ALREADY_RUNNING, "the bot is being started already") from conflict
            return await self._tell(journal, desired, BotState.STARTING, labels.STARTING)

    async def stop(self, request: StopBot) -> BotStatus:
        """Raises RpcError. Answers at once; the bot stops when its open position is settled."""
        async with _certain():
            known = await self._desires.get(request.user)
            journal = Journal(self._bus, request.user)
            await journal.load()
            if known is None or not (known.value.running or _alive(journal.status, known.value.run)):
                raise RpcError(ErrorCode.NOT_RUNNING, "the bot is not running")
            desired = await self._desires.stop(request.user, known.value.run, request.reason)
            return await self._tell(journal, desired or known.value, BotState.STOPPING, labels.STOPPING)

    async def preview(self, request: StartBot) -> Preview:
        """Raises RpcError. Starts nothing."""
        async with _certain():
            balance = await self._balance(request)
            await self._check_config(request)
            policy, now = Policy(request.config), self._clock.now()
            score = await restored(self._bus, request.user, "", policy, now)
            offers = self._payouts(request.config, now)
            active_id, payout = min(offers, key=lambda offer: offer[1], default=(0, _USUAL_PAYOUT))
            return preview(policy, score, balance, payout, now, active_id if request.config.mode == "manual" else 0)

    async def pause(self, request: OfUser) -> BotStatus:
        """Raises RpcError. Answers at once; what is open is followed to its end. Pausing again changes nothing."""
        async with _certain():
            known = await self._known(request.user)
            return await self._change(known, BotState.PAUSED, labels.PAUSED, paused=True)

    async def resume(self, request: OfUser) -> BotStatus:
        """Raises RpcError."""
        async with _certain():
            known = await self._known(request.user)
            if not known.paused:
                raise RpcError(ErrorCode.NOT_PAUSED, "the bot is not paused")
            return await self._change(known, BotState.RUNNING, labels.ANALYZING, paused=False)

    async def reconfigure(self, request: StartBot) -> BotStatus:
        """Raises RpcError. The run goes on with its score; a decided order is not touched."""
        async with _certain():
            known = await self._known(request.user)
            if request.config.account_type is not known.config.account_type:
                message = (
                    f"`config.accountType`: this run trades on the {known.config.account_type} account; stop it first"
                )
                raise RpcError(ErrorCode.INVALID_REQUEST, message)
            await self._check_config(request)
            journal = Journal(self._bus, request.user)
            await journal.load()
            state = journal.status.state if journal.status is not None else BotState.RUNNING
            return await self._change(known, state, labels.RECONFIGURED, config=request.config)

    async def _known(self, user: str) -> DesiredBot:
        known = await self._desires.get(user)
        if known is None or not known.value.running:
            raise RpcError(ErrorCode.NOT_RUNNING, "the bot is not running")
        return known.value

    async def _change(self, known: DesiredBot, state: BotState, label: str, **changes: Any) -> BotStatus:
        desired = await self._desires.change(known.user, known.run, **changes)
        if desired is None or desired.run != known.run or not desired.running:
            raise RpcError(ErrorCode.NOT_RUNNING, "the bot is not running")
        journal = Journal(self._bus, known.user)
        await journal.load()
        return await self._tell(journal, desired, state, label)

    async def _check(self, request: StartBot) -> None:
        if self._platform.platform.maintenance:
            raise RpcError(ErrorCode.MAINTENANCE, self._platform.notice)
        if self._running() >= self._platform.platform.max_bots:
            raise RpcError(ErrorCode.LIMIT_REACHED, f"{self._platform.platform.max_bots} bots run already")
        await self._check_config(request)
        await self._balance(request)

    async def _check_rules(self, request: StartBot) -> None:
        """What ends a run at once, such as a daily goal that was reached before, lets none begin."""
        policy, now = Policy(request.config), self._clock.now()
        if not policy.ends_with_day:
            return
        score = await restored(self._bus, request.user, "", policy, now)
        refusal = policy.obstacle(score, Account(await self._balance(request)), now)
        if refusal is not None and refusal.final:
            raise RpcError(ErrorCode.LIMIT_REACHED, refusal.reason)

    async def _balance(self, request: StartBot) -> Decimal:
        """Of exactly the account type asked for."""
        account_type = request.config.account_type
        session = await self._accounts.get(session_key(request.user), SessionStatus)
        if session is None or session.value.state is not SessionState.CONNECTED:
            raise RpcError(ErrorCode.NOT_CONNECTED, "no session to the broker; connect first")
        balances = await self._accounts.get(balance_key(request.user), Balances)
        balance = balances.value.of(account_type) if balances is not None else None
        if balance is None:
            raise RpcError(ErrorCode.NO_BALANCE, f"there is no {account_type} balance")
        return balance.amount

    def _payouts(self, config: BotConfig, now: datetime) -> Iterable[tuple[int, int]]:
        """Active and percent of whatever it may buy."""
        asset = self._actives.by_ticker(config.asset or "")
        looked_at = self._actives.tradable(now) if config.mode == "auto" else [asset] if asset is not None else []
        for active in looked_at:
            offering = active.option(BOUGHT)
            if offering is not None and offering.payout is not None and offering.payout >= config.min_payout:
                yield active.id, offering.payout

    async def _check_config(self, request: StartBot) -> None:
        config, limits = request.config, self._platform.limits(request.user)
        if config.account_type is AccountType.REAL and not (self._real_accounts and limits.real_account):
            who = "this server" if not self._real_accounts else "this user"
            raise RpcError(ErrorCode.INVALID_REQUEST, f"`config.accountType`: real accounts are not allowed for {who}")
        if config.mode == "manual":
            self._check_asset(config)
        try:
            await self._strategies.check(config)
        except ValueError as error:
            raise RpcError(ErrorCode.INVALID_REQUEST, str(error)) from error

    def _check_asset(self, config: BotConfig) -> None:
        if not self._actives.known:
            raise RpcError(ErrorCode.UNAVAILABLE, "the broker's catalogue has not been read yet")
        active = self._actives.by_ticker(config.asset or "")
        if active is None:
            raise RpcError(ErrorCode.ASSET_NOT_FOUND, f"there is no asset {config.asset!r}")
        offering = active.option(BOUGHT)
        if offering is None:
            raise RpcError(ErrorCode.INVALID_REQUEST, f"`config.asset`: {active.ticker} has no {BOUGHT} options")
        if offering.durations and config.timeframe not in offering.durations:
            offered = ", ".join(map(str, offering.durations))
            raise RpcError(
                ErrorCode.INVALID_REQUEST,
                f"`config.timeframe`: {active.ticker} offers {offered} seconds, not {config.timeframe}",
            )

    def _desired(self, request: StartBot, known: Entry[DesiredBot] | None) -> DesiredBot:
        return DesiredBot(
            user=request.user,
            at=self._clock.now(),
            run=new_id(),
            number=1 if known is None else known.value.number + 1,
            running=True,
            config=request.config,
        )

    async def _tell(self, journal: Journal, desired: DesiredBot, state: BotState, label: str) -> BotStatus:
        """So that who reads the status after the answer finds it; unless the bot was faster and told a newer one."""
        status = status_of(desired, journal.status, self._clock.now(), state, Activity.ANALYZING, label)
        with suppress(RevisionConflict):
            await journal.tell(status)
        return status


def _alive(status: BotStatus | None, run: str) -> bool:
    return status is not None and status.run == run and status.state.alive


@asynccontextmanager
async def _certain() -> AsyncIterator[None]:
    """A write that was not confirmed is told as such: it may have been done."""
    try:
        yield
    except BusUnavailable as error:
        raise RpcError(ErrorCode.TIMEOUT, "the message bus did not confirm it in time") from error
