"""A user's bots (api-contract §3.5–3.9)."""

from decimal import Decimal

import msgspec
import structlog

from libs.bus import Bus
from libs.bus.topology import BOTS
from libs.contracts import keys, rpc
from libs.contracts.account import AccountChoice, AccountType
from libs.contracts.bots import BotConfig, BotStatus
from libs.contracts.rpc import ErrorCode, RpcError
from services.socket_edge import requests, responses
from services.socket_edge.assets import Assets
from services.socket_edge.dispatch import Call
from services.socket_edge.errors import ApiError, of_rpc
from services.socket_edge.events import win_rate
from services.socket_edge.state import Facts, State

log = structlog.get_logger()

Nothing = requests.Nothing
OfBots = requests.OfBots


class BotApi:
    """Reads are answered from memory: every open page polls them."""

    def __init__(self, bus: Bus, state: State, assets: Assets) -> None:
        self._bus = bus
        self._state = state
        self._assets = assets

    async def strategies(self, _call: Call[Nothing, Nothing]) -> responses.StrategiesAnswer:
        return responses.StrategiesAnswer(strategies=(await self._bus.call(rpc.STRATEGIES, rpc.Nothing())).strategies)

    async def choose_account(self, call: Call[Nothing, requests.AccountTypeRequest]) -> responses.Done:
        """The user's row says so when this returns."""
        chosen = call.body.account_type
        try:
            await self._bus.call(rpc.CHOOSE_ACCOUNT, rpc.ChooseAccount(user=call.user, account_type=chosen))
        except RpcError as error:
            if error.code is not ErrorCode.ALREADY_RUNNING:
                raise
            raise ApiError(409, error.code, "Stop the bot first: a run stays on its account") from error
        log.warning("account_type_chosen", user=call.user, account_type=chosen, address=call.address)
        await self._bus.call(rpc.RECORD_STATUS, rpc.OfUser(user=call.user))
        return responses.Done(message=f"Account type updated to {chosen}")

    async def start(self, call: Call[Nothing, requests.StartRequest]) -> responses.BotStarting:
        """Answers before the bot is up; the outcome is a status event."""
        status = await self.launch(call.user, call.body.config)
        return responses.BotStarting(message="Bot runtime starting...", pid=status.number)

    async def stop(self, call: Call[Nothing, OfBots]) -> responses.BotStopping:
        status = await self._bus.call(rpc.STOP_BOT, rpc.StopBot(user=call.user, account_type=call.body.account_type))
        return responses.BotStopping(
            message="Bot runtime stopped successfully",
            pid=status.number,
            status="stopping" if status.state.alive else "stopped",
        )

    async def preview(self, call: Call[Nothing, requests.StartRequest]) -> responses.PreviewAnswer:
        """Starts nothing."""
        config = await self._config(call.user, call.body.config)
        request = rpc.StartBot(user=call.user, config=config)
        return responses.PreviewAnswer(preview=await self._bus.call(rpc.PREVIEW_BOT, request))

    async def pause(self, call: Call[Nothing, OfBots]) -> responses.BotChanged:
        status = await self._bus.call(rpc.PAUSE_BOT, _of_bots(call))
        return _changed("Bot paused: it opens nothing until it is resumed", status)

    async def resume(self, call: Call[Nothing, OfBots]) -> responses.BotChanged:
        return _changed("Bot resumed", await self._bus.call(rpc.RESUME_BOT, _of_bots(call)))

    async def reconfigure(self, call: Call[Nothing, requests.ReconfigureRequest]) -> responses.BotChanged:
        config = self._with_known_asset(call.body.config)
        status = await self._bus.call(rpc.RECONFIGURE_BOT, rpc.StartBot(user=call.user, config=config))
        return _changed("Configuration changed", status)

    def status(self, facts: Facts, call: Call[OfBots, Nothing]) -> responses.Status:
        bot, connected = facts.bots[call.query.account_type], facts.connected
        running = bot is not None and bot.state.alive
        account_type = call.query.account_type or facts.account_type(bot)
        return responses.Status(
            running=running,
            is_running=running,
            is_connected=connected,
            connected=connected,
            last_update=max((said.at for said in (facts.session, bot) if said is not None), default=facts.at),
            account_type=account_type,
            balance=facts.amounts[account_type] if connected else Decimal(0),
            user_id=call.user,
            status=responses.RunState.of(bot),
        )

    def runtime_status(self, call: Call[OfBots, Nothing]) -> responses.RuntimeStatus:
        bot = self._state.of(call.user).bots[call.query.account_type]
        return responses.RuntimeStatus(
            is_running=bot is not None and bot.state.alive,
            pid=None if bot is None else bot.number,
            status=responses.RunState.of(bot),
            started_at=None if bot is None else bot.started_at,
            config=None if bot is None else bot.config,
            stats=self._stats(bot),
        )

    async def launch(self, user: str, given: BotConfig | msgspec.UnsetType) -> BotStatus:
        """Raises ApiError, which names the run that is in the way."""
        config = await self._config(user, given)
        try:
            return await self._bus.call(rpc.START_BOT, rpc.StartBot(user=user, config=config))
        except RpcError as error:
            raise self._refusal(user, config.account_type, error) from error

    async def _config(self, user: str, given: BotConfig | msgspec.UnsetType) -> BotConfig:
        if isinstance(given, BotConfig):
            return self._with_known_asset(given)
        # Not out of the mirror: what was chosen a moment ago, through whatever edge, must count.
        choice = await self._bus.bucket(BOTS).get(keys.account_choice(user), AccountChoice)
        return BotConfig() if choice is None else BotConfig(account_type=choice.value.account_type)

    def _with_known_asset(self, config: BotConfig) -> BotConfig:
        if config.mode == "auto" or config.asset is None:
            return config
        return msgspec.structs.replace(config, asset=self._assets.find(config.asset).ticker)

    def _stats(self, bot: BotStatus | None) -> responses.RunStats | None:
        score = self._state.score(bot.bot) if bot is not None else None
        if bot is None or score is None or score.run != bot.run:
            return None
        return responses.RunStats(
            total_trades=score.trades,
            wins=score.wins,
            losses=score.losses,
            ties=score.ties,
            win_rate=win_rate(score),
            pnl=score.total,
        )

    def _refusal(self, user: str, account_type: AccountType, error: RpcError) -> ApiError:
        refusal = of_rpc(error)
        bot = self._state.of(user).bots[account_type]
        if error.code is ErrorCode.ALREADY_RUNNING and bot is not None:
            refusal.pid = bot.number
        return refusal


def _of_bots(call: Call[Nothing, OfBots]) -> rpc.OfBots:
    return rpc.OfBots(user=call.user, account_type=call.body.account_type)


def _changed(message: str, status: BotStatus) -> responses.BotChanged:
    return responses.BotChanged(message=message, pid=status.number, status=responses.RunState.of(status))
