"""Services that send."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from libs.bus import Bus
from libs.contracts.crm import integrations as rpc
from libs.contracts.rpc import Nothing as Empty
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm.shape import Done, Handlers, change, done, read
from services.socket_edge.dispatch import Call
from services.socket_edge.requests import Nothing, Request
from services.socket_edge.responses import Success
from services.socket_edge.route import Rate


class SettingsBody(Request, frozen=True, kw_only=True):
    """Fields by name; which there are depends on the service that sends."""

    settings: Annotated[dict[str, Annotated[str, Meta(max_length=4096)]], Meta(min_length=1, max_length=32)]


class TestAnswer(Success, frozen=True, kw_only=True, rename="camel"):
    message: str
    connection_status: Literal["connected", "failed"]


class Why(Request, frozen=True, kw_only=True):
    why: Annotated[str, Meta(max_length=500, pattern=r"^[^\x00]*$")] = ""


_ONE = "integrations/{id}"
INTEGRATIONS = read("integrations", "Services that send", Nothing, Data[tuple[rpc.Integration, ...]])
INTEGRATION = read(_ONE, "A service that sends", rpc.OfIntegration, Data[rpc.Integration])
CONFIGURE = change("POST", f"{_ONE}/configure", "Set it up", rpc.OfIntegration, SettingsBody, Done[rpc.Integration])
TEST = change("POST", f"{_ONE}/test", "Try it", rpc.OfIntegration, Nothing, TestAnswer, Rate.COSTLY)

SENDING = read("sending", "What waits to be sent to contacts, and whether it is stopped", Nothing, Data[rpc.Sending])
STOP = change(
    "POST", "sending/stop", "Send nothing more to anybody, whatever it is of", Nothing, Why, Done[rpc.Sending]
)
START = change("POST", "sending/start", "Go on sending", Nothing, Nothing, Done[rpc.Sending])


def handlers(bus: Bus) -> Handlers:
    async def integrations(_call: Call[Any, Any]) -> Data[Any]:
        return Data(data=(await bus.call(rpc.INTEGRATIONS, Empty())).rows)

    async def integration(call: Call[rpc.OfIntegration, Any]) -> Data[Any]:
        return Data(data=await bus.call(rpc.INTEGRATION, call.query))

    async def configure(call: Call[rpc.OfIntegration, SettingsBody]) -> Done[rpc.Integration]:
        request = rpc.Configure(by=call.user, id=call.query.id, settings=call.body.settings)
        return Done(message="Integration configured", data=await bus.call(rpc.CONFIGURE, request))

    async def test(call: Call[rpc.OfIntegration, Any]) -> TestAnswer:
        tested = await bus.call(rpc.TEST, call.query)
        return TestAnswer(message=tested.message, connection_status="connected" if tested.connected else "failed")

    async def sending(_call: Call[Any, Any]) -> Data[rpc.Sending]:
        return Data(data=await bus.call(rpc.SENDING, Empty()))

    def stopped(call: Call[Any, Why]) -> rpc.StopSending:
        return rpc.StopSending(by=call.user, stop=True, why=call.body.why)

    def started(call: Call[Any, Any]) -> rpc.StopSending:
        return rpc.StopSending(by=call.user, stop=False)

    return {INTEGRATIONS: integrations, INTEGRATION: integration, CONFIGURE: configure, TEST: test,
            SENDING: sending, STOP: done(bus, rpc.STOP_SENDING, stopped, "Sending is stopped"),
            START: done(bus, rpc.STOP_SENDING, started, "Sending goes on")}  # fmt: skip
