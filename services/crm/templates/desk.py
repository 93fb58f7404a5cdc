"""Templates as administrators write and try them."""

import asyncio
import hashlib
from collections.abc import Mapping
from itertools import islice
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType, structs

from libs.contracts.admin import Rows
from libs.contracts.crm import templates as rpc
from libs.contracts.crm.common import Gone, Of, OfBy
from libs.contracts.rpc import ErrorCode, Nothing, RpcError
from libs.store.crm.contacts import CustomFields
from libs.store.crm.templates import TemplateOutcome, Templates
from services.crm.answering import Answer, not_found
from services.crm.templates import cleaning, mjml, sample
from services.crm.templates.compiled import Source, Written, compile_template
from services.crm.templates.design import conditions_of
from services.crm.templates.tags import Missing
from services.crm.templates.trial import Trials

_LARGEST = 900_000
"""Bytes of all that a version has: it is read in one message."""
_TRIES = 3
_CONTENT = ("subject", "preheader", "design", "mjml", "html", "text", "policy")


class TemplateDesk:
    """Raises RpcError: NOT_FOUND, CONFLICT, INVALID_REQUEST."""

    def __init__(self, templates: Templates, fields: CustomFields, sender: Mapping[str, str], trials: Trials) -> None:
        """`sender`: what templates may say of it: name, email, address."""
        self._templates = templates
        self._fields = fields
        self._sender = sender
        self._trials = trials

    def endpoints(self) -> dict[Any, Answer]:
        return {
            rpc.TEMPLATES: self.find,
            rpc.TEMPLATE: self.one,
            rpc.VERSIONS: self.versions,
            rpc.CREATE_TEMPLATE: self.create,
            rpc.CHANGE_TEMPLATE: self.change,
            rpc.DROP_TEMPLATE: self.drop,
            rpc.COPY_TEMPLATE: self.copy,
            rpc.RENDER_TEMPLATE: self.render,
            rpc.TRY_TEMPLATE: self.attempt,
            rpc.MERGE_TAGS: self.merge_tags,
        }

    async def find(self, query: rpc.TemplatesQuery) -> Rows[rpc.Template]:
        page = await self._templates.find(query)
        return Rows(rows=page.rows, total=page.total)

    async def one(self, query: Of) -> rpc.WholeTemplate:
        template = await self._templates.one(query.id)
        if template is None:
            raise not_found("template")
        return template

    async def versions(self, query: Of) -> Rows[rpc.TemplateVersion]:
        versions = await self._templates.versions(query.id)
        if versions is None:
            raise not_found("template")
        return Rows(rows=versions, total=len(versions))

    async def create(self, request: rpc.CreateTemplate) -> rpc.WholeTemplate:
        given = await self._checked(structs.asdict(request.template))
        return _template_of(await self._templates.save(None, given, request.by))

    async def change(self, request: rpc.ChangeTemplate) -> rpc.WholeTemplate:
        change = request.change
        for _ in range(_TRIES):
            known = await self.one(Of(id=request.id))
            if change.version not in (None, known.version):
                raise RpcError(
                    ErrorCode.CONFLICT, f"The template was changed meanwhile: it is of version {known.version}"
                )
            given = await self._checked(_changed(known, change))
            outcome = await self._templates.save(request.id, given, request.by, known.version)
            if outcome.outcome != "conflict":
                return _template_of(outcome)
        raise RpcError(ErrorCode.CONFLICT, "The template is being changed by somebody else")

    async def drop(self, request: OfBy) -> Gone:
        outcome = await self._templates.drop(request.id, request.by)
        if outcome.outcome == "used":
            raise RpcError(ErrorCode.CONFLICT, f"It is used by {', '.join(outcome.users)}")
        if outcome.outcome != "done":
            raise not_found("template")
        return Gone(id=request.id)

    async def copy(self, request: OfBy) -> rpc.WholeTemplate:
        known = await self.one(Of(id=request.id))
        copied = {name: getattr(known, name) for name in ("category", *_CONTENT)}
        given = await self._checked(copied | {"name": f"{known.name[:190]} (copy)"})
        return _template_of(await self._templates.save(None, given, request.by))

    async def render(self, request: rpc.RenderTemplate) -> rpc.Rendered:
        known = await self.one(Of(id=request.id))
        written = await self._written(known, request.wanted)
        return rpc.Rendered(
            subject=written.subject,
            html=written.html,
            text=written.text,
            version=known.version,
            problems=known.problems,
        )

    async def attempt(self, request: rpc.TryTemplate) -> rpc.TrialSent:
        """By mail, to an administrator."""
        known = await self.one(Of(id=request.id))
        if not known.ready:
            raise RpcError(ErrorCode.CONFLICT, "The template is a draft, which is not sent")
        outcome = await self._trials.send(request.wanted.to, await self._written(known, request.wanted))
        if outcome.kind != "sent":
            raise RpcError(ErrorCode.CONFLICT, f"It was not sent: {outcome.error}")
        return rpc.TrialSent(to=request.wanted.to, version=known.version)

    async def _written(self, known: rpc.WholeTemplate, wanted: rpc.RenderWanted) -> Written:
        recipient = sample.SAMPLE if wanted.contact is None else await self._templates.recipient(wanted.contact)
        if recipient is None:
            raise not_found("contact")
        data = sample.data_of(recipient, sample.sample_links(wanted.data), self._sender, wanted.data)
        try:
            compiled, _ = compile_template(source_of(known))
            return compiled.write(data)
        except Missing as error:
            raise RpcError(
                ErrorCode.INVALID_REQUEST, f"`contact` has no {error}, and the template is strict"
            ) from error

    async def merge_tags(self, _: Nothing) -> Rows[rpc.MergeTag]:
        told = sample.merge_tags(await self._fields.all(), self._sender)
        return Rows(rows=told, total=len(told))

    async def _checked(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """The row of a version."""
        keys = {field.key for field in await self._fields.all()}
        content, problems = await _with_html(content)
        problems += _of_design(content["design"])
        row, problems = await asyncio.to_thread(_version_of, content, problems, keys)
        if len(msgspec.json.encode(row)) > _LARGEST:
            raise RpcError(ErrorCode.INVALID_REQUEST, f"`design`, `html` and `mjml` have more than {_LARGEST} bytes")
        told = msgspec.to_builtins(problems)
        ready = row["html"] is not None and not any(problem.severity == "error" for problem in problems)
        checksum = hashlib.sha256(msgspec.json.encode({name: row[name] for name in _CONTENT}, order="sorted"))
        return row | {"problems": told, "ready": ready, "checksum": checksum.hexdigest()}


def source_of(version: Any) -> Source:
    """Of what has a version's fields."""
    return Source(version.subject, version.preheader, version.html or "", version.text, version.policy)


def _changed(known: rpc.WholeTemplate, change: rpc.TemplateChange) -> dict[str, Any]:
    fields = ("name", "category", *_CONTENT)
    made = {name: getattr(known, name) for name in fields}
    given = {name: value for name in fields if not isinstance(value := getattr(change, name), UnsetType)}
    if not {"design", "html", "mjml"}.isdisjoint(given):
        made |= {"design": None, "html": None, "mjml": None}
        if change.text is UNSET:
            made["text"] = ""
    return made | given


async def _with_html(content: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[rpc.Problem]]:
    if content["html"] is not None or not content["mjml"]:
        return content, []
    try:
        return {**content, "html": await mjml.html_of(content["mjml"])}, []
    except mjml.BadMjml as error:
        return content, [rpc.Problem(code="bad_mjml", severity="error", message=str(error))]


def _of_design(design: Mapping[str, Any] | None) -> list[rpc.Problem]:
    """Who does not meet a condition would be shown what is meant for others: there is no logic in templates."""
    told = "{} is shown on a condition, which templates cannot have: write to a segment instead"
    places = islice(conditions_of(design or {}), 20)
    return [rpc.Problem(code="display_condition", severity="error", message=told.format(place)) for place in places]


def _version_of(
    content: Mapping[str, Any], problems: list[rpc.Problem], custom_fields: set[str]
) -> tuple[dict[str, Any], list[rpc.Problem]]:
    html = content["html"]
    cleaned = None if html is None else cleaning.clean(html)
    written = Source(content["subject"], content["preheader"], cleaned or "", content["text"], content["policy"])
    compiled, found = compile_template(written, custom_fields)
    if cleaned is None:
        told = "without `html` it is a draft, which is not sent"
        found.append(rpc.Problem(code="no_html", severity="warning", message=told))
    row = {name: content[name] for name in ("name", "category", *_CONTENT)}
    return row | {"html": cleaned, "variables": compiled.variables}, problems + found


def _template_of(outcome: TemplateOutcome) -> rpc.WholeTemplate:
    if outcome.template is None:
        raise not_found("template")
    return outcome.template
