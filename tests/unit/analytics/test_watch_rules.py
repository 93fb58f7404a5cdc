"""When something is worth an alert, and when it is over."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.alerts import Severity
from libs.store.risk import UserRisk
from services.analytics.watch import rules
from services.analytics.watch.hysteresis import Change, Hysteresis, Limit
from services.analytics.watch.rules import Drawdown, FeedLag, LossStreak, LostSessions, Observation, Rejections

values = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 5)), max_size=60)
"""Of something, and the seconds since the one before."""
limits = st.builds(
    lambda low, gap, hold, calm: Limit(low + gap, low, hold, calm),
    st.floats(0.5, 9),
    st.floats(0, 3),
    st.floats(0, 10),
    st.floats(0, 10),
)


@given(limits, values, st.booleans())
def test_what_is_raised_is_ended_before_it_is_raised_again(
    limit: Limit, story: list[tuple[float, float]], raised: bool
) -> None:
    state, now, told, since = Hysteresis(limit, raised=raised), 0.0, raised, 0.0
    other = False
    """Whether the value is other than was told, and since when."""
    for value, seconds in story:
        now += seconds
        differs = value < limit.clear_at if told else value >= limit.raise_at
        since = since if other and differs else now
        other = differs
        due = differs and now - since >= (limit.calm if told else limit.hold)
        assert state.see(value, now) is ((Change.CLEARED if told else Change.RAISED) if due else Change.NONE)
        if due:
            told, other = not told, False
        assert state.raised == told


@given(limits, st.lists(st.floats(0, 1, exclude_max=True), min_size=1), st.booleans())
def test_between_its_bounds_a_value_may_tremble(limit: Limit, parts: list[float], raised: bool) -> None:
    state = Hysteresis(limit, raised=raised)
    for number, part in enumerate(parts):
        between = limit.clear_at + part * (limit.raise_at - limit.clear_at)
        if limit.clear_at <= between < limit.raise_at:
            assert state.see(between, 100.0 * number) is Change.NONE


@given(limits)
def test_what_stays_bad_is_told_and_what_stays_well_is_over(limit: Limit) -> None:
    state = Hysteresis(limit)
    changes = [state.see(limit.raise_at, second) for second in (0.0, limit.hold + 1)]
    assert Change.RAISED in changes
    changes = [state.see(limit.clear_at - 0.1, 100 + second) for second in (0.0, limit.calm + 1)]
    assert Change.CLEARED in changes
    assert state.at_rest


def a_risk(pnl: str, peak: str, losses: int = 0, user: str = "u") -> UserRisk:
    return UserRisk(user, Decimal(pnl), Decimal(peak), losses)


@pytest.mark.parametrize(
    ("pnl", "peak", "balance", "percent"),
    [("-15", "0", "85", 15.0), ("20", "40", "180", 10.0), ("-10", "0", "0", 100.0)],
)
def test_a_drawdown_is_of_what_the_account_was_worth_at_its_best(
    pnl: str, peak: str, balance: str, percent: float
) -> None:
    [seen] = Drawdown(5, 10).users([a_risk(pnl, peak)], {"u": Decimal(balance)})
    assert seen.value == pytest.approx(percent)
    assert (seen.kind, seen.user, seen.key) == ("drawdown_user", "u", "u")
    assert seen.limit.clear_at < seen.limit.raise_at == 5


def test_of_an_account_whose_worth_nobody_knows_nothing_is_said() -> None:
    assert list(Drawdown(15, 10).users([a_risk("-100", "0")], {})) == []
    assert list(Drawdown(15, 10).platform(Decimal(-5), Decimal(0), Decimal(0), "USD")) == []
    assert list(Drawdown(15, 10).users([a_risk("40", "40")], {"u": Decimal(100)})) == [], "it is at its best"
    assert list(Drawdown(0, 0).users([a_risk("-100", "0")], {"u": Decimal(1)})) == []


def test_the_platform_is_the_sum_of_its_users() -> None:
    [seen] = Drawdown(15, 10).platform(Decimal(-150), Decimal(50), Decimal(1800), "BRL")
    assert seen.value == pytest.approx(10.0)
    assert (seen.severity, seen.limit.raise_at) == (Severity.CRITICAL, 10)


def test_a_streak_is_over_with_the_next_win() -> None:
    rule = LossStreak(8)
    [seven], [eight] = (list(rule.users([a_risk("0", "0", losses)])) for losses in (7, 8))
    state = Hysteresis(seven.limit)
    assert state.see(seven.value, 0) is Change.NONE
    assert state.see(eight.value, 1) is Change.RAISED
    assert state.see(seven.value, 2) is Change.NONE, "eight of them are one streak, whatever was read in between"
    assert state.see(0, 3) is Change.CLEARED
    assert list(LossStreak(0).users([a_risk("0", "0", 99)])) == []


def test_a_session_is_missed_by_who_runs_a_bot() -> None:
    seen = list(LostSessions(60).users(["b", "a", "c"], frozenset({"b", "d"})))
    assert [each.user for each in seen] == ["a", "c"]
    assert seen[0].limit.hold == 60


def reject(rule: Rejections, user: str, rejected: int, opened: int, now: float) -> dict[str, Observation]:
    for number in range(rejected + opened):
        rule.hear(user, rejected=number < rejected, now=now)
    return {each.kind + each.key: each for each in rule.observe(now)}


def test_rejections_are_counted_within_a_while() -> None:
    rule = Rejections(5, seconds=600, share=50, least=20)
    seen = reject(rule, "u", 5, 14, now=0)
    assert seen["orders_rejected_useru"].value == 5
    assert seen["orders_rejected"].value == 0, "so few orders say nothing of the platform"
    seen = reject(rule, "v", 11, 0, now=599)
    assert seen["orders_rejected"].value == pytest.approx(100 * 16 / 30)
    seen = {each.kind + each.key: each for each in rule.observe(600)}
    assert "orders_rejected_useru" not in seen
    assert seen["orders_rejected"].value == 0


def test_the_most_punctual_candle_tells_the_lag() -> None:
    rule = FeedLag(10, 15)
    for lag in (300.0, 0.2, 12.0):
        rule.hear(lag)
    assert [each.value for each in rule.observe()] == [0.2]
    assert [each.value for each in rule.observe()] == [0.2], "nothing came in between"
    rule.hear(14.0)
    assert [each.value for each in rule.observe()] == [14.0]
    assert list(FeedLag(0, 15).observe()) == []


def test_what_is_counted_or_missing_says_which() -> None:
    [gone, there] = rules.missing({"gateway": False, "bots": True}, 15)
    assert (gone.key, gone.value, there.value) == ("gateway", 1, 0)
    [full] = rules.filling({"TRADES": 0.85})
    assert (full.key, full.message.split(";")[0]) == ("TRADES", "TRADES is 85 % full")
    [letters] = rules.dead_letters({"TRADES.analytics": 3})
    assert (letters.key, letters.value, letters.details["stream"]) == ("TRADES.analytics", 3, "TRADES")
    [away] = rules.database_away(answers=False, patience=15)
    assert away.value >= away.limit.raise_at
    assert (away.limit.hold, gone.limit.calm) == (15, 15)
