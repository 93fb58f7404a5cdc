"""The client and the paper broker, made apart from the same protocol, understand each other."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from libs.contracts.clock import SystemClock
from libs.quadcode import (
    AuthenticationFailed,
    Client,
    ConnectionState,
    FixedSessionId,
    OrderOutcomeUnknown,
    OrderRejected,
)
from libs.quadcode.balances import Balance, BalanceChanged, BalanceType
from libs.quadcode.candles import CandleGenerated, GetCandles
from libs.quadcode.digital import InstrumentPrices
from libs.quadcode.epoch import from_seconds, seconds
from libs.quadcode.expirations import binary_expirations, turbo_expirations
from libs.quadcode.options import OpenOption, OptionDirection, OptionType
from libs.quadcode.orders import Order
from libs.quadcode.positions import InstrumentType, Position
from libs.quadcode.quotes import Quote
from libs.quadcode.translations import translations
from tests.integration.nats_server import eventually
from tests.integration.paper_broker import PaperBroker

pytestmark = pytest.mark.takes(40)

USER = 5150
EURUSD = 76
ROOT = Path(__file__).parents[3]


def _client(broker: PaperBroker, session_id: str) -> Client:
    return Client(broker.ws_url, FixedSessionId(session_id), clock=SystemClock(), jitter=lambda: 0.0)


@pytest.fixture
async def client(paper_broker: PaperBroker) -> AsyncIterator[Client]:
    async with _client(paper_broker, await paper_broker.session(USER)) as client:
        yield client


async def _demo(client: Client) -> Balance:
    return next(balance for balance in await client.balances.all() if balance.type == BalanceType.DEMO)


async def _purchase(client: Client, price: Decimal = Decimal("10.50")) -> OpenOption:
    return OpenOption.blitz(
        active_id=EURUSD,
        direction=OptionDirection.CALL,
        duration=5,
        price=price,
        balance_id=(await _demo(client)).id,
        profit_percent=86,
    )


async def test_a_demo_option_is_bought_and_settled(client: Client, paper_broker: PaperBroker) -> None:
    changes: list[BalanceChanged] = []
    await client.balances.watch(changes.append)
    start = await _demo(client)
    async with client.positions.stream() as positions:
        option = await client.options.open(await _purchase(client))
        [opened] = await client.positions.open([InstrumentType.BLITZ_OPTION])
        assert (opened.external_id, opened.invest, opened.open_quote) == (option.id, Decimal("10.5"), option.value)
        assert opened.expires_at == option.expires_at
        async with asyncio.timeout(15):
            seen = [await anext(positions), await anext(positions)]
    assert [(position.status, position.external_id) for position in seen] == [
        ("open", option.id),
        ("closed", option.id),
    ]
    closed = seen[1]
    assert closed.profit is not None
    assert closed.profit in (Decimal("-10.5"), Decimal("9.03"), Decimal(0))
    await eventually(lambda: changes and changes[-1].current_balance.amount == start.amount + (closed.profit or 0))
    assert await client.positions.history(client.clock.now() - timedelta(minutes=1)) == [closed]
    assert await client.positions.closed(closed.key) == closed


async def _hear(positions: AsyncIterator[Position], status: str, external_id: int | None = None) -> Position:
    async with asyncio.timeout(10):
        async for position in positions:
            if position.status == status and external_id in (None, position.external_id):
                return position
    raise AssertionError("the stream ended")


@pytest.mark.parametrize("kind", [OptionType.TURBO, OptionType.BINARY])
async def test_a_computed_expiration_is_bought_and_sold(client: Client, kind: OptionType) -> None:
    offers = await client.options.offers()
    offer = offers.turbo if kind is OptionType.TURBO else offers.binary
    active = next(active for active in offer.all() if active.id == EURUSD)
    expirations = turbo_expirations if kind is OptionType.TURBO else binary_expirations
    expiration = expirations(active, client.clock.now())[-1]
    async with client.positions.stream() as positions:
        option = await client.options.open(
            OpenOption.timed(
                kind=kind,
                active_id=EURUSD,
                direction=OptionDirection.PUT,
                expires_at=expiration.at,
                price=Decimal("10.50"),
                balance_id=(await _demo(client)).id,
                profit_percent=active.option.profit.percent,
            )
        )
        assert option.exp == expiration.at
        await client.options.sell([option.id])
        assert (await _hear(positions, "closed", option.id)).close_reason == "sold"


async def test_a_digital_option_is_bought_and_closed(client: Client) -> None:
    orders: list[Order] = []
    await client.orders.watch(InstrumentType.DIGITAL_OPTION, orders.append)
    assert EURUSD in {underlying.active_id for underlying in await client.digital.underlyings()}
    instrument = max(await client.digital.instruments(EURUSD), key=lambda instrument: instrument.expiration)
    assert instrument.purchasable(client.clock.now())
    strike = instrument.strike(OptionDirection.CALL)
    assert strike is not None
    prices: list[InstrumentPrices] = []
    await client.digital.watch_prices(instrument, prices.append)
    await eventually(lambda: prices)
    async with client.positions.stream() as positions:
        number = await client.digital.place(instrument, strike, Decimal("12.50"), (await _demo(client)).id)
        opened = await _hear(positions, "open")
        assert [(order.number, order.status, order.position_id) for order in orders] == [(number, "filled", opened.id)]
        assert opened.digital is not None
        assert (opened.digital.order_ids, opened.invest) == ((number,), Decimal("12.5"))
        assert opened.expires_at == from_seconds(instrument.expiration)
        await client.digital.close(opened.external_id)
        assert (await _hear(positions, "closed", opened.external_id)).close_reason == "default"


async def test_the_market_can_be_read_and_followed(client: Client) -> None:
    offers = {active.id: active for active in (await client.options.offers()).blitz.all()}
    assert offers[EURUSD].tradable(client.clock.now())
    active = await client.actives.get(EURUSD)
    assert active.name == offers[EURUSD].ticker
    history = await client.candles.history(GetCandles(active_id=EURUSD, size=60, count=5, to=2**31))
    assert [after.id - before.id for before, after in pairwise(history)] == [1, 1, 1, 1]
    quotes: list[Quote] = []
    await client.quotes.watch(EURUSD, quotes.append)
    async with client.candles.stream(EURUSD, 1) as updates, asyncio.timeout(10):
        seen: list[CandleGenerated] = []
        async for update in updates:
            seen.append(update)
            if len({candle.id for candle in seen if candle.closed}) == 2:
                break
    assert {candle.active_id for candle in seen} == {EURUSD}
    assert quotes
    assert abs((client.clock.now() - SystemClock().now()).total_seconds()) < 1


async def test_a_series_has_no_holes_after_a_lost_connection(client: Client, paper_broker: PaperBroker) -> None:
    async with client.series(EURUSD, 1, lambda _: None) as series:
        await series.load(seconds(client.clock.now()) - 1500)
        await paper_broker.fault("drop-connections", USER)
        await eventually(lambda: client.connections == 2)
        last = series.candles[-1].id
        await eventually(lambda: series.whole and series.candles[-1].id > last + 1)
        ids = [candle.id for candle in series.candles]
    assert ids == list(range(ids[0], ids[-1] + 1))
    assert len(ids) > 1500
    assert series.given_up == 0


async def test_names_are_translated(paper_broker: PaperBroker) -> None:
    assert (await translations(paper_broker.api_url))["front.EURUSD-OTC"] == "EUR/USD OTC"


async def test_a_demo_balance_is_reset(client: Client) -> None:
    changes: list[BalanceChanged] = []
    await client.balances.watch(changes.append)
    demo = await _demo(client)
    await client.balances.reset_demo(demo.id, Decimal(500))
    await eventually(lambda: changes and changes[-1].current_balance.amount == 500)


async def test_an_order_beyond_the_balance_is_refused(client: Client, paper_broker: PaperBroker) -> None:
    with pytest.raises(OrderRejected, match="Insufficient funds"):
        await client.options.open(await _purchase(client, Decimal(15_000)))
    assert await paper_broker.positions(USER) == []


@pytest.mark.parametrize("fault", ["swallow-reply", "drop-before-reply"])
async def test_an_order_whose_answer_is_lost_is_found_in_the_books(
    client: Client, paper_broker: PaperBroker, fault: str
) -> None:
    purchase = await _purchase(client)
    await paper_broker.fault(fault, USER)
    with pytest.raises(OrderOutcomeUnknown):
        await client.options.open(purchase, timeout=1)
    await client.wait_connected(10)
    [position] = await client.positions.open()
    assert (position.active_id, position.invest) == (EURUSD, purchase.price)
    assert len(await paper_broker.positions(USER)) == 1


async def test_subscriptions_outlive_the_broker(client: Client, paper_broker: PaperBroker) -> None:
    candles: list[CandleGenerated] = []
    await client.candles.watch(EURUSD, 1, candles.append)
    await paper_broker.restart()
    await eventually(lambda: client.connections == 2, timeout=20)
    candles.clear()
    await eventually(lambda: candles)


async def test_changes_while_away_are_in_the_history(client: Client, paper_broker: PaperBroker) -> None:
    heard: list[Position] = []
    await client.positions.watch(heard.append)
    since = client.clock.now() - timedelta(seconds=1)
    option = await client.options.open(await _purchase(client))
    await paper_broker.fault("drop-connections", USER)
    await eventually(lambda: client.connections == 2)

    async def settled() -> Position | None:
        return next((each for each in await client.positions.history(since) if each.external_id == option.id), None)

    async with asyncio.timeout(15):
        while (position := await settled()) is None:
            await asyncio.sleep(0.1)
    assert position.profit is not None


async def test_an_expired_session_is_final_when_there_is_no_other(client: Client, paper_broker: PaperBroker) -> None:
    await paper_broker.fault("expire-session", USER)
    await eventually(lambda: client.state is ConnectionState.AUTHENTICATION_FAILED, timeout=20)
    with pytest.raises(AuthenticationFailed):
        await client.balances.all()


async def test_the_example_of_the_readme_runs(paper_broker: PaperBroker, tmp_path: Path) -> None:
    found = re.search(r"```python\n(.*?)```", (ROOT / "libs/quadcode/README.md").read_text(), re.DOTALL)
    assert found is not None
    script = tmp_path / "example.py"
    script.write_text(found[1])
    environment = {
        "PYTHONPATH": str(ROOT),
        "BROKER": f"127.0.0.1:{paper_broker.port}",
        "PREGAO_PAPER_API_TOKEN": paper_broker.api_token,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, env=environment, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode == 0
    assert re.search(r"^(win|loose|equal) -?\d+(\.\d+)?$", output.decode(), re.MULTILINE)
