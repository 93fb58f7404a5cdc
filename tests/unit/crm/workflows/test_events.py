"""Which events begin a run, or are what it waits for."""

from typing import Any

import msgspec
import pytest

from services.crm.workflows.params import EventMatch

MATCHES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"event": "tag_added"}, {"tag": "vip"}, True),
    ({"event": "tag_added", "tag": "VIP"}, {"tag": "vip"}, True),
    ({"event": "tag_added", "tag": "vip"}, {"tag": "vip2"}, False),
    ({"event": "losses_in_a_row", "losses": 3}, {"losses": 2}, False),
    ({"event": "losses_in_a_row", "losses": 3, "where": {"account_type": "real"}}, {"losses": 4}, False),
    ({"event": "losses_in_a_row", "losses": 3, "where": {"account_type": "real"}},
     {"losses": 4, "account_type": "real"}, True),
    ({"event": "contact_updated"}, {"fields": ["status", "fact.trades"]}, True),
    ({"event": "contact_updated"}, {"fields": ["fact.balance", "fact.trades"]}, False),
    ({"event": "contact_updated", "fields": ["fact.balance"]}, {"fields": ["fact.balance", "fact.trades"]}, True),
    ({"event": "contact_updated", "fields": ["status"]}, {"fields": ["name"]}, False),
    ({"event": "contact_updated", "fields": ["status"]}, {}, False),
]  # fmt: skip


@pytest.mark.parametrize(("told", "data", "expected"), MATCHES)
def test_an_event_is_meant_by_its_type_and_what_it_says(
    told: dict[str, Any], data: dict[str, Any], expected: bool
) -> None:
    wanted = msgspec.convert(told, EventMatch)
    assert wanted.matches(told["event"], data) is expected
    assert wanted.matches("mail_opened", data) is False
