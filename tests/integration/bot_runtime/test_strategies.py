"""What bots follow: built-in strategies with parameters, users' own from a directory, and what happens if one fails."""

import asyncio
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest

from libs.bus import Bus, Entry
from libs.bus.topology import ORDERS
from libs.contracts.alerts import Alert, Severity
from libs.contracts.bots import BotConfig, BotState
from libs.contracts.orders import OrderRecord
from libs.contracts.rpc import START_BOT, STRATEGIES, ErrorCode, Nothing, RpcError, StartBot
from services.bot_runtime import labels
from tests.integration.bot_runtime.conftest import StartRuntime
from tests.integration.bot_runtime.gateway import Gateway
from tests.integration.bot_runtime.observer import Observer
from tests.messages import OTHER_USER, USER
from tests.unit.strategies.authors import only_with, write

REFUSED = [
    (BotConfig(strategy="hybrid"), "`config.strategy`: there is no strategy 'hybrid'; there are aggressive, balanced"),
    (BotConfig(strategy="balanced", strategy_parameters={"rsiLow": 51}), "`config.strategyParameters`: `rsiLow`"),
    (BotConfig(strategy="balanced", strategy_parameters={"rsi": 5}), "`rsi`"),
    (BotConfig(strategy="mhi", strategy_parameters={"majority": 1}), "`majority`"),
    (BotConfig(strategy="ema-cross", strategy_parameters={"fast": 30}), "`fast`"),
    (BotConfig(strategy="follow", strategy_parameters={"least": -1}), "`config.strategyParameters`: `least`"),
]


async def test_what_cannot_be_followed_is_refused_naming_the_field(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, tmp_path: Path
) -> None:
    write(tmp_path, "follow")
    await start_runtime(PREGAO_STRATEGIES_DIR=str(tmp_path))
    for config, words in REFUSED:
        with pytest.raises(RpcError) as refused:
            await observer.start_bot(config=config)
        assert refused.value.code is ErrorCode.INVALID_REQUEST
        assert words in refused.value.message


async def test_both_spellings_are_taken(start_runtime: StartRuntime, gateway: Gateway, observer: Observer) -> None:
    await start_runtime()
    await gateway.connect(OTHER_USER)
    for user, spelling in ((USER, "support-resistance"), (OTHER_USER, "support_resistance")):
        assert (await observer.start_bot(user, BotConfig(strategy=spelling))).state is BotState.STARTING


async def test_what_can_be_followed_is_told(
    start_runtime: StartRuntime, gateway: Gateway, bus: Bus, tmp_path: Path
) -> None:
    write(tmp_path, "follow")
    await start_runtime(PREGAO_STRATEGIES_DIR=str(tmp_path))
    told = {one.name: one for one in (await bus.call(STRATEGIES, Nothing())).strategies}
    assert {"aggressive", "balanced", "follow"} <= told.keys()
    assert (told["follow"].source, told["balanced"].source) == ("follow.py", "")
    assert told["balanced"].parameters["rsiLow"]["default"] == 35


async def test_bots_trade_by_built_in_and_by_their_users_strategies(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, tmp_path: Path
) -> None:
    write(tmp_path, "follow")
    await start_runtime(PREGAO_STRATEGIES_DIR=str(tmp_path))
    await gateway.connect(OTHER_USER)
    await observer.start_bot(config=BotConfig(strategy="follow", strategy_parameters={"least": 0}))
    await observer.start_bot(OTHER_USER, BotConfig(strategy="mhi", strategy_parameters={"majority": True}))
    while {order.user for order in gateway.bought} != {USER, OTHER_USER}:
        await gateway.next_order()
    assert {order.user: order.strategy for order in gateway.bought} == {USER: "follow", OTHER_USER: "mhi"}


