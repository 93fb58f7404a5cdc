"""The sinks that are set."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import aiohttp

from libs.bus import Bus, Consumer
from libs.bus.topology import ALERTS
from libs.contracts.alerts import Severity
from services.analytics.sinks.mail import Mail
from services.analytics.sinks.settings import SinkSettings
from services.analytics.sinks.sink import BACKOFF, Delivering, Sink
from services.analytics.sinks.webhook import Webhook

WEBHOOK = Consumer(ALERTS.name, "analytics-webhook", batch=1, backoff=BACKOFF)
"""One at a time: what was taken is not posted again because another was not."""
MAIL = Consumer(ALERTS.name, "analytics-mail", batch=50, linger=2.0, backoff=BACKOFF)


@asynccontextmanager
async def sending(settings: SinkSettings, bus: Bus) -> AsyncIterator[tuple[Sink, ...]]:
    """Which; they are told of alerts until it is left; what was stored meanwhile they are told then."""
    sinks: list[Sink] = []
    async with AsyncExitStack() as stack:

        async def tell(sink: Sink, consumer: Consumer, least: Severity) -> None:
            oldest = timedelta(hours=settings.alert_sink_hours)
            consumption = await bus.consume(consumer, Delivering(sink, least, oldest, bus.clock).deliver)
            stack.push_async_callback(consumption.stop)
            sinks.append(sink)

        if settings.alert_webhook_url is not None and settings.alert_webhook_secret is not None:
            http = await stack.enter_async_context(aiohttp.ClientSession())
            secret = settings.alert_webhook_secret.get_secret_value()
            webhook = Webhook(http, settings.alert_webhook_url, secret, bus.clock)
            await tell(webhook, WEBHOOK, settings.alert_webhook_severity)
        if settings.smtp_host is not None:
            await tell(Mail(settings, bus.clock), MAIL, settings.alert_mail_severity)
        yield tuple(sinks)
