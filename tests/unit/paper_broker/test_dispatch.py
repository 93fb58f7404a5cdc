"""Frames in, frames out: one reply for every request, whatever is asked (quadcode-protocol §3, §20)."""

import json

import pytest

from services.paper_broker.requests import HANDLERS
from tests.unit.paper_broker.world import EURUSD, OTHER_USER, START, USER, Client, World

NOW_MS = int(START.timestamp() * 1000)
NEED_NO_BODY = {
    "available-balances",
    "chat-room",
    "features",
    "initialization-data",
    "profile",
    "underlying-list",
}
ACK = {"success": True, "reason": ""}


def raw(client: Client, text: str | bytes) -> list[dict[str, object]]:
    client._dispatcher.handle(client.connection, text.encode() if isinstance(text, str) else text)
    return client.received()


def test_a_valid_session_is_authenticated_and_told_the_time_at_once(world: World) -> None:
    client, ssid = world.stranger(), world.broker.sessions.create(USER)
    frames = raw(
        client,
        json.dumps(
            {
                "name": "authenticate",
                "request_id": "1",
                "msg": {"ssid": ssid, "protocol": 3, "session_id": "", "client_session_id": ""},
            }
        ),
    )
    assert frames == [
        {"name": "authenticated", "request_id": "1", "msg": True},
        {"name": "timeSync", "msg": NOW_MS},
    ]


def test_a_wrong_session_is_refused_by_false_and_not_by_an_error(world: World) -> None:
    client = world.stranger()
    assert client.ask("authenticate", {"ssid": "wrong"}) == {"name": "authenticated", "request_id": "1", "msg": False}
    assert not client.aborted
    assert client.login().connection.session is not None


@pytest.mark.parametrize("msg", [{}, None, [], "ssid", {"ssid": None}, {"ssid": 5}, {"ssid": ""}])
def test_what_is_no_session_is_refused_by_false_too(world: World, msg: object) -> None:
    """An error status would make clients try again for ever (quadcode-protocol §4.1, pitfall P4)."""
    assert world.stranger().ask("authenticate", msg) == {"name": "authenticated", "request_id": "1", "msg": False}


def test_a_connection_keeps_its_user(world: World) -> None:
    client = world.client(USER)
    world.broker.accounts.ensure(OTHER_USER)
    other, again = world.broker.sessions.create(OTHER_USER), world.broker.sessions.create(USER)
    assert client.ask("authenticate", {"ssid": other})["msg"] is False
    assert client.call("core.get-profile", "1.0")["msg"]["result"]["user_id"] == USER
    assert client.ask("authenticate", {"ssid": again})["msg"] is True


@pytest.mark.parametrize("name", ["sendMessage", "subscribeMessage", "unsubscribeMessage", "setOptions"])
def test_nothing_is_answered_before_authentication_but_the_refusal(world: World, name: str) -> None:
    reply = world.stranger().ask(name, {"name": "core.get-profile", "version": "1.0", "body": {}})
    assert (reply["status"], reply["msg"]) == (4001, {"message": "authenticate first"})


def test_set_options_is_acknowledged(client: Client) -> None:
    reply = client.ask("setOptions", {"sendResults": True})
    assert reply == {"request_id": reply["request_id"], "name": "result", "status": 2000, "msg": ACK}


def test_a_number_as_request_id_is_echoed_as_text(client: Client) -> None:
    (reply,) = raw(client, '{"name": "setOptions", "request_id": 17, "msg": {}}')
    assert reply["request_id"] == "17"


def test_fields_nobody_knows_are_ignored(client: Client) -> None:
    reply = client.ask("setOptions", {"sendResults": True}, local_time=12345)
    assert reply["msg"] == ACK


@pytest.mark.parametrize(
    ("name", "version"), [("core.get-profile", "9.0"), ("core.get-everything", "1.0"), ("", "1.0")]
)
def test_an_unknown_message_is_answered_with_an_error(client: Client, name: str, version: str) -> None:
    reply = client.call(name, version)
    assert reply["status"] == 4004
    assert "unknown message" in reply["msg"]["message"]


def test_an_unknown_frame_is_answered_with_an_error(client: Client) -> None:
    assert client.ask("heartbeat", {})["status"] == 4004


@pytest.mark.parametrize("text", ["", "{", "[]", "17", '"text"', '{"name": 5}', '{"request_id": "1"}', "\x00"])
def test_what_is_no_frame_is_answered_with_an_error(client: Client, text: str) -> None:
    (reply,) = raw(client, text)
    assert reply["name"] == "error"
    assert reply["status"] in (4000, 4220)


