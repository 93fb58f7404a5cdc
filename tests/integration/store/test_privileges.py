"""No verb on any table is open to anybody unless it is meant to be: by privilege, and by policy where a server grants
whole tables."""

from libs.contracts.ids import new_id
from tests.integration.store.catalog import Catalog
from tests.integration.supabase_server import Person, SupabaseServer

GRANTED = {
    ("admin_users", "SELECT"),
    ("admin_users.last_login_at", "UPDATE"),
    ("available_assets", "SELECT"),
    ("bot_control", "SELECT"),
    ("bot_status", "SELECT"),
    ("profiles", "SELECT"),
    ("profiles.avatar_url", "UPDATE"),
    ("profiles.broker_user_id", "UPDATE"),
    ("profiles.full_name", "UPDATE"),
    ("profiles.phone", "UPDATE"),
    ("scanner_performance", "SELECT"),
    ("trade_history", "DELETE"),
    ("trade_history", "SELECT"),
    ("trades_history", "SELECT"),
}
"""To users who are logged in."""

PRIVILEGES = """
with granted as (
  select c.relname::text as name, acl.grantee, acl.privilege_type::text as privilege
  from pg_class c, aclexplode(c.relacl) acl where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
  union all
  select c.relname || '.' || a.attname, acl.grantee, acl.privilege_type
  from pg_class c join pg_attribute a on a.attrelid = c.oid, aclexplode(a.attacl) acl
  where c.relnamespace = 'public'::regnamespace
)
select name, privilege, case grantee when 0 then 'public' else pg_get_userbyid(grantee) end as role
from granted where grantee in (0, 'anon'::regrole, 'authenticated'::regrole)
"""


def test_users_have_the_privileges_that_are_meant_and_no_others(catalog: Catalog) -> None:
    [rows] = catalog.ask(("", PRIVILEGES))
    assert {row["role"] for row in rows} == {"authenticated"}
    assert {(row["name"], row["privilege"]) for row in rows} == GRANTED


def rows_of(person: Person) -> dict[str, dict[str, object]]:
    """A row for every table: that person's, where a row can be somebody's."""
    mine: dict[str, object] = {"user_id": person.user}
    key = new_id()
    return {
        "admin_alerts": {"alert_type": "custom", "severity": "warning", "message": key},
        "admin_logs": {"level": "info", "origin": "api", "message": key},
        "admin_users": {**mine, "email": person.email, "role": "analyst"},
        "available_assets": {"asset_id": int(key[-7:], 16), "asset_name": key, "category": "forex", "ticker": "EURUSD"},
        "bot_configs": mine,
        "bot_control": {**mine, "command": "start"},
        "bot_status": mine,
        "broker_sessions": {**mine, "broker_user_id": "1"},
        "health_logs": {"service_name": key, "status": "healthy"},
        "profiles": mine,
        "scanner_performance": {"active_id": key, "ativo_nome": "EUR/USD", "timeframe": 60},
        "strategy_trades": {
            "active_id": key, "ativo_nome": "EUR/USD", "timeframe": 60, "signal_timestamp": "2026-11-24T00:00:00Z",
            "signal_direction": "CALL", "signal_price": 1,
        },
        "strategy_performance": {
            "strategy_id": key, "active_id": "1", "ativo_nome": "EUR/USD", "timeframe": 60, "total_wins": 1,
            "total_losses": 0, "total_ties": 0, "total_timeouts": 0, "last_signal": "2026-11-24T00:00:00Z",
        },
        "system_config": {"key": key, "value": 1},
        "trade_history": {
            **mine, "order_id": key, "account_type": "demo", "active_id": 1, "ativo_nome": "EURUSD",
            "direction": "call", "valor": 1, "expiration_seconds": 60, "status": "open",
            "data_abertura": "2026-11-24T00:00:00Z",
        },
        "user_activity_log": {**mine, "action": "test"},
        "user_sessions": mine,
        "webhook_logs": {},
        "webhooks": {"url": f"https://{key}.test"},
    }  # fmt: skip


def test_the_tables_of_the_crm_are_for_services_alone(catalog: Catalog) -> None:
    """They let no user in by any policy; that row-level security is on is a rule of every table."""
    of_the_crm = "from pg_policies where schemaname = 'public' and tablename ~ '^crm_'"
    assert catalog.ask(("", f"select tablename, policyname {of_the_crm}")) == [[]]


_SEEN_BY_EVERYBODY = {"available_assets", "scanner_performance"}
_SEEN_BY_THE_OWNER = {"admin_users", "bot_control", "bot_status", "profiles", "trade_history"}

_OLDER = {"created_at": "2000-01-01T00:00:00Z"}
_CHANGES: dict[str, dict[str, object]] = {
    "admin_users": {"role": "super_admin"},
    "available_assets": {"is_active": False},
    "bot_configs": {"ativo": "EURUSD"},
    "system_config": {"value": 2},
}
"""What everybody tries to change; of the other tables, how old the row is."""


async def test_a_row_is_seen_by_whom_it_is_meant_for_and_changed_by_nobody(
    catalog: Catalog, supabase_server: SupabaseServer, owner: Person, stranger: Person
) -> None:
    rows = rows_of(owner)
    [tables] = catalog.ask(("", "select tablename from pg_tables where schemaname = 'public' and tablename !~ '^crm_'"))
    assert set(rows) == {row["tablename"] for row in tables}, "a new table needs a row here"
    seen = set()
    for table in sorted(rows, reverse=True):  # webhooks before their logs
        row = await _insert(supabase_server, table, rows)
        key = "key" if table == "system_config" else "user_id" if "id" not in row else "id"
        path = f"/rest/v1/{table}?{key}=eq.{row[key]}"
        for name, person in (("owner", owner), ("stranger", stranger), ("anybody", None)):
            status, answer = await supabase_server.as_person(person, "GET", path)
            if status == 200 and answer:
                seen.add((table, name))
            _, answer = await supabase_server.as_person(person, "POST", f"/rest/v1/{table}", rows[table])
            assert answer["code"] == "42501", f"{name} may insert into {table}"
            await supabase_server.as_person(person, "PATCH", path, _CHANGES.get(table, _OLDER))
            await supabase_server.as_person(person, "DELETE", path)
            assert await supabase_server.as_service("GET", path) == [row], f"{table} was changed by {name}"
    assert seen == {(table, "owner") for table in _SEEN_BY_THE_OWNER | _SEEN_BY_EVERYBODY} | {
        (table, "stranger") for table in _SEEN_BY_EVERYBODY
    }


async def _insert(server: SupabaseServer, table: str, rows: dict[str, dict[str, object]]) -> dict[str, object]:
    """The row as it stands in the table."""
    if table == "profiles":
        [row] = await server.as_service("GET", f"/rest/v1/profiles?user_id=eq.{rows[table]['user_id']}")
    else:
        [row] = await server.as_service("POST", f"/rest/v1/{table}", rows[table])
    if table == "webhooks":
        rows["webhook_logs"]["webhook_id"] = row["id"]
    found: dict[str, object] = row
    return found
