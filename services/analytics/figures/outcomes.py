"""What wins and losses of binary options add up to."""

from decimal import Decimal

import msgspec

_ZERO = Decimal(0)


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """Decided trades added up; money in major units."""

    wins: int = 0
    losses: int = 0
    ties: int = 0
    won: Decimal = _ZERO
    """Profits of the winning ones."""
    lost: Decimal = _ZERO
    """What the losing ones lost, as a positive amount."""
    staked: Decimal = _ZERO
    """Stakes of all of them."""
    promised: Decimal = _ZERO
    """Profits that they would have made had all been won: stake × payout."""

    @property
    def decided(self) -> int:
        return self.wins + self.losses + self.ties

    @property
    def pnl(self) -> Decimal:
        return self.won - self.lost


def win_rate(outcomes: Outcomes) -> float | None:
    """Percent of those that are not ties: a tie gives the stake back and proves nothing."""
    return _percent(outcomes.wins, outcomes.wins + outcomes.losses)


def expectancy(outcomes: Outcomes) -> Decimal | None:
    """What a trade won on the average, ties included (Van Tharp, "Trade Your Way to Financial Freedom")."""
    return outcomes.pnl / outcomes.decided if outcomes.decided else None


def return_on_stakes(outcomes: Outcomes) -> float | None:
    """Percent of the stakes that were won. A binary option risks its whole stake: this is the expectancy in multiples
    of the risk (Van Tharp's R), with every trade weighing as much as its stake."""
    return _percent(outcomes.pnl, outcomes.staked)


def profit_factor(outcomes: Outcomes) -> float | None:
    """Gross profit by gross loss (Pardo, "The Evaluation and Optimization of Trading Strategies"); None of no loss."""
    return float(outcomes.won / outcomes.lost) if outcomes.lost else None


def break_even_win_rate(outcomes: Outcomes) -> float | None:
    """The win rate at which these trades would have won nothing: 1 / (1 + payout), the payout being the mean of theirs,
    weighted by stake. From p · payout = 1 − p, what a unit of stake wins by what it loses."""
    return _percent(outcomes.staked, outcomes.staked + outcomes.promised)


def edge(outcomes: Outcomes) -> float | None:
    """Percentage points by which the win rate is above the one that breaks even."""
    rate, needed = win_rate(outcomes), break_even_win_rate(outcomes)
    return None if rate is None or needed is None else rate - needed


def _percent(part: Decimal | int, whole: Decimal | int) -> float | None:
    return float(100 * Decimal(part) / whole) if whole else None
