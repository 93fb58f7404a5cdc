"""The documents of the interface, and whether it keeps to them whatever it is sent."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from services.socket_edge import routes
from services.socket_edge.crm import routes as crm_routes
from services.socket_edge.route import Access
from tests.integration.edge.client import Edge
from tests.integration.edge.stack import UNLIMITED, running
from tests.integration.supabase_server import SupabaseServer

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.takes(110)]

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "negative_data_rejection", "ignored_auth",
)  # fmt: skip
CONFIGURATION = """\
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]  # what nobody answers yet
[checks.negative_data_rejection]
expected-statuses = ["4xx", "5xx"]  # too large is refused as well
"""


async def test_every_route_is_documented(edge: Edge) -> None:
    status, document = await edge.get("/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    documented = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    declared = {(route.method, route.path) for route in routes.ALL}
    assert documented == declared | {(plain.method, plain.path) for plain in crm_routes.PLAIN}
    for plain in crm_routes.PLAIN:
        operation = document["paths"][plain.path][plain.method.lower()]
        assert operation["security"] == []
        assert {str(status) for status in plain.answers} <= set(operation["responses"])
        assert {each["name"] for each in operation["parameters"]} == {
            *re.findall(r"{(\w+)}", plain.path),
            *plain.headers,
        }
        assert "Idempotency-Key" not in str(operation["parameters"])
    for route in routes.ALL:
        operation = document["paths"][route.path][route.method.lower()]
        assert bool(operation["security"]) is (route.access is not Access.PUBLIC)
        in_headers = {each["name"] for each in operation["parameters"] if each["in"] == "header"}
        assert (
            in_headers == {"Idempotency-Key"} if route.changes else {"If-None-Match"} if route.etag else not in_headers
        )
        assert ("304" in operation["responses"]) is route.etag


async def test_the_page_comes_whole_from_here(edge: Edge) -> None:
    status, page, headers = await edge.ask("GET", "/docs")
    assert status == 200
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert "//" not in page.replace("<!doctype", ""), "nothing is loaded from elsewhere"
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert (await edge.ask("GET", f"/docs/{name}"))[0] == 200
    assert (await edge.ask("GET", "/docs/..%2f__init__.py"))[0] == 404


@pytest.mark.timeout(300)
async def test_what_is_sent_by_chance_is_answered_as_documented(
    supabase_server: SupabaseServer, tmp_path: Path
) -> None:
    """Schemathesis makes requests up, good and bad, from the document."""
    boss = await supabase_server.sign_up("91234567")
    await supabase_server.appoint(boss, "super_admin")
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    async with running(tmp_path, supabase_server, variables=UNLIMITED) as stack:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "schemathesis"), "run", f"{stack.edge.url}/openapi.json",
            "--header", f"Authorization: Bearer {boss.token}", "--checks", ",".join(CHECKS),
            "--max-examples", os.environ.get("PREGAO_SCHEMATHESIS_EXAMPLES", "5"), "--seed", "1",
            "--request-timeout", "10", "--no-color", cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-6000:]
