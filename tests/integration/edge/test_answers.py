"""How answers are sent: to be cached or not, compressed, and with what a browser needs to be told."""

import pytest

from tests.integration.edge.client import ORIGIN, Edge
from tests.integration.supabase_server import Person

pytestmark = pytest.mark.asyncio(loop_scope="session")

CANDLES = "/api/candles?asset=EURUSD-OTC&timeframe=60"


@pytest.mark.parametrize("path", ["/api/assets", CANDLES])
async def test_who_has_it_already_is_not_sent_it_again(edge: Edge, person: Person, path: str) -> None:
    status, _, headers = await edge.ask("GET", path, person)
    assert (status, headers["cache-control"]) == (200, "private, no-cache")
    for known in (headers["etag"], f'"other", {headers["etag"]}', "*"):
        status, body, again = await edge.ask("GET", path, person, headers={"If-None-Match": known})
        assert (status, body, again["etag"]) == (304, "", headers["etag"])
    status, _, _ = await edge.ask("GET", path, person, headers={"If-None-Match": 'W/"other"'})
    assert status == 200


async def test_long_answers_are_compressed_for_who_can_read_that(edge: Edge, person: Person) -> None:
    _, _, headers = await edge.ask("GET", CANDLES, person, headers={"Origin": ORIGIN})
    assert headers["content-encoding"] in ("gzip", "deflate")
    assert set(headers["vary"].split(", ")) == {"Accept-Encoding", "Origin"}
    _, _, headers = await edge.ask("GET", CANDLES, person, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in headers
    _, _, headers = await edge.ask("GET", "/health")
    assert "content-encoding" not in headers, "what is short is not worth it"


@pytest.mark.parametrize("path", ["/", "/api/bot/status", "/api/nothing", "/openapi.json"])
async def test_every_answer_tells_browsers_to_be_careful(edge: Edge, person: Person, path: str) -> None:
    _, _, headers = await edge.ask("GET", path, person)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["server"] == "pregao", "nor what it is made of"
    assert "strict-transport-security" not in headers
    _, _, headers = await edge.ask("GET", path, person, headers={"X-Forwarded-Proto": "https"})
    assert headers["strict-transport-security"] == "max-age=31536000"


async def test_a_misspelt_field_of_a_write_is_refused_and_of_a_read_left_aside(edge: Edge, person: Person) -> None:
    status, body = await edge.post("/api/bot/stop-runtime", person, {"accounttype": "real"})
    assert (status, body["field"]) == (400, "accounttype")
    status, _ = await edge.get("/api/bot/status?_=17", person)
    assert status == 200
    status, body = await edge.get("/api/bot/status?userId=null", person)
    assert (status, body["field"]) == (400, "userId")


@pytest.mark.parametrize(
    "body",
    [
        '{"config": ' + "[" * 20_000 + "]" * 20_000 + "}",
        '{"other": ' + "[" * 20_000 + "]" * 20_000 + "}",
        "[" * 20_000,
    ],
    ids=["where another value belongs", "in an unknown field", "without an end"],
)
async def test_depth_without_bound_is_a_bad_request(edge: Edge, person: Person, body: str) -> None:
    headers = {"content-type": "application/json"}
    status, answer, _ = await edge.ask("POST", "/api/bot/start-runtime", person, data=body, headers=headers)
    assert (status, answer["success"]) == (400, False), answer
