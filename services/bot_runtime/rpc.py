"""A bot's lifecycle: any process answers, by writing what the user wants; the one that runs the bot makes it so."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog

from libs.bus import Bus, BusUnavailable, Entry, RevisionConflict
from libs.bus.topology import ACCOUNTS, BOTS
from libs.contracts import keys
from libs.contracts.account import AccountChoice, AccountType, Balance, Balances, SessionState, SessionStatus
from libs.contracts.bots import Activity, BotConfig, BotState, BotStatus, DesiredBot, shown
from libs.contracts.ids import BotId, new_id
from libs.contracts.money import Preview
from libs.contracts.rpc import ChooseAccount, ErrorCode, OfBots, RpcError, StartBot, StopBot
from services.bot_runtime import labels
from services.bot_runtime.actives import BOUGHT, Actives
from services.bot_runtime.desires import Desires
from services.bot_runtime.journal import Journal
from services.bot_runtime.platform import BARRED, PlatformRules, UserGate
from services.bot_runtime.policy import Account, Policy
from services.bot_runtime.policy.plan import UnitPlan
from services.bot_runtime.policy.plans import plan_of
from services.bot_runtime.policy.preview import preview
from services.bot_runtime.restore import restored
from services.bot_runtime.status import status_of
from services.bot_runtime.strategies import Strategies

log = structlog.get_logger()

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
        self._starting = 0
        """Bots that this process is starting, and `running` may not know yet."""

    async def start(self, request: StartBot) -> BotStatus:
        """Raises RpcError. Of two at once one succeeds and the other is told ALREADY_RUNNING."""
        async with _certain():
            await self._check(request)
            bot = BotId(request.user, request.config.account_type)
            known, journal = await self._desires.get(bot), await self._journal(bot)
            if _runs(known, journal):
                raise RpcError(
                    ErrorCode.ALREADY_RUNNING,
                    f"the bot on the {bot.account_type} account is running, or still waits for its open position",
                )
            with self._place():
                await self._check_rules(request)
                desired = await self._desired(request)
                try:
                    await self._desires.start(desired, known)
                except RevisionConflict as conflict:
                    raise RpcError(ErrorCode.ALREADY_RUNNING, "the bot is being started already") from conflict
                return await self._tell(journal, desired, BotState.STARTING, labels.STARTING)

    async def stop(self, request: StopBot) -> BotStatus:
        """Raises RpcError. Answers at once; the bot stops when its open position is settled."""

        async def stop(bot: BotId) -> BotStatus:
            known, journal = await self._desires.get(bot), await self._journal(bot)
            if known is None or not _runs(known, journal):
                raise _not_running(bot)
            desired = await self._desires.stop(bot, known.value.run, request.reason)
            return await self._tell(journal, desired or known.value, BotState.STOPPING, labels.STOPPING)

        return await _each(request, stop)

    async def preview(self, request: StartBot) -> Preview:
        """Raises RpcError. Starts nothing."""
        async with _certain():
            account = await self._account(request)
            await self._check_config(request)
            policy, now = self._policy(request), self._clock.now()
            score = await restored(self._bus, request.user, "", policy, now)
            offers = self._payouts(request.config, now)
            active_id, payout = min(offers, key=lambda offer: offer[1], default=(0, _USUAL_PAYOUT))
            return preview(policy, score, account, payout, now, active_id if request.config.mode == "manual" else 0)

    async def pause(self, request: OfBots) -> BotStatus:
        """Raises RpcError. Answers at once; what is open is followed to its end. Pausing again changes nothing."""

        async def pause(bot: BotId) -> BotStatus:
            return await self._change(await self._known(bot), BotState.PAUSED, labels.PAUSED, paused=True)

        return await _each(request, pause)

    async def resume(self, request: OfBots) -> BotStatus:
        """Raises RpcError."""

        async def resume(bot: BotId) -> BotStatus:
            known = await self._known(bot)
            if not known.paused:
                raise RpcError(ErrorCode.NOT_PAUSED, f"the bot on the {bot.account_type} account is not paused")
            return await self._change(known, BotState.RUNNING, labels.ANALYZING, paused=False)

        return await _each(request, resume)

    async def reconfigure(self, request: StartBot) -> BotStatus:
        """Raises RpcError. The run goes on with its score; a decided order is not touched."""
        async with _certain():
            known = await self._known(BotId(request.user, request.config.account_type))
            await self._check_config(request)
            balance = await self._balance(request)
            if balance is not None:
                _check_stakes(request.config, balance.min_stake)
            journal = await self._journal(known.bot)
            state = journal.status.state if journal.status is not None else BotState.RUNNING
            return await self._change(known, state, labels.RECONFIGURED, config=request.config)

    async def choose_account(self, request: ChooseAccount) -> AccountChoice:
        """Raises RpcError."""
        async with _certain():
            self._check_account(request.user, request.account_type, "accountType")
            for each in AccountType:
                bot = BotId(request.user, each)
                if _runs(await self._desires.get(bot), await self._journal(bot)):
                    raise RpcError(ErrorCode.ALREADY_RUNNING, f"a bot runs on the {each} account")
            choice = AccountChoice(user=request.user, at=self._clock.now(), account_type=request.account_type)
            await self._bus.bucket(BOTS).put(keys.account_choice(request.user), choice)
            log.info("account_type_chosen", user=request.user, account_type=request.account_type)
            return choice

    async def _known(self, bot: BotId) -> DesiredBot:
        known = await self._desires.get(bot)
        if known is None or not known.value.running:
            raise _not_running(bot)
        return known.value

    async def _journal(self, bot: BotId) -> Journal:
        journal = Journal(self._bus, bot)
        await journal.load()
        return journal

    async def _change(self, known: DesiredBot, state: BotState, label: str, **changes: Any) -> BotStatus:
        desired = await self._desires.change(known.bot, known.run, **changes)
        if desired is None or desired.run != known.run or not desired.running:
            raise _not_running(known.bot)
        return await self._tell(await self._journal(known.bot), desired, state, label)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of as many as may run. It is kept until the new bot is among those that run."""
        if self._running() + self._starting >= self._platform.platform.max_bots:
            raise RpcError(ErrorCode.LIMIT_REACHED, f"{self._platform.platform.max_bots} bots run already")
        self._starting += 1
        try:
            yield
        finally:
            self._starting -= 1

    async def _check(self, request: StartBot) -> None:
        if self._platform.barred(request.user):
            raise RpcError(ErrorCode.SUSPENDED, BARRED)
        if self._platform.platform.maintenance:
            raise RpcError(ErrorCode.MAINTENANCE, self._platform.notice)
        await self._check_config(request)
        account = await self._account(request)
        _check_stakes(request.config, account.min_stake)

    async def _check_rules(self, request: StartBot) -> None:
        """What ends a run at once, such as a daily goal that was reached before, lets none begin."""
        policy, now = self._policy(request), self._clock.now()
        if not policy.ends_with_day and self._platform.limits(request.user).max_daily_loss is None:
            return
        score = await restored(self._bus, request.user, "", policy, now)
        refusal = policy.obstacle(score, await self._account(request), now)
        if refusal is not None and refusal.final:
            raise RpcError(ErrorCode.LIMIT_REACHED, refusal.reason)

    def _policy(self, request: StartBot) -> Policy:
        return Policy(request.config, UserGate(self._platform, request.user, request.config))

    async def _account(self, request: StartBot) -> Account:
        """Of exactly the account type asked for."""
        account_type = request.config.account_type
        session = await self._accounts.get(keys.session(request.user), SessionStatus)
        if session is None or session.value.state is not SessionState.CONNECTED:
            raise RpcError(ErrorCode.NOT_CONNECTED, "no session to the broker; connect first")
        balance = await self._balance(request)
        if balance is None:
            raise RpcError(ErrorCode.NO_BALANCE, f"there is no {account_type} balance")
        return Account(balance.amount, min_stake=balance.min_stake or Decimal(0))

    async def _balance(self, request: StartBot) -> Balance | None:
        """As last heard of, also when the session is gone."""
        balances = await self._accounts.get(keys.balance(request.user), Balances)
        return balances.value.of(request.config.account_type) if balances is not None else None

    def _payouts(self, config: BotConfig, now: datetime) -> Iterable[tuple[int, int]]:
        """Active and percent of whatever it may buy."""
        asset = self._actives.by_ticker(config.asset or "")
        looked_at = self._actives.tradable(now) if config.mode == "auto" else [asset] if asset is not None else []
        for active in looked_at:
            offering = active.option(BOUGHT)
            if offering is not None and offering.payout is not None and offering.payout >= config.min_payout:
                yield active.id, offering.payout

    async def _check_config(self, request: StartBot) -> None:
        config = request.config
        self._check_account(request.user, config.account_type, "config.accountType")
        if config.mode == "manual":
            self._check_asset(config)
        try:
            await self._strategies.check(config)
        except ValueError as error:
            raise RpcError(ErrorCode.INVALID_REQUEST, str(error)) from error

    def _check_account(self, user: str, account_type: AccountType, field: str) -> None:
        """A real account needs the consent of the deployment and of an administrator for the user."""
        allowed = self._real_accounts and self._platform.limits(user).real_account
        if account_type is AccountType.REAL and not allowed:
            who = "this server" if not self._real_accounts else "this user"
            raise RpcError(ErrorCode.INVALID_REQUEST, f"`{field}`: real accounts are not allowed for {who}")

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

    async def _desired(self, request: StartBot) -> DesiredBot:
        earlier = [await self._desires.get(BotId(request.user, each)) for each in AccountType]
        return DesiredBot(
            user=request.user,
            at=self._clock.now(),
            run=new_id(),
            number=1 + max((entry.value.number for entry in earlier if entry is not None), default=0),
            running=True,
            config=request.config,
        )

    async def _tell(self, journal: Journal, desired: DesiredBot, state: BotState, label: str) -> BotStatus:
        """So that who reads the status after the answer finds it; unless the bot was faster and told a newer one."""
        status = status_of(desired, journal.status, self._clock.now(), state, Activity.ANALYZING, label)
        with suppress(RevisionConflict):
            await journal.tell(status)
        return status


