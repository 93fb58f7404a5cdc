"""What is traded on margin, and how that is told (quadcode-protocol §16.1 to §16.3)."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from services.paper_broker.margin_instruments import CFD, CRYPTO, FOREX, MARGIN_KINDS, kind_of, step, tradable
from services.paper_broker.ticker import Ticker
from tests.unit.paper_broker.test_ticker import NOW, advance
from tests.unit.paper_broker.world import APPLE, EURUSD, Client, Frame, World

BTC, SHIB, GOLD, TRON = 2270, 1975, 2086, 1976


def instruments(client: Client, kind: str, active_id: int) -> Frame:
    return client.call(f"marginal-{kind}-instruments.get-instruments-list", "1.0", {"active_id": active_id})


def underlyings(client: Client, kind: str) -> dict[int, Frame]:
    items = client.call(f"marginal-{kind}-instruments.get-underlying-list", "1.0", {})["msg"]["items"]
    return {item["active_id"]: item for item in items}


def test_every_active_is_of_one_kind(world: World, client: Client) -> None:
    forex, cfd, crypto = (underlyings(client, kind) for kind in ("forex", "cfd", "crypto"))
    assert EURUSD in forex
    assert {APPLE, GOLD} <= cfd.keys()
    assert {BTC, TRON} <= crypto.keys()
    assert len(forex) + len(cfd) + len(crypto) == len(world.broker.catalogue)
    assert set(forex[EURUSD]) == {"active_id", "is_suspended", "name", "schedule"}


def test_an_instrument_has_the_fields_of_the_specification(world: World, client: Client) -> None:
    assert instruments(client, "cfd", APPLE)["msg"] == {
        "items": [
            {
                "id": "mcfd.1938",
                "active_id": APPLE,
                "allow_long_position": True,
                "allow_short_position": True,
                "default_leverage": 20,
                "leverage_profile": 2,
                "is_suspended": False,
                "min_qty": "0.01",
                "qty_step": "0.01",
                "tradable": {"from": 1795530600, "to": 1795554000},
            }
        ],
        "dynamic_leverage_profiles": [
            {
                "id": 2,
                "items": [
                    {"equity": 0, "leverage": 20},
                    {"equity": 20000, "leverage": 10},
                    {"equity": 100000, "leverage": 5},
                ],
            }
        ],
    }


@pytest.mark.parametrize("kind", ["forex", "cfd", "crypto"])
def test_every_instrument_names_its_profile(client: Client, kind: str) -> None:
    """P5."""
    for active_id in underlyings(client, kind):
        msg = instruments(client, kind, active_id)["msg"]
        assert [profile["id"] for profile in msg["dynamic_leverage_profiles"]] == [msg["items"][0]["leverage_profile"]]


@pytest.mark.parametrize(("kind", "active_id"), [("cfd", EURUSD), ("forex", BTC), ("crypto", 999)])
def test_an_active_of_another_kind_is_refused_by_name(client: Client, kind: str, active_id: int) -> None:
    reply = instruments(client, kind, active_id)
    assert (reply["status"], list(reply["msg"])) == (4220, ["active_id"])


def test_the_least_quantity_costs_about_the_same_everywhere(world: World) -> None:
    steps = {active.id: step(active) for active in world.broker.catalogue}
    assert (steps[EURUSD], steps[BTC], steps[SHIB]) == (Decimal("0.01"), Decimal("0.0001"), Decimal(1_000_000))
    for active in world.broker.catalogue:
        if kind_of(active) is not FOREX:
            assert 1 <= steps[active.id] * Decimal(str(active.price)) < 10


def test_after_closing_the_window_is_that_of_the_next_session(world: World) -> None:
    apple = world.broker.catalogue.get(APPLE)
    assert apple is not None
    today = tradable(apple, world.clock.second)
    assert tradable(apple, today.closes) == today
    assert tradable(apple, today.closes + 1).opens == today.opens + 86400


def test_more_equity_means_less_leverage() -> None:
    for kind in MARGIN_KINDS.values():
        leverages = [step.leverage for step in kind.leverages]
        assert leverages == sorted(leverages, reverse=True)
        assert kind.leverages[0].equity == 0
    assert [CFD.max_leverage(Decimal(each)) for each in (-5, 0, 19_999, 20_000)] == [20, 20, 20, 10]
    assert CRYPTO.default_leverage == 10


def test_a_change_is_told_to_those_who_have_the_list(world: World, client: Client) -> None:
    """P1."""
    unaware = world.client()
    for each in (client, unaware):
        for kind in ("forex", "cfd"):
            each.subscribe(f"marginal-{kind}-instruments.underlying-list-changed", "1.0")
    for kind in ("forex", "cfd"):
        underlyings(client, kind)
    ticker = Ticker(world.broker)
    world.broker.catalogue.suspend(EURUSD, True)
    ticker.tick(NOW * 1000)
    (changed,) = client.received("underlying-list-changed")
    assert changed["microserviceName"] == "marginal-forex-instruments"
    assert changed["msg"]["type"] == "marginal-forex"
    (item,) = changed["msg"]["items"]
    assert (item["active_id"], item["is_suspended"]) == (EURUSD, True)
    assert unaware.received("underlying-list-changed") == []
    assert instruments(client, "forex", EURUSD)["msg"]["items"][0]["is_suspended"] is True


def test_a_new_day_brings_new_schedules(world: World, client: Client) -> None:
    client.subscribe("marginal-cfd-instruments.underlying-list-changed", "1.0")
    listed = underlyings(client, "cfd")
    world.clock.set(datetime(2026, 11, 24, 23, 59, 59, 900_000, tzinfo=UTC))
    advance(world, 1)
    (changed,) = client.received("underlying-list-changed")
    assert len(changed["msg"]["items"]) == len(listed)
