"""Where mails lead: an image, links, and pages on which their readers unsubscribe. For anybody; what may be done is in
the link, which the CRM alone reads. No page has a script, and nothing but a POST changes anything."""

import html
from base64 import b64decode
from dataclasses import dataclass

from aiohttp import web

from libs.bus import Bus, BusError
from libs.contracts.crm import tracking as rpc
from libs.contracts.rpc import ErrorCode, RpcError
from services.socket_edge import wire
from services.socket_edge.errors import ApiError, invalid
from services.socket_edge.limits import Limits
from services.socket_edge.plain import FORM, HTML, Answer, Handler, Plain, signed
from services.socket_edge.route import Rate
from services.socket_edge.wire import JSON

_PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_MOST = 256 * 1024
"""Bytes of what who delivers posts."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>{title}</title>
<style>body{{font:16px/1.5 sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}}form{{margin:.5rem 0}}
button{{font:inherit;padding:.3rem 1rem}}</style></head><body><h1>{title}</h1>{body}</body></html>"""
_FORM = (
    '<form method="post">{said}<input type="hidden" name="topic" value="{topic}">'
    '<button name="subscribed" value="{wanted}">{button}</button></form>'
)

_SAID = {200: Answer("A page", HTML), 404: Answer("A page: it is no link of ours", HTML), 503: Answer("A page", HTML)}
OPENED = Plain("GET", "/m/o/{token}.gif", "The image of a mail, always", {200: Answer("An image", "image/gif")})
CLICKED = Plain("GET", "/m/c/{token}", "Where a link of a mail leads", {302: Answer("To where the template says")})
ASK = Plain("GET", "/m/u/{token}", "A page with a button; looking unsubscribes nobody", {200: Answer("A page", HTML)})
LEAVE = Plain("POST", "/m/u/{token}", "Unsubscribe from a mail's topic, with one click (RFC 8058)", _SAID)
PREFERENCES = Plain("GET", "/m/p/{token}", "A page: what a reader has agreed to", _SAID)
CHOOSE = Plain(
    "POST", "/m/p/{token}", "Agree to a topic, or no longer", _SAID, FORM,
    {"type": "object", "properties": {
        "topic": {"type": "string", "description": "By default that of the mail"},
        "subscribed": {"enum": ["yes", "no"], "default": "no"},
    }},
)  # fmt: skip
EVENTS = signed(
    "/m/events", "What became of mails, by who delivers them",
    {"type": "object", "required": ["events"], "properties": {"events": {
        "type": "array", "maxItems": 1000, "items": {
            "type": "object", "required": ["id", "type", "mail"], "properties": {
                "id": {"type": "string", "pattern": r"^[\x20-\x7e]{1,200}$"},
                "type": {"enum": ["delivered", "bounce", "complaint"]},
                "mail": {"type": "string", "maxLength": 300, "description": "Its Message-ID"},
                "hard": {"type": "boolean", "default": False, "description": "There is no such address"},
                "reason": {"type": "string", "maxLength": 2000},
            },
        },
    }}},
    {"type": "object", "properties": {"success": {"const": True}, "events": {"type": "integer"}}},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MailPages:
    bus: Bus
    limits: Limits
    home: str = "/"
    """Where links lead that are not ours."""

    def handlers(self) -> dict[Plain, Handler]:
        return {
            OPENED: self._pixel,
            CLICKED: self._link,
            ASK: self._ask,
            LEAVE: self._leave,
            PREFERENCES: self._preferences,
            CHOOSE: self._choose,
            EVENTS: self._events,
        }

    async def _pixel(self, request: web.Request) -> web.Response:
        """Always the image, whatever becomes of the rest."""
        try:
            await self._admit(request)
            await self.bus.call(rpc.OPENED, _looked(request))
        except (ApiError, RpcError, BusError):
            pass
        headers = {"Cache-Control": "no-store, private", "Cross-Origin-Resource-Policy": "cross-origin"}
        return web.Response(body=_PIXEL, content_type="image/gif", headers=headers)

    async def _link(self, request: web.Request) -> web.Response:
        """Nowhere but where the mail's template says."""
        await self._admit(request)
        try:
            target = (await self.bus.call(rpc.CLICKED, _looked(request))).url
        except (RpcError, BusError):
            target = self.home
        return web.Response(status=302, headers={"Location": target, "Cache-Control": "no-store, private"})

    async def _ask(self, request: web.Request) -> web.Response:
        """Mailboxes look at every link: looking unsubscribes nobody."""
        await self._admit(request)
        form = '<form method="post"><button>Unsubscribe</button></form>'
        return _page("Unsubscribe", f"<p>You will get no more mails of this kind.</p>{form}")

    async def _leave(self, request: web.Request) -> web.Response:
        """One click (RFC 8058): whatever the form says; no cookie, no log-in, no way round."""
        address = await self._admit(request)
        return await self._say(rpc.Choose(token=_token(request), one_click=True, address=address))

    async def _preferences(self, request: web.Request) -> web.Response:
        await self._admit(request)
        try:
            told = await self.bus.call(rpc.PREFERENCES, rpc.OfMail(token=_token(request)))
        except RpcError as error:
            return _refused(error)
        forms = "".join(
            _form(each, told.topic) for each in sorted(told.topics, key=lambda one: (one.topic == "*", one.topic))
        )
        return _page("Your mails", f"<p>What {html.escape(told.address) or 'you'} may be written of:</p>{forms}")

    async def _choose(self, request: web.Request) -> web.Response:
        address = await self._admit(request)
        try:
            form = await request.post()
        except (ValueError, LookupError) as error:
            raise invalid("The body is no form") from error
        topic, subscribed = str(form.get("topic", "")), form.get("subscribed") == "yes"
        return await self._say(
            rpc.Choose(
                token=_token(request), one_click=False, topic=topic or None, subscribed=subscribed, address=address
            )
        )

    async def _say(self, choice: rpc.Choose) -> web.Response:
        """Done only when it is written down."""
        try:
            await self.bus.call(rpc.CHOOSE, choice)
        except RpcError as error:
            return _refused(error)
        if choice.subscribed:
            return _page("Thank you", "<p>Your choice is noted.</p>")
        return _page("Unsubscribed", "<p>You will get no more of these mails.</p>")

    async def _events(self, request: web.Request) -> web.Response:
        """Of who delivers, signed."""
        await self._admit(request)
        headers = request.headers
        body = await request.content.read(_MOST + 1)
        if len(body) > _MOST or not request.content.at_eof():
            raise ApiError(413, "PAYLOAD_TOO_LARGE", f"More than {_MOST} bytes")
        told = rpc.MailEvents(
            id=headers.get("webhook-id", "")[:300],
            timestamp=headers.get("webhook-timestamp", "")[:30],
            signature=headers.get("webhook-signature", "")[:1000],
            body=body.decode(errors="replace"),
        )
        noted = await self.bus.call(rpc.MAIL_EVENTS, told)
        return web.Response(body=wire.encode({"success": True, "events": noted.events}), content_type=JSON)

    async def _admit(self, request: web.Request) -> str:
        """The client's address, which may be that of a mailbox provider who asks for all its users. Raises ApiError
        429."""
        address = self.limits.address(request)
        await self.limits.of_address(Rate.POLL, address)
        return address


def _token(request: web.Request) -> str:
    return request.match_info["token"][:200]


def _looked(request: web.Request) -> rpc.Looked:
    agent = request.headers.get("User-Agent", "")[:500]
    return rpc.Looked(token=_token(request), agent=agent, whole=request.method == "GET")


def _form(choice: rpc.TopicChoice, of_mail: str) -> str:
    named = "Everything" if choice.topic == "*" else choice.topic
    said = f"{html.escape(named)}{' (this mail)' if choice.topic == of_mail != '*' else ''}: "
    wanted, button = ("no", "Unsubscribe") if choice.subscribed or choice.topic == "*" else ("yes", "Subscribe")
    return _FORM.format(said=said, topic=html.escape(choice.topic), wanted=wanted, button=button)


def _refused(error: RpcError) -> web.Response:
    match error.code:
        case ErrorCode.NOT_FOUND | ErrorCode.INVALID_REQUEST:
            return _page("This link is not known", "<p>It may have been shortened on its way.</p>", 404)
        case _:
            return _page("Not now", "<p>Please try again in a minute.</p>", 503)


def _page(title: str, body: str, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        text=_PAGE.format(title=title, body=body),
        content_type="text/html",
        headers={"Content-Security-Policy": _POLICY},
    )
