"""How what sends is put together."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from libs.bus import Bus
from libs.store import Database
from libs.store.crm.integrations import Integrations
from libs.store.crm.mails import Mails
from libs.store.crm.templates import Templates
from libs.store.crm.tracking import Tracking
from libs.store.crm.webhooks import Webhooks
from services.crm.integrations.channels import Channels
from services.crm.integrations.desk import IntegrationDesk
from services.crm.integrations.webhooks import WebhookDesk
from services.crm.keys import Keys
from services.crm.outbox import Outbox
from services.crm.sending.dkim import Signer
from services.crm.sending.letter import Writer
from services.crm.sending.mails import MailSender
from services.crm.sending.outside import Outside
from services.crm.sending.settings import SendingSettings
from services.crm.sending.smtp import Server
from services.crm.sending.webhooks import WebhookSender
from services.crm.templates.trial import Trials
from services.crm.templates.versions import Versions
from services.crm.tracking.bounces import Bounces
from services.crm.tracking.desk import TrackingDesk
from services.crm.tracking.events import EventDesk
from services.crm.tracking.links import Links
from services.crm.tracking.seen import Seen


@dataclass(frozen=True, slots=True)
class Sending:
    desks: tuple[IntegrationDesk | WebhookDesk | TrackingDesk | EventDesk, ...]
    mails: MailSender
    webhooks: WebhookSender
    seen: Seen
    bounces: Bounces
    trials: Trials


@asynccontextmanager
async def sending(
    settings: SendingSettings, secret: str, bus: Bus, database: Database, outbox: Outbox
) -> AsyncIterator[Sending]:
    """`secret`: what keys are made of where none are set. Raises CannotStart."""
    clock, keys, own = bus.clock, Keys(settings.secrets(secret)), _server(settings)
    links = Links(keys, settings.mail_public_url, settings.mail_bounce_domain)
    writer = Writer(settings.sender, links, _signer(settings), clock)
    integrations, webhooks, tracking = Integrations(database), Webhooks(database), Tracking(database)
    versions = Versions(Templates(database))
    outside = Outside(private=settings.crm_private_targets)
    channels = Channels(integrations, keys, outside, writer, own, settings.mail_connections, settings.mail_rate, clock)
    chance = random.Random()  # noqa: S311 - so that retries do not come together
    try:
        yield Sending(
            desks=(
                IntegrationDesk(integrations, channels, keys, outside, own, private=settings.crm_private_targets),
                WebhookDesk(webhooks, keys, outside, clock),
                TrackingDesk(bus, tracking, versions, links, settings.sender, settings.home),
                EventDesk(tracking, settings.events_secret, clock, outbox.nudge),
            ),
            mails=MailSender(
                Mails(database), versions, channels.current, clock, outbox.nudge, settings.mail_pace,
                settings.mail_connections,
            ),
            webhooks=WebhookSender(webhooks, outside, keys, bus, chance),
            seen=Seen(tracking, outbox.nudge),
            bounces=Bounces(tracking, links, outbox.nudge),
            trials=Trials(integrations, channels.current, writer),
        )  # fmt: skip
    finally:
        await channels.close()
        await outside.close()


def _server(settings: SendingSettings) -> Server | None:
    if settings.mail_smtp_host is None:
        return None
    password = settings.mail_smtp_password
    return Server(
        settings.mail_smtp_host,
        settings.mail_smtp_port,
        settings.mail_smtp_security,
        settings.mail_smtp_user,
        password.get_secret_value() if password is not None else None,
    )


def _signer(settings: SendingSettings) -> Signer | None:
    if settings.mail_dkim_key_file is None:
        return None
    domain = settings.mail_sender_address.rpartition("@")[2]
    return Signer.of_file(domain, settings.mail_dkim_selector, settings.mail_dkim_key_file)
