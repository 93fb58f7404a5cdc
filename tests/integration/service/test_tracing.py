"""A trace goes with what travels on a real bus, to a real receiver of OTLP, and joins what is logged."""

import io
import json
import subprocess
import sys

import pytest
import structlog

from libs.bus import Bus, Consumer, Delivery, tracing
from libs.bus.context import headers
from libs.bus.topology import TRADES
from libs.contracts.orders import OrderState, TradeOpened
from libs.contracts.rpc import Endpoint, Nothing
from libs.contracts.subjects import trade
from libs.service.logging import configure
from libs.service.tracing import traced
from tests.integration.nats_server import Connect, eventually
from tests.integration.service.collector import Span, collecting
from tests.messages import USER, an_opening, an_order

ECHO = Endpoint("crm", "echo", Nothing, Nothing)
SUBJECT = trade(USER, OrderState.OPENED)


def line(spans: list[Span], last: str) -> list[str]:
    """From the beginning of a trace to that span."""
    by_id = {span.id: span for span in spans}
    path, span = [], next((span for span in spans if span.name == last), None)
    while span is not None:
        path.append(span.name)
        span = by_id.get(span.parent)
    return path[::-1]


async def test_a_trace_goes_where_its_messages_go(connect: Connect, bus: Bus) -> None:
    other = await connect()
    logged: list[str] = []

    async def answer(_: Nothing) -> Nothing:
        logged.append(tracing.trace_id())
        await other.append(SUBJECT, an_opening(order=an_order(sequence=1)), id="1.opened")
        return Nothing()

    read: list[int] = []

    async def handle(batch: list[Delivery]) -> None:
        read.extend(delivery.decode(TradeOpened).order.sequence for delivery in batch)

    with collecting() as collector:
        with traced("tests", "one", collector.url, 1.0):
            served = await other.serve("crm", {ECHO: answer})
            consumption = await bus.consume(Consumer(TRADES.name, "reader"), handle)
            with tracing.begin("GET /echo"):
                await bus.call(ECHO, Nothing())
            await eventually(lambda: read == [1])
            await consumption.stop()
            await served.stop()
        spans = await collector.trace_with(("tests", "GET /echo"), ("tests", "consume reader"))
    assert line(spans, "consume reader") == ["GET /echo", "call crm.echo", "answer crm.echo", "store", "consume reader"]
    assert logged == [spans[0].trace]
    assert tracing.carried() == {}


async def test_what_many_caused_is_linked_to_all_of_them(bus: Bus) -> None:
    batches: list[int] = []

    async def handle(batch: list[Delivery]) -> None:
        batches.append(len(batch))

    with collecting() as collector:
        with traced("tests", "one", collector.url, 1.0):
            for number in range(3):
                with tracing.begin(f"frame {number}"):
                    await bus.append(SUBJECT, an_opening(order=an_order(sequence=number)), id=f"{number}.opened")
            consumption = await bus.consume(Consumer(TRADES.name, "reader"), handle)
            await eventually(lambda: sum(batches) == 3)
            await consumption.stop()
        spans = await collector.trace_with(("tests", "consume reader"))
        traces = {span.name: span.trace for span in collector.spans}
    consumed = next(span for span in spans if span.name == "consume reader")
    assert {consumed.trace, *consumed.links} == {traces[f"frame {number}"] for number in range(3)}


SENT, LEFT_OUT = f"00-{1:032x}-{1:016x}-01", f"00-{2:032x}-{2:016x}-00"


async def test_what_is_sent_is_gone_on_with_before_what_was_left_out() -> None:
    with collecting() as collector:
        with traced("tests", "one", collector.url, 1.0):
            with tracing.follow("caused", (LEFT_OUT, SENT), (SENT, LEFT_OUT)):
                pass
            with tracing.follow("left out", (LEFT_OUT, "")):
                assert tracing.here().endswith("-00")
            with tracing.begin("here"), tracing.resumed("resumed", SENT):
                pass
        await collector.trace_with(("tests", "here"), ("tests", "resumed"))
    caused = next(span for span in collector.spans if span.name == "caused")
    assert (caused.trace, caused.parent, caused.links) == (f"{1:032x}", f"{1:016x}", (f"{2:032x}",))
    assert {span.name for span in collector.spans} == {"caused", "here", "resumed"}


async def test_who_subscribes_in_a_trace_hears_others_outside_of_it(connect: Connect, bus: Bus) -> None:
    other, heard = await connect(), list[str]()

    async def hear(_: str, __: TradeOpened) -> None:
        heard.append(tracing.here())

    with collecting() as collector, traced("tests", "one", collector.url, 1.0):
        with tracing.begin("GET /"):
            await bus.subscribe(SUBJECT, TradeOpened, hear)
        await other.publish(SUBJECT, an_opening())
        with tracing.begin("GET /again"):
            await other.publish(SUBJECT, an_opening())
            trace = tracing.trace_id()
        await eventually(lambda: len(heard) == 2)
    assert heard[0] == ""
    assert trace in heard[1]


async def test_a_line_of_the_log_says_which_trace_it_belongs_to() -> None:
    stream = io.StringIO()
    configure("tests", "one", "INFO", stream)
    with collecting() as collector:
        with traced("tests", "one", collector.url, 1.0):
            with tracing.begin("GET /"):
                structlog.get_logger().info("inside")
            structlog.get_logger().info("outside")
        spans = await collector.trace_with(("tests", "GET /"))
    lines = {line["event"]: line for line in map(json.loads, stream.getvalue().splitlines())}
    assert lines["inside"]["trace_id"] == spans[0].trace
    assert "trace_id" not in lines["outside"]
    structlog.reset_defaults()


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:1/v1/traces"])
async def test_work_goes_on_without_a_collector(url: str | None, bus: Bus) -> None:
    with traced("tests", "one", url, 1.0), tracing.begin("GET /"):
        await bus.append(SUBJECT, an_opening(), id="1.opened")
        assert bool(tracing.trace_id()) == (url is not None)


def test_without_one_nothing_is_imported_and_nothing_is_carried() -> None:
    assert headers() == {}
    assert tracing.begin("a") is tracing.span("b") is tracing.received("c", {"traceparent": "00-1-1-01"})
    asked = "import sys, services.socket_edge.app, services.broker_gateway.app; print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
