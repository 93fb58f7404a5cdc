"""Consent, suppression, merging, and what becomes of a person's data."""

import csv
import hashlib
import io
from typing import Any

import pytest

from libs.contracts.ids import new_id
from tests.integration.crm.stack import CrmStack
from tests.integration.crm.workflows.drawn import a_workflow, ended, enrol, line
from tests.integration.edge.shapes import TIME, refusal
from tests.integration.postgres_server import PostgresServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOBODY = refusal("NOT_FOUND", "There is no such contact")
NEWS = {"channel": "email", "topic": "news", "state": "subscribed", "how": "on the telephone"}


async def may_send(crm: CrmStack, contact: str, topic: str = "news", kind: str = "marketing") -> object:
    """None, or why not."""
    arguments = {"contact": contact, "channel": "email", "topic": topic, "class": kind}
    answer: Any = await crm.database.call("crm_may_send", **arguments)
    return answer["refusal"]


async def test_consent_is_a_ledger(crm: CrmStack) -> None:
    contact = (await crm.contact())["id"]
    path = f"contacts/{contact}/consents"
    assert (await crm.ask("GET", path))["data"] == {"current": [], "history": []}
    assert await may_send(crm, contact) == "no_consent"
    assert await may_send(crm, contact, kind="transactional") is None
    given = (await crm.ask("POST", path, NEWS | {"text_version": "3"}))["data"]
    assert given["current"] == [
        {"id": given["current"][0]["id"], "channel": "email", "topic": "news", "state": "subscribed", "at": TIME,
         "how": "on the telephone", "text_version": "3", "ip": "127.0.0.1"},
    ]  # fmt: skip
    assert await may_send(crm, contact) is None
    assert await may_send(crm, contact, "offers") == "no_consent"
    await crm.ask("POST", path, NEWS)  # as it is: nothing is added
    await crm.ask("POST", path, NEWS | {"topic": "*", "state": "unsubscribed"})
    assert await may_send(crm, contact) == "unsubscribed"
    history = (await crm.ask("GET", path))["data"]["history"]
    assert [(one["topic"], one["state"]) for one in history] == [("*", "unsubscribed"), ("news", "subscribed")]
    assert len(await crm.until_told(contact, "unsubscribed")) == 1
    assert len(await crm.events(contact, "consent_changed")) == 2
    for field, value in (("channel", "fax"), ("topic", "A b"), ("state", "maybe"), ("how", "")):
        assert (await crm.ask("POST", path, NEWS | {field: value}, 400))["field"] == field
    assert await crm.ask("GET", f"contacts/{new_id()}/consents", status=404) == NOBODY
    assert await crm.ask("POST", f"contacts/{new_id()}/consents", NEWS, 404) == NOBODY


async def test_who_is_suppressed_is_never_written_to(crm: CrmStack) -> None:
    contact = await crm.contact()
    await crm.ask("POST", f"contacts/{contact['id']}/consents", NEWS)
    listed = {"channel": "email", "address": f" {contact['email'].upper()} ", "reason": "complaint"}
    answer = await crm.ask("POST", "suppressions", listed)
    hashed = hashlib.sha256(contact["email"].encode()).hexdigest()
    one = {"channel": "email", "address_hash": hashed, "reason": "complaint", "at": TIME}
    assert answer == {"success": True, "message": "Address suppressed", "data": one}
    for kind in ("marketing", "transactional"):
        assert await may_send(crm, contact["id"], kind=kind) == "suppressed"
    found = await crm.ask("GET", f"suppressions?channel=email&address={contact['email']}")
    assert (found["total"], found["data"]) == (1, [one])
    assert (await crm.ask("GET", "suppressions?limit=1"))["limit"] == 1
    lifted = await crm.ask("DELETE", f"suppressions/email/{hashed}")
    assert lifted["data"] == {"channel": "email", "hash": hashed}
    assert await may_send(crm, contact["id"]) is None
    assert (await crm.ask("DELETE", f"suppressions/email/{hashed}", status=404))["code"] == "NOT_FOUND"
    assert (await crm.ask("DELETE", "suppressions/email/1", status=400))["field"] == "hash"
    assert (await crm.ask("POST", "suppressions", {"channel": "email", "address": ""}, 400))["field"] == "address"


