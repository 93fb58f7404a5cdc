"""Forms as administrators make them and strangers send them."""

from typing import Any
from uuid import UUID

import msgspec

from libs.contracts.admin import Rows
from libs.contracts.crm import forms as rpc
from libs.contracts.crm.common import Gone, ListQuery, Of, OfBy
from libs.contracts.ids import new_id
from libs.contracts.rpc import ErrorCode, RpcError
from libs.store.crm.forms import FormOutcome, Forms, Sent
from services.crm.answering import Answer, not_found
from services.crm.forms.captcha import Captcha
from services.crm.forms.links import BadLink, Confirmations

_LIFETIME = 7 * 86400.0
"""Seconds in which an address can be confirmed."""
_AGENT = 300
"""Characters of what a browser calls itself that are kept."""


class FormDesk:
    """Raises RpcError: NOT_FOUND, CONFLICT, INVALID_REQUEST, UNAVAILABLE."""

    def __init__(self, forms: Forms, links: Confirmations, confirm_at: str, captcha: Captcha) -> None:
        """`confirm_at`: where addresses are confirmed; the token is what follows."""
        self._forms = forms
        self._links = links
        self._confirm_at = confirm_at
        self._captcha = captcha

    def endpoints(self) -> dict[Any, Answer]:
        return {
            rpc.FORMS: self.find,
            rpc.FORM: self.one,
            rpc.CREATE_FORM: self.create,
            rpc.CHANGE_FORM: self.change,
            rpc.DROP_FORM: self.drop,
            rpc.SUBMISSIONS: self.submissions,
            rpc.PUBLIC_FORM: self.show,
            rpc.SUBMIT_FORM: self.submit,
            rpc.CONFIRM_FORM: self.confirm,
        }

    async def find(self, query: ListQuery) -> Rows[rpc.Form]:
        """The newest first."""
        page = await self._forms.find(query.search, query.limit, query.offset)
        return Rows(rows=page.rows, total=page.total)

    async def one(self, query: Of) -> rpc.Form:
        form = await self._forms.one(query.id)
        if form is None:
            raise not_found("form")
        return form

    async def create(self, request: rpc.CreateForm) -> rpc.Form:
        return _form_of(await self._forms.save(None, msgspec.to_builtins(request.form)))

    async def change(self, request: rpc.ChangeForm) -> rpc.Form:
        given = msgspec.to_builtins(request.change)
        return _form_of(await self._forms.save(request.id, given, given.pop("version")))

    async def drop(self, request: OfBy) -> Gone:
        if not await self._forms.drop(request.id, request.by):
            raise not_found("form")
        return Gone(id=request.id)

    async def submissions(self, query: rpc.SubmissionsQuery) -> Rows[rpc.Submission]:
        page = await self._forms.submissions(query)
        if page is None:
            raise not_found("form")
        return Rows(rows=page.rows, total=page.total)

    async def show(self, query: Of) -> rpc.PublicForm:
        form = await self.one(query)
        if not form.active:
            raise not_found("form")
        return rpc.PublicForm(
            id=form.id, fields=form.fields, consent_text=form.consent_text, text_version=form.text_version,
            captcha=self._captcha.site_key if self._captcha.url else "",
        )  # fmt: skip

    async def submit(self, request: rpc.SubmitForm) -> rpc.Submitted:
        form = await self.show(Of(id=request.id))
        if request.filled.website:
            return rpc.Submitted(message=(await self.one(Of(id=form.id))).thanks)
        await self._captcha.check(request.filled.captcha, request.address)
        submission = UUID(new_id())
        taken = await self._forms.submit(Sent(
            id=submission, form=form.id, email=request.filled.email, fields=request.filled.fields,
            origin=request.origin, ip=request.address, agent=request.agent[:_AGENT],
            confirm_at=self._confirm_at + self._links.token(submission, _LIFETIME), lifetime=_LIFETIME,
        ))  # fmt: skip
        match taken.outcome:
            case "not_found":
                raise not_found("form")
            case "invalid":
                raise RpcError(ErrorCode.INVALID_REQUEST, taken.message)
        return rpc.Submitted(foreign=taken.outcome == "foreign", message=taken.message)

    async def confirm(self, request: rpc.ConfirmForm) -> rpc.Confirmed:
        try:
            submission = self._links.read(request.token)
        except BadLink:
            return rpc.Confirmed(outcome="not_found")
        return await self._forms.confirm(submission, request.address, request.agent[:_AGENT])


def _form_of(outcome: FormOutcome) -> rpc.Form:
    """Raises RpcError when it was not done."""
    match outcome.outcome:
        case "done" if outcome.form is not None:
            return outcome.form
        case "conflict" if outcome.form is not None:
            version = outcome.form.version
            raise RpcError(ErrorCode.CONFLICT, f"The form was changed meanwhile: it is of version {version}")
        case "invalid":
            raise RpcError(ErrorCode.INVALID_REQUEST, outcome.message or "It is not valid")
    raise not_found("form")
