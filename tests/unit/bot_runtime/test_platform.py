"""What administrators allow, as a money rule."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from libs.bus import Entry as Stored
from libs.contracts.account import AccountType
from libs.contracts.bots import BotConfig, TradingState
from libs.contracts.platform import Platform, PlatformRecord, UserLimits, UserLimitsRecord
from libs.contracts.score import Day
from services.bot_runtime.platform import PLATFORM_KEY, PlatformRules, UserGate, limits_key
from services.bot_runtime.policy import Account, Entry, Offer, Policy, Refusal
from services.bot_runtime.policy.preview import preview
from tests.messages import NOW, OTHER_USER, USER, a_score
from tests.unit.bot_runtime.policy.builders import a_trade

D = Decimal
TODAY = "2026-11-24"
OFFER = Offer(76, 82)


def rules(platform: Platform | None = None, limits: UserLimits | None = None) -> PlatformRules:
    told = PlatformRules()
    if platform is not None:
        record = PlatformRecord(at=NOW, by="boss", value=platform)
        told._platform_changed(PLATFORM_KEY, Stored(PLATFORM_KEY, record, 1, 0.0))
    if limits is not None:
        key = limits_key(USER)
        told._limits_changed(key, Stored(key, UserLimitsRecord(at=NOW, by="boss", value=limits), 1, 0.0))
    return told


def judged(told: PlatformRules, profit: str = "0", *, open_positions: int = 0, **config: object) -> Entry | Refusal:
    wanted = BotConfig(amount=D(50), max_open_positions=5, **config)  # type: ignore[arg-type]
    policy = Policy(wanted, UserGate(told, USER, wanted))
    score = a_score(utc_day=Day(date=TODAY, profit=D(profit), trades=4))
    account = Account(D(1000), at_risk=D(10) * open_positions, open_positions=open_positions)
    return policy.judge(score, account, OFFER, NOW)


def test_without_a_word_everything_is_allowed() -> None:
    assert judged(rules()) == Entry(D(50))


def test_the_stricter_of_the_platforms_and_the_users_limits_counts() -> None:
    told = rules(Platform(limits=UserLimits(max_stake=D(20), max_trades_per_day=9)), UserLimits(max_stake=D(30)))
    assert told.limits(USER) == UserLimits(max_stake=D(20), max_trades_per_day=9)
    assert judged(told) == Entry(D(20))
    told = rules(Platform(limits=UserLimits(max_stake=D(20))), UserLimits(max_stake=D(3), trading=False))
    assert told.limits(USER) == UserLimits(max_stake=D(3), trading=False)
    assert told.limits(OTHER_USER) == UserLimits(max_stake=D(20))


def test_a_daily_loss_is_never_passed_and_ends_the_run() -> None:
    told = rules(limits=UserLimits(max_daily_loss=D(100)))
    assert judged(told, "-70") == Entry(D(30))
    assert judged(told, "-70", open_positions=2) == Entry(D(10)), "what is at risk counts as lost"
    reached = judged(told, "-100")
    assert isinstance(reached, Refusal)
    assert (reached.final, reached.state) == (True, TradingState.HALTED)


def test_trades_of_a_day_and_open_positions_are_limited() -> None:
    told = rules(limits=UserLimits(max_trades_per_day=5))
    assert judged(told) == Entry(D(50))
    refusal = judged(told, open_positions=1)
    assert isinstance(refusal, Refusal)
    assert refusal.until == datetime.combine(NOW.date() + timedelta(days=1), datetime.min.time(), UTC)
    told = rules(limits=UserLimits(max_open_positions=2))
    assert judged(told, open_positions=1) == Entry(D(50))
    assert isinstance(judged(told, open_positions=2), Refusal)


def test_a_day_lasts_until_midnight_utc_wherever_a_user_says_to_be() -> None:
    """Here it is tomorrow already, and there still yesterday."""
    told = rules(limits=UserLimits(max_daily_loss=D(100)))
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        wanted = BotConfig(amount=D(50), time_zone=zone)
        policy = Policy(wanted, UserGate(told, USER, wanted))
        early = NOW.replace(hour=1)
        score = policy.after(a_score(), a_trade("-70", stake=D(70), decided=early, ended=early), early)
        later, tomorrow = NOW.replace(hour=23), NOW.replace(day=25, hour=0)
        assert score.day.date != policy.calendar.day_of(later), zone
        assert policy.judge(score, Account(D(1000)), OFFER, later) == Entry(D(30))
        assert policy.judge(score, Account(D(1000)), OFFER, tomorrow) == Entry(D(50))


def test_a_preview_keeps_to_what_administrators_allow() -> None:
    told = rules(limits=UserLimits(max_stake=D(30), max_daily_loss=D(100), max_trades_per_day=9))
    wanted = BotConfig(amount=D(50), max_stake=D(50))
    score = a_score(utc_day=Day(date=TODAY, profit=D(-20), trades=7))
    can = preview(Policy(wanted, UserGate(told, USER, wanted)), score, Account(D(1000)), 82, NOW)
    assert (can.stakes, can.ended_by) == ((D(30),) * 2, "9 trades today")
    assert (can.worst_loss, can.bounded_by) == (D(80), "maxDailyLoss")
    wanted = msgspec.structs.replace(wanted, time_zone="America/Sao_Paulo")
    can = preview(Policy(wanted, UserGate(told, USER, wanted)), score, Account(D(1000)), 82, NOW)
    assert can.bounded_by == "balance", "the limits begin anew before the day ends"


@pytest.mark.parametrize(
    ("platform", "limits", "account_type", "reason"),
    [
        (Platform(maintenance=True), UserLimits(), AccountType.DEMO, "Trading is paused for maintenance"),
        (Platform(maintenance=True, notice="Back at noon"), UserLimits(), AccountType.DEMO, "Back at noon"),
        (Platform(), UserLimits(trading=False), AccountType.DEMO, "Trading is blocked for this user"),
        (
            Platform(),
            UserLimits(real_account=False),
            AccountType.REAL,
            "Trading with real money is blocked for this user",
        ),
    ],
)
def test_what_is_not_allowed_is_not_opened(
    platform: Platform, limits: UserLimits, account_type: AccountType, reason: str
) -> None:
    assert judged(rules(platform, limits), account_type=account_type) == Refusal(reason)


def test_who_may_not_use_real_money_may_use_the_demo_account() -> None:
    assert judged(rules(limits=UserLimits(real_account=False))) == Entry(D(50))