async def test_how_often_a_contact_is_written_to(crm: CrmStack) -> None:
    caps = {row["channel"]: row for row in (await crm.ask("GET", "frequency-caps"))["data"]}
    assert caps["email"]["per_day"] == 3
    cap = {"channel": "push", "per_day": 1, "per_week": 2}
    assert (await crm.ask("PUT", "frequency-caps", cap))["data"] == cap
    assert (await crm.ask("PUT", "frequency-caps", cap | {"per_day": -1}, 400))["field"] == "per_day"
    contact = (await crm.contact())["id"]
    await crm.ask("POST", f"contacts/{contact}/consents", NEWS)
    for number in range(3):
        assert await may_send(crm, contact) is None, number
        sent = {"contact_id": contact, "type": "mail_sent", "data": {"class": "marketing", "channel": "email"}}
        await crm.supabase.as_service("POST", "/rest/v1/crm_activities", sent)
    assert await may_send(crm, contact) == "frequency_cap"
    assert await may_send(crm, contact, kind="transactional") is None


async def test_two_contacts_become_one(crm: CrmStack) -> None:
    local = new_id()
    kept = await crm.contact(email=f"{local}@example.test", tags=["a"], score=3)
    gone = await crm.contact(
        email=f"{local}+shop@example.test", name="The Other", tags=["a", "b"], score=9, external_id=local
    )
    found = (await crm.ask("GET", "contact-duplicates?limit=200"))["data"]
    assert {"reason": "address", "ids": [kept["id"], gone["id"]]} in found
    for contact, state in ((kept, "subscribed"), (gone, "unsubscribed")):
        await crm.ask("POST", f"contacts/{contact['id']}/consents", NEWS | {"state": state})
    path = f"contacts/{kept['id']}/merge"
    merged = (await crm.ask("POST", path, {"other": gone["id"]}))["data"]
    assert (merged["id"], merged["name"], merged["tags"], merged["score"]) == (kept["id"], "The Other", ["a", "b"], 12)
    assert merged["external_id"] == local
    assert (await crm.ask("GET", f"contacts/{gone['id']}"))["data"] == merged
    assert await may_send(crm, gone["id"]) == "unsubscribed"
    timeline = (await crm.ask("GET", f"contacts/{gone['id']}/activities"))["data"]
    assert [row["type"] for row in timeline].count("contact_created") == 2
    [told] = await crm.until_told(kept["id"], "contact_merged")
    assert told.data == {"merged": gone["id"]}
    assert (await crm.ask("POST", path, {"other": kept["id"]}, 400))["field"] == "other"
    assert await crm.ask("POST", path, {"other": new_id()}, 404) == NOBODY
    assert (await crm.ask("POST", path, {"other": "7"}, 400))["field"] == "other"


async def told_as_a_file(crm: CrmStack, contact: str) -> None:
    await crm.ask("POST", f"contacts/{contact}/activities", {"type": "note", "text": "=1+1"})
    tables = (await crm.ask("POST", f"contacts/{contact}/personal-data"))["data"]["tables"]
    link = (await crm.ask("POST", f"contacts/{contact}/personal-data/file"))["data"]["link"]
    status, text, headers = await crm.edge.ask("GET", link, crm.boss)
    assert (status, headers["content-type"].partition(";")[0]) == (200, "text/csv")
    header, *lines = csv.reader(io.StringIO(text))
    assert header == ["table", "row", "column", "value"]
    assert {(table, row, column) for table, row, column, _ in lines} == {
        (table, str(number), column)
        for table, rows in tables.items()
        for number, row in enumerate(rows, 1)
        for column in row
    }
    assert not [value for *_, value in lines if value[:1] in ("=", "+", "@")]
    other = await crm.supabase.sign_up()
    await crm.supabase.appoint(other, "admin")
    for asked, person in ((link, other), (link.replace(contact, new_id()), crm.boss)):
        assert (await crm.edge.ask("GET", asked, person))[0] == 403
    audit = "/rest/v1/crm_audit?action=eq.exported"
    assert contact in str(await crm.supabase.as_service("GET", audit))


