"""What the official JavaScript client would choke on (quadcode-protocol §3, §8.3, §10.2, §11.4, §14 to §16, §20): an
oracle that knows nothing of the paper broker's code. Every frame of every connection of these tests is shown to it.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

Frame = dict[str, Any]

_MARGIN_KINDS = ("forex", "cfd", "crypto")
EVENTS = {
    ("balances", "balance-changed"),
    ("marginal-portfolio", "balance-changed"),
    ("quotes", "quote-generated"),
    ("quotes", "candle-generated"),
    ("exchange-rates", "exchange-rate-generated"),
    ("portfolio", "position-changed"),
    ("portfolio", "positions-state"),
    ("portfolio", "order-changed"),
    ("digital-option-instruments", "underlying-list-changed"),
    ("digital-option-instruments", "instrument-generated"),
    ("trading-settings", "digital-option-client-price-generated"),
    *((f"marginal-{kind}-instruments", "underlying-list-changed") for kind in _MARGIN_KINDS),
    ("chat", "chat-message-public-generated"),
}
"""The client drops any other (§2.3)."""

_OPTION = "binary_options_option_changed1"
RAW_POSITION = {
    "binary-option": _OPTION,
    "turbo-option": _OPTION,
    "blitz-option": _OPTION,
    "digital-option": "digital_options_position_changed1",
    "marginal-forex": "marginal_forex_position_changed1",
    "marginal-cfd": "marginal_cfd_position_changed1",
    "marginal-crypto": "marginal_crypto_position_changed1",
}
RAW_ORDER = {
    "digital-option": "digital_options_order_changed1",
    "marginal-forex": "marginal_forex_order_changed1",
    "marginal-cfd": "marginal_cfd_order_changed1",
    "marginal-crypto": "marginal_crypto_order_changed1",
}
_QUOTE_AGE = 2000
"""Milliseconds: within a second of now, and the clock is told once a second."""
_MARGIN_NUMBERS = (
    *("cash", "pnl", "equity", "margin", "available"),
    *("bonus", "pnl_net", "equity_usd", "swap", "dividends", "margin_level", "stop_out_level"),
)
_STATE = {"id", "instrument_type", "current_price", "sell_profit", "margin", "pnl", "pnl_net", "expected_profit"}
_POSITION_TIMES = ("open_time", "close_time", "quote_timestamp", "close_reason", "close_quote", "close_profit")


class OfficialClient:
    """Takes the frames of one connection in their order; `complaints` is what it would have failed on."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self._asked: dict[str, str] = {}
        """What each outstanding request asks for."""
        self._clock = 0
        self._versions: dict[int, int] = {}
        self._candles: dict[tuple[int, int], Frame] = {}
        self._listed: set[str] = set()
        self._ended: set[int] = set()
        """Numbers of orders that were filled, canceled or rejected."""

    def sent(self, request_id: str, name: str, msg: Any) -> None:
        inner = msg if name == "sendMessage" and isinstance(msg, dict) else {}
        self._asked[request_id] = str(inner.get("name", name))

    def received(self, frame: Frame) -> None:
        self.complaints += [f"{problem}: {frame}" for problem in self._problems(frame)]

    def _problems(self, frame: Frame) -> Iterator[str]:
        if "request_id" in frame:
            yield from self._reply(frame)
        elif "microserviceName" in frame:
            yield from self._event(frame)
        elif frame.get("name") == "timeSync":
            yield from self._time(frame["msg"])
        else:
            yield "neither a reply nor an event nor the time"

    def _reply(self, frame: Frame) -> Iterator[str]:
        request_id = frame["request_id"]
        if not isinstance(request_id, str):
            yield "P6: request_id is not a string"
            return
        asked = self._asked.get(request_id)
        if asked is None and request_id:
            yield "a reply to what was not asked, or a second one"
        if frame["name"] == "result" and frame["msg"].get("success") is True and _typed(asked or ""):
            return  # the typed reply is still to come
        self._asked.pop(request_id, None)
        if frame["name"] == "authenticated" and not isinstance(frame["msg"], bool):
            yield "P4: authenticated is neither true nor false"
        if frame.get("status", 2000) < 4000 and asked is not None:
            yield from self._answer(asked, frame["msg"])

    def _answer(self, asked: str, msg: Any) -> Iterator[str]:
        if asked.endswith("get-underlying-list"):
            self._listed.add(asked.split(".")[0])
        check = _ANSWERS.get(asked)
        if check is not None:
            yield from check(msg)

    def _event(self, frame: Frame) -> Iterator[str]:
        service, name, msg = frame["microserviceName"], frame["name"], frame["msg"]
        if (service, name) not in EVENTS:
            yield "an event that nobody knows"
        if name == "underlying-list-changed" and service not in self._listed:
            yield "P1: a list changes before it was told"
        if (service, name) == ("marginal-portfolio", "balance-changed"):
            yield from _margin_balance(msg)
        check = {
            "position-changed": self._changed,
            "order-changed": self._ordered,
            "candle-generated": self._candle,
            "quote-generated": self._quote,
        }
        yield from check.get(name, _EVENTS.get(name, _nothing))(msg)

    def _ordered(self, msg: Frame) -> Iterator[str]:
        yield from _order(msg)
        (raw,) = msg["raw_event"].values()
        if raw["id"] in self._ended:
            yield "an order that had ended changes"
        if msg["status"] in ("filled", "canceled", "rejected"):
            self._ended.add(raw["id"])

    def _changed(self, msg: Frame) -> Iterator[str]:
        yield from _position(msg)
        if msg["version"] <= self._versions.get(msg["external_id"], 0):
            yield "a version that does not grow"
        self._versions[msg["external_id"]] = msg["version"]

    def _quote(self, msg: Frame) -> Iterator[str]:
        if abs(msg["time"] - self._clock) > _QUOTE_AGE:
            yield "a quote of another time than the clock's"

    def _candle(self, msg: Frame) -> Iterator[str]:
        last = self._candles.get((msg["active_id"], msg["size"]))
        self._candles[msg["active_id"], msg["size"]] = msg
        if last is None:
            return
        if msg["from"] < last["from"] or msg["at"] <= last["at"]:
            yield "P13: a candle that goes back"
        elif (msg["from"] == last["from"]) != (msg["id"] == last["id"]):
            yield "an id that does not count candles"

    def _time(self, msg: Any) -> Iterator[str]:
        if not isinstance(msg, int) or msg < self._clock:
            yield "the clock is no number or goes back"
        self._clock = msg


