"""Where a process sends its traces: an OTLP collector, or nowhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from libs.bus import tracing

_EXPORT_TIMEOUT = 5
"""Seconds that the collector may take; what it does not take is lost, and nothing waits for it."""
_QUEUE = 4096
_GOODBYE = 3000
"""Milliseconds at the end of a process."""


@contextmanager
def traced(service: str, instance: str, url: str | None, ratio: float) -> Iterator[None]:
    """While it is entered, that part of all traces is sent to `url` (`http://collector:4318/v1/traces`), from a thread
    of its own. A trace that began elsewhere is followed if it was there. None: nothing is imported, nothing is done."""
    if url is None:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    about = Resource({"service.name": service, "service.namespace": "pregao", "service.instance.id": instance})
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(ratio)), resource=about, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=url, timeout=_EXPORT_TIMEOUT)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=_QUEUE, schedule_delay_millis=1000))
    tracing.enable(provider.get_tracer("pregao"))
    try:
        yield
    finally:
        tracing.disable()
        provider.force_flush(_GOODBYE)
        provider.shutdown()
