"""A receiver of OTLP over HTTP, as a collector is one; in a thread, for who ends waits until it has sent the rest."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.integration.nats_server import eventually
from tests.ports import free_port


class Span(NamedTuple):
    service: str
    name: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    """Traces."""
    about: dict[str, str]
    """Its attributes."""
    began: int
    """Epoch nanoseconds."""


class Collector:
    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1/traces"
        self.spans: list[Span] = []

    def take(self, body: bytes) -> None:
        told = ExportTraceServiceRequest.FromString(body)
        for of_process in told.resource_spans:
            about = {each.key: each.value.string_value for each in of_process.resource.attributes}
            for scope in of_process.scope_spans:
                self.spans += [
                    Span(
                        about["service.name"], span.name, span.trace_id.hex(), span.span_id.hex(),
                        span.parent_span_id.hex(), tuple(link.trace_id.hex() for link in span.links),
                        {each.key: each.value.string_value for each in span.attributes},
                        span.start_time_unix_nano,
                    )
                    for span in scope.spans
                ]  # fmt: skip

    async def trace_with(self, *names: tuple[str, str], timeout: float = 20.0) -> list[Span]:
        """All spans of a trace that has these, by service and name; waits until there is one."""
        await eventually(lambda: self._with(set(names)), timeout)
        return self._with(set(names))

    def _with(self, names: set[tuple[str, str]]) -> list[Span]:
        traces: dict[str, list[Span]] = {}
        for span in list(self.spans):
            traces.setdefault(span.trace, []).append(span)
        whole = (spans for spans in traces.values() if names <= {(span.service, span.name) for span in spans})
        return next(whole, [])

    def path_to(self, last: Span) -> list[str]:
        """From the beginning of its trace, each as `service: name`."""
        by_id = {span.id: span for span in list(self.spans)}
        path, span = [], by_id.get(last.id)
        while span is not None:
            path.append(f"{span.service}: {span.name}")
            span = by_id.get(span.parent)
        return path[::-1]


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", collector.port), Receiver) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield collector
        server.shutdown()
        thread.join()
