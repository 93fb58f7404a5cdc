"""Where the parts of the CRM meet."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from libs.bus.topology import CRM, CRM_SEEN, DEAD_LETTERS, LEASES, NOTICES, OPERATORS, SUSPECTS, WORKFLOWS
from libs.contracts.clock import Clock
from libs.service import Service
from libs.store import Database
from libs.store.crm.seals import Seals
from services.crm.answering import Answers, answering
from services.crm.campaigns.desk import CampaignDesk
from services.crm.contacts.desk import ContactDesk
from services.crm.contacts.fields import FieldDesk
from services.crm.contacts.privacy import PrivacyDesk
from services.crm.forms.desk import FormDesk
from services.crm.forms.links import Confirmations
from services.crm.imports.desk import ImportDesk
from services.crm.keys import Keys
from services.crm.outbox import Outbox
from services.crm.scoring.desk import ScoringDesk
from services.crm.sealing import Sealing
from services.crm.segments.desk import SegmentDesk
from services.crm.sending.sending import Sending, sending
from services.crm.settings import Settings
from services.crm.stores import Stores
from services.crm.templates.desk import TemplateDesk
from services.crm.tracking.bounces import Bounces, listening
from services.crm.workers import Workers
from services.crm.workflows.desk import WorkflowDesk
from services.crm.workflows.hook_secrets import HookSecrets
from services.crm.workflows.hooks import HookDesk
from services.crm.workflows.letters import Letters
from services.crm.workflows.runs import RunDesk


@asynccontextmanager
async def app(settings: Settings, service: Service) -> AsyncIterator[None]:
    bus, secret_key = service.bus, settings.supabase_secret_key.get_secret_value()
    await bus.ensure(CRM, CRM_SEEN, NOTICES, WORKFLOWS, DEAD_LETTERS, LEASES, OPERATORS, SUSPECTS)
    async with await Database.connect(settings.supabase_url, secret_key) as database:
        service.health.add("database", database.reachable)
        stores = Stores.over(database)
        outbox = Outbox(bus, stores.outbox)
        service.health.add("outbox", outbox.flowing)
        workers = Workers.over(bus, stores, service.clock, outbox)
        async with sending(settings, secret_key, bus, database, outbox) as sender:
            keys = Keys(settings.secrets(secret_key))
            hook_secrets = HookSecrets(stores.workflows, keys)
            service.background(Sealing(Seals(database), keys).run(), "seals")
            confirmations = Confirmations(keys, service.clock)
            answers = _answers(settings, stores, workers, sender, hook_secrets, confirmations, service.clock, outbox)
            served = await bus.serve("crm", answers)
            async with workers.following(bus, sender):
                workers.work(service, outbox, sender)
                async with _returns(settings, sender.bounces):
                    yield
                await served.stop()


def _answers(
    settings: Settings,
    stores: Stores,
    workers: Workers,
    sender: Sending,
    hook_secrets: HookSecrets,
    confirmations: Confirmations,
    clock: Clock,
    outbox: Outbox,
) -> Answers:
    engine = workers.engine
    workflow_desk = WorkflowDesk(stores.workflows, hook_secrets, clock, engine.nudge)
    letters = Letters(stores.templates, stores.privacy, settings.sender)
    confirmed_at = f"{settings.mail_public_url.rstrip('/')}/api/crm/public/confirmations/"
    desks = (
        workers.users,
        ContactDesk(stores.contacts),
        FieldDesk(stores.fields),
        PrivacyDesk(stores.privacy),
        SegmentDesk(stores.segments, stores.contacts, stores.fields, workers.membership.changed),
        ScoringDesk(stores.scoring, clock),
        ImportDesk(stores.imports, stores.fields, stores.segments, workers.importing.started),
        TemplateDesk(stores.templates, stores.fields, settings.sender, sender.trials),
        CampaignDesk(stores.campaigns, clock, workers.campaigning.moved),
        FormDesk(stores.forms, confirmations, confirmed_at, settings.captcha),
        workflow_desk,
        RunDesk(stores.runs, stores.workflows, workflow_desk.compiled, letters, clock, engine.nudge),
        HookDesk(stores.runs, hook_secrets, clock, engine.nudge),
        *sender.desks,
    )
    answers: Answers = {}
    for desk in desks:
        answers |= answering(desk.endpoints(), outbox.nudge)
    return answers


def _returns(settings: Settings, bounces: Bounces) -> AbstractAsyncContextManager[None]:
    """What comes back is listened for where there is an address that it comes back to."""
    if not settings.mail_bounce_domain:
        return nullcontext()
    return listening(bounces, settings.mail_bounce_host, settings.mail_bounce_port)
