"""Channels whose provider is spoken to over HTTP: text messages, push messages, and whatever else takes a post.

What a provider must do (docs/providers.md): take `POST {url}` with `Authorization: Bearer {token}` and a body of JSON
`{id, channel, to, title, text, contact}`; answer 2xx when it has taken the message, 4xx when it never will, 429 or 5xx
when it did not and may later. `id` is also in `Idempotency-Key`: a message of one id is delivered once. Where a secret
was agreed on, posts are signed as those to webhooks are.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from libs.contracts.clock import Clock
from libs.store.crm.mails import ClaimedMail
from services.crm.sending.channel import SENT, Outcome, Unwritable
from services.crm.sending.outside import NoAnswer, NotAllowed, Outside
from services.crm.sending.signature import signed_headers
from services.crm.templates.compiled import Compiled
from services.crm.templates.sample import data_of
from services.crm.templates.tags import BadTag, Missing

_LATER = (408, 425, 429)
_GONE = (404, 410)
"""Answers that say there is no such recipient."""
_LONGEST = 10_000
"""Characters of a text."""


class Provider:
    def __init__(
        self,
        channel: str,
        settings: Mapping[str, str],
        outside: Outside,
        sender: dict[str, str],
        clock: Clock,
    ) -> None:
        """`settings`: url, and perhaps token and secret."""
        self._channel = channel
        self._url = settings["url"]
        self._token = settings.get("token", "")
        self._secret = settings.get("secret", "")
        self._clock = clock
        self._outside = outside
        self._sender = sender

    def prepare(self, mail: ClaimedMail, compiled: Compiled) -> Callable[[], Awaitable[Outcome]]:
        """Raises Unwritable."""
        try:
            written = compiled.write(data_of(mail.contact, {}, self._sender, mail.data), subject=mail.subject)
        except Missing as error:
            raise Unwritable(f"missing: {error}") from error
        except BadTag as error:
            raise Unwritable(f"unwritable: {error}") from error
        contact = mail.contact
        message = {
            "id": str(mail.id),
            "channel": self._channel,
            "to": contact["phone"] if self._channel == "sms" else contact["id"],
            "title": written.subject,
            "text": written.text[:_LONGEST],
            "contact": {name: contact.get(name) for name in ("id", "email", "phone", "name", "locale")},
        }
        return partial(self._hand_over, message)

    async def close(self) -> None:
        pass

    async def _hand_over(self, message: dict[str, Any]) -> Outcome:
        try:
            status = await self.post(message)
        except NotAllowed as error:
            return Outcome("failed", f"not allowed: {error}")
        except NoAnswer as error:
            connected = not str(error).startswith("no connection")
            return Outcome("unknown" if connected else "retry", str(error), blameless=not connected)
        if 200 <= status < 300:
            return SENT
        said = f"answered {status}"
        if status >= 500 or status in _LATER:
            return Outcome("retry", said)
        return Outcome("failed", said, bounced=status in _GONE)

    async def post(self, message: dict[str, Any]) -> int:
        """The status of the answer. Raises NotAllowed, NoAnswer."""
        message_id, body = str(message["id"]), msgspec.json.encode(message)
        secrets = (self._secret,) if self._secret else ()
        headers = signed_headers(secrets, message_id, int(self._clock.now().timestamp()), body)
        headers["Idempotency-Key"] = message_id
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return (await self._outside.post(self._url, body, headers)).status
