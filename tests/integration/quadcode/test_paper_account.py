"""What the paper broker tells of an account and around trading is what the client reads."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from libs.contracts.clock import SystemClock
from libs.quadcode import Client, FixedSessionId
from libs.quadcode.balances import BalanceType
from libs.quadcode.chats import ChatMessages
from libs.quadcode.features import BLITZ, DIGITAL
from libs.quadcode.margin_balances import MarginBalance, available_for_margin, available_for_options
from libs.quadcode.options import OpenOption, OptionDirection
from libs.quadcode.position_book import PositionBook, PositionState
from libs.quadcode.positions import Position, PositionKey
from tests.integration.nats_server import eventually
from tests.integration.paper_broker import PaperBroker, StartPaperBroker

USER = 5150
EURUSD = 76
ADA = {
    "id": USER, "email": "ada@sim.invalid",
    "balances": [
        {"type": "demo", "amount": 10000},
        {"type": "demo", "amount": 700, "currency": "EUR", "is_marginal": True},
    ],
}  # fmt: skip


@pytest.fixture
async def ada(start_paper_broker: StartPaperBroker, tmp_path: Path) -> PaperBroker:
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps({"accounts": [ADA]}))
    return await start_paper_broker(PREGAO_PAPER_ACCOUNTS=str(path))


@pytest.fixture
async def client(ada: PaperBroker) -> AsyncIterator[Client]:
    session_ids = FixedSessionId(await ada.session(USER))
    async with Client(ada.ws_url, session_ids, clock=SystemClock(), jitter=lambda: 0.0) as client:
        yield client


async def test_a_margin_balance_says_what_it_is_worth(client: Client) -> None:
    [balance] = [each for each in await client.balances.all() if each.is_marginal]
    worth = await client.margin_balances.get(balance.id)
    assert (worth.currency, worth.cash, worth.available) == ("EUR", Decimal(700), Decimal(700))
    assert (available_for_options(balance, worth), available_for_margin(balance, worth)) == (Decimal(700), Decimal(700))
    heard: list[MarginBalance] = []
    await client.margin_balances.watch(balance.id, heard.append)
    await client.balances.reset_demo(balance.id, Decimal(500))
    await eventually(lambda: heard)
    assert (heard[-1].id, heard[-1].cash) == (balance.id, Decimal(500))


async def test_what_is_known_around_trading(client: Client) -> None:
    assert [client.available(name) for name in (BLITZ, DIGITAL)] == [True, True]
    currency = await client.currencies.get("BRL")
    assert (currency.id, currency.symbol, currency.minor_units) == (6, "R$", 2)
    first = await client.candles.first(EURUSD)
    assert first[60].start < client.clock.now().timestamp()
    assert await client.orders.deferred((await client.balances.all())[0].id) == ()


async def test_what_is_said_in_a_chat_is_heard(client: Client, ada: PaperBroker) -> None:
    room = (await client.chats.rooms())[0]
    heard: list[ChatMessages] = []
    await client.chats.watch(room.id, heard.append)
    message = {"room_id": room.id, "text": "Hello", "sender": "Ada", "sender_id": USER}
    headers = {"Authorization": f"Bearer {ada.api_token}"}
    async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as http:
        await http.post(f"{ada.api_url}/control/chat-messages", json=message)
    await eventually(lambda: heard)
    assert [(one.room_id, one.text, one.sender) for one in heard[0].data] == [(room.id, "Hello", "Ada")]


async def test_a_book_tells_a_closing_it_was_away_for_exactly_once(client: Client, ada: PaperBroker) -> None:
    heard: list[Position] = []
    states: list[PositionState] = []
    demo = next(each for each in await client.balances.all() if each.type == BalanceType.DEMO and not each.is_marginal)
    async with PositionBook(client, heard.append, states.append) as book:
        option = await client.options.open(
            OpenOption.blitz(
                active_id=EURUSD, direction=OptionDirection.CALL, duration=5, price=Decimal(10), balance_id=demo.id,
                profit_percent=86,
            )
        )  # fmt: skip
        await eventually(lambda: states and PositionKey("blitz-option", option.id) in book.open)
        assert states[0].id == book.open[PositionKey("blitz-option", option.id)].id
        await ada.kill()
        await eventually(lambda: client.clock.now() > option.expires_at)
        await ada.start()
        await eventually(lambda: any(position.closed for position in heard), timeout=30)
        assert book.open == {}
    assert [(position.external_id, position.closed) for position in heard] == [(option.id, False), (option.id, True)]
    assert heard[-1].profit is not None
