"""Somebody made up, and what tags stand for with them."""

from collections.abc import Iterable, Mapping
from typing import Any

from libs.contracts.crm.contacts import CustomField
from libs.contracts.crm.templates import MergeTag
from services.crm.templates.formats import written
from services.crm.templates.traders import bot_of, user_of

SAMPLE: Mapping[str, Any] = {
    "id": "00000000-0000-0000-0000-000000000000", "email": "ana.souza@example.com", "phone": "+5511987654321",
    "first_name": "Ana", "last_name": "Souza", "name": "Ana Souza", "locale": "pt-BR",
    "timezone": "America/Sao_Paulo", "status": "customer", "score": 42,
    "trading": {
        "account_type": "demo", "balance": "10000.00", "real_balance": "250.00", "bot_running": True,
        "last_trade_at": "2026-11-27T12:00:00+00:00", "last_real_trade_at": "2026-11-26T12:00:00+00:00",
        "first_deposit_at": "2026-11-20T12:00:00+00:00", "trades": 120, "real_trades": 12, "demo_losses": 2,
        "real_losses": 0,
    },
}  # fmt: skip
_LINKS = {
    "unsubscribe": "https://example.com/unsubscribe",
    "preferences": "https://example.com/preferences",
    "confirm": "https://example.com/confirm",
}
_CUSTOM = {"text": "text", "number": "7", "boolean": "yes", "date": "2026-11-27", "select": "option"}


def data_of(
    recipient: Mapping[str, Any], links: Mapping[str, str], sender: Mapping[str, str], queued: Mapping[str, Any]
) -> dict[str, Any]:
    """What tags are looked up in. `queued`: the data of a mail; its `links` and `campaign` are known by those names."""
    contact = {name: value for name, value in recipient.items() if name not in ("custom", "trading")}
    trading = recipient.get("trading") or {}
    more = queued.get("links")
    return {
        "contact": contact,
        "custom": recipient.get("custom") or {},
        "user": user_of(trading),
        "bot": bot_of(trading),
        "trading": trading,  # as templates of before name both
        "links": {**(more if isinstance(more, Mapping) else {}), **links},
        "sender": sender,
        "campaign": queued.get("campaign") or {},
        "data": queued,
    }


def sample_links(queued: Mapping[str, Any]) -> dict[str, str]:
    """Those that lead nowhere; without what is queued with the mail."""
    given = queued.get("links")
    return {name: link for name, link in _LINKS.items() if not isinstance(given, Mapping) or name not in given}


def merge_tags(fields: Iterable[CustomField], sender: Mapping[str, str]) -> tuple[MergeTag, ...]:
    """What the editor offers; of each a sample as a mail would write it."""
    data = data_of(SAMPLE, _LINKS, sender, {"campaign": {"name": "News"}})
    spaces = ("contact", "user", "bot", "links", "sender", "campaign")
    plain = [(f"{space}.{key}", written(value, (), "")) for space in spaces for key, value in data[space].items()]
    plain += [(f"custom.{field.key}", (field.options or (_CUSTOM[field.type],))[0]) for field in fields]
    return tuple(MergeTag(name=_words(name), value=f"{{{{{name}}}}}", sample=sample) for name, sample in plain)


def _words(name: str) -> str:
    return name.replace("_", " ").replace(".", ": ")
