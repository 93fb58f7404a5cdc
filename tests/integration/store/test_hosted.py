"""The migrations on a database prepared as hosted Supabase prepares a project: its roles, a deploying role that is no
superuser, and default privileges that give every new table and function of `public` to everybody."""

import pytest

from deploy.local.supabase import MIGRATIONS
from tests.integration.store.catalog import FINDINGS, Catalog, Rows
from tests.integration.store.test_privileges import GRANTED, PRIVILEGES

PROJECT = """
create role anon; create role authenticated; create role service_role bypassrls; create role deployer;
grant anon, authenticated, service_role to deployer;
grant create on database postgres to deployer;
grant all on schema public to deployer;
grant usage on schema public to anon, authenticated, service_role;
create schema auth;
create table auth.users (
  id uuid primary key, email text, email_confirmed_at timestamptz, raw_user_meta_data jsonb,
  created_at timestamptz default now(), banned_until timestamptz, phone text, last_sign_in_at timestamptz
);
create table auth.sessions (id uuid primary key, user_id uuid references auth.users);
create function auth.jwt() returns jsonb language sql stable as
  $$ select coalesce(current_setting('request.jwt.claims', true), '{}')::jsonb $$;
create function auth.uid() returns uuid language sql stable as $$ select (auth.jwt() ->> 'sub')::uuid $$;
grant usage on schema auth to deployer, anon, authenticated, service_role;
grant select, update, references, trigger on auth.users to deployer;
grant select, delete on auth.sessions to deployer;
insert into auth.users (id, email) values ('01890a5d-ac96-774b-bcce-b302099a8057', 'before@example.test');
set role deployer;
create publication supabase_realtime;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
"""

_NEW_USER = """
reset role;
insert into auth.users (id, email, raw_user_meta_data)
values ('01890a5d-ac96-774b-bcce-b302099a8058', 'after@example.test', '{"avalon_user_id": 42}');
"""

_AS_ADMINISTRATOR = """
insert into public.admin_users (user_id, email, role)
values ('01890a5d-ac96-774b-bcce-b302099a8058', 'after@example.test', 'analyst');
select set_config('request.jwt.claims',
  '{"sub": "01890a5d-ac96-774b-bcce-b302099a8058", "email": "after@example.test"}', true);
set role authenticated;
"""


_PUBLISHED = "select tablename from pg_publication_tables where pubname = 'supabase_realtime' order by tablename"
_PROFILES = "select email, broker_user_id from public.profiles order by email"
_CHECK = "select role from public.check_admin_email('after@example.test')"

_QUESTIONS = {
    "findings": ("", FINDINGS),
    "privileges": ("", PRIVILEGES),
    "published": ("", _PUBLISHED),
    "profiles": (_NEW_USER, _PROFILES),
    "check": (_NEW_USER + _AS_ADMINISTRATOR, _CHECK),
}


@pytest.fixture(scope="module")
def answers() -> dict[str, Rows]:
    """To all questions at once: a database takes seconds to make."""
    migrations = [file.read_text() for file in sorted(MIGRATIONS.glob("*.sql"))]
    hosted = Catalog(None, "\n".join((PROJECT, *migrations)))
    return dict(zip(_QUESTIONS, hosted.ask(*_QUESTIONS.values()), strict=True))


def test_every_rule_is_kept_there_too(answers: dict[str, Rows]) -> None:
    assert answers["findings"] == []


def test_its_default_privileges_leave_nothing_open(answers: dict[str, Rows]) -> None:
    assert {(row["role"], row["name"], row["privilege"]) for row in answers["privileges"]} == {
        ("authenticated", name, privilege) for name, privilege in GRANTED
    }


def test_what_the_clients_follow_is_published(answers: dict[str, Rows]) -> None:
    assert [row["tablename"] for row in answers["published"]] == ["scanner_performance", "trade_history"]


def test_users_have_a_profile_whether_they_came_before_or_after(answers: dict[str, Rows]) -> None:
    assert [(row["email"], row["broker_user_id"]) for row in answers["profiles"]] == [
        ("after@example.test", "42"),
        ("before@example.test", None),
    ]


def test_an_administrator_is_told_of_themselves(answers: dict[str, Rows]) -> None:
    assert answers["check"] == [{"role": "analyst"}]
