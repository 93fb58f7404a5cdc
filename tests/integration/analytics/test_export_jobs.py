"""Files that are made in the background, also when the process that began them is gone."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from libs.bus import Bus
from libs.bus.topology import EXPORT_JOBS, EXPORTS
from libs.contracts import admin_rpc as rpc
from libs.contracts import subjects
from libs.contracts.account import AccountType
from libs.contracts.exports import (
    AnalyticsExport,
    ExportFormat,
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
from libs.contracts.rpc import Endpoint, ErrorCode, RpcError
from libs.store import Database
from libs.store.trades import Trades
from tests.integration.analytics.conftest import StartAnalytics
from tests.integration.numbers import number
from tests.integration.supabase_server import Person, SupabaseServer
from tests.messages import a_closing, a_position, a_settlement, an_order


@pytest.fixture
async def person(supabase_server: SupabaseServer) -> Person:
    return await supabase_server.sign_up()


@pytest.fixture
def day() -> date:
    """On which nobody else trades."""
    return date(2150, 1, 1) + timedelta(days=number() % 20_000)


@pytest.fixture
async def trades(supabase_server: SupabaseServer) -> AsyncIterator[Trades]:
    async with await Database.connect(supabase_server.url, supabase_server.secret_key) as database:
        yield Trades(database)


async def trade(trades: Trades, person: Person, day: date, count: int) -> None:
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    await trades.record(
        a_closing(
            order=an_order(order_id=new_id(), user=person.user, account_type=AccountType.REAL),
            position=a_position(position_id=number(), opened_at=at + timedelta(seconds=each)),
            settlement=a_settlement(
                profit=Decimal("8.20") if each % 2 else Decimal(-10), closed_at=at + timedelta(seconds=each + 60)
            ),
        )
        for each in range(count)
    )


def of_day(day: date, form: ExportFormat = ExportFormat.CSV) -> AnalyticsExport:
    """Its trades."""
    return AnalyticsExport(date_from=day.isoformat(), date_to=day.isoformat(), type=ExportKind.TRADES, format=form)


async def ended(bus: Bus, job: ExportJob) -> ExportJob:
    async with asyncio.timeout(30):
        while job.state is ExportState.RUNNING:
            await asyncio.sleep(0.05)
            job = await bus.call(rpc.EXPORT_JOB, OfExport(by=job.by, id=job.id))
    return job


async def file_of(bus: Bus, job: ExportJob) -> bytes:
    pieces = [
        await bus.call(rpc.EXPORT_PIECE, OfPiece(by=job.by, id=job.id, number=number)) for number in range(job.pieces)
    ]
    return b"".join(zlib.decompress(piece.data) for piece in pieces)


async def test_a_file_is_what_reading_page_by_page_gives(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    trades: Trades,
    person: Person,
    day: date,
) -> None:
    await start_analytics(supabase_server)
    await trade(trades, person, day, 12)
    started = await bus.call(rpc.START_EXPORT, StartExport(by=person.user, analytics=of_day(day)))
    assert (started.state, started.total) == (ExportState.RUNNING, 12)
    job = await ended(bus, started)
    assert (job.state, job.rows, job.error) == (ExportState.DONE, 12, "")
    page = await bus.call(rpc.EXPORT_PAGE, ExportPage(by=person.user, analytics=of_day(day)))
    assert await file_of(bus, job) == page.text.encode()
    recorded = await supabase_server.as_service("GET", f"/rest/v1/user_activity_log?actor_id=eq.{person.user}")
    assert len(recorded) == 2


async def test_a_report_is_a_pdf_file(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    trades: Trades,
    person: Person,
    day: date,
) -> None:
    await start_analytics(supabase_server)
    await trade(trades, person, day, 30)
    for wanted in (
        StartExport(by=person.user, analytics=of_day(day, ExportFormat.PDF)),
        StartExport(by=person.user, analytics=replace(of_day(day, ExportFormat.PDF), type=ExportKind.USERS)),
        StartExport(by=person.user, trades=TradesExport(format=ExportFormat.PDF, asset="NONE", max_records=5)),
    ):
        job = await ended(bus, await bus.call(rpc.START_EXPORT, wanted))
        assert (job.state, job.error) == (ExportState.DONE, "")
        assert (await file_of(bus, job)).startswith(b"%PDF-")
        assert job.file_name.endswith(".pdf")


async def test_a_job_goes_on_where_another_process_left_it(
    bus: Bus,
    start_analytics: StartAnalytics,
    supabase_server: SupabaseServer,
    trades: Trades,
    person: Person,
    day: date,
) -> None:
    """As a kill leaves it: two of five rows are in the file, and a piece that was not counted."""
    await trade(trades, person, day, 5)
    process = await start_analytics(supabase_server)
    first = await bus.call(rpc.EXPORT_PAGE, ExportPage(by=person.user, analytics=of_day(day), limit=2))
    whole = await bus.call(rpc.EXPORT_PAGE, ExportPage(by=person.user, analytics=of_day(day)))
    await process.kill()
    now = bus.clock.now()
    job = ExportJob(
        by=person.user, analytics=of_day(day), id=new_id(), started_at=now, updated_at=now, rows=2, pieces=1,
        after=first.next,
    )  # fmt: skip
    for at, text in enumerate((first.text.encode(), b"not counted")):
        await bus.append(subjects.export_piece(job.id, at), ExportPiece(data=zlib.compress(text)), id=new_id())
    await bus.bucket(EXPORT_JOBS).create(job.id, job)
    await start_analytics(supabase_server)
    job = await ended(bus, job)
    assert (job.state, job.rows, job.pieces) == (ExportState.DONE, 5, 2)
    assert await file_of(bus, job) == whole.text.encode()
    assert (await bus.extent(EXPORTS)).last == 3


async def test_only_who_asked_for_it_knows_of_it(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person, day: date
) -> None:
    await start_analytics(supabase_server)
    another = await supabase_server.sign_up()
    job = await ended(bus, await bus.call(rpc.START_EXPORT, StartExport(by=person.user, analytics=of_day(day))))
    unknown: tuple[tuple[Endpoint[Any, Any], Any], ...] = (
        (rpc.EXPORT_JOB, OfExport(by=another.user, id=job.id)),
        (rpc.EXPORT_PIECE, OfPiece(by=another.user, id=job.id, number=0)),
        (rpc.EXPORT_PIECE, OfPiece(by=person.user, id=job.id, number=job.pieces)),
        (rpc.EXPORT_JOB, OfExport(by=person.user, id=new_id())),
    )
    for endpoint, request in unknown:
        with pytest.raises(RpcError) as refused:
            await bus.call(endpoint, request)
        assert refused.value.code is ErrorCode.NOT_FOUND


async def test_what_cannot_be_made_is_said_at_once_or_in_the_end(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person
) -> None:
    await start_analytics(supabase_server)
    with pytest.raises(RpcError, match="366 days"):
        await bus.call(rpc.START_EXPORT, StartExport(by=person.user, analytics=AnalyticsExport(date_from="2020-01-01")))
    wanted = TradesExport(format=ExportFormat.PDF, date_from="2020-01-01", date_to="2026-01-01")
    job = await ended(bus, await bus.call(rpc.START_EXPORT, StartExport(by=person.user, trades=wanted)))
    assert job.state is ExportState.FAILED
    assert "366 days" in job.error


async def test_one_administrator_has_few_in_the_making(
    bus: Bus, start_analytics: StartAnalytics, supabase_server: SupabaseServer, person: Person, day: date
) -> None:
    await start_analytics(supabase_server)
    now = bus.clock.now()
    job = ExportJob(by=person.user, analytics=of_day(day), id=new_id(), started_at=now, updated_at=now)
    leases = [bus.lease(f"analytics.export.{at}") for at in range(3)]
    for at, lease in enumerate(leases):
        assert await lease.acquire(), "so that nobody makes it"
        await bus.bucket(EXPORT_JOBS).create(str(at), replace(job, id=str(at)))
    with pytest.raises(RpcError) as refused:
        await bus.call(rpc.START_EXPORT, StartExport(by=person.user, analytics=of_day(day)))
    assert refused.value.code is ErrorCode.LIMIT_REACHED
    for lease in leases:
        await lease.release()
