"""Forms: made by administrators, sent by anybody, confirmed by who owns the address."""

from libs.bus import Bus
from libs.contracts.codec import Message
from libs.contracts.crm import forms as rpc
from libs.contracts.crm.common import Gone, ListQuery, Of
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm.shape import Done, Handlers, Listed, change, done, listed, of_by, read, told
from services.socket_edge.dispatch import Call, Handler
from services.socket_edge.errors import ApiError
from services.socket_edge.html_page import Page
from services.socket_edge.requests import Nothing
from services.socket_edge.responses import Success
from services.socket_edge.route import Access, Rate, Route


class Thanks(Success, frozen=True, kw_only=True):
    message: str


class OfToken(Message, frozen=True, kw_only=True):
    token: rpc.Token


_ONE = "forms/{id}"
FORMS = read("forms", "Forms", ListQuery, Listed[rpc.Form])
CREATE = change("POST", "forms", "Make a form", Nothing, rpc.NewForm, Done[rpc.Form])
FORM = read(_ONE, "A form", Of, Data[rpc.Form])
REPLACE = change("PUT", _ONE, "Change a form", Of, rpc.FormChange, Done[rpc.Form])
CHANGE = change("PATCH", _ONE, "Change a form", Of, rpc.FormChange, Done[rpc.Form])
DROP = change("DELETE", _ONE, "Drop a form, and what was sent with it", Of, Nothing, Done[Gone])
SUBMISSIONS = read(
    f"{_ONE}/submissions", "What was sent, the newest first", rpc.SubmissionsQuery, Listed[rpc.Submission]
)

_PUBLIC = "/api/crm/public/forms/{id}"
SHOW = Route("GET", _PUBLIC, "What a page needs to show a form", Of, Nothing, (Data[rpc.PublicForm],), Access.PUBLIC)
SUBMIT = Route(
    "POST", f"{_PUBLIC}/submissions", "Send a form; nothing comes of it until the address is confirmed", Of, rpc.Filled,
    (Thanks,), Access.PUBLIC, Rate.COSTLY,
)  # fmt: skip
_CONFIRMATION = "/api/crm/public/confirmations/{token}"
ASK = Route(
    "GET", _CONFIRMATION, "Where a mail leads: the page that asks to confirm, which changes nothing", OfToken, Nothing,
    (bytes,), Access.PUBLIC, files=("text/html",),
)  # fmt: skip
CONFIRM = Route(
    "POST", _CONFIRMATION, "Confirm an address; answers a page", OfToken, Nothing, (bytes,), Access.PUBLIC, Rate.WRITE,
    files=("text/html",),
)  # fmt: skip

_ASKED = Page("Please confirm", "Do you want to get mails from us at this address?", "Yes, I do")
_PAGES = {
    "done": Page("Thank you", "Your address is confirmed."),
    "expired": Page("Too late", "This link is no longer good. Please fill in the form once more."),
    "not_found": Page("Sorry", "This link is not good, or no longer. Please fill in the form once more."),
}


def handlers(bus: Bus) -> Handlers:
    def created(call: Call[Nothing, rpc.NewForm]) -> rpc.CreateForm:
        return rpc.CreateForm(by=call.user, form=call.body)

    def changed(call: Call[Of, rpc.FormChange]) -> rpc.ChangeForm:
        return rpc.ChangeForm(by=call.user, id=call.query.id, change=call.body)

    return {
        FORMS: listed(bus, rpc.FORMS),
        CREATE: done(bus, rpc.CREATE_FORM, created, "Form created"),
        FORM: told(bus, rpc.FORM),
        REPLACE: done(bus, rpc.CHANGE_FORM, changed, "Form changed"),
        CHANGE: done(bus, rpc.CHANGE_FORM, changed, "Form changed"),
        DROP: done(bus, rpc.DROP_FORM, of_by, "Form dropped"),
        SUBMISSIONS: listed(bus, rpc.SUBMISSIONS),
        SHOW: told(bus, rpc.PUBLIC_FORM),
        SUBMIT: _submit(bus),
        ASK: _ask,
        CONFIRM: _confirm(bus),
    }


async def _ask(_call: Call[OfToken, Nothing]) -> Page:
    return _ASKED


def _submit(bus: Bus) -> Handler:
    async def submit(call: Call[Of, rpc.Filled]) -> Thanks:
        wanted = rpc.SubmitForm(
            id=call.query.id, filled=call.body, origin=call.origin, address=call.address, agent=call.agent
        )
        submitted = await bus.call(rpc.SUBMIT_FORM, wanted)
        if submitted.foreign:
            raise ApiError(403, "CROSS_ORIGIN", "This form must not be sent from that page")
        return Thanks(message=submitted.message)

    return submit


def _confirm(bus: Bus) -> Handler:
    async def confirm(call: Call[OfToken, Nothing]) -> Page:
        wanted = rpc.ConfirmForm(token=call.query.token, address=call.address, agent=call.agent)
        return _PAGES[(await bus.call(rpc.CONFIRM_FORM, wanted)).outcome]

    return confirm