def _typed(asked: str) -> bool:
    """Whether a plain `result` is not yet the answer (§3.4)."""
    service, _, method = asked.partition(".")
    acknowledged = ("reset-", "subscribe-", "sell-", "close-", "cancel-")
    return bool(method or service in ("get-active", "get-currency", "get-first-candles", "request-chat-room")) and not (
        method.startswith(acknowledged)
    )


def _position(record: Frame) -> Iterator[str]:
    yield from _raw(record, RAW_POSITION)
    for field in _POSITION_TIMES:
        if field in record and record[field] is None:
            yield f"P14: {field} is null"
    if record["status"] == "open" and "close_reason" in record:
        yield "an open position with a reason why it was closed"
    if record["status"] == "closed" and not record.keys() >= {"close_time", "close_profit", "close_reason"}:
        yield "a closed position that does not say how"


def _raw(record: Frame, keys: dict[str, str]) -> Iterator[str]:
    if "raw_event" in record and keys[record["instrument_type"]] not in record["raw_event"]:
        yield "P2: raw_event lacks the key of its instrument type"


def _prices(msg: Frame) -> Iterator[str]:
    if not all(price.keys() >= {"call", "put", "strike"} for price in msg["prices"]):
        yield "P12: a price without call or put"


def _page(msg: Frame) -> Iterator[str]:
    if "limit" not in msg:
        yield "a page without its limit"
    for record in msg["positions"]:
        yield from _position(record)


def _order(record: Frame) -> Iterator[str]:
    yield from _raw(record, RAW_ORDER)


def _orders(msg: Frame) -> Iterator[str]:
    for record in msg["items"]:
        yield from _order(record)


def _number(text: Any) -> bool:
    """A decimal in text."""
    return isinstance(text, str) and re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def _margin_balance(msg: Frame) -> Iterator[str]:
    """Numbers that add up, as text."""
    for field in _MARGIN_NUMBERS:
        if not _number(msg.get(field)):
            yield f"a margin balance whose {field} is no decimal in text"
            return
    cash, pnl, equity, margin, available = (Decimal(msg[name]) for name in _MARGIN_NUMBERS[:5])
    if equity != cash + pnl or available != equity - margin:
        yield "a margin balance that does not add up"


def _margin_instruments(msg: Frame) -> Iterator[str]:
    profiles = {profile["id"]: profile["items"] for profile in msg["dynamic_leverage_profiles"]}
    for item in msg["items"]:
        if not profiles.get(item["leverage_profile"]):
            yield "P5: an instrument without its leverage profile"
        if not (_number(item["min_qty"]) and _number(item["qty_step"])):
            yield "a quantity that is no decimal in text"
        if not item["tradable"]["from"] < item["tradable"]["to"]:
            yield "an instrument that is never tradable"
    for steps in profiles.values():
        if [step["equity"] for step in steps] != sorted(step["equity"] for step in steps):
            yield "leverages that are not ascending by equity"


def _placed(msg: Frame) -> Iterator[str]:
    if not isinstance(msg["id"], int):
        yield "an order without a number"


def _rate(msg: Frame) -> Iterator[str]:
    if not (_number(msg["ask"]) and _number(msg["bid"]) and 0 < Decimal(msg["bid"]) <= Decimal(msg["ask"])):
        yield "an exchange rate that cannot be"


def _states(msg: Frame) -> Iterator[str]:
    for state in msg["positions"]:
        if not state.keys() >= _STATE:
            yield "a valuation that lacks a field"


def _initialization(msg: Frame) -> Iterator[str]:
    for kind in {"binary", "turbo", "blitz"} - msg.keys():
        yield f"P11: {kind} is missing"


def _history(msg: Frame) -> Iterator[str]:
    ids = [candle["id"] for candle in msg["candles"]]
    if ids and ids != list(range(ids[0], ids[0] + len(ids))):
        yield "candles with holes or out of order"


def _nothing(_: Frame) -> Iterator[str]:
    return iter(())


_ANSWERS = {
    "portfolio.get-positions": _page,
    "portfolio.get-history-positions": _page,
    "portfolio.get-orders": _orders,
    "binary-options.get-initialization-data": _initialization,
    "quotes-history.get-candles": _history,
    "marginal-portfolio.get-marginal-balance": _margin_balance,
    **{f"marginal-{kind}-instruments.get-instruments-list": _margin_instruments for kind in _MARGIN_KINDS},
    **{
        f"marginal-{kind}.place-{sort}-order": _placed for kind in _MARGIN_KINDS for sort in ("market", "stop", "limit")
    },
}
_EVENTS = {
    "digital-option-client-price-generated": _prices,
    "exchange-rate-generated": _rate,
    "positions-state": _states,
}
