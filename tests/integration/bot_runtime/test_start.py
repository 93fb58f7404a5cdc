"""A process that runs bots, before anybody has told it what can be traded."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from libs.bus import Bus
from libs.contracts.bots import BotConfig, BotState
from libs.contracts.rpc import ErrorCode, RpcError
from tests.integration.bot_runtime.gateway import Gateway
from tests.integration.bot_runtime.observer import Observer
from tests.integration.nats_server import NatsServer
from tests.integration.service_process import ServiceProcess
from tests.unit.bot_runtime.builders import an_active


async def test_without_a_catalogue_it_is_not_ready_and_no_asset_is_called_unknown(
    bus: Bus, nats_server: NatsServer, observer: Observer, tmp_path: Path
) -> None:
    gateway = Gateway(bus)
    await gateway.connect()
    runtime = ServiceProcess("services.bot_runtime", nats_server.environment("bots"), tmp_path / "bots.log")
    ready = asyncio.create_task(runtime.start())
    try:
        async with asyncio.timeout(20):
            while await runtime.failing() != ["catalogue"]:
                await asyncio.sleep(0.02)
        config = BotConfig(mode="manual", asset="T1-OTC", timeframe=10)
        with pytest.raises(RpcError) as refused:
            await observer.start_bot(config=config)
        assert refused.value.code is ErrorCode.UNAVAILABLE

        await gateway.start(an_active(1))
        await ready
        assert (await observer.start_bot(config=config)).state is BotState.STARTING
    finally:
        ready.cancel()
        with suppress(asyncio.CancelledError):
            await ready
        await runtime.stop()
