"""The money rules of a bot (docs/money-rules.md). Pure: they judge by the score, the account, an offer and the time."""

from services.bot_runtime.policy.policy import Policy
from services.bot_runtime.policy.situation import Account, Entry, Gate, Offer, Refusal, Rule, Situation
from services.bot_runtime.policy.trade import Trade

__all__ = ["Account", "Entry", "Gate", "Offer", "Policy", "Refusal", "Rule", "Situation", "Trade"]
