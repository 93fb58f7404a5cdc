"""Files for administrators: made while they are read, never whole in memory, and cut off when they cannot be whole."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import psutil
import pytest
import pytest_asyncio
from msgspec.structs import replace

from libs.contracts import admin_rpc as rpc
from libs.contracts.admin import Accounts
from libs.contracts.exports import (
    PAGE_ROWS,
    AnalyticsExport,
    ExportedPage,
    ExportJob,
    ExportKind,
    ExportPage,
    ExportPiece,
    ExportState,
    OfExport,
    OfPiece,
    StartExport,
    TradesExport,
)
from libs.contracts.ids import new_id
from libs.contracts.rpc import ErrorCode, RpcError
from tests.integration.edge.client import Edge
from tests.integration.edge.stack import UNLIMITED, Stack, running
from tests.integration.supabase_server import Person, SupabaseServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINE = "x" * 198 + "\r\n"


def memory(edge: Edge) -> int:
    """Bytes."""
    return int(psutil.Process(edge.process.pid).memory_info().rss)


class Analytics:
    """Answers pages of a table with so many rows."""

    def __init__(self) -> None:
        self.rows = 2
        self.asked: list[ExportPage] = []
        self.refusal: RpcError | None = None
        """Of the first page."""
        self.failures: list[RpcError] = []
        """Of the pages to come after the first."""
        self.jobs: dict[str, ExportJob] = {}
        self.ends, self.error = ExportState.DONE, ""
        self.file = (b"first ", b"second")

    async def page(self, request: ExportPage) -> ExportedPage:
        if not request.after and self.refusal is not None:
            raise self.refusal
        if request.after and self.failures:
            raise self.failures.pop(0)
        self.asked.append(request)
        begin = int(request.after or 0)
        end = min(begin + request.limit, self.rows)
        head = "" if request.after else "column\r\n"
        return ExportedPage(
            text=head + LINE * (end - begin), rows=end - begin, next=str(end) if end < self.rows else ""
        )

    async def start(self, request: StartExport) -> ExportJob:
        now = datetime.now(UTC)
        job = ExportJob(
            by=request.by, analytics=request.analytics, trades=request.trades, id=new_id(), started_at=now,
            updated_at=now, rows=1, total=4,
        )  # fmt: skip
        self.jobs[job.id] = job
        return job

    async def job(self, request: OfExport) -> ExportJob:
        """Done, or failed, when it is asked for the second time."""
        job = self.jobs.get(request.id)
        if job is None or job.by != request.by:
            raise RpcError(ErrorCode.NOT_FOUND, "There is no such export")
        self.jobs[job.id] = replace(job, state=self.ends, rows=4, pieces=len(self.file), error=self.error)
        return job

    async def piece(self, request: OfPiece) -> ExportPiece:
        return ExportPiece(data=zlib.compress(self.file[request.number]))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(supabase_server: SupabaseServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with running(tmp_path_factory.mktemp("exports"), supabase_server, variables=UNLIMITED) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="session")
async def analytics(stack: Stack) -> AsyncIterator[Analytics]:
    analytics = Analytics()
    handlers: dict[Any, Any] = {
        rpc.EXPORT_PAGE: analytics.page,
        rpc.START_EXPORT: analytics.start,
        rpc.EXPORT_JOB: analytics.job,
        rpc.EXPORT_PIECE: analytics.piece,
    }
    served = await stack.backend.analytics.serve("analytics", handlers)
    yield analytics
    await served.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def boss(supabase_server: SupabaseServer) -> Person:
    person = await supabase_server.sign_up()
    await supabase_server.appoint(person, "admin")
    return person


async def test_a_file_and_its_name(stack: Stack, analytics: Analytics, boss: Person) -> None:
    origin = {"Origin": "https://app.example.test"}
    status, body, headers = await stack.edge.ask("GET", "/api/admin/analytics/export", boss, headers=origin)
    assert (status, body) == (200, "column\r\n" + 2 * LINE)
    assert headers["content-type"] == "text/csv"
    name = headers["content-disposition"]
    assert name.startswith('attachment; filename="analytics_daily_1')
    assert name.endswith('.csv"')
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-request-id"]
    assert headers["access-control-allow-origin"] == origin["Origin"]
    assert "Content-Disposition" in headers["access-control-expose-headers"]
    assert analytics.asked == [ExportPage(by=boss.user, analytics=AnalyticsExport())]


async def test_what_is_asked_for_is_handed_on(stack: Stack, analytics: Analytics, boss: Person) -> None:
    path = "/api/admin/analytics/export?type=users&format=csv&startDate=2026-11-01&accountType=both"
    assert (await stack.edge.get(path, boss))[0] == 200
    path = "/api/admin/trades/export?result=WIN&asset=EURUSD-OTC&maxRecords=1"
    assert (await stack.edge.get(path, boss))[0] == 200
    users, trades = analytics.asked
    assert users.analytics == AnalyticsExport(type=ExportKind.USERS, date_from="2026-11-01", account_type=Accounts.BOTH)
    assert isinstance(trades.trades, TradesExport)
    assert (trades.trades.asset, trades.trades.max_records, trades.limit) == ("EURUSD-OTC", 1, 1)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("analytics/export?type=everything", "type"),
        ("analytics/export?format=xls", "format"),
        ("analytics/export?days=0", "days"),
        ("trades/export?maxRecords=0", "maxRecords"),
        ("trades/export?maxRecords=1000001", "maxRecords"),
    ],
)
async def test_a_wrong_parameter_is_named(stack: Stack, boss: Person, path: str, field: str) -> None:
    status, body = await stack.edge.get(f"/api/admin/{path}", boss)
    assert (status, body["field"]) == (400, field)


async def test_pages_follow_each_other_up_to_the_most(stack: Stack, analytics: Analytics, boss: Person) -> None:
    analytics.rows = 5 * PAGE_ROWS
    _, body, _ = await stack.edge.ask("GET", f"/api/admin/trades/export?maxRecords={2 * PAGE_ROWS + 10}", boss)
    assert body == "column\r\n" + (2 * PAGE_ROWS + 10) * LINE
    assert [(page.after, page.limit) for page in analytics.asked] == [("", 1000), ("1000", 1000), ("2000", 10)]


async def test_a_page_that_is_not_answered_is_asked_for_again(stack: Stack, analytics: Analytics, boss: Person) -> None:
    analytics.rows = 2 * PAGE_ROWS
    analytics.failures = [RpcError(ErrorCode.UNAVAILABLE, "the database is away")] * 2
    _, body, _ = await stack.edge.ask("GET", "/api/admin/trades/export", boss)
    assert body == "column\r\n" + 2 * PAGE_ROWS * LINE


async def test_a_file_that_cannot_be_whole_is_cut_off(stack: Stack, analytics: Analytics, boss: Person) -> None:
    analytics.rows = 2 * PAGE_ROWS
    analytics.failures = [RpcError(ErrorCode.INTERNAL, "it failed")]
    with pytest.raises(aiohttp.ClientPayloadError):
        await stack.edge.ask("GET", "/api/admin/trades/export", boss)
    assert (await stack.edge.get("/health"))[0] == 200


async def test_what_is_wrong_from_the_start_is_said(stack: Stack, analytics: Analytics, boss: Person) -> None:
    analytics.refusal = RpcError(ErrorCode.INVALID_REQUEST, "`dateFrom`: Expected at most 366 days until `dateTo`")
    status, body = await stack.edge.get("/api/admin/analytics/export", boss)
    assert (status, body["field"]) == (400, "dateFrom")


async def test_a_million_rows_need_no_memory(stack: Stack, analytics: Analytics, boss: Person) -> None:
    analytics.rows = 1_000_000
    before, received = memory(stack.edge), 0
    async with stack.edge.http.get(
        f"{stack.edge.url}/api/admin/trades/export?maxRecords=1000000",
        headers={"Authorization": f"Bearer {boss.token}"},
        timeout=aiohttp.ClientTimeout(total=120),
    ) as response:
        async for piece in response.content.iter_any():
            received += len(piece)
    assert received == len("column\r\n") + 1_000_000 * len(LINE)
    assert memory(stack.edge) - before < 20 * 2**20


async def test_who_leaves_is_worked_for_no_longer(stack: Stack, analytics: Analytics, boss: Person) -> None:
    analytics.rows = 1_000_000
    path = f"{stack.edge.url}/api/admin/trades/export?maxRecords=1000000"
    async with stack.edge.http.get(path, headers={"Authorization": f"Bearer {boss.token}"}) as response:
        await response.content.readexactly(1000)
        assert response.connection is not None
        response.connection.transport.abort()  # type: ignore[union-attr]
    asked = -1
    async with asyncio.timeout(10):
        while asked != len(analytics.asked):
            asked = len(analytics.asked)
            await stack.edge.get("/health")
            await asyncio.sleep(0.2)
    assert asked < 100


async def test_only_so_many_files_are_sent_at_once(stack: Stack, analytics: Analytics, boss: Person) -> None:
    analytics.rows = 1_000_000
    path = f"{stack.edge.url}/api/admin/trades/export?maxRecords=1000000"
    headers = {"Authorization": f"Bearer {boss.token}"}
    slow = [await stack.edge.http.get(path, headers=headers) for _ in range(4)]
    status, _, answer = await stack.edge.ask("GET", "/api/admin/trades/export", boss)
    assert (status, answer["retry-after"]) == (429, "5")
    for response in slow:
        response.close()
    async with asyncio.timeout(10):
        while (await stack.edge.get("/api/admin/analytics/export", boss))[0] != 200:
            await asyncio.sleep(0.05)


async def test_only_administrators_export(stack: Stack, analytics: Analytics, supabase_server: SupabaseServer) -> None:
    analyst = await supabase_server.sign_up()
    await supabase_server.appoint(analyst, "analyst")
    assert (await stack.edge.get("/api/admin/trades/export", analyst))[0] == 403
    assert analytics.asked == []


async def test_a_file_is_made_in_the_background(stack: Stack, analytics: Analytics, boss: Person) -> None:
    status, body = await stack.edge.post("/api/admin/trades/export?result=WIN&maxRecords=500000", boss)
    job = body["data"]
    assert status == 200
    assert (job["state"], job["rows"], job["total"], job["progress"], job["link"]) == ("running", 1, 4, 25.0, None)
    assert job["fileName"].startswith("trades_")
    [started] = analytics.jobs.values()
    assert started.trades is not None
    assert started.trades.max_records == 500_000

    path = f"/api/admin/exports/{job['id']}"
    assert (await stack.edge.get(path, boss))[1]["data"]["state"] == "running"
    done = (await stack.edge.get(path, boss))[1]["data"]
    assert (done["state"], done["progress"]) == ("done", 100.0)
    status, file, headers = await stack.edge.ask("GET", done["link"], boss)
    assert (status, file, headers["content-type"]) == (200, "first second", "text/csv")
    assert job["fileName"] in headers["content-disposition"]


async def test_a_file_is_for_who_asked_for_it(
    stack: Stack, analytics: Analytics, boss: Person, supabase_server: SupabaseServer
) -> None:
    another = await supabase_server.sign_up()
    await supabase_server.appoint(another, "super_admin")
    job = (await stack.edge.post("/api/admin/analytics/export", boss))[1]["data"]
    for _ in range(2):
        link = (await stack.edge.get(f"/api/admin/exports/{job['id']}", boss))[1]["data"]["link"]
    assert (await stack.edge.get(f"/api/admin/exports/{job['id']}", another))[0] == 404
    assert (await stack.edge.get(link, another))[0] == 403
    assert (await stack.edge.get(link))[0] == 401
    forged = f"/api/admin/exports/{job['id']}/file?expires=99999999999&signature={'0' * 64}"
    assert (await stack.edge.get(forged, boss))[0] == 403
    assert (await stack.edge.get(f"/api/admin/exports/{job['id']}/file", boss))[0] == 400
    assert (await stack.edge.get(link, boss))[0] == 200


async def test_a_pdf_file_is_waited_for(stack: Stack, analytics: Analytics, boss: Person) -> None:
    status, file, headers = await stack.edge.ask("GET", "/api/admin/analytics/export?format=pdf", boss)
    assert (status, file, headers["content-type"]) == (200, "first second", "application/pdf")
    assert headers["content-disposition"].endswith('.pdf"')
    analytics.ends, analytics.error = ExportState.FAILED, "it could not be typeset"
    status, body = await stack.edge.get("/api/admin/trades/export?format=pdf", boss)
    assert (status, body["code"], body["error"]) == (422, "EXPORT_FAILED", "it could not be typeset")
