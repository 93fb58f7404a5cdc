"""Versions of templates, compiled once: they never change."""

from collections import OrderedDict
from uuid import UUID

from libs.store.crm.templates import Templates
from services.crm.templates.compiled import Compiled, Source, compile_template

_MOST = 200


class Versions:
    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._compiled: OrderedDict[UUID, Compiled | None] = OrderedDict()

    async def find(self, id: UUID) -> Compiled | None:
        """None: there is none, or it is a draft. Raises StoreError."""
        if id in self._compiled:
            self._compiled.move_to_end(id)
            return self._compiled[id]
        version = await self._templates.version(id)
        if version is None or not version.ready:
            made = None
        else:
            source = Source(version.subject, version.preheader, version.html or "", version.text, version.policy)
            made, _ = compile_template(source)
        self._compiled[id] = made
        if len(self._compiled) > _MOST:
            self._compiled.popitem(last=False)
        return made
