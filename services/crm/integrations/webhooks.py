"""Webhooks as administrators set them up, and what became of what was posted."""

import secrets
from base64 import b64encode
from typing import Any
from uuid import UUID

from msgspec import UnsetType, structs

from libs.contracts.admin import Rows
from libs.contracts.clock import Clock
from libs.contracts.crm import webhooks as rpc
from libs.contracts.crm.common import Gone, ListQuery, Of, OfBy
from libs.contracts.ids import new_id
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store.crm.webhooks import Webhooks
from services.crm.answering import Answer, not_found
from services.crm.keys import BadSeal, Keys
from services.crm.sending.outside import NoAnswer, NotAllowed, Outside
from services.crm.sending.webhooks import deliver, sealed_for

_BOTH = 86400.0
"""Seconds in which posts are signed with a new secret and the one before, so that a receiver can change over."""


class WebhookDesk:
    """Raises RpcError: NOT_FOUND, CONFLICT, INVALID_REQUEST."""

    def __init__(self, webhooks: Webhooks, keys: Keys, outside: Outside, clock: Clock) -> None:
        self._webhooks = webhooks
        self._keys = keys
        self._outside = outside
        self._clock = clock

    def endpoints(self) -> dict[Any, Answer]:
        return {
            rpc.WEBHOOKS: self.find,
            rpc.WEBHOOK: self.one,
            rpc.CREATE_WEBHOOK: self.create,
            rpc.CHANGE_WEBHOOK: self.change,
            rpc.RENEW_SECRET: self.renew,
            rpc.DROP_WEBHOOK: self.drop,
            rpc.TRY_WEBHOOK: self.attempt,
            rpc.POSTS: self.posts,
            rpc.REPLAY: self.replay,
        }

    async def find(self, query: ListQuery) -> Rows[rpc.Webhook]:
        sought = query.search.strip().lower()
        found = [one for one in await self._webhooks.all() if sought in one.name.lower()]
        return Rows(rows=tuple(found[query.offset : query.offset + query.limit]), total=len(found))

    async def one(self, query: Of) -> rpc.Webhook:
        webhook = await self._webhooks.one(query.id)
        if webhook is None:
            raise not_found("webhook")
        return webhook

    async def create(self, request: rpc.CreateWebhook) -> rpc.WebhookWithSecret:
        self._check(request.webhook.url)
        made_id, secret = UUID(new_id()), _new_secret()
        sealed = self._keys.seal(sealed_for(made_id), secret)
        made = await self._webhooks.create(made_id, request.webhook.name, request.webhook.url, sealed)
        return _with_secret(made, secret)

    async def change(self, request: rpc.ChangeWebhook) -> rpc.Webhook:
        given = structs.asdict(request.change).items()
        changes = {name: value for name, value in given if not isinstance(value, UnsetType)}
        if "url" in changes:
            self._check(changes["url"])
        if changes.get("state") == "active":
            changes["failing_since"] = None
        if not changes:
            return await self.one(Of(id=request.id))
        changed = await self._webhooks.change(request.id, changes)
        if changed is None:
            raise not_found("webhook")
        return changed

    async def renew(self, request: OfBy) -> rpc.WebhookWithSecret:
        secret = _new_secret()
        sealed = self._keys.seal(sealed_for(request.id), secret)
        if not await self._webhooks.renew(request.id, sealed, _BOTH, request.by):
            raise not_found("webhook")
        return _with_secret(await self.one(Of(id=request.id)), secret)

    async def drop(self, request: OfBy) -> Gone:
        dropped = await self._webhooks.drop(request.id, request.by)
        if dropped.outcome == "used":
            raise RpcError(ErrorCode.CONFLICT, f"It is used by {', '.join(dropped.users)}")
        if dropped.outcome != "done":
            raise not_found("webhook")
        return Gone(id=request.id)

    async def attempt(self, request: OfBy) -> rpc.Tried:
        """Posts something to it now."""
        known = await self._webhooks.sealed(request.id)
        if known is None:
            raise not_found("webhook")
        try:
            secret = self._keys.open(sealed_for(request.id), known.secret)
            status = await deliver(self._outside, self._clock, known.url, (secret,), new_id(), {"type": "test"})
        except (NotAllowed, NoAnswer) as error:
            return rpc.Tried(taken=False, message=str(error))
        except BadSeal:
            return rpc.Tried(taken=False, message="Its secret cannot be read: make a new one")
        return rpc.Tried(taken=200 <= status < 300, message=f"It answered {status}")

    async def posts(self, query: rpc.PostsQuery) -> Rows[rpc.Post]:
        page = await self._webhooks.posts(query)
        if page is None:
            raise not_found("webhook")
        return Rows(rows=page.rows, total=page.total)

    async def replay(self, request: rpc.Replay) -> Gone:
        """Once more, under its id."""
        if not await self._webhooks.replay(request.id, request.post):
            raise not_found("post")
        return Gone(id=request.post)

    def _check(self, url: str) -> None:
        try:
            self._outside.check(url)
        except NotAllowed as error:
            raise RpcError(ErrorCode.INVALID_REQUEST, f"`url`: {error}") from error


def _new_secret() -> str:
    return f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"


def _with_secret(webhook: rpc.Webhook, secret: str) -> rpc.WebhookWithSecret:
    return rpc.WebhookWithSecret(**structs.asdict(webhook), secret=secret)
