"""Every stream and bucket, declared once. `Bus.ensure` creates them and applies changed settings."""

from dataclasses import dataclass

from libs.contracts import keys, subjects

_MIB = 1024 * 1024
_HOUR = 3600.0
_DAY = 24 * _HOUR

DEDUPE_WINDOW = 600.0
"""Seconds in which a repeated message id is stored once."""


@dataclass(frozen=True, slots=True)
class Storage:
    """How a deployment keeps all of them."""

    replicas: int | None = None
    """Servers that hold each; None: one, or what an operator has set."""
    room: float = 1.0
    """How many times the bytes that are declared here."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a stream takes over from another one, or from a bucket, of what is stored there after it was created."""

    stream: str
    renamed: tuple[tuple[str, str], ...]
    """From a subject there to the subject here; `{{wildcard(1)}}` is what its first `*` stands for."""


@dataclass(frozen=True, slots=True)
class Stream:
    name: str
    subjects: tuple[str, ...]
    max_age: float
    """Seconds; 0: for ever."""
    max_bytes: int
    max_per_subject: int = -1
    keep_new: bool = True
    """When full: refuse what is new (True) or drop what is old (False)."""
    timers: bool = False
    """Whether messages may say that they are to be told later (ADR-51), and how long they are kept themselves."""
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Bucket:
    """A key-value bucket: the last value per key. When full it refuses new values."""

    name: str
    max_bytes: int
    max_age: float = 0.0
    """Seconds; 0 keeps values for ever."""
    history: int = 1
    """Values kept per key: so many changes a stream that takes over from it may be behind without missing one."""
    republish: str = ""
    """Subject prefix under which every stored value is published as `{prefix}.{key}`: state and event are one write."""

    @property
    def stream(self) -> str:
        return f"KV_{self.name}"


MARKET = Stream("MARKET", ("market.closed.*.*",), 7 * _DAY, 512 * _MIB, max_per_subject=1000, keep_new=False)
TRADES = Stream("TRADES", ("trade.*.*",), 30 * _DAY, 1024 * _MIB)
LEDGER = Stream("LEDGER", ("ledger.*.*",), _DAY, 256 * _MIB, keep_new=False)
VISITS = Stream("VISITS", (subjects.VISITS,), 7 * _DAY, 64 * _MIB, keep_new=False)
ALERTS = Stream("ALERTS", ("alert.*",), 30 * _DAY, 64 * _MIB, keep_new=False)
OPERATORS = Stream("OPERATORS", ("operators.*",), _DAY, 64 * _MIB, keep_new=False)
SIGNALS = Stream("SIGNALS", ("scanner.signal.*.*", "scanner.ranking"), 6 * _HOUR, 512 * _MIB, keep_new=False)
EXPORTS = Stream("EXPORTS", ("export.*.*",), _HOUR, 512 * _MIB, max_per_subject=1)
CRM = Stream("CRM", (subjects.ALL_CRM_EVENTS,), 7 * _DAY, 512 * _MIB, keep_new=False)
WORKFLOWS = Stream(
    "WORKFLOWS", (subjects.ALL_RUN_TIMERS, subjects.ALL_DUE_RUNS), 0, 512 * _MIB, keep_new=False, timers=True
)
"""Without an age: a timer that is older than its stream keeps messages would never be told. A stream of timers cannot
refuse when it is full; those that it drops are found in the database."""
NOTICES = Stream("NOTICES", (subjects.ALL_NOTICES,), _DAY, 64 * _MIB, keep_new=False)
CRM_SEEN = Stream("CRM_SEEN", (subjects.ALL_CRM_SEEN,), _DAY, 128 * _MIB, keep_new=False)
DEAD_LETTERS = Stream("DLQ", ("dlq.>",), 30 * _DAY, 256 * _MIB)

ACCOUNTS = Bucket("accounts", 64 * _MIB, republish="account")
DESIRED = Bucket("desired", 256 * _MIB, history=8)
"""As much history as commands of one user that analytics still tells of when it was away meanwhile."""
ORDERS = Bucket("orders", 1024 * _MIB, max_age=7 * _DAY)
BOTS = Bucket("bots", 1024 * _MIB, history=8, republish="bot")
FEEDS = Bucket("feeds", 16 * _MIB)
CATALOGUE = Bucket("catalogue", 16 * _MIB)
LEASES = Bucket("leases", 16 * _MIB)
PLATFORM = Bucket("platform", 16 * _MIB, history=16)
ALARMS = Bucket("alarms", 16 * _MIB)
RATES = Bucket("rates", 64 * _MIB, max_age=120.0)
ANSWERS = Bucket("answers", 256 * _MIB, max_age=_DAY)
EXPORT_JOBS = Bucket("exports", 16 * _MIB, max_age=_HOUR)
SUSPECTS = Bucket("suspects", 16 * _MIB, max_age=_DAY)
SESSIONS = Bucket("sessions", 16 * _MIB, max_age=_DAY)

_FIRST = "{{wildcard(1)}}"


def _of_bucket(bucket: Bucket, kinds: dict[str, str]) -> Source:
    return Source(
        bucket.stream,
        tuple((f"$KV.{bucket.name}.{key}", subjects.news(_FIRST, kind)) for key, kind in kinds.items()),
    )


NEWS = Stream(
    "NEWS",
    (),
    _HOUR,
    512 * _MIB,
    keep_new=False,
    sources=(
        _of_bucket(
            BOTS,
            {
                keys.bot_status(keys.EVERY_BOT): subjects.NEWS_STATUS,
                keys.bot_score(keys.EVERY_BOT): subjects.NEWS_SCORE,
                keys.bot_signal(keys.EVERY_BOT): subjects.NEWS_SIGNAL,
            },
        ),
        _of_bucket(ACCOUNTS, {keys.session("*"): subjects.NEWS_SESSION, keys.balance("*"): subjects.NEWS_BALANCE}),
        Source(LEDGER.name, ((subjects.ALL_LEDGER, subjects.news(_FIRST, subjects.NEWS_TRADE)),)),
        Source(NOTICES.name, ((subjects.ALL_NOTICES, subjects.news(_FIRST, subjects.NEWS_NOTICE)),)),
        Source(OPERATORS.name, ((subjects.operators("*"), subjects.news("operators", _FIRST)),)),
    ),
)
"""All that browsers are told, of everybody, in one order: the sequence of a message here is the same on every edge, and
what a browser missed while it was away can be read again. Also while no edge runs."""

STREAMS = (
    MARKET,
    TRADES,
    LEDGER,
    VISITS,
    ALERTS,
    OPERATORS,
    SIGNALS,
    EXPORTS,
    CRM,
    CRM_SEEN,
    NOTICES,
    WORKFLOWS,
    DEAD_LETTERS,
    NEWS,
)
BUCKETS = (
    ACCOUNTS,
    DESIRED,
    ORDERS,
    BOTS,
    FEEDS,
    CATALOGUE,
    LEASES,
    PLATFORM,
    ALARMS,
    RATES,
    ANSWERS,
    EXPORT_JOBS,
    SUSPECTS,
    SESSIONS,
)
