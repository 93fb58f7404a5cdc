"""What one process of each service carries, which is one core, and how many are needed: plain arithmetic.

Where a figure comes from: docs/benchmarks.md, and docs/scaling.md for those that were measured for it.
"""

import math
from dataclasses import dataclass

SOCKETS_PER_EDGE = 8_000
"""Of the HorizontalPodAutoscaler. 31 KiB each, 13.5 µs for each message that goes alone."""
SESSIONS_PER_GATEWAY = 1_500
BOTS_PER_RUNTIME = 4_000
PARTITIONS = 16
EVENTS_PER_ANALYTICS = 10_700
"""Trade events a second into the database."""
MAILS_PER_CRM = 300
STEPS_PER_CRM = 1_200
"""Mails handed over, and steps of workflows, a second."""
EDGE_MESSAGE_SECONDS = 13.5e-6
NEWS_SECONDS = 20e-6
"""To take one message of NEWS off the bus and find nobody here who is to be told."""
STORES_PER_STREAM = 9_000
"""A second, of one stream that three servers keep, by its one leader."""
STORES_OF_AN_ORDER = 4
"""In the bucket `orders`: intended, sending, opened, closed."""


@dataclass(frozen=True, slots=True)
class Demand:
    users: int = 100_000
    bots: int = 10_000
    sockets: int = 1_000_000
    sessions_per_bot: float = 1.5
    """Users who are connected to the broker, for each that has a bot."""
    candles_per_socket: float = 1.0
    """A second: one chart, whose candle runs."""
    speaking: float = 0.14
    """Part of the bots that get a signal at a full minute (docs/benchmarks.md)."""
    trades_per_bot: float = 1 / 300
    """A second, on average."""
    states_per_bot: float = 0.1
    """Changes of status and score a second that are told."""
    mails_per_user: float = 1 / 3600
    """A second: a campaign to everybody is out within an hour."""
    steps_per_user: float = 10 / 86_400
    """Of workflows, a second."""


@dataclass(frozen=True, slots=True)
class Need:
    what: str
    processes: int
    because: str


def needs(demand: Demand) -> list[Need]:
    sessions = demand.bots * demand.sessions_per_bot
    events = demand.bots * demand.trades_per_bot * 2
    mails = demand.users * demand.mails_per_user
    sockets = f"{demand.sockets:,} sockets ÷ {SOCKETS_PER_EDGE:,}"
    return [
        Need(
            "edge", math.ceil(demand.sockets / SOCKETS_PER_EDGE), f"{sockets}; {load_of_an_edge(demand):.0%} of a core"
        ),
        Need("gateway", _two(sessions / SESSIONS_PER_GATEWAY), f"{sessions:,.0f} sessions ÷ {SESSIONS_PER_GATEWAY:,}"),
        Need("bots", _two(demand.bots / BOTS_PER_RUNTIME), f"{demand.bots:,} bots ÷ {BOTS_PER_RUNTIME:,}"),
        Need("analytics", _two(events / EVENTS_PER_ANALYTICS), f"{events:,.0f} trade events a second"),
        Need("crm", _two(load_of_crm(demand)), f"{mails:,.0f} mails a second: everybody within an hour"),
        Need("NATS", 3, f"{bus_messages(demand):,.0f} messages a second to edges"),
    ]


def load_of_an_edge(demand: Demand) -> float:
    """Part of a core: candles to its sockets, and everybody's news, of which nearly nothing is for it."""
    return SOCKETS_PER_EDGE * demand.candles_per_socket * EDGE_MESSAGE_SECONDS + news(demand) * NEWS_SECONDS


def load_of_crm(demand: Demand) -> float:
    """Processes' worth of mails and steps."""
    return demand.users * (demand.mails_per_user / MAILS_PER_CRM + demand.steps_per_user / STEPS_PER_CRM)


def news(demand: Demand) -> float:
    """Messages of stream NEWS a second, each of which every edge reads."""
    return demand.bots * (demand.states_per_bot + 4 * demand.trades_per_bot)


def bus_messages(demand: Demand) -> float:
    return news(demand) * demand.sockets / SOCKETS_PER_EDGE


def rows_a_day(demand: Demand) -> float:
    """Of trade_history."""
    return demand.bots * demand.trades_per_bot * 86_400


def _two(processes: float) -> int:
    """Never one alone."""
    return max(2, math.ceil(processes))
