"""What may happen while orders of one user live: faults that meet nobody else, so that many users meet theirs at once.

Faults of the market meet everybody who trades that active, so whoever meets one trades an active of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from tests.chaos.schedules import Moment


@dataclass(frozen=True, slots=True)
class Injection:
    moment: Moment
    kind: str
    """Of services/paper_broker/faults.py, with its details; a fault of orders meets the next one that is sent."""
    details: Mapping[str, object] = field(default_factory=dict)


Life = tuple[Injection, ...]
"""What happens while one order lives."""

MARKET_FAULTS = ("suspend-active", "freeze-market")

# Neither those of the market, nor what only digital orders meet.
FAULTS: Mapping[str, Mapping[str, object]] = {
    "delay-reply": {"seconds": 2},
    "swallow-reply": {},
    "drop-before-reply": {},
    "reject-order": {},
    "insufficient-funds": {},
    "too-late": {},
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


def matrix() -> dict[str, tuple[Life, ...]]:
    """Every fault at every moment of an order, and another order after it."""
    faults: dict[str, Mapping[str, object]] = {**FAULTS, **{kind: {} for kind in MARKET_FAULTS}}
    return {
        f"{kind}, {moment.name}": ((Injection(moment, kind, details),), ())
        for kind, details in faults.items()
        for moment in Moment
    }


def digital_matrix() -> dict[str, tuple[Life, ...]]:
    """Every fault at every moment of a digital order, also while no list shows its position."""
    visible: dict[str, Life] = {
        f"{kind}, {moment.name}": (Injection(moment, kind, details),)
        for kind, details in FAULTS.items()
        for moment in Moment
    }
    cases = visible | {"hidden": (_hidden(),)}
    for kind in ("swallow-reply", "drop-before-reply", "drop-connections", "withhold-result"):
        cases[f"hidden, {kind}"] = (_hidden(), Injection(Moment.BEFORE_ORDER, kind, FAULTS[kind]))
    for name, life in visible.items():
        if life[0].kind == "swallow-event":
            cases[f"hidden, {name}"] = (_hidden(30), *life)
        elif life[0].kind in ("duplicate-event", "reorder-events"):
            cases[f"hidden, {name}"] = (_hidden(), *life)
    return {f"digital, {name}": (life,) for name, life in cases.items()}


def _hidden(seconds: int = 600) -> Injection:
    """As it is, from its booking until after everything: only its events tell of it."""
    return Injection(Moment.BEFORE_ORDER, "hide-digital-position", {"seconds": seconds})


def lives(seed: int) -> tuple[Life, ...]:
    """One to three orders with up to three faults each; the same for the same seed."""
    chance = Random(seed)
    return tuple(_life(chance) for _ in range(chance.choice((1, 1, 1, 2, 2, 3))))


def _life(chance: Random) -> Life:
    drawn = [_injection(chance) for _ in range(chance.choice((0, 1, 1, 1, 2, 3)))]
    return tuple(sorted(drawn, key=lambda injection: injection.moment))


def _injection(chance: Random) -> Injection:
    kind = chance.choice(tuple(FAULTS))
    details = {"seconds": round(chance.uniform(0, 8), 2)} if kind == "delay-reply" else FAULTS[kind]
    return Injection(chance.choice(tuple(Moment)), kind, details)
