"""Traces (W3C Trace Context) through the headers of messages: who caused what, across processes.

Off unless `enable` was called: then each place costs one comparison, and OpenTelemetry is not even imported.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

Headers = Mapping[str, str] | None

PARENT = "traceparent"

_MOST_LINKS = 100

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
    return _NOTHING if _tracer is None else follow(name, (brought(headers),), **attributes)


def batch(name: str, all_headers: Iterable[Headers], **attributes: str) -> AbstractContextManager[Any]:
    """What several messages cause together."""
    return _NOTHING if _tracer is None else follow(name, map(brought, all_headers), **attributes)


def resumed(name: str, cause: str, **attributes: str) -> AbstractContextManager[Any]:
    """A part of what is going on or, where nothing is, of what had caused the thing that is taken up again."""
    return _NOTHING if _tracer is None else follow(name, (here() or cause,), **attributes)


def follow(
    name: str, causes: Iterable[str], links: Iterable[str] = (), **attributes: str
) -> AbstractContextManager[Any]:
    """What these have caused, as `here` and `brought` name them: a part of the trace of the first one that is sent
    anywhere, and linked to the others and to `links`. Without a cause nothing, whatever else goes on where this is."""
    if _tracer is None:
        return _NOTHING
    first, *others = sorted(filter(None, dict.fromkeys(causes)), key=_is_left_out) or ("",)
    from opentelemetry.trace import INVALID_SPAN, Link, get_current_span, use_span

    if not first:
        return use_span(INVALID_SPAN)  # a subscription begun in a span would have it as its own for ever

    known = [each for each in dict.fromkeys((*others, *links)) if each and each != first][:_MOST_LINKS]
    linked = [Link(get_current_span(_context(each)).get_span_context()) for each in known]
    return _tracer.start_as_current_span(name, context=_context(first), links=linked, attributes=attributes)


def brought(headers: Headers) -> str:
    """What has caused that message, if it says so; empty if not, or when nothing is traced."""
    return "" if _tracer is None or not headers else headers.get(PARENT, "")


def here() -> str:
    """What is going on, to be remembered where no message takes it along; empty when that is not traced."""
    return "" if _tracer is None else carried().get(PARENT, "")


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


def _is_left_out(cause: str) -> bool:
    """By `PREGAO_TRACES_RATIO`, where it began."""
    return cause[-1] not in "13579bdf"


def _context(cause: str) -> "Context":
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({PARENT: cause}, context=Context())
