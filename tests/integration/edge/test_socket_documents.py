"""The Socket.IO document, and whether what is sent is what it says."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest
import socketio

from libs.contracts import admin_rpc, rpc, subjects
from libs.contracts.account import SessionState
from libs.contracts.bots import Activity
from libs.contracts.crm.campaigns import CampaignProgress
from libs.contracts.ids import new_id
from libs.contracts.rpc import ErrorCode, RpcError
from services.socket_edge.emissions import EMISSIONS, NAMESPACES, REQUESTS
from tests.integration.edge.backend import BROKER, EURUSD, HISTORY, Backend
from tests.integration.edge.client import Browser, Edge
from tests.integration.edge.stack import Browse
from tests.integration.edge.test_namespaces import act_on, figures, follow, raise_alarm
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

DRAFT = "https://json-schema.org/draft/2020-12/schema"


async def test_every_event_is_documented(edge: Edge) -> None:
    status, document = await edge.get("/asyncapi.json")
    assert (status, document["asyncapi"]) == (200, "3.0.0")
    documented = {
        (operation["action"], document["channels"][operation["channel"]["$ref"].rsplit("/", 1)[1]]["address"], name)
        for operation in document["operations"].values()
        for name in [resolve(document, operation["messages"][0])["name"]]
    }
    assert documented == {("send", each.namespace, each.name) for each in EMISSIONS} | {
        ("receive", each.namespace, each.name) for each in REQUESTS
    }


async def test_every_reference_leads_somewhere(edge: Edge) -> None:
    _, document = await edge.get("/asyncapi.json")

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if "$ref" in part:
                assert resolve(document, part)
            for each in part.values():
                walk(each)
        elif isinstance(part, list):
            for each in part:
                walk(each)

    walk(document)


async def test_the_page_comes_whole_and_names_every_event(edge: Edge) -> None:
    status, page, headers = await edge.ask("GET", "/docs/sockets")
    assert status == 200
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "//" not in page.replace("<!doctype", ""), "nothing is loaded from elsewhere"
    for name in [*(each.name for each in EMISSIONS), *(each.name for each in REQUESTS)]:
        assert f"</span> {name}</h3>" in page


async def test_all_that_is_sent_is_as_documented(
    edge: Edge, backend: Backend, browse: Browse, supabase_server: SupabaseServer, person: Person
) -> None:
    """A client that hears everything, while everything happens."""
    _, document = await edge.get("/asyncapi.json")
    await supabase_server.appoint(person, "admin")
    user = person.user
    await backend.session(user, SessionState.CONNECTED, demo="10", real="20")
    await backend.score(user)
    await backend.status(user, Activity.ANALYZING)
    hears = Everything()
    auth = {"token": person.token, "lastSeq": 1}
    await hears.socket.connect(edge.url, auth=auth, transports=["websocket"], namespaces=list(NAMESPACES))
    backend.refusals[BROKER] = RpcError(ErrorCode.UNAVAILABLE, "no session to the broker")
    first = await browse(person, "snapshot", "/bot connected", namespaces=["/", "/bot"])
    (snapshot,) = await first.heard("snapshot")
    await hears.show("EURUSD-OTC")
    for asset in ("EURUSD-OTC", "NO-SUCH"):
        await hears.socket.call("watch-candles", {"asset": asset, "timeframe": 60}, timeout=10)
    await backend.tick(EURUSD, HISTORY)
    for namespace in NAMESPACES:
        await hears.socket.call("bot_status", {}, namespace=namespace, timeout=10)
    await backend.opened(user, "order-1")
    await follow(backend, user)
    await backend.closed(user, "order-1")
    await backend.score(user, order_id="order-1")
    await backend.status(user, Activity.WIN, order_id="order-1")
    await backend.notice(user)
    await backend.session(user, SessionState.CONNECTED)
    await raise_alarm(backend, user)
    await act_on(backend, user, user)
    told = CampaignProgress(id=UUID(new_id()), name="News", status="sending", why=None, at=datetime.now(UTC), sent=3)
    await backend.crm.append(subjects.OPERATORS_CAMPAIGN, told, id=str(told.id))
    served = await backend.analytics.serve("analytics", {admin_rpc.REALTIME: figures})
    backend.refusals[rpc.CANDLES.name] = RpcError(ErrorCode.BROKER_UNREACHABLE, "no broker")
    await hears.show("GBPUSD-OTC")
    await backend.status(user, Activity.STOPPED, state="stopped")
    resumed = Everything()
    auth = {"token": person.token, "lastSeq": snapshot["seq"]}
    await resumed.socket.connect(edge.url, auth=auth, transports=["websocket"], namespaces=["/", "/bot"])
    await resumed.until(lambda: {"/ resumed", "/bot resumed"} <= {event for event, _ in resumed.got}, timeout=10)
    declared = {f"{each.namespace} {each.name}": each for each in EMISSIONS}
    wanted = set(declared) - {"/ resumed", "/bot resumed"}
    await hears.until(lambda: wanted <= {event for event, _ in hears.got}, timeout=20)
    await served.stop()
    for browser in (hears, resumed):
        await browser.socket.disconnect()
        for event, payload in browser.got:
            validator(document, event).validate(payload)


class Everything(Browser):
    """Hears all events of all namespaces, declared or not."""

    def __init__(self) -> None:
        super().__init__()
        self.socket = socketio.AsyncClient(reconnection=False)
        for namespace in NAMESPACES:
            self.socket.on("*", self._hearing(namespace), namespace=namespace)

    def _hearing(self, namespace: str) -> Any:
        def hear(event: str, *payload: Any) -> None:
            self._noting(f"{namespace} {event}")(*payload)

        return hear


def resolve(document: dict[str, Any], reference: dict[str, Any]) -> Any:
    found: Any = document
    for step in reference["$ref"].removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/")]
    return resolve(document, found) if isinstance(found, dict) and "$ref" in found else found


def validator(document: dict[str, Any], event: str) -> Any:
    """Raises KeyError for an event that is not documented."""
    namespace, _, name = event.partition(" ")
    channel = next(each for each in document["channels"].values() if each["address"] == namespace)
    messages = [resolve(document, each) for key, each in channel["messages"].items() if key.startswith("on_")]
    payload = {message["name"]: message["payload"] for message in messages}[name]
    return jsonschema_rs.validator_for({"$schema": DRAFT, "components": document["components"], "allOf": [payload]})