async def test_somebody_of_whom_much_is_known_is_told_all_of_it(crm: CrmStack) -> None:
    """More than fits a message: it comes page by page, and every row once."""
    contact = (await crm.contact())["id"]
    notes = [
        {"contact_id": contact, "type": "note", "data": {"text": f"{number} " + "é" * 3000}} for number in range(300)
    ]
    for begin in range(0, len(notes), 50):
        await crm.supabase.as_service("POST", "/rest/v1/crm_activities", notes[begin : begin + 50])
    workflow = await a_workflow(crm, line())
    [run] = await enrol(crm, workflow, contact)
    await ended(crm, workflow, run)
    tables = (await crm.ask("POST", f"contacts/{contact}/personal-data"))["data"]["tables"]
    told = sorted(int(row["data"]["text"].split()[0]) for row in tables["crm_activities"] if row["type"] == "note")
    assert told == [*range(300)]
    assert {row["node_id"] for row in tables["crm_workflow_steps"]} == {"begin", "end"}
    await told_as_a_file(crm, contact)


async def test_a_person_is_told_all_and_forgotten(crm: CrmStack) -> None:
    contact = await crm.contact(name="To Be Forgotten", tags=["secret-tag"], external_id=f"secret-{new_id()}")
    path = f"contacts/{contact['id']}"
    await crm.ask("POST", f"{path}/activities", {"type": "note", "text": "secret words"})
    await crm.ask("POST", f"{path}/consents", NEWS)
    tables = (await crm.ask("POST", f"{path}/personal-data"))["data"]["tables"]
    assert tables["crm_contacts"][0]["email"] == contact["email"]
    assert tables["crm_contacts"][0]["external_id"] == contact["external_id"]
    assert tables["crm_contact_tags"][0]["tag"] == "secret-tag"
    assert "secret words" in str(tables["crm_activities"])
    assert tables["crm_consents"][0]["ip"] == "127.0.0.1"
    await told_as_a_file(crm, contact["id"])
    await crm.ask("DELETE", path)
    assert await crm.ask("POST", f"{path}/personal-data", {}, 404) == NOBODY
    left = ""
    for table, column in (("crm_contacts", "id"), ("crm_activities", "contact_id"), ("crm_consents", "contact_id")):
        rows = await crm.supabase.as_service("GET", f"/rest/v1/{table}?{column}=eq.{contact['id']}")
        assert rows
        left += str(rows)
    for word in ("Forgotten", "secret", contact["email"], "127.0.0.1"):
        assert word not in left
    suppressed = await crm.ask("GET", f"suppressions?address={contact['email']}")
    assert [row["reason"] for row in suppressed["data"]] == ["erased"]
    again = await crm.contact(email=contact["email"])  # by hand: somebody may come back
    assert await may_send(crm, again["id"], kind="transactional") == "suppressed"


PERSONAL = """
    select c.relname, coalesce(known.erase is not null and known.merge is not null, false)
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'contact_id' and not a.attisdropped
    left join private.crm_personal_data known on known.table_name = c.relname
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"""


async def test_no_table_with_a_contact_is_forgotten(postgres: PostgresServer) -> None:
    """Add a row to private.crm_personal_data in the migration that makes the table."""
    tables = dict(line.split("\t") for line in postgres.ask(PERSONAL))
    assert {"crm_activities", "crm_consents", "crm_contact_tags", "crm_segment_members"} <= set(tables)
    assert [table for table, known in tables.items() if known != "t"] == []


async def test_every_table_is_erased_and_merged_by_a_statement_that_works(postgres: PostgresServer) -> None:
    made = "insert into public.crm_contacts (email) values (:'name' || '@erase.test') returning id"
    one, other = [postgres.ask(made, name=name)[0] for name in ("one", "other")]
    merge = "select public.crm_merge_contacts(:'one', :'other', 'boss') ->> 'outcome'"
    assert postgres.ask(merge, one=one, other=other) == ["done"]
    assert postgres.ask("select public.crm_erase_contact(:'other', 'boss')", other=other) == ["t"]


LOOKED_UP = """
    select c.relname from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'contact_id' and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not exists (
      select from pg_index i where i.indrelid = c.oid and i.indkey[0] = a.attnum
        and coalesce(pg_get_expr(i.indpred, i.indrelid), '') in ('', '(contact_id IS NOT NULL)')
    )"""


async def test_every_table_is_looked_up_by_contact(postgres: PostgresServer) -> None:
    """Who is exported, erased or merged is found in each without reading all of it."""
    assert postgres.ask(LOOKED_UP) == []


