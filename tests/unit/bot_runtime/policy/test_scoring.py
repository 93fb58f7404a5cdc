"""The score as a fold: what counts where, and that it can be made again from the trades."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import settings as config
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.contracts.account import AccountType
from libs.contracts.codec import decode, encode
from libs.contracts.score import Score
from services.bot_runtime.policy import Policy, Trade
from tests.messages import NOW, a_score
from tests.unit.bot_runtime.policy.builders import KINDS, D, a_config, a_trade

POLICY = Policy(a_config(timeZone="America/Sao_Paulo"))


def counted(*trades: Trade, policy: Policy = POLICY, score: Score | None = None) -> Score:
    score = score or a_score()
    for trade in trades:
        score = policy.after(score, trade, NOW)
    return score


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_results_are_counted() -> None:
    profits = ("8.20", "-10", "-10", "0", "8.20", "-10")
    score = counted(*(a_trade(profit, sequence=number) for number, profit in enumerate(profits, 1)))
    assert (score.wins, score.losses, score.ties, score.trades) == (2, 3, 1, 6)
    assert (score.total, score.profit, score.sequence) == (D("-13.60"), D(-10), 6)
    assert (score.peak, score.drawdown) == (D("8.20"), D("21.80"))
    assert (score.day.profit, score.day.trades, score.opening_balance) == (D("-13.60"), 6, D(1000))


def test_a_tie_keeps_the_row_of_losses_and_a_win_ends_it() -> None:
    rows, score = [], a_score()
    for profit in ("-10", "-10", "0", "-10", "8.20", "-10"):
        score = counted(a_trade(profit), score=score)
        rows.append(score.losses_in_a_row)
    assert rows == [1, 2, 2, 3, 0, 1]


def test_a_trade_of_another_account_type_counts_nowhere() -> None:
    assert counted(a_trade(account_type=AccountType.REAL)) == a_score()


def test_a_trade_of_another_run_counts_in_the_day_and_its_locks() -> None:
    score = counted(a_trade(run="run-0"), a_trade(run="run-0"))
    assert (score.total, score.trades, score.losses_in_a_row, score.sequence) == (D(0), 0, 0, 0)
    assert (score.day.profit, score.day.trades) == (D(-20), 2)
    assert [lock.rule for lock in score.locks] == ["assetHold"]


def test_a_day_begins_with_its_first_trade_after_local_midnight() -> None:
    late, early = at("2026-11-25T02:59:50Z"), at("2026-11-25T03:00:00Z")
    score = counted(a_trade(decided=late, ended=early))
    assert (score.day.date, score.day.profit) == ("2026-11-24", D(-10)), "it was decided before"
    score = counted(a_trade("8.20", decided=early, ended=early, worth=D(990)), score=score)
    assert (score.day.date, score.day.profit, score.day.trades) == ("2026-11-25", D("8.20"), 1)
    assert (score.day.opening_balance, score.opening_balance) == (D(990), D(1000))
    assert score.total == D("-1.80"), "the run goes on"


def test_what_was_decided_yesterday_and_ends_after_todays_first_trade_leaves_today_alone() -> None:
    today, yesterday = at("2026-11-25T03:00:00Z"), at("2026-11-25T02:59:50Z")
    score = counted(a_trade("8.20", decided=today), a_trade(decided=yesterday))
    assert (score.day.date, score.day.profit, score.total) == ("2026-11-25", D("8.20"), D("-1.80"))


def test_what_is_counted_stays_the_same_through_the_store() -> None:
    policy = Policy(a_config(protections={"stoplossGuard": {}, "cooldownPeriod": {}}))
    score = counted(a_trade(), a_trade("8.20", active_id=77), policy=policy)
    assert decode(encode(score), Score) == score


def test_a_score_that_was_stored_before_there_were_days_is_read() -> None:
    old = b'{"id":"1","user":"u","at":"2026-11-24T12:00:00Z","run":"r","account_type":"demo","sequence":3,"total":"5"}'
    assert (decode(old, Score).total, decode(old, Score).day.trades) == (D(5), 0)


def test_a_stored_score_is_small() -> None:
    score = counted(*(a_trade(active_id=number) for number in range(10)))
    assert len(encode(score)) < 1000


MINUTES = st.integers(1, 1440)
SETTINGS = st.fixed_dictionaries(
    {
        "timeZone": st.sampled_from(["UTC", "America/Sao_Paulo", "Asia/Kathmandu"]),
        "protections": st.fixed_dictionaries(
            {"assetHold": st.none() | st.fixed_dictionaries({"losses": st.integers(1, 3), "minutes": MINUTES})},
            optional={
                "stoplossGuard": st.fixed_dictionaries(
                    {
                        "lookback": MINUTES, "tradeLimit": st.integers(1, 4), "stopDuration": MINUTES,
                        "perAsset": st.booleans(),
                    }
                ),
                "maxDrawdown": st.fixed_dictionaries(
                    {"lookback": MINUTES, "stopDuration": MINUTES, "maxDrawdown": st.integers(1, 9)}
                ),
                "lowProfitPairs": st.fixed_dictionaries({"lookback": MINUTES, "stopDuration": MINUTES}),
                "cooldownPeriod": st.fixed_dictionaries({"stopDuration": MINUTES}),
            },
        ),
        "limits": st.fixed_dictionaries({}, optional={"cooldownAfterLoss": st.integers(0, 86400)}),
    }
)  # fmt: skip
PLANS = st.sampled_from([kind for name, kind in KINDS.items() if name != "masaniello"])
HISTORIES = st.lists(
    st.tuples(st.sampled_from(["8.20", "-10", "0", "-25"]), st.sampled_from([1, 2, 3]), st.integers(0, 40_000)),
    max_size=25,
)


def history(drawn: list[tuple[str, int, int]], earlier: int) -> list[Trade]:
    """The last number is seconds to the next trade, of the last one to NOW; so many of them are of an earlier run."""
    moment = NOW - timedelta(seconds=sum(apart for _, _, apart in drawn))
    trades = []
    for number, (profit, active_id, apart) in enumerate(drawn, 1):
        trades.append(
            a_trade(
                profit,
                run="run-0" if number <= earlier else "run-1",
                sequence=number,
                order_id=f"{number}",
                active_id=active_id,
                decided=moment,
                ended=moment + timedelta(seconds=5),
            )
        )
        moment += timedelta(seconds=apart)
    return trades


def plainly(score: Score) -> Score:
    """Without what only says when and by which rules it was counted."""
    return replace(score, id="", at=NOW, rules="", plan=replace(score.plan, of=""))


@given(settings=SETTINGS, plan=PLANS, drawn=HISTORIES, earlier=st.just(99) | st.integers(0, 25), data=st.data())
@config(max_examples=400)
def test_rebuilt_from_the_trades_it_is_what_was_folded(
    settings: dict[str, Any],
    plan: dict[str, Any],
    drawn: list[tuple[str, int, int]],
    earlier: int,
    data: st.DataObject,
) -> None:
    """Also when trades are told again. Compared after one more trade, which forgets in both what has lapsed."""
    policy = Policy(a_config(**settings, **plan))
    trades = history(drawn, earlier)
    folded = counted(*trades, policy=policy)
    begun = min((trade.decided for trade in trades if trade.run == "run-1"), default=NOW)
    told = [trade for trade in trades if trade.decided >= min(policy.since(NOW), begun)]
    again = data.draw(st.lists(st.sampled_from(told), max_size=3)) if told else []
    rebuilt = policy.rebuilt(a_score(), [*told, *again], NOW)
    last = a_trade("0", sequence=99, order_id="99", active_id=3, decided=NOW, ended=NOW)
    assert plainly(counted(last, policy=policy, score=rebuilt)) == plainly(counted(last, policy=policy, score=folded))


@given(drawn=HISTORIES, earlier=st.integers(0, 25))
def test_the_day_is_the_sum_of_its_trades(drawn: list[tuple[str, int, int]], earlier: int) -> None:
    trades = history(drawn, earlier)
    score = counted(*trades)
    today = [trade for trade in trades if POLICY.calendar.day_of(trade.decided) == score.day.date]
    assert score.day.profit == sum(trade.profit for trade in today)
    assert score.day.trades == len(today)
    assert score.trades == len(trades[earlier:])
