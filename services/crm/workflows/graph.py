"""What runs: made once of what the canvas drew, and kept with the published version."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from libs.contracts.codec import Message
from services.crm.workflows import kinds
from services.crm.workflows.params import MOST_SECONDS, Params


class Retry(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    max_attempts: Annotated[int, Meta(ge=1, le=10)] = 1
    backoff_seconds: Annotated[int, Meta(ge=1, le=86400)] = 60
    """Before the second try; doubled before each further one."""

    def after(self, attempt: int) -> timedelta:
        """How long after a try that failed; the first is 1."""
        return timedelta(seconds=min(self.backoff_seconds << (attempt - 1), 7 * 86400))


class Handling(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a node says besides its params."""

    retry: Retry = Retry()
    on_error: Literal["fail", "continue", "error_handle"] = "fail"
    timeout_seconds: Annotated[int, Meta(ge=1, le=MOST_SECONDS)] = 3 * 86400
    """How long the result of what somebody else does is waited for."""
    end_here: bool = False
    """Whether a way out that leads nowhere is meant to end the run."""


class Node(Message, frozen=True, kw_only=True):
    id: str
    kind: str
    params: dict[str, Any]
    out: dict[str, str]
    """Where each handle leads, of those that lead anywhere; of `jump`, where it goes."""
    handling: Handling = Handling()
    template_version: UUID | None = None
    """Of the template that is sent, as it was at the publication."""

    @property
    def told(self) -> Params:
        return kinds.read_params(self.kind, self.params)


class Graph(Message, frozen=True, kw_only=True):
    nodes: dict[str, Node]

    def triggers(self) -> Iterator[Node]:
        return (node for node in self.nodes.values() if node.kind == "trigger")


class Known(Message, frozen=True, kw_only=True):
    """What there is that a flow may refer to."""

    templates: Mapping[UUID, UUID] = {}
    """The latest version of each that can be sent."""
    segments: Mapping[UUID, Literal["static", "dynamic"]] = {}
    webhooks: frozenset[UUID] = frozenset()
    custom_fields: frozenset[str] = frozenset()


def read_graph(raw: object) -> Graph:
    return msgspec.convert(raw, Graph)