async def test_addresses_of_who_was_merged_are_suppressed_with_who_is_erased(postgres: PostgresServer) -> None:
    made = "insert into public.crm_contacts (email, phone) values (:'name' || '@Former.test', :'phone') returning id"
    phones = {"first": "+5511900000001", "second": "+5511900000002", "third": "+5511900000003"}
    first, second, third = [postgres.ask(made, name=name, phone=phone)[0] for name, phone in phones.items()]
    merge = "select public.crm_merge_contacts(:'one', :'other', 'boss') ->> 'outcome'"
    assert postgres.ask(merge, one=second, other=first) == ["done"]
    assert postgres.ask(merge, one=third, other=second) == ["done"]
    listed = """
        select reason from public.crm_suppressions
        where channel = :'channel' and address_hash = private.crm_address_hash(:'address')"""
    assert postgres.ask(listed, channel="email", address="first@former.test") == [], "nobody was erased yet"
    assert postgres.ask("select public.crm_erase_contact(:'one', 'boss')", one=third) == ["t"]
    for name, phone in phones.items():
        assert postgres.ask(listed, channel="email", address=f"{name}@former.test") == ["erased"], name
        assert postgres.ask(listed, channel="sms", address=phone) == ["erased"], name
    assert postgres.ask("select count(*) from public.crm_former_addresses where contact_id = :'one'", one=third) == [
        "0"
    ]


async def test_what_happened_is_only_ever_added_to(postgres: PostgresServer) -> None:
    contact = postgres.ask("insert into public.crm_contacts (email) values ('kept@x.test') returning id")[0]
    consent = "select private.crm_record_consent(:'contact', 'email', 'news', 'subscribed', 'test')"
    postgres.ask(consent, contact=contact)
    with pytest.raises(AssertionError, match="only ever added to"):
        postgres.ask("""
            insert into public.crm_audit (actor, action) values ('boss', 'exported');
            delete from public.crm_audit""")
    for table in ("crm_activities", "crm_consents"):
        with pytest.raises(AssertionError, match="only ever added to"):
            postgres.ask(
                "update public.:table set at = now() where contact_id = :'contact'", table=table, contact=contact
            )


TWO_OF_ONE = """
    insert into auth.users (id, email, raw_user_meta_data) values (gen_random_uuid(), 'gone@merge.test', '{}');
    select public.crm_apply_user_events(100);
    insert into public.crm_contacts (email) values ('kept@merge.test');
    insert into public.crm_trading_facts (contact_id, trades)
    select id, 7 from public.crm_contacts where email = 'kept@merge.test';
    update public.crm_trading_facts set trades = 12
    where contact_id = (select id from public.crm_contacts where email = 'gone@merge.test');
    insert into public.crm_scoring_rules (name, event, delta, repeatable)
    values ('each', 'mail_opened', 30, true), ('once', 'mail_opened', 5, false);
    select public.crm_score((
      select jsonb_agg(jsonb_build_object('id', gen_random_uuid(), 'type', 'mail_opened', 'contact_id', id))
      from public.crm_contacts where email like '%@merge.test'));
    insert into public.crm_email_templates (name) values ('merge');
    insert into public.crm_email_template_versions (template_id, number, ready, checksum)
    select id, 1, false, '' from public.crm_email_templates where name = 'merge';
    insert into public.crm_mail_out (key, contact_id, template_version_id, class, domain, campaign_id, state)
    select email, one.id, version.id, 'marketing', 'merge.test', '00000000-0000-4000-8000-000000000001', 'queued'
    from public.crm_contacts one, public.crm_email_template_versions version where email like '%@merge.test';
    select public.crm_merge_contacts(kept.id, gone.id, 'boss') ->> 'outcome'
    from public.crm_contacts kept, public.crm_contacts gone
    where kept.email = 'kept@merge.test' and gone.email = 'gone@merge.test'"""


async def test_nothing_of_one_person_counts_twice(postgres: PostgresServer) -> None:
    assert postgres.ask(TWO_OF_ONE)[-1] == "done"
    [one] = postgres.ask("select id from public.crm_contacts where email = 'kept@merge.test'")
    known = "select score, private.crm_score_of(id), user_id is not null from public.crm_contacts where id = :'one'"
    assert postgres.ask(known, one=one) == ["65\t65\tt"]
    told = "select data ->> 'threshold' from public.crm_activities where type = 'score_changed' order by number"
    assert postgres.ask(told)[-1] == "50"
    facts = "select trades from public.crm_trading_facts where contact_id = :'one'"
    assert postgres.ask(facts, one=one) == ["12"], "those of the one who trades"
    mails = "select state, error from public.crm_mail_out where contact_id = :'one' order by state"
    assert postgres.ask(mails, one=one) == ["queued\t", "skipped\tmerged"]
