"""Signing up, profiles, administrators."""

import asyncio

import pytest

from libs.contracts.ids import new_id
from libs.store import Database, StoreRefused
from libs.store.people import People, Profile
from tests.integration.numbers import number
from tests.integration.supabase_server import Person, SupabaseServer


@pytest.fixture
def people(database: Database) -> People:
    return People(database)


async def test_signing_up_makes_a_profile(supabase_server: SupabaseServer, people: People) -> None:
    broker_user_id = str(number())
    person = await supabase_server.sign_up(broker_user_id)
    assert await people.profile(person.user) == Profile(person.user, broker_user_id)
    path = f"/rest/v1/profiles?select=email,full_name&user_id=eq.{person.user}"
    [row] = await supabase_server.as_service("GET", path)
    assert row == {"email": person.email, "full_name": "Somebody New"}


async def test_nobody_has_no_profile(people: People) -> None:
    assert await people.profile(new_id()) is None


@pytest.mark.parametrize(
    "broker_user_id", ["", "abc", "12a", "-5", "0", "007", "1" * 19, "1.5", "１２", {"a": 1}, [7], True, None]
)
async def test_a_broker_id_that_is_none_is_left_out(
    supabase_server: SupabaseServer, people: People, broker_user_id: object
) -> None:
    person = await supabase_server.sign_up(broker_user_id)
    assert await people.profile(person.user) == Profile(person.user, None)


async def test_a_broker_id_that_is_taken_stays_with_who_has_it(supabase_server: SupabaseServer, people: People) -> None:
    broker_user_id = number()
    first, second = [await supabase_server.sign_up(broker_user_id) for _ in range(2)]
    assert await people.profile(first.user) == Profile(first.user, str(broker_user_id))
    assert await people.profile(second.user) == Profile(second.user, None)


async def test_of_many_who_sign_up_at_once_with_one_broker_id_one_gets_it(
    supabase_server: SupabaseServer, people: People
) -> None:
    broker_user_id = number()
    everybody = await asyncio.gather(*(supabase_server.sign_up(broker_user_id) for _ in range(8)))
    profiles = [await people.profile(person.user) for person in everybody]
    assert sum(profile is not None and profile.broker_user_id is not None for profile in profiles) == 1


async def test_a_role_is_known_while_it_is_active(
    supabase_server: SupabaseServer, people: People, owner: Person, stranger: Person
) -> None:
    await supabase_server.appoint(owner, "support")
    await supabase_server.appoint(stranger, "admin", is_active=False)
    assert await people.role(owner.user) == "support"
    assert await people.role(stranger.user) is None
    assert await people.role(new_id()) is None


async def test_somebody_is_appointed_once_and_again_with_another_role(people: People, owner: Person) -> None:
    for role in ("analyst", "super_admin"):
        await people.appoint(owner.user, owner.email, role)
        assert await people.role(owner.user) == role


async def test_there_is_no_role_of_that_name(people: People, owner: Person) -> None:
    with pytest.raises(StoreRefused):
        await people.appoint(owner.user, owner.email, "owner")
    assert await people.role(owner.user) is None


class TestCheckAdminEmail:
    """`check_admin_email` (api-contract §9.10), as the admin client calls it on every page."""

    async def test_an_administrator_is_told_of_themselves(self, supabase_server: SupabaseServer, owner: Person) -> None:
        await supabase_server.appoint(owner, "analyst")
        [row] = await check(supabase_server, owner, owner.email.upper())
        assert (row["email"], row["role"]) == (owner.email, "analyst")

    async def test_an_administrator_who_never_logged_in_is_known_by_their_address(
        self, supabase_server: SupabaseServer, owner: Person
    ) -> None:
        await supabase_server.appoint(owner, "analyst", user_id=None)
        assert len(await check(supabase_server, owner, owner.email)) == 1

    async def test_nobody_is_told_of_others(
        self, supabase_server: SupabaseServer, owner: Person, stranger: Person
    ) -> None:
        await supabase_server.appoint(owner, "super_admin")
        assert await check(supabase_server, stranger, owner.email) == []
        assert await check(supabase_server, stranger, "%") == []

    async def test_a_deactivated_administrator_is_none(self, supabase_server: SupabaseServer, owner: Person) -> None:
        await supabase_server.appoint(owner, "admin", is_active=False)
        assert await check(supabase_server, owner, owner.email) == []

    async def test_an_address_is_not_enough_when_it_belongs_to_another_user(
        self, supabase_server: SupabaseServer, owner: Person, stranger: Person
    ) -> None:
        await supabase_server.appoint(owner, "admin", email=stranger.email)
        assert await check(supabase_server, stranger, stranger.email) == []

    async def test_who_is_not_logged_in_may_not_ask(self, supabase_server: SupabaseServer) -> None:
        status, answer = await supabase_server.as_person(
            None, "POST", "/rest/v1/rpc/check_admin_email", {"user_email": "a@b.c"}
        )
        assert (status, answer["code"]) == (401, "42501")


async def check(server: SupabaseServer, person: Person, email: str) -> list[dict[str, str]]:
    status, rows = await server.as_person(person, "POST", "/rest/v1/rpc/check_admin_email", {"user_email": email})
    assert status == 200
    found: list[dict[str, str]] = rows
    return found
