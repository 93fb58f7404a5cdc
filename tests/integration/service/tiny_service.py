"""A process to observe: it says on standard output what happens to it. Told how to behave by TINY_BEHAVIOUR."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from libs.service import ProcessSettings, Service, ServiceSettings, SigningSecret, run


class Settings(ProcessSettings):
    signing_secret: SigningSecret


class BusSettings(ServiceSettings):
    pass


@asynccontextmanager
async def part(name: str) -> AsyncIterator[None]:
    print(f"enter {name}", flush=True)
    try:
        yield
    finally:
        print(f"leave {name}", flush=True)


async def opened(gate: Path) -> None:
    while not await asyncio.to_thread(gate.exists):
        await asyncio.sleep(0.01)


async def crash() -> None:
    raise ValueError("a part broke")


async def wait_until_cancelled() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        print("background ended", flush=True)


@asynccontextmanager
async def app(_settings: ProcessSettings, service: Service) -> AsyncIterator[None]:
    behaviour = os.environ.get("TINY_BEHAVIOUR", "")
    async with part("first"), part("second"):
        if gate := os.environ.get("TINY_GATE"):
            await opened(Path(gate))
        service.health.add("gate", lambda: not Path(os.environ.get("TINY_FAIL", "/nonexistent")).exists())
        service.background(crash() if behaviour == "crash" else wait_until_cancelled(), "watcher")
        if behaviour == "fail":
            await asyncio.sleep(0)
            raise ValueError("the start failed")
        yield
        if behaviour == "hang":
            print("hanging", flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    if "--bus" in sys.argv:
        run("edge", BusSettings, app)
    else:
        run("tiny", Settings, app)
