"""The client library of browsers, in a process of its own (node/client.mjs)."""

import asyncio
import json
import os
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.local.node import install, node_path
from tests.e2e.user import User

FOLDER = Path(__file__).parent / "node"


class NodeClient:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.heard: list[tuple[str, Any]] = []
        self._process = process

    async def wait(self, name: str, timeout: float = 45.0) -> Any:
        """The data of the next event of that name."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(timeout):
                while line := await self._process.stdout.readline():
                    said = json.loads(line)
                    self.heard.append((said["event"], said["data"]))
                    if said["event"] == name:
                        return said["data"]
        except TimeoutError:
            raise AssertionError(f"no {name} in {timeout} s; heard {[name for name, _ in self.heard]}") from None
        raise AssertionError(f"the client ended without {name}; heard {self.heard}")


@asynccontextmanager
async def node_client(user: User, edge_url: str, asset: str, timeframe: int) -> AsyncIterator[NodeClient]:
    told = {"EDGE_URL": edge_url, "TOKEN": user.token, "ASSET": asset, "TIMEFRAME": str(timeframe)}
    process = await asyncio.create_subprocess_exec(
        node_path(),
        FOLDER / "client.mjs",
        env={**os.environ, **told},
        stdin=PIPE,
        stdout=PIPE,
        limit=1024 * 1024,
    )
    try:
        yield NodeClient(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()  # it leaves
        async with asyncio.timeout(10):
            await process.communicate()


@pytest.fixture(scope="session")
def node_packages() -> None:
    install(FOLDER)