async def test_bots_decide_before_the_next_strategy_is_evaluated(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    await start_runtime()
    await gateway.connect(OTHER_USER)
    await observer.start_bot(config=BotConfig(strategy="aggressive"))
    await observer.start_bot(OTHER_USER, BotConfig(strategy="mhi"))
    await observer.label(labels.ANALYZING)
    await observer.label(labels.ANALYZING, OTHER_USER)
    async with gateway.closing_candles(1, 2):
        await observer.until(lambda: observer.signals[USER] and observer.signals[OTHER_USER])
    told = observer.signals[USER][0], observer.signals[OTHER_USER][0]
    first, second = sorted(told, key=lambda one: one.signal.at)
    assert first.signal.candle_end == second.signal.candle_end
    assert first.at < second.signal.at


async def test_the_first_orders_are_stored_while_others_are_decided_and_sent_when_all_are(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, bus: Bus
) -> None:
    await start_runtime()
    stored: dict[str, float] = {}

    def see(key: str, entry: Entry[OrderRecord] | None) -> None:
        if entry is not None:
            stored.setdefault(key, entry.stored)

    async def together(users: list[str]) -> list[OrderRecord]:
        """Orders of one signal. On a machine that is busy some may have decided at a later close."""
        await asyncio.gather(*map(gateway.connect, users))
        await asyncio.gather(*(bus.call(START_BOT, StartBot(user=user, config=BotConfig())) for user in users))
        await observer.until(lambda: all(observer.labels(user)[-1:] == [labels.ANALYZING] for user in users))
        async with gateway.closing_candles(1):
            while not {order.user for order in gateway.bought}.issuperset(users):
                await asyncio.sleep(0.1)
        records = [entry.value for entry in await bus.bucket(ORDERS).entries(">", OrderRecord)]
        theirs = [record for record in records if record.order.user in set(users)]
        [(signal, followers)] = Counter(record.order.correlation_id for record in theirs).most_common(1)
        assert followers > len(users) / 2
        return [record for record in theirs if record.order.correlation_id == signal]

    await bus.mirror(ORDERS, ">", OrderRecord, see)
    for first in range(1, 1000, 250):
        records = await together([str(UUID(int=number)) for number in range(first, first + 250)])
        last = max(record.order.at for record in records)
        assert min(record.sent_at for record in records if record.sent_at) >= last
        if min(stored[f"{record.order.user}.{record.order.order_id}"] for record in records) < last.timestamp():
            break
    else:
        pytest.fail("nothing is stored before all have decided")  # and not only where nats-server had to wait


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        ("1 / 0", "evaluate raised ZeroDivisionError"),
        ("[None for _ in iter(int, 1)]", "did not answer in time"),
        ("import os; os._exit(1)", "its process ended with 1"),
    ],
    ids=["raises", "hangs", "dies"],
)
async def test_a_strategy_that_fails_stops_its_bots_and_nobody_else(
    start_runtime: StartRuntime,
    gateway: Gateway,
    observer: Observer,
    alerts: list[Alert],
    tmp_path: Path,
    then: str,
    reason: str,
) -> None:
    write(tmp_path, "fails", only_with("0.5", then))
    runtime = await start_runtime(PREGAO_STRATEGIES_DIR=str(tmp_path))
    await gateway.connect(OTHER_USER)
    config = BotConfig(strategy="fails", strategy_parameters={"least": 0.5})
    await observer.start_bot(config=config)
    await observer.start_bot(OTHER_USER)
    await gateway.next_order()
    await observer.until(lambda: observer.statuses[USER][-1].state is BotState.STOPPED)
    status = observer.statuses[USER][-1]
    assert status.label.startswith("Bot stopped - strategy fails cannot be used: ")
    assert reason in status.label
    assert [(alert.severity, alert.kind) for alert in alerts] == [(Severity.CRITICAL, "strategy_disabled")]
    assert "strategy fails: " in alerts[0].message

    order = gateway.bought[-1]
    assert order.user == OTHER_USER
    await observer.label(labels.TRACKING, OTHER_USER)
    await gateway.settle(order, "1")
    assert (await gateway.next_order()).user == OTHER_USER
    assert not runtime.logged("lease_lost")
    with pytest.raises(RpcError, match="cannot be used"):
        await observer.start_bot(config=config)


async def test_a_file_that_cannot_be_used_is_told_of_and_the_process_serves(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, alerts: list[Alert], tmp_path: Path
) -> None:
    write(tmp_path, "broken", "1 / 0")
    await start_runtime(PREGAO_STRATEGIES_DIR=str(tmp_path))
    await observer.start_bot()
    await gateway.next_order()
    assert [alert.kind for alert in alerts] == ["strategy_not_loaded"]
    assert f"{tmp_path}/broken.py: on an empty panel" in alerts[0].message


async def test_a_bot_whose_strategy_is_gone_stops_with_the_reason(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer, tmp_path: Path
) -> None:
    path = write(tmp_path, "follow")
    runtime = await start_runtime(PREGAO_STRATEGIES_DIR=str(tmp_path))
    await observer.start_bot(config=BotConfig(strategy="follow"))
    await observer.label(labels.ANALYZING)
    await runtime.kill()
    path.unlink()
    await start_runtime(PREGAO_STRATEGIES_DIR=str(tmp_path))
    await observer.label("Bot stopped - strategy follow is not there")
