"""Who is written to by workflows, and what."""

from typing import Any

from libs.contracts.ids import new_id
from tests.integration.crm.sending.rows import a_version
from tests.integration.crm.stack import CrmStack


async def a_template(crm: CrmStack) -> str:
    version = await a_version(crm.supabase)
    [row] = await crm.supabase.as_service("GET", f"/rest/v1/crm_email_template_versions?id=eq.{version}")
    return str(row["template_id"])


async def mails_of(crm: CrmStack, run: str) -> list[dict[str, Any]]:
    path = f"/rest/v1/crm_mail_out?run_id=eq.{run}&order=created_at"
    return list(await crm.supabase.as_service("GET", path))


async def a_reader(crm: CrmStack, name: str, subscribed: bool = True) -> str:
    """The id of one who has agreed to news; `name` is what the post office knows."""
    contact = await crm.contact(email=f"{name}@{new_id()[-8:]}.test")
    if subscribed:
        said = {"channel": "email", "topic": "news", "state": "subscribed", "how": "test"}
        await crm.ask("POST", f"contacts/{contact['id']}/consents", said)
    return str(contact["id"])
