"""Traces (W3C Trace Context) through the headers of messages: who caused what, across processes.

Off unless `enable` was called: then each place costs one comparison, and OpenTelemetry is not even imported.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

Headers = Mapping[str, str] | None

PARENT = "traceparent"

_NOTHING: AbstractContextManager[Any] = nullcontext()
_tracer: "Tracer | None" = None


def enable(tracer: "Tracer") -> None:
    global _tracer
    _tracer = tracer


def disable() -> None:
    global _tracer
    _tracer = None


def begin(name: str, **attributes: str) -> AbstractContextManager[Any]:
    """Something begins here that nobody asked for: a frame of the broker, a request of a browser."""
    if _tracer is None:
        return _NOTHING
    from opentelemetry.context import Context

    return _tracer.start_as_current_span(name, context=Context(), attributes=attributes)


def span(name: str, **attributes: str) -> AbstractContextManager[Any]:
    """A part of what is going on; of nothing, if nothing is traced at this place."""
    if _tracer is None:
        return _NOTHING
    from opentelemetry.trace import get_current_span

    if not get_current_span().get_span_context().is_valid:
        return _NOTHING
    return _tracer.start_as_current_span(name, attributes=attributes)


def received(name: str, headers: Headers, **attributes: str) -> AbstractContextManager[Any]:
    """What a message causes here; nothing, if it brought no trace."""
    if _tracer is None or not headers or PARENT not in headers:
        return _NOTHING
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = TraceContextTextMapPropagator().extract({PARENT: headers[PARENT]}, context=Context())
    return _tracer.start_as_current_span(name, context=parent, attributes=attributes)


def batch(name: str, all_headers: Iterable[Headers], **attributes: str) -> AbstractContextManager[Any]:
    """What several messages cause together: a part of the first one's trace, with links to the others'."""
    if _tracer is None:
        return _NOTHING
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = TraceContextTextMapPropagator()
    brought = [headers[PARENT] for headers in all_headers if headers and PARENT in headers]
    parents = [propagator.extract({PARENT: parent}, context=Context()) for parent in dict.fromkeys(brought)]
    if not parents:
        return _NOTHING
    links = [Link(get_current_span(parent).get_span_context()) for parent in parents[1:]]
    return _tracer.start_as_current_span(name, context=parents[0], links=links, attributes=attributes)


def carried() -> dict[str, str]:
    """The header that a message takes along."""
    found: dict[str, str] = {}
    if _tracer is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(found)
        found.pop("tracestate", None)
    return found


def trace_id() -> str:
    """Of what is going on, as 32 hexadecimal digits; empty when nothing is traced."""
    if _tracer is None:
        return ""
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""
