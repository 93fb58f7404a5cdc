"""A bot's run, where it was: its score, and the orders that are not in it yet."""

from libs.contracts.bots import DesiredBot
from libs.contracts.orders import OrderRecord, OrderState
from libs.contracts.score import Score
from services.bot_runtime.desk import Desk
from services.bot_runtime.journal import Journal
from services.bot_runtime.policy import Policy
from services.bot_runtime.policy.scoring import passed
from services.bot_runtime.restore import RECORDS_LAPSE, begun
from services.bot_runtime.run import Run, order_id

_MOST_OPEN = 10
"""Orders that can be open at once."""


async def resume(desk: Desk, desired: DesiredBot, journal: Journal, policy: Policy) -> Run:
    """Raises RevisionConflict when the journal is not up to date, BusUnavailable."""
    now = desk.clock.now()
    score, silent_since = journal.score, journal.last_word or now
    if score is None or score.run != desired.run:
        score, silent_since = await begun(desk.bus, desired, policy, now), now
        await journal.count(score)
    records = await _uncounted(desk, desired.user, score)
    if not records and now - silent_since > RECORDS_LAPSE:
        # Orders may have been decided, settled and forgotten since: their ids must not be used again.
        for sequence in range(score.last + 1, score.last + 1 + _MOST_OPEN):
            score = passed(score, sequence, now)
        await journal.count(score)
    for record in records:
        if record.state is OrderState.REJECTED:
            # Whoever wrote it may not have come to tell it.
            await desk.orders.announce(record)
    return Run(score, records)


async def _uncounted(desk: Desk, user: str, score: Score) -> list[OrderRecord]:
    """The run's orders that are not in its score. Each was written down before the next was decided."""
    found: list[OrderRecord] = []
    sequence = score.sequence
    while True:
        sequence += 1
        if score.counts(sequence):
            continue
        record = await desk.orders.find(user, order_id(score.run, sequence))
        if record is None:
            return found
        found.append(record)
