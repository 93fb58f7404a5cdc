"""Every message of quadcode-protocol §2 is declared, under its name and version, and nothing else is."""

import importlib
import pkgutil
from collections.abc import Iterator

import libs.quadcode
from libs.contracts.clock import SystemClock
from libs.quadcode import Client, FixedSessionId
from libs.quadcode.declarations import Call, Topic
from libs.quadcode.margin import Margin

MARGIN_KINDS = ("forex", "cfd", "crypto")
CALLS = {
    ("features.get-features", "2.0"),
    ("core.get-profile", "1.0"),
    ("balances.get-available-balances", "1.0"),
    ("internal-billing.reset-training-balance", "4.0"),
    ("marginal-portfolio.subscribe-balance-changed", "1.0"),
    ("marginal-portfolio.get-marginal-balance", "1.0"),
    ("get-active", "5.0"),
    ("get-currency", "5.0"),
    ("get-first-candles", "1.0"),
    ("quotes-history.get-candles", "2.0"),
    ("binary-options.get-initialization-data", "3.0"),
    ("binary-options.open-option", "2.0"),
    ("binary-options.sell-options", "3.0"),
    ("digital-option-instruments.get-underlying-list", "3.0"),
    ("digital-option-instruments.get-instruments", "3.0"),
    ("digital-options.place-digital-option", "3.0"),
    ("digital-options.close-position", "1.0"),
    ("portfolio.get-positions", "4.0"),
    ("portfolio.get-history-positions", "2.0"),
    ("portfolio.subscribe-positions", "1.0"),
    ("portfolio.get-orders", "2.0"),
    ("request-chat-room", "1.0"),
    *((f"marginal-{kind}-instruments.get-underlying-list", "1.0") for kind in MARGIN_KINDS),
    *((f"marginal-{kind}-instruments.get-instruments-list", "1.0") for kind in MARGIN_KINDS),
    *(
        (f"marginal-{kind}.place-{order}-order", "1.0")
        for kind in MARGIN_KINDS
        for order in ("market", "stop", "limit")
    ),
    *((f"marginal-{kind}.close-position", "1.0") for kind in MARGIN_KINDS),
    *((f"marginal-{kind}.cancel-pending-order", "1.0") for kind in MARGIN_KINDS),
}
CONFIRMED = {
    "internal-billing.reset-training-balance",
    "marginal-portfolio.subscribe-balance-changed",
    "binary-options.sell-options",
    "digital-options.close-position",
    "portfolio.subscribe-positions",
    *(f"marginal-{kind}.close-position" for kind in MARGIN_KINDS),
    *(f"marginal-{kind}.cancel-pending-order" for kind in MARGIN_KINDS),
}
"""Answered by a `result` and nothing more."""
PRICES = "digital-option-client-price-generated"
CHAT = "chat-message-public-generated"
TOPICS = {
    ("balances.balance-changed", "1.0", "balances", "balance-changed", ()),
    ("marginal-portfolio.balance-changed", "1.0", "marginal-portfolio", "balance-changed", ()),
    ("quote-generated", "2.0", "quotes", "quote-generated", ("active_id",)),
    ("candle-generated", "1.0", "quotes", "candle-generated", ("active_id", "size")),
    (
        "exchange-rates.exchange-rate-generated", "2.0", "exchange-rates", "exchange-rate-generated",
        ("base_currency", "quote_currency"),
    ),
    ("portfolio.position-changed", "3.0", "portfolio", "position-changed", ("user_id",)),
    ("portfolio.positions-state", "1.0", "portfolio", "positions-state", ()),
    ("portfolio.order-changed", "2.0", "portfolio", "order-changed", ("user_id", "instrument_type")),
    (
        "digital-option-instruments.underlying-list-changed", "3.0", "digital-option-instruments",
        "underlying-list-changed", (),
    ),
    (
        "digital-option-instruments.instrument-generated", "3.0", "digital-option-instruments", "instrument-generated",
        ("asset_id",),
    ),
    (
        f"trading-settings.{PRICES}", "1.0", "trading-settings", PRICES,
        ("asset_id", "instrument_index", "instrument_type"),
    ),
    (CHAT, "1.0", "chat", CHAT, ("room_id",)),
    *(
        (
            f"marginal-{kind}-instruments.underlying-list-changed", "1.0", f"marginal-{kind}-instruments",
            "underlying-list-changed", (),
        )
        for kind in MARGIN_KINDS
    ),
}  # fmt: skip


def declared() -> Iterator[object]:
    for found in pkgutil.iter_modules(libs.quadcode.__path__):
        yield from vars(importlib.import_module(f"libs.quadcode.{found.name}")).values()
    client = Client("ws://127.0.0.1:1", FixedSessionId("sim-1"), clock=SystemClock(), jitter=lambda: 0.0)
    for concept in vars(client).values():
        if isinstance(concept, Margin):
            yield from vars(concept).values()


def test_every_request_is_declared() -> None:
    assert {(each.name, each.version) for each in declared() if isinstance(each, Call)} == CALLS


def test_only_what_has_no_data_is_answered_by_its_confirmation() -> None:
    assert {each.name for each in declared() if isinstance(each, Call) and each.confirmed} == CONFIRMED


def test_every_subscription_is_declared() -> None:
    found = {
        (each.name, each.version, each.service, each.event, each.filters)
        for each in declared()
        if isinstance(each, Topic)
    }
    assert found == TOPICS
