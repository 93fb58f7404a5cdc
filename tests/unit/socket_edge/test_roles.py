import pytest

from services.socket_edge import roles
from services.socket_edge.roles import Roles
from tests.messages import OTHER_USER, USER
from tests.unit.socket_edge.hand_clock import HandClock


class Directory:
    """The admin_users table."""

    def __init__(self, **by_user: str | None) -> None:
        self.by_user = by_user
        self.asked = 0

    async def role_of(self, user: str) -> str | None:
        self.asked += 1
        return self.by_user.get(user)


@pytest.mark.parametrize(
    ("role", "admin"), [("admin", True), ("super_admin", True), ("support", False), ("analyst", False), (None, False)]
)
async def test_only_administrators_are(role: str | None, admin: bool) -> None:
    directory = Directory(**{USER: role})
    assert await Roles(directory.role_of, HandClock()).is_admin(USER) is admin


async def test_the_database_is_asked_once_a_minute() -> None:
    clock, directory = HandClock(), Directory(**{USER: "admin"})
    known = Roles(directory.role_of, clock)
    await known.is_admin(USER)
    directory.by_user[USER] = None
    assert await known.is_admin(USER)
    clock.advance(61)
    assert not await known.is_admin(USER)
    assert directory.asked == 2


async def test_it_forgets_whom_it_heard_of_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "_KEPT_USERS", 1)
    directory = Directory()
    known = Roles(directory.role_of, HandClock())
    for user in (USER, OTHER_USER, USER):
        await known.is_admin(user)
    assert directory.asked == 3
