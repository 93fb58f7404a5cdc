"""What the CRM does by itself: follows events, and works off what has become due."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from libs.bus import Bus
from libs.contracts.clock import Clock
from libs.service import Service
from services.crm.campaigns.steps import Steps
from services.crm.campaigns.worker import CampaignWorker
from services.crm.contacts.users import Users
from services.crm.forms.care import FormCare
from services.crm.imports.worker import ImportWorker
from services.crm.outbox import Outbox
from services.crm.scoring import points as scoring_points
from services.crm.scoring.points import Points
from services.crm.segments import membership as segment_membership
from services.crm.segments.membership import Membership
from services.crm.sending.sending import Sending
from services.crm.stores import Stores
from services.crm.tracking import seen as tracking_seen
from services.crm.workflows import engine as workflow_engine
from services.crm.workflows import triggers as workflow_triggers
from services.crm.workflows.engine import Engine, Programs
from services.crm.workflows.schedules import Schedules
from services.crm.workflows.triggers import Triggers


@dataclass(frozen=True, slots=True)
class Workers:
    users: Users
    membership: Membership
    points: Points
    importing: ImportWorker
    care: FormCare
    engine: Engine
    triggers: Triggers
    schedules: Schedules
    campaigning: CampaignWorker

    @classmethod
    def over(cls, bus: Bus, stores: Stores, clock: Clock, outbox: Outbox) -> Self:
        told, programs = outbox.nudge, Programs(stores.runs)
        engine = Engine(stores.runs, programs, told)
        return cls(
            users=Users(stores.users, clock, told),
            membership=Membership(bus, stores.segments, told),
            points=Points(stores.scoring, told),
            importing=ImportWorker(bus, stores.imports, stores.fields, told),
            care=FormCare(stores.forms, told),
            engine=engine,
            triggers=Triggers(stores.runs, programs, engine.nudge),
            schedules=Schedules(stores.runs, programs, clock, engine.nudge),
            campaigning=CampaignWorker(bus, Steps(stores.campaigns, clock, told)),
        )

    @asynccontextmanager
    async def following(self, bus: Bus, sender: Sending) -> AsyncIterator[None]:
        """Events are followed meanwhile."""
        consumers = (
            await bus.consume(segment_membership.CONSUMER, self.membership.follow),
            await bus.consume(scoring_points.CONSUMER, self.points.follow),
            await bus.consume(workflow_triggers.CONSUMER, self.triggers.follow),
            await bus.consume(workflow_engine.CONSUMER, self.engine.follow),
            await bus.consume(tracking_seen.CONSUMER, sender.seen.follow),
        )
        yield
        for consumer in consumers:
            await consumer.stop()

    def work(self, service: Service, outbox: Outbox, sender: Sending) -> None:
        """In the background, until the process stops."""
        tasks: dict[str, Callable[[], Coroutine[object, object, None]]] = {
            "outbox": outbox.run,
            "users": self.users.run,
            "segments": self.membership.run,
            "scores": self.points.run,
            "imports": self.importing.run,
            "forms": self.care.run,
            "workflows": self.engine.run,
            "schedules": self.schedules.run,
            "campaigns": self.campaigning.run,
            "mails": sender.mails.run,
            "webhooks": sender.webhooks.run,
        }
        for name, run in tasks.items():
            service.background(run(), name)
