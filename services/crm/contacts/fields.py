"""Which custom fields contacts may have."""

from typing import Any

from libs.contracts.admin import Rows
from libs.contracts.crm import contacts as rpc
from libs.contracts.rpc import ErrorCode, Nothing, RpcError
from libs.store.crm.contacts import CustomFields
from services.crm.answering import Answer, not_found

_MOST = 200


class FieldDesk:
    """Raises RpcError: NOT_FOUND, CONFLICT."""

    def __init__(self, fields: CustomFields) -> None:
        self._fields = fields

    def endpoints(self) -> dict[Any, Answer]:
        return {
            rpc.FIELDS: self.all,
            rpc.DEFINE_FIELD: self.define,
            rpc.CHANGE_FIELD: self.change,
            rpc.DROP_FIELD: self.drop,
        }

    async def all(self, _: Nothing) -> Rows[rpc.CustomField]:
        fields = tuple(await self._fields.all())
        return Rows(rows=fields, total=len(fields))

    async def define(self, request: rpc.DefineField) -> rpc.CustomField:
        if len(await self._fields.all()) >= _MOST:
            raise RpcError(ErrorCode.CONFLICT, f"There are {_MOST} custom fields already")
        made = await self._fields.define(request.field)
        if made is None:
            raise RpcError(ErrorCode.CONFLICT, "There is a custom field of that key")
        return made

    async def change(self, request: rpc.ChangeField) -> rpc.CustomField:
        known = next((one for one in await self._fields.all() if one.key == request.key), None)
        if known is None:
            raise not_found("custom field")
        wanted = request.field
        if wanted.type != known.type:
            raise RpcError(ErrorCode.CONFLICT, f"`type`: It is a {known.type} already, and contacts may have values")
        changes = {
            "label": wanted.label, "options": list(wanted.options), "required": wanted.required, "pii": wanted.pii,
        }  # fmt: skip
        changed = await self._fields.change(request.key, changes)
        if changed is None:
            raise not_found("custom field")
        return changed

    async def drop(self, request: rpc.DropField) -> rpc.FieldGone:
        dropped = await self._fields.drop(request.key, request.by)
        if dropped.outcome == "used":
            raise RpcError(ErrorCode.CONFLICT, f"{dropped.by} uses it")
        if dropped.outcome == "not_found":
            raise not_found("custom field")
        return rpc.FieldGone(key=request.key)
