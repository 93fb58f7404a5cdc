"""A channel that nobody has set up."""

from collections.abc import Awaitable, Callable

from libs.store.crm.mails import ClaimedMail
from services.crm.sending.channel import Outcome, Unwritable
from services.crm.templates.compiled import Compiled


class Unconfigured:
    """What is sent by it fails, and says so."""

    def prepare(self, mail: ClaimedMail, compiled: Compiled) -> Callable[[], Awaitable[Outcome]]:  # noqa: ARG002
        """Raises Unwritable."""
        raise Unwritable("not_configured")

    async def close(self) -> None:
        pass
