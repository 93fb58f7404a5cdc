"""Requests about the market: actives, candles, what options are on offer (quadcode-protocol §9, §11, §12.1)."""

import msgspec

from services.paper_broker.broker import Broker, Caller, Reply
from services.paper_broker.candles import CandleQuery
from services.paper_broker.catalogue import Active
from services.paper_broker.epoch import HOUR, MINUTE
from services.paper_broker.errors import Refused, Status
from services.paper_broker.hours import hours, sessions
from services.paper_broker.margin_instruments import step
from services.paper_broker.option_kinds import BINARY, BLITZ, OPTION_KINDS, OptionKind, specials
from services.paper_broker.wire import Nothing

LOCALIZED = "front."
"""Prefix of the translation keys of active names."""


class ActiveQuery(msgspec.Struct, frozen=True):
    id: int


class FirstCandlesQuery(msgspec.Struct, frozen=True):
    active_id: int


def get_active(broker: Broker, _: Caller, query: ActiveQuery) -> Reply:
    active = broker.catalogue.get(query.id)
    if active is None:
        raise Refused(Status.NOT_FOUND, f"unknown active {query.id}")
    precision = broker.market.precision(active)
    base, quote = active.sides
    its, spread = hours(active.hours), broker.market.half_spread(active, round(active.price * 10**precision))
    shown = {
        "id": active.id,
        "name": active.ticker,
        "description": f"{active.ticker}-description",
        "image": f"/{active.category}/{active.id}.png",
        "is_otc": active.otc,
        "time_from": _time_of_day(its.opens),
        "time_to": _time_of_day(its.closes - 1),
        "precision": precision,
        "pip_scale": broker.market.pip_scale(active),
        "spread_plus": spread,
        "spread_minus": spread,
        "expiration_days": [1, 2, 3, 4, 5, 6, 7],
        "currency_left_side": base,
        "currency_right_side": quote,
        "type": active.category,
        "min_qty": step(active),
        "qty_step": step(active),
        "type_qty": "lots",
    }
    return Reply("active", shown)


def _time_of_day(second: int) -> str:
    return f"{second // HOUR:02}:{second % HOUR // MINUTE:02}:{second % MINUTE:02}"


def get_candles(broker: Broker, _: Caller, query: CandleQuery) -> Reply:
    return Reply("candles", {"candles": broker.history.candles(query, broker.now())})


def get_first_candles(broker: Broker, _: Caller, query: FirstCandlesQuery) -> Reply:
    return Reply("first-candles", {"candles_by_size": broker.history.first(query.active_id)})


def initialization_data(broker: Broker, _: Caller, __: Nothing) -> Reply:
    """All three kinds must be there, or clients fail on the missing one (pitfall P11)."""
    now = broker.now() // 1000
    kinds = {
        kind.name: {"actives": {str(active.id): _offer(kind, active, now) for active in broker.catalogue}}
        for kind in OPTION_KINDS.values()
    }
    return Reply("initialization-data", kinds)


def _offer(kind: OptionKind, active: Active, now: int) -> dict[str, object]:
    option: dict[str, object] = {"expiration_times": kind.sizes, "profit": {"commission": active.terms.commission}}
    offer: dict[str, object] = {
        "id": active.id,
        "name": LOCALIZED + active.ticker,
        "ticker": active.ticker,
        "is_suspended": active.suspended,
        "schedule": sessions(active.hours, now),
        "option": option,
    }
    if kind is BLITZ:
        return offer
    option["count"] = kind.horizon
    if kind is BINARY:
        titles = specials(kind, active.hours, now)
        option["special"] = {str(at): {"title": title, "enabled": True} for at, title in titles.items()}
    return offer | {"is_buyback": True, "deadtime": kind.deadtime, "buyback_deadtime": kind.buyback_deadtime}
