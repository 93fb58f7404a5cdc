"""What administrators did is written once."""

from typing import Any

import pytest

from tests.integration.store.catalog import Catalog
from tests.integration.supabase_server import SupabaseServer

TABLE = "/rest/v1/user_activity_log"


async def written(supabase: SupabaseServer) -> dict[str, Any]:
    user, actor = await supabase.sign_up(), await supabase.sign_up()
    row = {"user_id": user.user, "actor_id": actor.user, "action": "suspend", "details": {"reason": "fraud"}}
    [kept] = await supabase.as_service("POST", TABLE, row)
    return dict(kept)


@pytest.mark.parametrize(
    ("method", "change"),
    [
        ("PATCH", {"action": "nothing"}),
        ("PATCH", {"details": {}}),
        ("PATCH", {"created_at": "2020-01-01T00:00:00Z"}),
        ("PATCH", {"user_id": "00000000-0000-4000-8000-000000000000"}),
        ("PATCH", {"actor_id": None, "action": "nothing"}),
        ("DELETE", None),
    ],
)
async def test_not_even_the_services_key_changes_or_deletes_it(
    supabase_server: SupabaseServer, method: str, change: object
) -> None:
    kept = await written(supabase_server)
    path = f"{TABLE}?id=eq.{kept['id']}"
    status, _ = await supabase_server.request(method, path, change, {"apikey": supabase_server.secret_key})
    assert status >= 400
    assert await supabase_server.as_service("GET", path) == [kept]


DELETED = """
insert into auth.users (id, email) values
  ('00000000-0000-4000-8000-000000000001', 'user@x.test'), ('00000000-0000-4000-8000-000000000002', 'actor@x.test');
insert into public.user_activity_log (user_id, actor_id, action, details) values
  ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002', 'suspend', '{"reason": "fraud"}');
delete from auth.users where id = '00000000-0000-4000-8000-000000000001';
"""
LEFT = """
select user_id::text, action, details ->> 'reason' as reason from public.user_activity_log
where actor_id = '00000000-0000-4000-8000-000000000002'
"""


def test_of_a_user_who_is_deleted_the_name_goes_and_nothing_else(catalog: Catalog) -> None:
    assert catalog.ask((DELETED, LEFT)) == [[{"user_id": None, "action": "suspend", "reason": "fraud"}]]
