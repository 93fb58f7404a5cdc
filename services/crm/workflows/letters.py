"""What a contact would read, and whether it would be sent at all: for dry runs."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from libs.contracts.crm.workflow_runs import Letter
from libs.store.crm.privacy import Privacy
from libs.store.crm.templates import Templates
from services.crm.templates.compiled import Compiled
from services.crm.templates.sample import data_of, sample_links
from services.crm.templates.tags import Missing
from services.crm.templates.versions import Versions
from services.crm.workflows.graph import Graph
from services.crm.workflows.params import SendEmail

_LONGEST = 3000
"""Characters of a text that are told."""

Write = Callable[[Mapping[str, Any], Mapping[str, Any]], Letter]
"""What is sent by an effect to who is known by these facts."""


class Letters:
    def __init__(self, templates: Templates, privacy: Privacy, sender: Mapping[str, str]) -> None:
        """`sender`: what templates may say of it."""
        self._templates = templates
        self._versions = Versions(templates)
        self._privacy = privacy
        self._sender = sender

    async def to(self, contact: UUID, graph: Graph) -> Write:
        """Raises StoreError."""
        recipient = await self._templates.recipient(contact) or {}
        versions: dict[str, Compiled | None] = {}
        refusals: dict[tuple[str, str], str | None] = {}
        for node in graph.nodes.values():
            told = node.told
            if isinstance(told, SendEmail) and node.template_version is not None:
                versions[str(node.template_version)] = await self._versions.find(node.template_version)
                asked = (told.mail_class, told.topic)
                refusals[asked] = await self._privacy.refusal(contact, told.topic or "*", told.mail_class)

        def write(effect: Mapping[str, Any], facts: Mapping[str, Any]) -> Letter:
            compiled = versions[effect["template_version"]]
            refusal = refusals[(effect["class"], effect["topic"])]
            if compiled is None:
                return Letter(not_sent="not_ready")
            try:
                written = compiled.write(data_of(_as_of(facts, recipient), sample_links({}), self._sender, {}))
            except Missing as error:
                return Letter(not_sent=refusal or f"missing: {error}")
            return Letter(subject=written.subject, text=written.text[:_LONGEST], not_sent=refusal or "")

        return write


def _as_of(facts: Mapping[str, Any], recipient: Mapping[str, Any]) -> dict[str, Any]:
    """As it would be written to by then: what came before may have changed it."""
    custom = {name[7:]: value for name, value in facts.items() if name.startswith("custom.") and value is not None}
    return {**{name: facts.get(name, value) for name, value in recipient.items()}, "custom": custom}
