"""How bots and sessions are right now."""

from dataclasses import dataclass
from typing import Self

from libs.bus import Bus, Mirror
from libs.bus.topology import ACCOUNTS, BOTS
from libs.contracts import keys
from libs.contracts.account import SessionStatus
from libs.contracts.bots import BotStatus


@dataclass(frozen=True, slots=True)
class Live:
    bots: Mirror[BotStatus]
    sessions: Mirror[SessionStatus]

    @classmethod
    async def follow(cls, bus: Bus) -> Self:
        """Until the bus is closed."""
        return cls(
            bots=await bus.mirror(BOTS, keys.bot_status(keys.EVERY_BOT), BotStatus),
            sessions=await bus.mirror(ACCOUNTS, keys.session("*"), SessionStatus),
        )
