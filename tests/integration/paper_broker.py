"""A real paper broker as a process of its own, with its control API switched on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from services.paper_broker.faults import Fault
from tests.integration.service_process import ServiceProcess
from tests.ports import free_port

API_TOKEN = "paper-broker-token-of-tests"


class PaperBroker:
    """Tests may stop, kill and start it again on the same database and port."""

    def __init__(self, directory: Path, **variables: str) -> None:
        self.port = free_port()
        self.api_url = f"http://127.0.0.1:{self.port}"
        self.ws_url = f"ws://127.0.0.1:{self.port}/echo/websocket"
        self.session_url = f"{self.api_url}/sessions"
        self.api_token = API_TOKEN
        environment = {
            "PREGAO_PAPER_PORT": str(self.port),
            "PREGAO_PAPER_API_TOKEN": API_TOKEN,
            "PREGAO_PAPER_DATABASE": str(directory / "paper-broker.sqlite"),
            "PREGAO_PAPER_CONTROL": "1",
        }
        self.process = ServiceProcess(
            "services.paper_broker", environment | variables, directory / f"paper-broker-{self.port}.log"
        )

    async def start(self) -> None:
        await self.process.start()

    async def kill(self) -> None:
        await self.process.kill()

    async def restart(self) -> None:
        """Die and come back."""
        await self.kill()
        await self.start()

    async def session(self, user: int) -> str:
        """A session id of a user who is made on the way."""
        answer = await self._request("POST", f"/sessions/{user}")
        return str(answer["ssid"])

    async def fault(self, kind: str, user: int, **details: object) -> None:
        """Whatever it says; `inject` is typed."""
        await self._request("POST", "/control/faults", json={"kind": kind, "user": user, **details})

    async def market_fault(self, kind: str, active: int) -> None:
        await self._request("POST", "/control/faults", json={"kind": kind, "active": active})

    async def inject(self, fault: Fault) -> dict[str, Any]:
        """What the broker did: `{armed: n}`, `{dropped: n}`, `{stalled: n}` or `{suspended: […], frozen: […]}`."""
        answer: dict[str, Any] = await self._request("POST", "/control/faults", json=msgspec.to_builtins(fault))
        return answer

    async def armed_faults(self, user: int) -> list[dict[str, Any]]:
        """What has not happened yet, one entry for each time."""
        return list((await self._request("GET", f"/control/faults?user={user}"))["armed"])

    async def forget_faults(self, user: int) -> None:
        await self._request("DELETE", f"/control/faults?user={user}")

    async def restore_market(self, active: int | None = None) -> None:
        """Resume and thaw an active, or all of them."""
        await self._request("DELETE", "/control/faults" + ("" if active is None else f"?active={active}"))

    async def positions(self, user: int) -> list[dict[str, Any]]:
        """The broker's books: open and closed positions, oldest first, as the wire shows them."""
        answer: list[dict[str, Any]] = await self._request("GET", f"/control/positions?user={user}")
        return answer

    async def balances(self, user: int) -> list[dict[str, Any]]:
        """`amount` and `ledger`, the sum of its entries, as Decimals."""
        answer: list[dict[str, Any]] = await self._request("GET", f"/control/balances?user={user}")
        for balance in answer:
            balance |= {name: Decimal(str(balance[name])) for name in ("amount", "ledger")}
        return answer

    async def ledger(self, user: int) -> list[dict[str, Any]]:
        """Every change of the user's balances: `balance_id`, `at`, `reason`, `change` as a Decimal, `position_id`."""
        answer: list[dict[str, Any]] = await self._request("GET", f"/control/ledger?user={user}")
        return [entry | {"change": Decimal(str(entry["change"]))} for entry in answer]

    async def _request(self, method: str, path: str, json: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self.api_token}"}
        async with (
            aiohttp.ClientSession(headers=headers, raise_for_status=True) as http,
            http.request(method, self.api_url + path, json=json, timeout=aiohttp.ClientTimeout(10)) as response,
        ):
            return await response.json()


StartPaperBroker = Callable[..., Awaitable[PaperBroker]]


@pytest.fixture
async def start_paper_broker(tmp_path: Path) -> AsyncIterator[StartPaperBroker]:
    """`await start_paper_broker(PREGAO_PAPER_SESSION_SECONDS="5")`: ready when it returns."""
    brokers: list[PaperBroker] = []

    async def start(**variables: str) -> PaperBroker:
        broker = PaperBroker(tmp_path, **variables)
        brokers.append(broker)
        await broker.start()
        return broker

    yield start
    for broker in reversed(brokers):
        await broker.process.stop()


@pytest.fixture
async def paper_broker(start_paper_broker: StartPaperBroker) -> PaperBroker:
    return await start_paper_broker()