async def _each(request: OfBots, act: Callable[[BotId], Awaitable[BotStatus]]) -> BotStatus:
    """Act on the bot that is meant, or on all of the user's. Raises RpcError if none of them could be acted on."""
    told, refusals = list[BotStatus](), list[RpcError]()
    for account_type in AccountType:
        if request.account_type in (account_type, None):
            try:
                async with _certain():
                    told.append(await act(BotId(request.user, account_type)))
            except RpcError as refusal:
                if refusal.code not in (ErrorCode.NOT_RUNNING, ErrorCode.NOT_PAUSED):
                    raise
                refusals.append(refusal)
    status = shown(told)
    if status is None:
        if len(refusals) > 1 and all(each.code is ErrorCode.NOT_RUNNING for each in refusals):
            raise RpcError(ErrorCode.NOT_RUNNING, "no bot is running")
        raise next((each for each in refusals if each.code is not ErrorCode.NOT_RUNNING), refusals[0])
    return status


def _not_running(bot: BotId) -> RpcError:
    return RpcError(ErrorCode.NOT_RUNNING, f"no bot is running on the {bot.account_type} account")


def _check_stakes(config: BotConfig, min_stake: Decimal | None) -> None:
    """Raises RpcError: the broker would refuse every order."""
    smallest = min(config.amount, config.max_stake)
    if min_stake is not None and isinstance(plan_of(config), UnitPlan) and smallest < min_stake:
        field = "amount" if config.amount < min_stake else "maxStake"
        raise RpcError(ErrorCode.INVALID_REQUEST, f"`config.{field}`: the broker takes {min_stake} or more")


def _runs(known: Entry[DesiredBot] | None, journal: Journal) -> bool:
    return known is not None and (known.value.running or _alive(journal.status, known.value.run))


def _alive(status: BotStatus | None, run: str) -> bool:
    return status is not None and status.run == run and status.state.alive


@asynccontextmanager
async def _certain() -> AsyncIterator[None]:
    """A write that was not confirmed is told as such: it may have been done."""
    try:
        yield
    except BusUnavailable as error:
        raise RpcError(ErrorCode.TIMEOUT, "the message bus did not confirm it in time") from error
