"""What each NATS user may publish and subscribe: allow lists, from which server configurations are generated.

User names are the services' short names. Every service has its own inbox prefix, so that nobody can read another's
replies, and may ask JetStream only for the streams and buckets it uses.
"""

from dataclasses import dataclass

from libs.bus.topology import (
    ACCOUNTS,
    ALARMS,
    ALERTS,
    ANSWERS,
    BOTS,
    BUCKETS,
    CATALOGUE,
    CRM,
    CRM_SEEN,
    DEAD_LETTERS,
    DESIRED,
    EXPORT_JOBS,
    EXPORTS,
    FEEDS,
    LEASES,
    LEDGER,
    MARKET,
    NEWS,
    NOTICES,
    OPERATORS,
    ORDERS,
    PLATFORM,
    RATES,
    SESSIONS,
    SIGNALS,
    STREAMS,
    SUSPECTS,
    TRADES,
    VISITS,
    WORKFLOWS,
    Bucket,
    Stream,
)
from libs.contracts import subjects


@dataclass(frozen=True, slots=True)
class Permissions:
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    allow_responses: bool
    """May answer a request once on the reply subject it came with."""


@dataclass(frozen=True, slots=True)
class _Needs:
    """What a service uses of the bus."""

    uses: tuple[Stream | Bucket, ...] = ()
    """Declares, reads, mirrors and consumes these."""
    appends: tuple[str, ...] = ()
    """Subjects and keys it writes."""
    consumers: tuple[str, ...] = ()
    """Durable consumers besides the one that has its own name."""
    inspects: tuple[Stream | Bucket, ...] = ()
    """Asks how full these are."""
    hears: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()


_NEEDS = {
    "gateway": _Needs(
        uses=(MARKET, TRADES, ALERTS, DEAD_LETTERS, ACCOUNTS, DESIRED, ORDERS, FEEDS, CATALOGUE, LEASES, SESSIONS),
        appends=(
            "market.>", "trade.>", "alert.>", "$KV.accounts.>", "$KV.desired.session.>", "$KV.orders.>",
            "$KV.catalogue.>", "$KV.leases.session.>", "$KV.leases.market", "$KV.leases.member.gateway.*",
            "$KV.sessions.>",
        ),
        serves=("rpc.gateway.>",),
    ),
    "bots": _Needs(
        uses=(TRADES, SIGNALS, ALERTS, ACCOUNTS, DESIRED, ORDERS, BOTS, FEEDS, CATALOGUE, LEASES, PLATFORM),
        appends=(
            "trade.*.rejected", "alert.>", "scanner.signal.>", "$KV.desired.bot.>", "$KV.orders.>", "$KV.bots.>",
            "$KV.feeds.bots.>", "$KV.leases.bots.>", "$KV.leases.member.bots.*",
            "$KV.platform.platform", "$KV.platform.user.*",
        ),
        hears=("market.closed.*.*", "trade.*.*"),
        calls=("rpc.gateway.candles", "rpc.gateway.*.order", "rpc.gateway.*.sell"),
        serves=("rpc.bots.>",),
    ),
    "analytics": _Needs(
        uses=(
            TRADES, LEDGER, VISITS, ALERTS, OPERATORS, SIGNALS, DEAD_LETTERS, EXPORTS, EXPORT_JOBS, ACCOUNTS, BOTS,
            DESIRED, LEASES, PLATFORM, ALARMS, SUSPECTS,
        ),
        appends=(
            "ledger.>", "alert.>", "operators.*", "scanner.ranking", "export.*.*", "$KV.exports.*",
            "$KV.leases.analytics.>", "$KV.platform.barred.*", "$KV.alarms.>",
        ),
        inspects=(*STREAMS, *BUCKETS),
        consumers=("analytics-logs", "analytics-activity", "analytics-webhook", "analytics-mail"),
        hears=("market.closed.*.*", "trade.*.*", "ledger.*.*"),
        calls=(
            "rpc.gateway.candles", "rpc.gateway.disconnect", "rpc.gateway.*.books", "$SRV.PING.*",
            f"$JS.API.STREAM.MSG.GET.{ORDERS.stream}",  # reads an order's record, and nothing else of that bucket
        ),
        serves=("rpc.analytics.>",),
    ),
    "crm": _Needs(
        uses=(CRM, CRM_SEEN, NOTICES, WORKFLOWS, DEAD_LETTERS, LEASES, OPERATORS, SUSPECTS),
        appends=(
            "crm.event.>", "crm.seen.*", "notice.*", "operators.campaign", "wf.sched.*", "wf.due.*", "alert.warning",
            "$KV.leases.crm.>",
        ),
        consumers=("crm-segments", "crm-scoring", "crm-seen", "crm-workflows", "crm-workflows-due"),
        serves=("rpc.crm.>",),
    ),
    "edge": _Needs(
        uses=(ACCOUNTS, BOTS, FEEDS, CATALOGUE, PLATFORM, RATES, ANSWERS, NEWS, VISITS),
        appends=("visits", "$KV.feeds.edge.>", "$KV.rates.>", "$KV.answers.>"),
        hears=("market.candle.*.*",),
        calls=(
            "rpc.gateway.connect", "rpc.gateway.reconnect", "rpc.gateway.disconnect", "rpc.gateway.catalogue",
            "rpc.gateway.candles", "rpc.gateway.sign_up", "rpc.gateway.ssid_stats", "rpc.gateway.ssid_status",
            "rpc.gateway.renew_ssid", "rpc.gateway.clean_up_ssids", "rpc.gateway.*.settle",
            "rpc.bots.*", "rpc.analytics.*", "rpc.crm.*", "$SRV.PING.bots", "$SRV.PING.analytics",
        ),
        serves=("rpc.edge.>",),
    ),
}  # fmt: skip

