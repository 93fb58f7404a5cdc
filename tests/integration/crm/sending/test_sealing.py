"""When keys are changed, what is stored is sealed with the new one, and the old one may go."""

from uuid import UUID

from libs.contracts.ids import new_id
from libs.store import Database
from libs.store.crm.seals import Seals
from libs.store.crm.workflows import Workflows
from services.crm.integrations import channels
from services.crm.keys import Keys
from services.crm.sealing import Sealing
from services.crm.sending import webhooks
from services.crm.workflows.hook_secrets import HookSecrets
from tests.integration.supabase_server import SupabaseServer

OLD, BOTH, NEW = Keys(["old"]), Keys(["new", "old"]), Keys(["new"])


async def test_all_is_sealed_anew(quiet_server: SupabaseServer) -> None:
    quiet = quiet_server
    first, second, third = (new_id() for _ in range(3))
    await quiet.as_service("POST", "/rest/v1/crm_integrations", {
        "id": "sms", "sealed": OLD.seal(channels.sealed_for("sms"), "a"), "settings_set": ["url"], "updated_by": "boss",
    })  # fmt: skip
    hook = {"name": "A", "url": "https://a.test/"}
    sealed = {name: OLD.seal(webhooks.sealed_for(first), name) for name in ("secret", "previous")}
    await quiet.as_service("POST", "/rest/v1/crm_webhooks", hook | sealed | {"id": first})
    lost = Keys(["lost"]).seal(webhooks.sealed_for(second), "x")
    await quiet.as_service("POST", "/rest/v1/crm_webhooks", hook | {"id": second, "secret": lost})
    workflow = {"name": "W", "workflow_definition": {}, "id": third, "hook_secret": "whsec_eA=="}
    await quiet.as_service("POST", "/rest/v1/crm_workflows", workflow)
    async with await Database.connect(quiet.url, quiet.secret_key) as database:
        seals = Seals(database)
        await Sealing(seals, BOTH).run()
        stored = {(seal.kind, seal.id): seal.sealed for seal in await seals.all()}
        assert NEW.open(channels.sealed_for("sms"), stored["integration", "sms"]) == "a"
        assert NEW.open(webhooks.sealed_for(first), stored["webhook", first]) == "secret"
        assert NEW.open(webhooks.sealed_for(first), stored["previous", first]) == "previous"
        assert stored["webhook", second] == lost, "nobody can read it"
        opened = HookSecrets(Workflows(database), NEW).opened(UUID(third), stored["hook", third])
        assert (opened, stored["hook", third][:3]) == ("whsec_eA==", "v1.")
        await Sealing(seals, BOTH).run()
        assert {(seal.kind, seal.id): seal.sealed for seal in await seals.all()} == stored, "once is enough"
