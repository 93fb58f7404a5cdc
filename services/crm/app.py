"""Where the parts of the CRM meet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.bus.topology import CRM, DEAD_LETTERS, LEASES, OPERATORS, SUSPECTS, WORKFLOWS
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
from services.crm.imports.desk import ImportDesk
from services.crm.imports.worker import ImportWorker
from services.crm.links import Links
from services.crm.outbox import Outbox
from services.crm.scoring import points as scoring_points
from services.crm.scoring.desk import ScoringDesk
from services.crm.scoring.points import Points
from services.crm.segments import membership as segment_membership
from services.crm.segments.desk import SegmentDesk
from services.crm.segments.membership import Membership
from services.crm.settings import Settings
from services.crm.templates.desk import TemplateDesk
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
    await bus.ensure(CRM, WORKFLOWS, DEAD_LETTERS, LEASES, OPERATORS, SUSPECTS)
    secret_key = settings.supabase_secret_key.get_secret_value()
    async with await Database.connect(settings.supabase_url, secret_key) as database:
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
        forms, links = Forms(database), Links(secret_key, service.clock)
        care = FormCare(forms, outbox.nudge)
        campaigns = Campaigns(database)
        sending = CampaignWorker(bus, Steps(campaigns, service.clock, outbox.nudge))
        workflows, runs = Workflows(database), Runs(database)
        programs = Programs(runs)
        engine = Engine(runs, programs, outbox.nudge)
        triggers = Triggers(runs, programs, engine.nudge)
        schedules = Schedules(runs, programs, service.clock, engine.nudge)
        workflow_desk = WorkflowDesk(workflows, service.clock, engine.nudge)
        desks = (
            users,
            ContactDesk(contacts),
            FieldDesk(fields),
            PrivacyDesk(Privacy(database)),
            SegmentDesk(segments, contacts, fields, membership.changed),
            ScoringDesk(scoring, service.clock),
            ImportDesk(imports, fields, segments, importing.started),
            TemplateDesk(Templates(database), fields, settings.sender),
            CampaignDesk(campaigns, service.clock, sending.moved),
            FormDesk(forms, links, f"{settings.mail_public_url}/api/crm/public/confirmations/"),
            workflow_desk,
            RunDesk(runs, workflows, workflow_desk.compiled, service.clock, engine.nudge),
            HookDesk(runs, service.clock, engine.nudge),
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
        ]
        service.background(outbox.run(), "outbox")
        service.background(users.run(), "users")
        service.background(membership.run(), "segments")
        service.background(points.run(), "scores")
        service.background(importing.run(), "imports")
        service.background(care.run(), "forms")
        service.background(sending.run(), "campaigns")
        service.background(engine.run(), "workflows")
        service.background(schedules.run(), "schedules")
        yield
        await served.stop()
        await asyncio.gather(*(each.stop() for each in followed))
