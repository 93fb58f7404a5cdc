"""What users want of their bots: KV `desired`, `bot.{user}.{account_type}`."""

from typing import Any

import msgspec

from libs.bus import Bus, Entry, RevisionConflict
from libs.bus.topology import DESIRED
from libs.contracts import keys
from libs.contracts.bots import DesiredBot
from libs.contracts.ids import BotId

_TRIES = 5


class Desires:
    def __init__(self, bus: Bus) -> None:
        self._bucket = bus.bucket(DESIRED)

    async def get(self, bot: BotId) -> Entry[DesiredBot] | None:
        return await self._bucket.get(keys.desired_bot(bot), DesiredBot)

    async def start(self, desired: DesiredBot, known: Entry[DesiredBot] | None) -> None:
        """Raises RevisionConflict when somebody else wrote since `known` was read."""
        if known is None:
            await self._bucket.create(keys.desired_bot(desired.bot), desired)
        else:
            await self._bucket.update(keys.desired_bot(desired.bot), desired, known.revision)

    async def stop(self, bot: BotId, run: str, reason: str) -> DesiredBot | None:
        """End that run; what is wanted now: stopped, or whatever replaced the run meanwhile."""
        return await self.change(bot, run, running=False, reason=reason)

    async def change(self, bot: BotId, run: str, **changes: Any) -> DesiredBot | None:
        """Of a run that is to go on, fields of DesiredBot; what is wanted now, whatever it is."""
        for _ in range(_TRIES):
            known = await self.get(bot)
            if known is None or known.value.run != run or not known.value.running:
                return None if known is None else known.value
            changed = msgspec.structs.replace(known.value, **changes)
            try:
                await self._bucket.update(known.key, changed, known.revision)
            except RevisionConflict:
                continue
            return changed
        raise RevisionConflict(keys.desired_bot(bot), 0)