def test_bytes_that_are_no_text_are_answered_with_an_error(client: Client) -> None:
    (reply,) = raw(client, b'{"name": "\xff\xfe"}')
    assert reply["name"] == "error"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"active_id": "76", "size": 60}, "active_id"),
        ({"size": 60}, "msg"),
        ({"active_id": 76, "size": 60, "count": 1.5}, "count"),
        ([], "msg"),
    ],
)
def test_a_wrong_type_is_a_validation_error_of_its_field(client: Client, body: object, field: str) -> None:
    reply = client.call("quotes-history.get-candles", "2.0", body)
    assert reply["status"] == 4220
    assert list(reply["msg"]) == [field]


def test_a_failure_of_ours_is_answered_too(world: World, client: Client) -> None:
    world.storage.close()
    reply = client.call("balances.get-available-balances", "1.0")
    assert (reply["status"], reply["msg"]) == (5000, {"message": "internal error"})


@pytest.mark.parametrize(("name", "version"), sorted(HANDLERS))
def test_every_request_without_a_body_is_answered(client: Client, name: str, version: str) -> None:
    reply = client.ask("sendMessage", {"name": name, "version": version})
    assert reply["name"] in NEED_NO_BODY | {"error"}


def test_a_subscription_is_acknowledged_and_so_is_its_end(client: Client) -> None:
    assert client.subscribe("candle-generated", "1.0", active_id=EURUSD, size=60)["msg"] == ACK
    assert client.subscribe("candle-generated", "1.0", active_id=EURUSD, size=60)["msg"] == ACK
    assert client.unsubscribe("candle-generated", "1.0", active_id=EURUSD, size=60)["msg"] == ACK
    assert client.unsubscribe("candle-generated", "1.0", active_id=EURUSD, size=60)["msg"] == ACK


@pytest.mark.parametrize(
    ("name", "version", "filters"),
    [
        ("candle-generated", "1.0", {"active_id": EURUSD, "size": 60}),
        ("quote-generated", "2.0", {"active_id": EURUSD}),
        ("balances.balance-changed", "1.0", {}),
        ("marginal-portfolio.balance-changed", "1.0", {}),
        ("marginal-cfd-instruments.underlying-list-changed", "1.0", {}),
        ("exchange-rates.exchange-rate-generated", "2.0", {"base_currency": "BRL", "quote_currency": "USDT"}),
        ("portfolio.position-changed", "3.0", {"user_id": USER}),
        ("portfolio.positions-state", "1.0", {}),
        ("portfolio.order-changed", "2.0", {"user_id": USER, "instrument_type": "digital-option"}),
    ],
)
def test_every_event_can_be_subscribed_to(client: Client, name: str, version: str, filters: dict[str, object]) -> None:
    assert client.subscribe(name, version, **filters)["msg"] == ACK


@pytest.mark.parametrize(
    ("name", "version", "filters", "status"),
    [
        ("candle-generated", "2.0", {"active_id": EURUSD, "size": 60}, 4004),
        ("candle-generated", "1.0", {"active_id": EURUSD}, 4220),
        ("candle-generated", "1.0", {"active_id": EURUSD, "size": 61}, 4220),
        ("candle-generated", "1.0", {"active_id": 9, "size": 60}, 4220),
        ("quote-generated", "2.0", {"active_id": "76"}, 4220),
        ("quote-generated", "2.0", {}, 4220),
        ("exchange-rates.exchange-rate-generated", "2.0", {"base_currency": "EUR"}, 4220),
        ("exchange-rates.exchange-rate-generated", "2.0", {"base_currency": "EUR", "quote_currency": "usd"}, 4220),
        ("marginal-bonds-instruments.underlying-list-changed", "1.0", {}, 4004),
        ("portfolio.position-changed", "3.0", {"user_id": OTHER_USER}, 4003),
        ("portfolio.order-changed", "2.0", {"user_id": USER}, 4220),
        ("portfolio.order-changed", "2.0", {"user_id": USER, "instrument_type": "bond"}, 4220),
        ("weather.changed", "1.0", {}, 4004),
    ],
)
def test_a_subscription_to_nothing_is_refused(
    client: Client, name: str, version: str, filters: dict[str, object], status: int
) -> None:
    assert client.subscribe(name, version, **filters)["status"] == status
