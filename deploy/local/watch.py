"""`make watch`: a live view in the terminal, written as a plain client of the public API."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import aiohttp
import msgspec
import socketio
from rich.console import Console
from rich.live import Live

from deploy.local import facts as stack_facts
from deploy.local.facts import Facts
from deploy.local.screen import Score, Screen, Trade
from deploy.local.seed import Auth
from deploy.local.settings import LocalSettings
from libs.bus.cancellation import Cancellable
from libs.service import CannotStart
from libs.service.settings import load

_TIMEOUT = aiohttp.ClientTimeout(total=20.0)
_REFRESH = 8
"""Per second."""
_GOODBYE = 3.0
"""Seconds that a server may take to let us go."""
_AGAIN = 1.0
"""Seconds before the next try."""


class _Stats(msgspec.Struct, rename="camel"):
    total_trades: int
    wins: int
    losses: int
    ties: int
    win_rate: float
    pnl: float


class _Runtime(msgspec.Struct, rename="camel"):
    status: str
    stats: _Stats | None = None


class _Row(msgspec.Struct):
    """Of `trade_history`; numbers may come as strings."""

    id: int
    ativo_nome: str
    direction: str
    valor: float
    data_abertura: str
    resultado: str | None = None
    pnl: float | None = None


class Watch:
    def __init__(self, facts: Facts, asset: str, timeframe: int) -> None:
        self.screen = Screen(facts.demo.email, asset, timeframe)
        self._facts = facts
        self._wanted = {"asset": asset, "timeframe": timeframe, "strategy": "hybrid"}

    async def run(self) -> None:
        """Until cancelled. Raises CannotStart when the stack does not let us in at first; later it tries again, each
        time with a new log-in, because a token lasts an hour."""
        await self._visit()
        while True:
            self.screen.link = "connection lost"
            await asyncio.sleep(_AGAIN)
            with suppress(CannotStart):
                await self._visit()

    async def _visit(self) -> None:
        """Until the connection is lost."""
        try:
            async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
                token = await self._log_in(http)
                await self._look_back(http, token)
                await self._listen(http, token)
        except (aiohttp.ClientError, TimeoutError, socketio.exceptions.SocketIOError) as error:
            raise CannotStart(f"the stack at {self._facts.edge_url} does not answer: {error}") from error

    async def _listen(self, http: aiohttp.ClientSession, token: str) -> None:
        client = socketio.AsyncClient(reconnection=False, handle_sigint=False, http_session=http)
        client.on("*", self._hear)
        lost = asyncio.Event()
        client.on("disconnect", lambda *_: lost.set())
        try:
            with Cancellable():  # python-socketio waits with `asyncio.wait_for`
                await client.connect(self._facts.edge_url, auth={"token": token}, transports=["websocket"])
            self.screen.link = "connected"
            await client.emit("subscribe-candles", self._wanted)
            await lost.wait()  # `client.wait` awaits a task that loses cancellations, as above
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE):
                    await client.disconnect()

    async def _log_in(self, http: aiohttp.ClientSession) -> str:
        auth = Auth(http, self._facts.supabase_url, self._facts.supabase_publishable_key)
        return (await auth.log_in(self._facts.demo.email, self._facts.demo.password)).token

    async def _look_back(self, http: aiohttp.ClientSession, token: str) -> None:
        """What was so before the first event: the run's score, and the last trades as the clients read them."""
        bearer = {"Authorization": f"Bearer {token}"}
        url = f"{self._facts.edge_url}/api/bot/runtime-status"
        async with http.get(url, headers=bearer, raise_for_status=True) as response:
            runtime = msgspec.json.decode(await response.read(), type=_Runtime)
        stats = runtime.stats
        score = (
            Score(stats.pnl, stats.win_rate, stats.total_trades, stats.wins, stats.losses, stats.ties)
            if stats
            else Score()
        )
        self.screen.begin(runtime.status, score)
        url = f"{self._facts.supabase_url}/rest/v1/trade_history?select=*&order=data_abertura.desc&limit=12"
        key = {"apikey": self._facts.supabase_publishable_key}
        async with http.get(url, headers=bearer | key, raise_for_status=True) as response:
            rows = msgspec.json.decode(await response.read(), type=list[_Row], strict=False)
        for row in reversed(rows):
            opened = datetime.fromisoformat(row.data_abertura)
            trade = Trade(opened, row.ativo_nome, row.direction, row.valor, row.resultado or "", row.pnl or 0.0)
            self.screen.keep(str(row.id), trade)

    async def _hear(self, event: str, data: object = None) -> None:
        self.screen.hear(event, data)


async def watch(facts: Facts, asset: str, timeframe: int, console: Console) -> None:
    view = Watch(facts, asset, timeframe)
    with Live(view.screen, console=console, refresh_per_second=_REFRESH):
        await view.run()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make watch", description=__doc__)
    parser.add_argument("--asset", default="EURUSD-OTC", help="ticker of the candle that is shown")
    parser.add_argument("--timeframe", type=int, default=60, help="its size in seconds")
    chosen = parser.parse_args(arguments)
    try:
        facts = stack_facts.read(Path(load(LocalSettings).directory))
        asyncio.run(watch(facts, chosen.asset, chosen.timeframe, Console()))
    except FileNotFoundError:
        print(
            "no local stack is running here: start one with `make run` (PREGAO_LOCAL_DIR says where)", file=sys.stderr
        )
        return 1
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        with suppress(BrokenPipeError):
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
