"""Where the parts of the CRM meet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext

from libs.bus.topology import CRM, CRM_SEEN, DEAD_LETTERS, LEASES, NOTICES, OPERATORS, SUSPECTS, WORKFLOWS
from libs.service import Service
from libs.store import Database
from libs.store.crm.campaigns import Campaigns
from libs.store.crm.contacts import Contacts, CustomFields
from libs.store.crm.forms import Forms
from libs.store.crm.imports import Imports
from libs.store.crm.outbox import OutboxRows
from libs.store.crm.privacy import Privacy
from libs.store.crm.runs import Runs
from libs.store.crm.scoring import Scoring
from libs.store.crm.segments import Segments
from libs.store.crm.templates import Templates
from libs.store.crm.users import CrmUsers
from libs.store.crm.workflows import Workflows
from services.crm.answering import Answers, answering
from services.crm.campaigns.desk import CampaignDesk
from services.crm.campaigns.steps import Steps
from services.crm.campaigns.worker import CampaignWorker
from services.crm.contacts.desk import ContactDesk
from services.crm.contacts.fields import FieldDesk
from services.crm.contacts.privacy import PrivacyDesk
from services.crm.contacts.users import Users
from services.crm.forms.care import FormCare
from services.crm.forms.desk import FormDesk
from services.crm.forms.links import Confirmations
from services.crm.imports.desk import ImportDesk
from services.crm.imports.worker import ImportWorker
from services.crm.keys import Keys
from services.crm.outbox import Outbox
from services.crm.scoring import points as scoring_points
from services.crm.scoring.desk import ScoringDesk
from services.crm.scoring.points import Points
from services.crm.segments import membership as segment_membership
from services.crm.segments.desk import SegmentDesk
from services.crm.segments.membership import Membership
from services.crm.sending.sending import sending
from services.crm.settings import Settings
from services.crm.templates.desk import TemplateDesk
from services.crm.tracking import seen as tracking_seen
from services.crm.tracking.bounces import Bounces, listening
from services.crm.workflows import engine as workflow_engine
from services.crm.workflows import triggers as workflow_triggers
from services.crm.workflows.desk import WorkflowDesk
from services.crm.workflows.engine import Engine, Programs
from services.crm.workflows.hooks import HookDesk
from services.crm.workflows.runs import RunDesk
from services.crm.workflows.schedules import Schedules
from services.crm.workflows.triggers import Triggers


@asynccontextmanager
async def app(settings: Settings, service: Service) -> AsyncIterator[None]:
    bus = service.bus
    await bus.ensure(CRM, CRM_SEEN, NOTICES, WORKFLOWS, DEAD_LETTERS, LEASES, OPERATORS, SUSPECTS)
    secret_key = settings.supabase_secret_key.get_secret_value()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(await Database.connect(settings.supabase_url, secret_key))
        service.health.add("database", database.reachable)
        outbox = Outbox(bus, OutboxRows(database))
        service.health.add("outbox", outbox.flowing)
        users = Users(CrmUsers(database), service.clock, outbox.nudge)
        contacts, fields, segments = Contacts(database), CustomFields(database), Segments(database)
        membership = Membership(bus, segments, outbox.nudge)
        scoring = Scoring(database)
        points = Points(scoring, outbox.nudge)
        imports = Imports(database)
        importing = ImportWorker(bus, imports, fields, outbox.nudge)
        forms, confirmations = Forms(database), Confirmations(Keys(settings.secrets(secret_key)), service.clock)
        care = FormCare(forms, outbox.nudge)
        campaigns = Campaigns(database)
        workflows, runs = Workflows(database), Runs(database)
        programs = Programs(runs)
        engine = Engine(runs, programs, outbox.nudge)
        triggers = Triggers(runs, programs, engine.nudge)
        schedules = Schedules(runs, programs, service.clock, engine.nudge)
        workflow_desk = WorkflowDesk(workflows, service.clock, engine.nudge)
        campaigning = CampaignWorker(bus, Steps(campaigns, service.clock, outbox.nudge))
        sender = await stack.enter_async_context(sending(settings, secret_key, bus, database, outbox))
        desks = (
            users,
            ContactDesk(contacts),
            FieldDesk(fields),
            PrivacyDesk(Privacy(database)),
            SegmentDesk(segments, contacts, fields, membership.changed),
            ScoringDesk(scoring, service.clock),
            ImportDesk(imports, fields, segments, importing.started),
            TemplateDesk(Templates(database), fields, settings.sender, sender.trials),
            CampaignDesk(campaigns, service.clock, campaigning.moved),
            FormDesk(forms, confirmations, f"{settings.mail_public_url.rstrip('/')}/api/crm/public/confirmations/"),
            workflow_desk,
            RunDesk(runs, workflows, workflow_desk.compiled, service.clock, engine.nudge),
            HookDesk(runs, service.clock, engine.nudge),
            *sender.desks,
        )
        answers: Answers = {}
        for desk in desks:
            answers |= answering(desk.endpoints(), outbox.nudge)
        served = await bus.serve("crm", answers)
        followed = [
            await bus.consume(segment_membership.CONSUMER, membership.follow),
            await bus.consume(scoring_points.CONSUMER, points.follow),
            await bus.consume(workflow_triggers.CONSUMER, triggers.follow),
            await bus.consume(workflow_engine.CONSUMER, engine.follow),
            await bus.consume(tracking_seen.CONSUMER, sender.seen.follow),
        ]
        service.background(outbox.run(), "outbox")
        service.background(users.run(), "users")
        service.background(membership.run(), "segments")
        service.background(points.run(), "scores")
        service.background(importing.run(), "imports")
        service.background(care.run(), "forms")
        service.background(engine.run(), "workflows")
        service.background(schedules.run(), "schedules")
        service.background(campaigning.run(), "campaigns")
        service.background(sender.mails.run(), "mails")
        service.background(sender.webhooks.run(), "webhooks")
        async with _returns(settings, sender.bounces):
            yield
        await served.stop()
        await asyncio.gather(*(each.stop() for each in followed))


def _returns(settings: Settings, bounces: Bounces) -> AbstractAsyncContextManager[None]:
    """What comes back is listened for where there is an address that it comes back to."""
    if not settings.mail_bounce_domain:
        return nullcontext()
    return listening(bounces, settings.mail_bounce_host, settings.mail_bounce_port)
