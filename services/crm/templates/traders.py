"""What tags say of who trades, and of their bot: facts of the CRM, by the names that templates have for them."""

from collections.abc import Mapping
from typing import Any

Facts = Mapping[str, Any]
"""Of a recipient; none of somebody who is no trading user."""

USER = (
    "account_type", "balance", "real_balance", "first_deposit_at", "last_trade_at", "last_real_trade_at", "trades",
    "real_trades",
)  # fmt: skip
BOT = ("running", "losses_in_a_row")


def user_of(facts: Facts) -> dict[str, Any]:
    return {name: facts.get(name) for name in USER} if facts else {}


def bot_of(facts: Facts) -> dict[str, Any]:
    """Losses: of the account that has more of them, as segments count."""
    if not facts:
        return {}
    losses = max(facts.get("demo_losses") or 0, facts.get("real_losses") or 0)
    return {"running": facts.get("bot_running"), "losses_in_a_row": losses}
