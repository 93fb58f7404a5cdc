"""What users had done, as a list that administrators read: what they want of their bots and of their session to the
broker. That is written once for each order, while what bots say of themselves is told all the time. While nobody reads,
the bucket keeps so many of each bot's and session's as its history is long."""

from datetime import UTC, datetime

from libs.bus import Consumer, Delivery, Poison, Unavailable
from libs.bus.topology import DESIRED
from libs.contracts import keys
from libs.contracts.account import DesiredSession
from libs.contracts.bots import DesiredBot
from libs.store import StoreRefused, StoreUnavailable
from libs.store.activity import BATCH, ActivityLog, Told

_BOT = keys.desired_bot("")

CONSUMER = Consumer(DESIRED.stream, "analytics-activity", batch=BATCH, linger=0.2)


class ActivityBook:
    def __init__(self, activity: ActivityLog) -> None:
        self._activity = activity

    async def record(self, batch: list[Delivery]) -> None:
        """Raises Poison for what nobody can read or is refused, Unavailable while the database is away."""
        told = [told_by(delivery) for delivery in batch if delivery.data]
        try:
            await self._activity.keep(told)
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error
        except StoreRefused as error:
            raise Poison(str(error)) from error


def told_by(delivery: Delivery) -> Told:
    """Raises Poison."""
    key = delivery.subject.removeprefix(f"$KV.{DESIRED.name}.")
    if key.startswith(_BOT):
        desired = delivery.decode(DesiredBot)
        user, action, details = desired.user, _wanted(desired), _details(desired)
    else:
        session = delivery.decode(DesiredSession)
        user, action, details = session.user, "connected" if session.connected else "disconnected", {}
    return Told(
        # The store may be lost, and numbers with it: so the time, too.
        event_id=f"{DESIRED.stream}.{delivery.sequence}.{delivery.at:.6f}",
        user_id=user,
        action=action,
        details=details,
        created_at=datetime.fromtimestamp(delivery.at, UTC),
    )


def _wanted(desired: DesiredBot) -> str:
    if not desired.running:
        return "bot_stopped"
    return "bot_paused" if desired.paused else "bot_run"


def _details(desired: DesiredBot) -> dict[str, str | None]:
    config = desired.config
    return {
        "run": desired.run,
        "account_type": config.account_type,
        "mode": config.mode,
        "strategy": config.strategy,
        "asset": config.asset,
        "amount": str(config.amount),
        "reason": desired.reason or None,
    }