SERVICES = tuple(_NEEDS)
ADMIN = "admin"
"""For operators and tests: everything in the account."""


def permissions(user: str) -> Permissions:
    """Raises KeyError for an unknown user."""
    if user == ADMIN:
        return Permissions((">",), (">",), allow_responses=True)
    needs = _NEEDS[user]
    publish = [f"_INBOX_{user}.>", *needs.appends, *needs.calls]
    for used in needs.uses:
        publish += _jetstream_api(_name(used))
        if isinstance(used, Stream):
            publish += [f"$JS.API.STREAM.INFO.{source.stream}" for source in used.sources]
    publish += [f"$JS.API.STREAM.INFO.{_name(each)}" for each in needs.inspects]
    subscribe = [f"_INBOX_{user}.>", *needs.hears, *needs.serves]
    if needs.serves:
        subscribe += ["$SRV.>"]
    if DEAD_LETTERS in needs.uses:
        consumers = (user, *needs.consumers)
        publish += [subjects.dead_letter("*", consumer) for consumer in consumers]
        if SUSPECTS in needs.uses:
            publish += [f"$KV.{SUSPECTS.name}.{consumer}.>" for consumer in consumers]
        subscribe += [subjects.replay("*", consumer) for consumer in consumers]
    return Permissions(tuple(publish), tuple(subscribe), allow_responses=bool(needs.serves))


def _name(used: Stream | Bucket) -> str:
    return used.stream if isinstance(used, Bucket) else used.name


def _jetstream_api(stream: str) -> list[str]:
    return [
        f"$JS.API.STREAM.CREATE.{stream}",
        f"$JS.API.STREAM.UPDATE.{stream}",
        f"$JS.API.STREAM.INFO.{stream}",
        f"$JS.API.STREAM.MSG.GET.{stream}",
        f"$JS.API.DIRECT.GET.{stream}",
        f"$JS.API.DIRECT.GET.{stream}.>",
        f"$JS.API.CONSUMER.CREATE.{stream}",
        f"$JS.API.CONSUMER.CREATE.{stream}.>",
        f"$JS.API.CONSUMER.INFO.{stream}.*",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.>",
        f"$JS.ACK.{stream}.>",
        f"$JS.ACK.*.*.{stream}.>",  # the form that names domain and account (nats-server ≥ 2.15, by flag)
    ]
