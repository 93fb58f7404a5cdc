from datetime import UTC, datetime

import pytest

from services.socket_edge import roles
from services.socket_edge.identity import Identity
from services.socket_edge.roles import Roles
from services.socket_edge.route import Access
from tests.messages import OTHER_USER, USER
from tests.unit.socket_edge.hand_clock import HandClock


def somebody(user: str = USER, *, second_factor: bool = False) -> Identity:
    return Identity(user, datetime(2026, 11, 27, tzinfo=UTC), second_factor=second_factor)


class Directory:
    """The admin_users table."""

    def __init__(self, **by_user: str | None) -> None:
        self.by_user = by_user
        self.asked = 0

    async def role_of(self, user: str) -> str | None:
        self.asked += 1
        return self.by_user.get(user)


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (None, set[Access]()),
        ("analyst", {Access.STAFF}),
        ("support", {Access.STAFF, Access.SUPPORT}),
        ("admin", {Access.STAFF, Access.SUPPORT, Access.ADMIN}),
        ("super_admin", {Access.STAFF, Access.SUPPORT, Access.ADMIN, Access.SUPER_ADMIN}),
        ("owner", set[Access]()),
    ],
)
async def test_a_role_allows_what_is_its_own(role: str | None, allowed: set[Access]) -> None:
    known = Roles(Directory(**{USER: role}).role_of, HandClock())
    assert {access for access in Access if await known.may(somebody(), access)} == allowed


async def test_the_database_is_asked_every_two_seconds() -> None:
    clock, directory = HandClock(), Directory(**{USER: "admin"})
    known = Roles(directory.role_of, clock)
    await known.may(somebody(), Access.ADMIN)
    directory.by_user[USER] = None
    assert await known.may(somebody(), Access.ADMIN)
    clock.advance(2.1)
    assert not await known.may(somebody(), Access.ADMIN)
    assert directory.asked == 2


async def test_it_forgets_whom_it_heard_of_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "_KEPT_USERS", 1)
    directory = Directory()
    known = Roles(directory.role_of, HandClock())
    for user in (USER, OTHER_USER, USER):
        await known.may(somebody(user), Access.ADMIN)
    assert directory.asked == 3


@pytest.mark.parametrize(
    ("needed", "given", "allowed"), [(False, False, True), (True, False, False), (True, True, True)]
)
async def test_a_second_factor_may_be_needed(needed: bool, given: bool, allowed: bool) -> None:
    known = Roles(Directory(**{USER: "super_admin"}).role_of, HandClock(), second_factor=needed)
    for access in (Access.STAFF, Access.SUPER_ADMIN):
        assert await known.may(somebody(second_factor=given), access) is allowed
