"""Links to exports: for one user, one file, and a while."""

import re
from datetime import timedelta

import pytest

from services.socket_edge.errors import ApiError
from services.socket_edge.export_links import LIFE, ExportLinks
from tests.unit.socket_edge.hand_clock import HandClock

LINK = re.compile(r"/api/admin/exports/(?P<export>[\w-]+)/file\?expires=(?P<expires>\d+)&signature=(?P<signature>\w+)")


def parts(link: str) -> tuple[int, str]:
    found = LINK.fullmatch(link)
    assert found is not None
    return int(found["expires"]), found["signature"]


def test_a_link_is_good_for_a_while() -> None:
    clock = HandClock()
    links = ExportLinks("secret", clock)
    link, expires_at = links.make("an-export", "somebody")
    assert timedelta(0) <= clock.now() + LIFE - expires_at < timedelta(seconds=1)
    links.check("an-export", "somebody", *parts(link))
    ExportLinks("secret", clock).check("an-export", "somebody", *parts(link))
    clock.advance(LIFE.total_seconds())
    with pytest.raises(ApiError, match="no longer good"):
        links.check("an-export", "somebody", *parts(link))


@pytest.mark.parametrize(
    ("secret", "export", "user", "later"),
    [
        ("secret", "another", "somebody", 0),
        ("secret", "an-export", "somebody else", 0),
        ("secret", "an-export", "somebody", 60),
        ("another secret", "an-export", "somebody", 0),
    ],
)
def test_no_other_link_is(secret: str, export: str, user: str, later: int) -> None:
    clock = HandClock()
    expires, signature = parts(ExportLinks(secret, clock).make("an-export", "somebody")[0])
    with pytest.raises(ApiError, match="not yours") as refused:
        ExportLinks("secret", clock).check(export, user, expires + later, signature)
    assert refused.value.status == 403
