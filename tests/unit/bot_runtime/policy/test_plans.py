"""What each stake plan puts on the next trade."""

from decimal import Decimal

import pytest

from libs.contracts.bots import TradingState
from libs.contracts.orders import TradeResult
from libs.contracts.score import PlanProgress
from services.bot_runtime.policy import Entry, Refusal
from tests.messages import a_score
from tests.unit.bot_runtime.policy.builders import KINDS, D, Trader, a_config

W, L, T = "WIN", "LOSS", "TIE"


def stakes(trader: Trader, results: str) -> list[Decimal]:
    """Of the trades with these results, each on another asset, and of the one after them."""
    names = {"W": W, "L": L, "T": T}
    made = [trader.trade(names[letter], active_id=number) for number, letter in enumerate(results)]
    return [*made, trader.stake(active_id=99)]


def money(*amounts: str) -> list[Decimal]:
    return [D(amount) for amount in amounts]


@pytest.mark.parametrize(
    ("amount", "maximum", "balance", "stake"),
    [
        ("10", "1000", "10000", "10.00"),
        ("10", "7.50", "10000", "7.50"),
        ("10", "1000", "10", "10.00"),
        ("10", "1000", "9.99", None),
        ("0.015", "1000", "1", "0.02"),
        ("0.015", "0.015", "1", "0.01"),
    ],
)
def test_fixed(amount: str, maximum: str, balance: str, stake: str | None) -> None:
    verdict = Trader(a_config(amount=amount, maxStake=maximum), balance).judge()
    if stake is None:
        assert verdict == Refusal("Waiting for funds: the balance is below the amount per trade...")
    else:
        assert verdict == Entry(D(stake))


def a_martingale(losses: int, balance: str = "10000", **fields: object) -> Trader:
    config = a_config(**({"amount": 10, "leverageEnabled": True} | fields))
    return Trader(config, balance, a_score(plan=PlanProgress(step=losses)))


@pytest.mark.parametrize(("losses", "stake"), [(0, "10"), (1, "20"), (2, "40"), (3, "80"), (4, "80"), (9, "80")])
def test_martingale_raises_with_each_loss_up_to_its_steps(losses: int, stake: str) -> None:
    assert a_martingale(losses).stake() == D(stake)


def test_martingale_never_exceeds_the_maximum_stake() -> None:
    assert a_martingale(3, maxStake="50.005").stake() == D("50.00")


def test_martingale_never_exceeds_the_balance() -> None:
    assert a_martingale(3, balance="33.339").stake() == D("33.33")


def test_martingale_does_not_trade_what_cannot_pay_the_base_amount() -> None:
    assert isinstance(a_martingale(3, balance="9.99").judge(), Refusal)


def test_martingale_rounds_to_cents() -> None:
    assert a_martingale(2, amount="1.01", leverage="1.5").stake() == D("2.27")


def test_a_win_ends_martingales_row_and_a_tie_keeps_it() -> None:
    config = a_config(amount=10, leverageEnabled=True, leverage=2)
    assert stakes(Trader(config), "LTLW") == money("10", "20", "20", "40", "10")


def test_percent_follows_the_balance() -> None:
    config = a_config(stakePlan={"kind": "percent", "percent": 10})
    assert stakes(Trader(config, "100"), "LW") == money("10", "9", "9.74")


def test_kelly_bets_a_fraction_of_what_the_edge_is_worth() -> None:
    """p = 0.6, b = 0.8: f = 0.6 - 0.4 / 0.8 = 0.1, of which a half of 1,000."""
    config = a_config(stakePlan={"kind": "kelly", "winRate": 60, "maxPercent": 25})
    assert Trader(config).stake(payout=80) == D("50.00")


def test_kelly_learns_from_the_run() -> None:
    """30 trades assumed and 30 seen: p = (18 + 12) / 60 = 0.5, so there is no edge; with 21 wins p = 0.65."""
    config = a_config(stakePlan={"kind": "kelly", "winRate": 60, "maxPercent": 25, "fraction": 1})
    bad, good = a_score(wins=12, losses=18, ties=9), a_score(wins=21, losses=9)
    assert Trader(config, score=bad).judge() == Refusal("Waiting: a payout of 82% has no edge...", state="active")  # type: ignore[arg-type]
    assert Trader(config, score=good).stake(payout=100) == D("250.00"), "0.3 of it, if it were not for the cap"


def test_kelly_is_capped() -> None:
    config = a_config(stakePlan={"kind": "kelly", "winRate": 99, "maxPercent": 3})
    assert Trader(config).stake() == D("30.00")


def test_soros_rolls_what_it_won_up_to_its_levels() -> None:
    config = a_config(amount=10, stakePlan={"kind": "soros", "levels": 2})
    assert stakes(Trader(config), "WTWW") == money("10", "18.20", "18.20", "33.12", "10")
    assert stakes(Trader(config), "WLWWL") == money("10", "18.20", "10", "18.20", "33.12", "10")


def test_dalembert_goes_up_and_down_by_units() -> None:
    config = a_config(amount=10, stakePlan={"kind": "dalembert", "maxUnits": 3})
    assert stakes(Trader(config), "LLLLTWWW") == money("10", "20", "30", "30", "30", "30", "20", "10", "10")


def test_oscars_grind_grows_with_wins_and_ends_its_cycle_on_what_a_unit_wins() -> None:
    config = a_config(amount=10, stakePlan={"kind": "oscars-grind", "maxUnits": 5})
    trader = Trader(config)
    # -10, -20, then +8.20 leaves -11.80 and a stake of two units, which is less than the 24.39 that would end it:
    # +16.40 leaves 4.60, and what is missing to 8.20 takes 4.39.
    assert stakes(trader, "LLWWW") == money("10", "10", "10", "20", "4.39", "10")
    assert trader.score.total == D("8.1998")


def test_oscars_grind_has_its_most_units() -> None:
    config = a_config(amount=10, stakePlan={"kind": "oscars-grind", "maxUnits": 2})
    assert stakes(Trader(config), "LLLLLWWT")[5:] == money("10", "20", "20", "20")


@pytest.mark.parametrize("kind", ["soros", "dalembert", "oscars-grind"])
def test_a_tie_never_moves_a_plan(kind: str) -> None:
    numbers = {"soros": {"levels": 3}, "dalembert": {"maxUnits": 9}, "oscars-grind": {"maxUnits": 9}}[kind]
    trader = Trader(a_config(amount=10, stakePlan={"kind": kind, **numbers}))
    for result in (TradeResult.WIN, TradeResult.LOSS, TradeResult.WIN):
        trader.trade(result)
        before = trader.score.plan
        trader.trade(TradeResult.TIE)
        assert trader.score.plan == before


@pytest.mark.parametrize("kind", KINDS)
def test_where_the_broker_tells_no_payout_only_plans_without_one_stake(kind: str) -> None:
    verdict = Trader(a_config(**KINDS[kind])).judge(payout=0)
    if kind in ("kelly", "masaniello"):
        assert verdict == Refusal("Waiting: a payout of 0% has no edge...", state=TradingState.ACTIVE)
    else:
        assert isinstance(verdict, Entry)
