"""What people are told of the only asset of a bot in manual mode."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from libs.contracts.bots import BotConfig, TradingState
from libs.contracts.market import TradingHours
from services.bot_runtime import labels, manual
from services.bot_runtime.policy import Offer, Refusal
from tests.messages import NOW
from tests.unit.bot_runtime.builders import actives_of, an_active

MANUAL = BotConfig(mode="manual", asset="T1-OTC")
SECOND = int(NOW.timestamp())
MORNING, EVENING = TradingHours(SECOND - 7200, SECOND - 3600), TradingHours(SECOND + 3600, SECOND + 7200)
AROUND = TradingHours(SECOND - 10, SECOND + 10)


@pytest.mark.parametrize(
    ("offered", "reason", "until"),
    [
        ({}, None, None),
        ({"suspended": True}, "Waiting: T1-OTC is suspended...", None),
        ({"hours": (MORNING, EVENING)}, "T1-OTC is closed", NOW + timedelta(hours=1)),
        ({"hours": (MORNING,)}, "Waiting: T1-OTC is closed...", None),
        ({"hours": (MORNING, AROUND)}, None, None),
    ],
)
def test_why_it_cannot_be_bought(offered: dict[str, Any], reason: str | None, until: datetime | None) -> None:
    told = manual.unavailable(MANUAL, actives_of(an_active(1, **offered)), NOW)
    assert told == (Refusal(reason, until, TradingState.ACTIVE) if reason else None)


def test_what_the_catalogue_no_longer_has_is_not_on_offer() -> None:
    told = manual.unavailable(MANUAL, actives_of(an_active(2)), NOW)
    assert told is not None
    assert told.reason == "Waiting: T1-OTC is not on offer..."
    assert manual.offer(MANUAL, actives_of(an_active(2))) is None


def test_its_hours_end_after_their_last_second() -> None:
    actives = actives_of(an_active(1, hours=(MORNING, AROUND, EVENING)))
    assert manual.turn(MANUAL, actives, NOW) == NOW + timedelta(seconds=11)
    assert manual.turn(MANUAL, actives, NOW + timedelta(seconds=11)) == NOW + timedelta(hours=1)
    assert manual.turn(MANUAL, actives, NOW + timedelta(hours=3)) is None


def test_what_it_pays_is_what_would_be_bought() -> None:
    assert manual.offer(MANUAL, actives_of(an_active(1, payout=70))) == Offer(1, 70)


def test_in_auto_mode_no_asset_is_the_only_one() -> None:
    auto, actives = BotConfig(), actives_of(an_active(1, suspended=True))
    assert manual.offer(auto, actives) is None
    assert manual.unavailable(auto, actives, NOW) is None
    assert manual.turn(auto, actives, NOW) is None


def test_what_is_waited_for_until_another_day_says_so() -> None:
    assert labels.held("later", NOW + timedelta(hours=1), NOW) == "Waiting until 13:00:00 UTC: later"
    assert labels.held("later", NOW + timedelta(days=3), NOW) == "Waiting until 27 Nov 12:00:00 UTC: later"
