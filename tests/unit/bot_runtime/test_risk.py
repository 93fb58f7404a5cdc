from decimal import Decimal

import pytest

from libs.contracts.bots import BotConfig
from libs.contracts.score import Score
from services.bot_runtime.risk import DailyGoal, FixedStake, Martingale, SafetyStop, stake_rule, stop_rules
from tests.messages import a_score

D = Decimal
PLENTY = D(10_000)


def after_losses(count: int) -> Score:
    return a_score(losses_in_a_row=count)


def a_martingale(amount: str = "10", leverage: str = "2", steps: int = 3, maximum: str = "1000") -> Martingale:
    return Martingale(FixedStake(D(amount), D(maximum)), D(leverage), steps)


@pytest.mark.parametrize(
    ("amount", "maximum", "balance", "stake"),
    [
        ("10", "1000", "10000", "10.00"),
        ("10", "7.50", "10000", "7.50"),
        ("10", "1000", "10", "10.00"),
        ("10", "1000", "9.99", None),
        ("0.015", "1000", "1", "0.02"),
    ],
)
def test_fixed_stake(amount: str, maximum: str, balance: str, stake: str | None) -> None:
    expected = None if stake is None else D(stake)
    assert FixedStake(D(amount), D(maximum)).stake(after_losses(2), D(balance)) == expected


@pytest.mark.parametrize(("losses", "stake"), [(0, "10"), (1, "20"), (2, "40"), (3, "80"), (4, "80"), (9, "80")])
def test_martingale_raises_with_each_loss_up_to_its_steps(losses: int, stake: str) -> None:
    assert a_martingale().stake(after_losses(losses), PLENTY) == D(stake)


def test_martingale_never_exceeds_the_maximum_stake() -> None:
    assert a_martingale(maximum="50.005").stake(after_losses(3), PLENTY) == D("50.00")


def test_martingale_never_exceeds_the_balance() -> None:
    assert a_martingale().stake(after_losses(3), D("33.339")) == D("33.33")


def test_martingale_does_not_trade_what_cannot_pay_the_base_amount() -> None:
    assert a_martingale().stake(after_losses(3), D("9.99")) is None


def test_martingale_rounds_to_cents() -> None:
    assert a_martingale(amount="1.01", leverage="1.5").stake(after_losses(2), PLENTY) == D("2.27")


def test_safety_stop_counts_losses_in_a_row() -> None:
    rule = SafetyStop(3)
    assert rule.reached(after_losses(2)) == ""
    assert rule.reached(after_losses(3)) == "Safety Stop triggered (3 losses)"
    assert rule.reached(a_score(losses=30, losses_in_a_row=0)) == ""


@pytest.mark.parametrize(
    ("total", "reason"),
    [("99.99", ""), ("100", "Daily Goal reached: R$ 100.00"), ("104.5", "Daily Goal reached: R$ 104.50"), ("-100", "")],
)
def test_daily_goal(total: str, reason: str) -> None:
    assert DailyGoal(D(100)).reached(a_score(total=D(total))) == reason


def test_rules_apply_only_when_enabled() -> None:
    config = BotConfig(leverage=D(3), safety_stop=2, daily_goal=D(50))
    assert stake_rule(config) == FixedStake(D(1), D(1000))
    assert stop_rules(config) == ()


def test_rules_take_their_numbers_from_the_configuration() -> None:
    config = BotConfig(
        amount=D(5), leverage_enabled=True, leverage=D("2.5"), max_martingale_steps=4, max_stake=D(300),
        safety_stop_enabled=True, safety_stop=2, daily_goal_enabled=True, daily_goal=D(50),
    )  # fmt: skip
    assert stake_rule(config) == Martingale(FixedStake(D(5), D(300)), D("2.5"), 4)
    assert stop_rules(config) == (SafetyStop(2), DailyGoal(D(50)))
