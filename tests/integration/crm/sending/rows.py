"""Contacts, templates and queued mails, as tests of sending need them."""

import asyncio
from typing import Any

from libs.contracts.ids import new_id
from tests.integration.supabase_server import SupabaseServer

HTML = '<p>Hello {{contact.first_name | default:"you"}}, <a href="https://shop.example.test/a">look</a></p>'


async def a_contact(server: SupabaseServer, email: str = "", *, consent: str = "subscribed", **columns: object) -> str:
    """Its id; it has said what `consent` is to mails of every topic, if anything."""
    row = {"email": email or f"{new_id()}@{new_id()[-8:]}.test", **columns}
    [contact] = await server.as_service("POST", "/rest/v1/crm_contacts", row)
    if consent:
        said = {"contact_id": contact["id"], "channel": "email", "topic": "*", "state": consent, "how": "test"}
        await server.as_service("POST", "/rest/v1/crm_consents", said)
    return str(contact["id"])


async def a_version(server: SupabaseServer, html: str | None = HTML, **columns: object) -> str:
    """The id of the only version of a new template."""
    [template] = await server.as_service("POST", "/rest/v1/crm_email_templates", {"name": "A template"})
    row = {
        "template_id": template["id"], "number": 1, "subject": "Hello {{contact.first_name}}", "html": html,
        "ready": html is not None, "checksum": new_id(), **columns,
    }  # fmt: skip
    [version] = await server.as_service("POST", "/rest/v1/crm_email_template_versions", row)
    path = f"/rest/v1/crm_email_templates?id=eq.{template['id']}"
    await server.as_service("PATCH", path, {"version_id": version["id"]})
    return str(version["id"])


async def queue_mail(server: SupabaseServer, contact: str, version: str, key: str = "", **arguments: object) -> str:
    told: dict[str, object] = {
        "key": key or new_id(), "contact": contact, "template_version": version, "class": "marketing", "topic": "*",
        "campaign": None, "run": None, "data": {},
    }  # fmt: skip
    return str(await server.as_service("POST", "/rest/v1/rpc/crm_queue_mail", told | arguments))


async def mail(server: SupabaseServer, id: str) -> dict[str, Any]:
    [row] = await server.as_service("GET", f"/rest/v1/crm_mail_out?id=eq.{id}")
    found: dict[str, Any] = row
    return found


async def state(server: SupabaseServer, queued: str, wanted: str, **columns: object) -> None:
    """Until it is so, and the other columns as they are said to be."""
    async with asyncio.timeout(20):
        while True:
            row = await mail(server, queued)
            if row["state"] == wanted and all(row[name] == value for name, value in columns.items()):
                return
            await asyncio.sleep(0.05)


async def activities(server: SupabaseServer, contact: str, type_: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await server.as_service(
        "GET", f"/rest/v1/crm_activities?contact_id=eq.{contact}&type=eq.{type_}"
    )
    return rows
