"""What is measured, how bad it may be, and what is said when it is worse. Rules hold no clock and touch nothing."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from libs.contracts.alerts import Severity
from libs.store.risk import UserRisk
from services.analytics.watch.hysteresis import Limit

_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Observation:
    """Of one thing at one moment; a thing that is not observed any more is well."""

    kind: str
    """Of the alert."""
    key: str
    """Which of its kind: a user, a stream…; empty where there is but one."""
    value: float
    limit: Limit
    message: str
    """Of the alert, if it comes to one."""
    severity: Severity = Severity.WARNING
    user: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


class Drawdown:
    """What the day's trades on real accounts lost since they stood best, in percent of what the account was worth then.

    The worth is the balance now and what was lost since: what is paid in or out in between moves it a little.
    """

    def __init__(self, of_user: float, of_platform: float) -> None:
        """Percent from which it is told; 0: never."""
        self._of_user = of_user
        self._of_platform = of_platform

    def users(self, risks: Iterable[UserRisk], balances: Mapping[str, Decimal]) -> Iterator[Observation]:
        """`balances`: real ones, by user; without one nothing is said, nor of most users, who are well."""
        if not self._of_user:
            return
        limit = Limit(self._of_user, 0.8 * self._of_user)
        for risk in risks:
            lost, balance = risk.peak - risk.pnl, balances.get(risk.user_id)
            if balance is None or (share := _share(lost, balance)) < limit.clear_at:
                continue
            yield Observation(
                kind="drawdown_user",
                key=risk.user_id,
                value=share,
                limit=limit,
                message=f"A user's real account is {share:.1f} % below its best of the day ({lost:.2f} lost)",
                user=risk.user_id,
                details={"lost": f"{lost:.2f}", "percent": f"{share:.1f}"},
            )

    def platform(self, pnl: Decimal, peak: Decimal, worth: Decimal, currency: str) -> Iterator[Observation]:
        """`worth`: the real balances of all who traded in a currency. Others are not added: nobody tells what they are
        worth in it."""
        if self._of_platform and worth > 0:
            lost = peak - pnl
            share = _share(lost, worth)
            yield Observation(
                kind="drawdown_platform",
                key=currency,
                value=share,
                limit=Limit(self._of_platform, 0.8 * self._of_platform),
                message=f"All real accounts in {currency} together are {share:.1f} % below their best of the day"
                f" ({lost:.2f} lost)",
                severity=Severity.CRITICAL,
                details={"lost": f"{lost:.2f}", "percent": f"{share:.1f}", "currency": currency},
            )


class LossStreak:
    """Losses in a row on real accounts, within the day."""

    def __init__(self, most: int) -> None:
        """From how many on it is told; 0: never."""
        self._most = most

    def users(self, risks: Iterable[UserRisk]) -> Iterator[Observation]:
        if not self._most:
            return
        limit = Limit(self._most, 1)
        for risk in risks:
            if not risk.losses:
                continue
            yield Observation(
                kind="loss_streak",
                key=risk.user_id,
                value=risk.losses,
                limit=limit,
                message=f"A user has lost {risk.losses} trades in a row on the real account",
                user=risk.user_id,
                details={"losses": str(risk.losses)},
            )


class LostSessions:
    """Users whose bot runs, and whose session to the broker does not come back."""

    def __init__(self, patience: float) -> None:
        """Seconds."""
        self._limit = Limit(1, 1, hold=patience)

    def users(self, running: Iterable[str], connected: frozenset[str]) -> Iterator[Observation]:
        for user in sorted(set(running) - connected):
            yield Observation(
                kind="session_lost",
                key=user,
                value=1,
                limit=self._limit,
                message="A user's session to the broker is lost and does not come back; the bot waits for it",
                user=user,
            )


class Rejections:
    """Orders that were rejected within a while, whatever the reason."""

    def __init__(self, of_user: int, seconds: float = 600.0, share: float = 50.0, least: int = 20) -> None:
        """`of_user`: how many of one user are told, 0: none. `share`: percent of the orders of everybody, if they are
        at least `least`."""
        self._of_user = of_user
        self._seconds = seconds
        self._share = share
        self._least = least
        self._orders: deque[tuple[float, str, bool]] = deque()

    def hear(self, user: str, *, rejected: bool, now: float) -> None:
        self._orders.append((now, user, rejected))
        self._forget(now)

    def observe(self, now: float) -> Iterator[Observation]:
        self._forget(now)
        rejected: dict[str, int] = {}
        for _, user, failed in self._orders:
            if failed:
                rejected[user] = rejected.get(user, 0) + 1
        for user, count in rejected.items() if self._of_user else ():
            yield Observation(
                kind="orders_rejected_user",
                key=user,
                value=count,
                limit=Limit(self._of_user, max(1, self._of_user // 2)),
                message=f"{count} orders of a user were rejected within {self._seconds / 60:.0f} minutes",
                user=user,
                details={"rejected": str(count)},
            )
        yield self._of_everybody(sum(rejected.values()))

    def _of_everybody(self, rejected: int) -> Observation:
        total = len(self._orders)
        share = _PERCENT * rejected / total if total >= self._least else 0.0
        return Observation(
            kind="orders_rejected",
            key="",
            value=share,
            limit=Limit(self._share, 0.6 * self._share),
            message=f"{rejected} of {total} orders were rejected within {self._seconds / 60:.0f} minutes",
            severity=Severity.CRITICAL,
            details={"rejected": str(rejected), "orders": str(total)},
        )

    def _forget(self, now: float) -> None:
        while self._orders and self._orders[0][0] <= now - self._seconds:
            self._orders.popleft()


class FeedLag:
    """How late closed candles come. The most punctual counts: one that was missing is read later, and is no delay."""

    def __init__(self, most: float, patience: float) -> None:
        """`most`: seconds; 0: never told. `patience`: seconds that they may come later."""
        self._most = most
        self._patience = patience
        self._least_lag: float | None = None
        self._last = 0.0

    def hear(self, lag: float) -> None:
        self._least_lag = lag if self._least_lag is None else min(lag, self._least_lag)

    def observe(self) -> Iterator[Observation]:
        """Since it was asked before; without any candle it is as it was."""
        if self._least_lag is not None:
            self._last, self._least_lag = self._least_lag, None
        if self._most:
            yield Observation(
                kind="feed_lag",
                key="",
                value=self._last,
                limit=Limit(self._most, self._most / 2, hold=self._patience, calm=self._patience),
                message=f"Candles come {self._last:.1f} s after their close",
                severity=Severity.CRITICAL,
                details={"seconds": f"{self._last:.1f}"},
            )


def missing(services: Mapping[str, bool], patience: float) -> Iterator[Observation]:
    """Services of which no process answers. `patience`: seconds that they need not."""
    for name, answers in services.items():
        yield Observation(
            kind="service_missing",
            key=name,
            value=0 if answers else 1,
            limit=Limit(1, 1, hold=patience, calm=patience),
            message=f"No process of {name} answers",
            severity=Severity.CRITICAL,
            details={"service": name},
        )


def database_away(answers: bool, patience: float) -> Iterator[Observation]:
    yield Observation(
        kind="database_away",
        key="",
        value=0 if answers else 1,
        limit=Limit(1, 1, hold=patience, calm=patience),
        message="The database does not answer; trades are kept in NATS until it does",
        severity=Severity.CRITICAL,
    )


def filling(streams: Mapping[str, float]) -> Iterator[Observation]:
    """Streams and buckets that refuse what is new when they are full; which part of their bounds is used."""
    for name, used in streams.items():
        yield Observation(
            kind="stream_nearly_full",
            key=name,
            value=_PERCENT * used,
            limit=Limit(80.0, 70.0),
            message=f"{name} is {_PERCENT * used:.0f} % full; a full one refuses what is new",
            severity=Severity.CRITICAL,
            details={"stream": name, "percent": f"{_PERCENT * used:.0f}"},
        )


def dead_letters(counts: Mapping[str, int]) -> Iterator[Observation]:
    """Messages that were set aside, by `stream.consumer`; over when they were replayed or thrown away."""
    for name, count in counts.items():
        stream, _, consumer = name.partition(".")
        yield Observation(
            kind="dead_letters",
            key=name,
            value=count,
            limit=Limit(1, 1),
            message=f"{consumer} could not handle {count} message(s) of {stream} (docs/operations.md, dead letters)",
            details={"stream": stream, "consumer": consumer, "count": str(count)},
        )


def _share(lost: Decimal, left: Decimal) -> float:
    """Percent of what there was."""
    return _PERCENT * float(lost / (left + lost)) if left + lost > 0 else 0.0
