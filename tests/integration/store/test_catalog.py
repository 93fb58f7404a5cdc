"""Rules that every table, view, policy and function keeps, also those that do not exist yet."""

from tests.integration.store.catalog import Catalog


def test_the_migrations_keep_every_rule(catalog: Catalog) -> None:
    assert catalog.findings("") == [[]]


_REVOKE = "revoke all on public.naked from anon, authenticated;"
_TABLE = f"create table public.naked (user_id uuid); {_REVOKE} alter table public.naked enable row level security;"
_POLICY = f"{_TABLE} create policy own on public.naked"

_BROKEN = {
    "no row-level security": f"create table public.naked (id int); {_REVOKE}",
    "not a security_invoker view": f"create view public.naked as select 1 as id; {_REVOKE}",
    "anonymous users have a privilege": f"{_TABLE} grant select on public.naked to anon;",
    "auth function evaluated for every row": f"{_POLICY} for select to authenticated using (auth.uid() = user_id);",
    "not for one verb": f"{_POLICY} to authenticated using (true);",
    "not for authenticated users alone": f"{_POLICY} for select using (true);",
    "more than one policy for SELECT": f"{_POLICY} for select to authenticated using (true);"
    "create policy another on public.naked for select to authenticated using (false);",
    "security definer without an empty search_path": "create function private.naked() returns int"
    " language sql security definer as 'select 1';",
    "security definer in the exposed schema": "create function public.naked() returns int"
    " language sql security definer set search_path = '' as 'select 1';"
    "revoke execute on function public.naked() from public, anon;",
    "anonymous users may execute it": "create function public.naked() returns int language sql as 'select 1';",
}


def test_each_rule_is_seen_when_it_is_broken(catalog: Catalog) -> None:
    found = catalog.findings(*_BROKEN.values())
    assert [[fault for _, fault in findings] for findings in found] == [[fault] for fault in _BROKEN]
