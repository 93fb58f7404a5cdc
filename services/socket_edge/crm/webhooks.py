"""Where things are posted to."""

from uuid import UUID

from libs.bus import Bus
from libs.contracts.crm import webhooks as rpc
from libs.contracts.crm.common import Gone, ListQuery, Of
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm.shape import Done, Handlers, Listed, change, done, listed, of_by, read, told
from services.socket_edge.dispatch import Call
from services.socket_edge.requests import Nothing
from services.socket_edge.route import Rate


class OfDelivery(Of, frozen=True, kw_only=True):
    delivery: UUID


_ONE = "webhooks/{id}"
WEBHOOKS = read("webhooks", "Webhooks", ListQuery, Listed[rpc.Webhook])
CREATE = change("POST", "webhooks", "Set one up", Nothing, rpc.NewWebhook, Done[rpc.WebhookWithSecret])
WEBHOOK = read(_ONE, "A webhook", Of, Data[rpc.Webhook])
CHANGE = change("PATCH", _ONE, "Change it, disable it, or let it take things again", Of, rpc.WebhookChange,
                Done[rpc.Webhook])  # fmt: skip
DROP = change("DELETE", _ONE, "Drop it", Of, Nothing, Done[Gone])
SECRET = change("POST", f"{_ONE}/secret", "Sign with a new secret", Of, Nothing, Done[rpc.WebhookWithSecret])
TRY = change("POST", f"{_ONE}/test", "Post something to it", Of, Nothing, Done[rpc.Tried], Rate.COSTLY)
POSTS = read(f"{_ONE}/deliveries", "What was posted to it, the newest first", rpc.PostsQuery, Listed[rpc.Post])
REPLAY = change("POST", f"{_ONE}/deliveries/{{delivery}}/replay", "Post it once more, under its id", OfDelivery,
                Nothing, Done[Gone])  # fmt: skip


def handlers(bus: Bus) -> Handlers:
    def created(call: Call[Nothing, rpc.NewWebhook]) -> rpc.CreateWebhook:
        return rpc.CreateWebhook(by=call.user, webhook=call.body)

    def changed(call: Call[Of, rpc.WebhookChange]) -> rpc.ChangeWebhook:
        return rpc.ChangeWebhook(by=call.user, id=call.query.id, change=call.body)

    def replayed(call: Call[OfDelivery, Nothing]) -> rpc.Replay:
        return rpc.Replay(by=call.user, id=call.query.id, post=call.query.delivery)

    return {
        WEBHOOKS: listed(bus, rpc.WEBHOOKS),
        CREATE: done(bus, rpc.CREATE_WEBHOOK, created, "Webhook set up"),
        WEBHOOK: told(bus, rpc.WEBHOOK),
        CHANGE: done(bus, rpc.CHANGE_WEBHOOK, changed, "Webhook changed"),
        DROP: done(bus, rpc.DROP_WEBHOOK, of_by, "Webhook dropped"),
        SECRET: done(bus, rpc.RENEW_SECRET, of_by, "A new secret: the old one is good for another day"),
        TRY: done(bus, rpc.TRY_WEBHOOK, of_by, "Tried"),
        POSTS: listed(bus, rpc.POSTS),
        REPLAY: done(bus, rpc.REPLAY, replayed, "It is posted once more"),
    }
