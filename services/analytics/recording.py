"""Everything that happens goes into the database: which consumer is whose."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.bus import Bus, Consumer
from libs.bus.consumer import BatchHandler
from services.analytics import activity, alerts, ledger, logs, signals, statuses, visits
from services.analytics.activity import ActivityBook
from services.analytics.alerts import AlertBook
from services.analytics.ledger import Ledger
from services.analytics.logs import LogBook
from services.analytics.signals import SignalBook
from services.analytics.statuses import Statuses
from services.analytics.stores import Stores
from services.analytics.visits import VisitBook


@asynccontextmanager
async def recording(bus: Bus, stores: Stores, users: Statuses, log_book: LogBook) -> AsyncIterator[None]:
    """Until it is left, which waits for what is in hand."""
    books: list[tuple[Consumer, BatchHandler]] = [
        (ledger.CONSUMER, Ledger(bus, stores.trades).record),
        (signals.CONSUMER, SignalBook(bus, stores.signals).record),
        *((consumer, users.follow) for consumer in statuses.CONSUMERS),
        (alerts.CONSUMER, AlertBook(bus, stores.alerts, log_book).record),
        (logs.FAILED_ORDERS, log_book.failed_orders),
        (logs.ADMINISTRATION, log_book.administration),
        (logs.SET_ASIDE, log_book.set_aside),
        (visits.CONSUMER, VisitBook(stores.visits).record),
        (activity.CONSUMER, ActivityBook(stores.activity).record),
    ]
    running = [await bus.consume(consumer, handler) for consumer, handler in books]
    yield
    await asyncio.gather(*(consumption.stop() for consumption in running))
