"""What may happen while orders of one user live: faults that meet nobody else, so that many users meet theirs at once.

Faults of the market meet everybody who trades that active, so whoever meets one trades an active of their own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from libs.contracts.orders import OptionKind
from tests.chaos.schedules import Moment


@dataclass(frozen=True, slots=True)
class Injection:
    moment: Moment
    kind: str
    """Of services/paper_broker/faults.py, with its details; a fault of orders meets the next one that is sent."""
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Life:
    """What happens while one order lives."""

    faults: tuple[Injection, ...] = ()
    option: OptionKind = OptionKind.BLITZ
    sold: bool = False
    """Before it expires; then the settlement is the sale."""

    def at(self, moment: Moment) -> list[Injection]:
        return [injection for injection in self.faults if injection.moment is moment]


MARKET_FAULTS = ("suspend-active", "freeze-market")
ENDING = ("drop-connections", "stall-connections", "expire-session")
"""Whatever is under way at that moment."""
SALES = {
    OptionKind.TURBO: "binary-options.sell-options",
    OptionKind.BINARY: "binary-options.sell-options",
    OptionKind.DIGITAL: "digital-options.close-position",
}
"""The request that a fault of requests meets at a sale."""

_LATER_THAN_ANYBODY_WAITS = {"seconds": 14}
"""A gateway waits 10 s for a reply; users report up to 60 (field-notes §C1)."""
_REQUESTS: Mapping[str, Mapping[str, object]] = {
    "delay-reply": {"seconds": 2},
    "swallow-reply": {},
    "drop-before-reply": {},
    "reject-order": {},
    "insufficient-funds": {},
    "too-late": {},
}
# Neither those of the market, nor what only digital orders meet.
FAULTS: Mapping[str, Mapping[str, object]] = {
    **_REQUESTS,
    "duplicate-event": {},
    "reorder-events": {"seconds": 3},
    "swallow-event": {},
    "withhold-result": {"seconds": 1},
    "refuse-login": {},
    "fail-session-request": {},
    "hang-session-request": {"seconds": 2},
    "drop-connections": {},
    "stall-connections": {"seconds": 2},
    "expire-session": {},
}

Cases = Mapping[str, tuple[Life, ...]]
"""The orders of one user each, by name."""


def matrix(option: OptionKind) -> dict[str, tuple[Life, ...]]:
    """Every fault at every moment of an order that is kept until it expires; after a blitz order there is another."""
    after = (Life(),) if option is OptionKind.BLITZ else ()
    late = Injection(Moment.BEFORE_ORDER, "delay-reply", _LATER_THAN_ANYBODY_WAITS)
    cases = {name: (Life((fault,), option), *after) for name, fault in _each(*MARKET_FAULTS)}
    return _named(option, cases | {"delay-reply for long": (Life((late,), option), *after)})


def sold_matrix(option: OptionKind) -> dict[str, tuple[Life, ...]]:
    """Every fault at every moment of an order that is sold; of another than a binary one from when it is open."""
    cases = {
        name: (Life((_of_sale(fault, option),), option, sold=True),)
        for name, fault in _each()
        if not _outlasts(fault, option) and (option is OptionKind.BINARY or fault.moment >= Moment.POSITION_OPEN)
    }
    return _named(f"{option}, sold", cases)


def hidden_matrix() -> dict[str, tuple[Life, ...]]:
    """Digital orders while no list shows their position."""
    cases: dict[str, tuple[Injection, ...]] = {"all the time": (_hidden(),)}
    for kind in ("swallow-reply", "drop-before-reply", "drop-connections", "withhold-result"):
        cases[kind] = (_hidden(), Injection(Moment.BEFORE_ORDER, kind, FAULTS[kind]))
    for name, fault in _each():
        if fault.kind == "swallow-event":
            cases[name] = (_hidden(30), fault)
        elif fault.kind in ("duplicate-event", "reorder-events"):
            cases[name] = (_hidden(), fault)
    return _named("hidden", {name: (Life(faults, OptionKind.DIGITAL),) for name, faults in cases.items()})


def lives(seed: int) -> tuple[Life, ...]:
    """One to three orders with up to three faults each; the same for the same seed."""
    chance = Random(seed)
    count = chance.choice((1, 1, 1, 2, 2, 3))
    return tuple(_life(chance, alone=count == 1) for _ in range(count))


def _each(*more: str) -> Iterator[tuple[str, Injection]]:
    """Every fault, and those, at every moment."""
    for kind in (*FAULTS, *more):
        for moment in Moment:
            yield f"{kind}, {moment.name}", Injection(moment, kind, FAULTS.get(kind, {}))


def _named(prefix: str, cases: Cases) -> dict[str, tuple[Life, ...]]:
    return {f"{prefix}, {name}": orders for name, orders in cases.items()}


def _hidden(seconds: float = 600) -> Injection:
    """As it is, from its booking until after everything: only its events tell of it."""
    return Injection(Moment.BEFORE_ORDER, "hide-digital-position", {"seconds": seconds})


def _of_sale(fault: Injection, option: OptionKind) -> Injection:
    """At a sale it is the sale that a fault of requests meets."""
    if fault.moment is not Moment.AT_SETTLEMENT or fault.kind not in _REQUESTS:
        return fault
    return Injection(fault.moment, fault.kind, {**fault.details, "request": SALES[option]})


def _outlasts(fault: Injection, option: OptionKind) -> bool:
    """A sale that is lost with its connection is not sent again, and the expiration of a binary option is too far away
    to wait for."""
    return option is OptionKind.BINARY and fault.moment is Moment.POSITION_OPEN and fault.kind in ENDING


_OPTIONS = (*(OptionKind.BLITZ,) * 5, OptionKind.TURBO, OptionKind.BINARY, OptionKind.DIGITAL)
"""More often those that need not be waited for."""


def _life(chance: Random, *, alone: bool) -> Life:
    option = chance.choice(_OPTIONS)
    drawn = [_injection(chance) for _ in range(chance.choice((0, 1, 1, 1, 2, 3)))]
    if option is OptionKind.DIGITAL and chance.random() < 0.5:
        drawn.append(_hidden(round(chance.uniform(1, 20), 2)))
    if any(_outlasts(fault, option) for fault in drawn):
        option = OptionKind.TURBO
    kept = option is OptionKind.BLITZ or (option is not OptionKind.BINARY and alone and chance.random() < 0.5)
    faults = drawn if kept else [_of_sale(fault, option) for fault in drawn]
    return Life(tuple(sorted(faults, key=lambda fault: fault.moment)), option, sold=not kept)


def _injection(chance: Random) -> Injection:
    moment = chance.choice(tuple(Moment))
    if chance.random() < 0.08:
        return Injection(moment, chance.choice(MARKET_FAULTS))
    kind = chance.choice(tuple(FAULTS))
    longest = chance.choice((8, 8, 60))
    details = {"seconds": round(chance.uniform(0, longest), 2)} if kind == "delay-reply" else FAULTS[kind]
    return Injection(moment, kind, details)
