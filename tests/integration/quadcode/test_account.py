"""What a user has and what the platform tells around trading: margin balances, rates, currencies, chats."""

from decimal import Decimal

import pytest

from libs.quadcode import Client, RequestFailed
from libs.quadcode.chats import ChatMessages
from libs.quadcode.exchange_rates import ExchangeRate
from libs.quadcode.margin_balances import MarginBalance
from tests.integration.quadcode.conftest import MakeClient
from tests.integration.quadcode.scripted_broker import ScriptedBroker, event, reply, result

SUBSCRIBE = "marginal-portfolio.subscribe-balance-changed"
MARGIN = {
    "id": 900005, "type": 4, "cash": "1000.50", "bonus": "0", "currency": "USD", "user_id": 5150, "pnl": "-1.5",
    "pnl_net": "-1.6", "equity": "999", "equity_usd": "999", "swap": "0", "dividends": "0", "margin": "50",
    "available": "949", "margin_level": "1998", "stop_out_level": "50",
}  # fmt: skip


async def test_a_margin_balance_is_told_and_asked_for_anew_on_every_connection(
    client: Client, broker: ScriptedBroker
) -> None:
    broker.answers["marginal-portfolio.get-marginal-balance"] = lambda _: [reply(MARGIN)]
    assert (await client.margin_balances.get(900005)).available == Decimal(949)
    heard: list[MarginBalance] = []
    watching = await client.margin_balances.watch(900005, heard.append)
    await broker.drop()
    await broker.until(lambda: client.connections == 2)
    assert broker.asked(SUBSCRIBE) == [{"user_balance_id": 900005}] * 2
    changes = [MARGIN | {"id": 900006}, MARGIN | {"cash": "7"}]
    await broker.push(*(event("marginal-portfolio", "balance-changed", change) for change in changes))
    await broker.until(lambda: heard)
    assert [(balance.id, balance.cash) for balance in heard] == [(900005, Decimal(7))]
    await watching.stop()
    await broker.drop()
    await broker.until(lambda: client.connections == 3)
    assert len(broker.asked(SUBSCRIBE)) == 2


async def test_two_watchers_of_a_balance_ask_once(client: Client, broker: ScriptedBroker) -> None:
    for _ in range(2):
        await client.margin_balances.watch(900005, lambda _: None)
    assert len(broker.asked(SUBSCRIBE)) == 1


async def test_a_balance_that_cannot_be_watched_is_not_kept(client: Client, broker: ScriptedBroker) -> None:
    broker.answers[SUBSCRIBE] = lambda _: [result(success=False, reason="not yours")]
    with pytest.raises(RequestFailed, match="not yours"):
        await client.margin_balances.watch(900005, lambda _: None)
    await broker.drop()
    await broker.until(lambda: client.connections == 2)
    assert len(broker.asked(SUBSCRIBE)) == 1
    assert [name for name, _ in broker.subscriptions()].count("marginal-portfolio.balance-changed") == 1


async def test_rates_come_in_text_or_in_numbers(client: Client, broker: ScriptedBroker) -> None:
    heard: list[ExchangeRate] = []
    await client.exchange_rates.watch("usd", "brl", heard.append)
    rate = {"base_currency": "USD", "quote_currency": "BRL", "ask": "5.41", "bid": 5.4, "changed_at": 1790003500120}
    await broker.push(
        event("exchange-rates", "exchange-rate-generated", rate | {"quote_currency": "EUR"}),
        event("exchange-rates", "exchange-rate-generated", rate),
    )
    await broker.until(lambda: heard)
    assert [(one.quote_currency, one.ask, one.bid) for one in heard] == [("BRL", Decimal("5.41"), Decimal("5.4"))]


async def test_a_currency_is_asked_for_once(client: Client, broker: ScriptedBroker) -> None:
    brl = {"id": 6, "name": "BRL", "symbol": "R$", "minor_units": 2, "mask": "R$%s", "rate_usd": 0.18}
    broker.answers["get-currency"] = lambda _: [reply(brl)]
    for _ in range(2):
        currency = await client.currencies.get("BRL")
        assert (currency.id, currency.symbol, currency.rate_usd) == (6, "R$", Decimal("0.18"))
    assert broker.asked("get-currency") == [{"name": "BRL"}]


async def test_chat_rooms_are_asked_for_without_a_body(client: Client, broker: ScriptedBroker) -> None:
    room = {"id": "r-1", "type": "global", "locale": None, "name": "all", "last_read_message_id": 5}
    broker.answers["request-chat-room"] = lambda _: [reply({"isSuccessful": True, "data": [room]})]
    assert [room.id for room in await client.chats.rooms()] == ["r-1"]
    [asked] = [frame["msg"] for frame in broker.received if frame["msg"].get("name") == "request-chat-room"]
    assert "body" not in asked
    broker.answers["request-chat-room"] = lambda _: [reply({"isSuccessful": False})]
    assert list(await client.chats.rooms()) == []


async def test_a_rooms_messages_are_heard(client: Client, broker: ScriptedBroker) -> None:
    heard: list[ChatMessages] = []
    await client.chats.watch("r-1", heard.append)
    message = {"id": "m-1", "room_id": "r-1", "text": "hello", "date": 1790003500120, "sender": "Ada"}
    await broker.push(event("chat", "chat-message-public-generated", {"data": [message]}))
    await broker.until(lambda: heard)
    assert (heard[0].data[0].text, heard[0].data[0].sender) == ("hello", "Ada")


async def test_the_first_candle_of_each_size(client: Client, broker: ScriptedBroker) -> None:
    candle = {"id": 1, "from": 1384128000, "to": 1384131600, "open": 1, "close": 1, "min": 1, "max": 1}
    broker.answers["get-first-candles"] = lambda _: [reply({"candles_by_size": {"3600": candle}})]
    assert {size: first.start for size, first in (await client.candles.first(1)).items()} == {3600: 1384128000}
    assert broker.asked("get-first-candles") == [{"active_id": 1, "split_normalization": False}]


async def test_callbacks_that_fail_do_not_end_the_reconnecting(make_client: MakeClient, broker: ScriptedBroker) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("as a listener may")

    async with make_client(on_state=fail) as client:
        client.when_connected(fail)
        await broker.drop()
        await broker.until(lambda: client.connections == 2)
        await broker.drop()
        await broker.until(lambda: client.connections == 3)
