"""What a margin balance is worth, in numbers (quadcode-protocol §8.3).

No margin position can be opened here yet, so nothing is bound or owed: all of the cash is equity, and all of it free.
"""

from decimal import Decimal

from services.paper_broker.accounts import Balance
from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.money import rounded

_STOP_OUT_LEVEL = Decimal(50)
"""Percent of the margin in use below which positions are closed."""
_USD = CURRENCIES["USD"]


def worth(balance: Balance) -> dict[str, object]:
    """As `get-marginal-balance` and the event of its changes show it: money as decimal strings."""
    cash = rounded(balance.amount, CURRENCIES[balance.currency].minor_units)
    in_usd = rounded(balance.amount * CURRENCIES[balance.currency].rate_usd, _USD.minor_units)
    nothing = rounded(Decimal(0), CURRENCIES[balance.currency].minor_units)
    money = {
        "cash": cash,
        "bonus": nothing,
        "pnl": nothing,
        "pnl_net": nothing,
        "equity": cash,
        "equity_usd": in_usd,
        "swap": nothing,
        "dividends": nothing,
        "margin": nothing,
        "available": cash,
        "margin_level": Decimal(0),
        "stop_out_level": _STOP_OUT_LEVEL,
    }
    return {
        "id": balance.id,
        "type": balance.type,
        "currency": balance.currency,
        "user_id": balance.user_id,
        **{name: f"{amount:f}" for name, amount in money.items()},
    }
