"""What administrators wait for when the ledger holds 1,000,000 trades of 5,000 users: analytics, asked over the bus,
and the local database, each a process of its own. Trades of half a year, generated in the database itself.

Answers that are kept for a moment are asked for with other days every time, so that each is made. `figures30_ms` is of
everybody's 67,000 trades on real accounts in thirty days, and `figures180_ms` of 400,000 in half a year, whose days
were worked out as they went by; exports are read page by page, as the edge does. Lists are asked for their first pages:
`lists_cold_ms` is the slowest of the first answers after the start.
"""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from deploy.local.node import node_path
from deploy.local.supabase import PACKAGE
from libs.bus import Bus
from libs.bus.permissions import ADMIN
from libs.bus.topology import BUCKETS, STREAMS
from libs.contracts import admin as ask
from libs.contracts import admin_rpc as rpc
from libs.contracts.clock import SystemClock
from libs.contracts.exports import ExportPage, TradesExport
from libs.contracts.figures import FiguresQuery
from tests.bench.result import Result
from tests.integration.nats_server import NatsServer
from tests.integration.service_process import ServiceProcess
from tests.integration.supabase_server import SupabaseServer

NAMES = (
    "analytics.dashboard_p95_ms", "analytics.dashboard_cold_ms", "analytics.lists_cold_ms", "analytics.trades_p95_ms",
    "analytics.users_p95_ms", "analytics.user_trades_p95_ms", "analytics.user_sessions_p95_ms",
    "analytics.user_activity_p95_ms", "analytics.alerts_p95_ms", "analytics.logs_p95_ms", "analytics.daily30_ms",
    "analytics.figures30_ms", "analytics.figures180_ms", "analytics.export_rows_per_s",
)  # fmt: skip

_TRADES = 1_000_000
_EXPORTED = 100_000
_TIMES = 40

_GENERATOR = """
import { PGlite } from '@electric-sql/pglite'
const [directory, trades] = process.argv.slice(1)
const database = await PGlite.create(directory)
const user = number => `('00000000-0000-4000-8000-' || lpad(to_hex(${number}), 12, '0'))::uuid`
await database.exec(`
  insert into auth.users (id, email, created_at, updated_at)
  select ${user('n')}, 'user' || n || '@example.test', now() - n % 180 * interval '1 day', now()
  from generate_series(1, 5000) n`)
for (let done = 0; done < Number(trades); done += 50000) {
  await database.exec(`
    insert into public.trade_history (
      order_id, user_id, external_id, account_type, active_id, ativo_nome, direction, valor, profit_esperado, payout,
      expiration_seconds, strategy_id, confidence, status, resultado, pnl, data_abertura, data_expiracao,
      data_fechamento, open_quote, close_quote, session_id, sequence, correlation_id, decided_at, acknowledged_at,
      decided_quote
    )
    select
      gen_random_uuid(), ${user('1 + n::bigint * 7919 % 5000')}, n, case when n % 5 < 2 then 'real' else 'demo' end,
      1 + n % 40, 'ASSET' || n % 40 || '-OTC', case when n % 2 = 0 then 'call' else 'put' end, 10, 8.2, 82, 60,
      'strategy' || n % 6, 60, 'closed', result, case result when 'WIN' then 8.2 when 'LOSS' then -10 else 0 end,
      opened, opened + interval '60 s', opened + interval '60 s', 1.0001, 1.0002, 'run', 1, 'signal',
      opened - interval '50 ms', opened + random() * interval '300 ms', 1
    from (
      select n, now() - interval '180 days' * (1 - n::float8 / ${trades}) as opened,
        case when random() < 0.54 then 'WIN' when random() < 0.96 then 'LOSS' else 'TIE' end as result
      from generate_series(${done} + 1, ${done} + 50000) n
    ) trade`)
}
await database.exec(`
  insert into public.user_sessions (user_id, created_at, last_activity)
  select ${user('1 + n % 5000')}, now() - n * interval '150 s', now() - n * interval '150 s'
  from generate_series(1, 100000) n;
  insert into public.user_activity_log (user_id, action, created_at)
  select ${user('1 + n % 5000')}, 'bot.started', now() - n * interval '150 s' from generate_series(1, 100000) n;
  insert into public.admin_alerts (alert_type, severity, message, created_at)
  select 'custom', 'warning', 'Alert ' || n, now() - n * interval '30 min' from generate_series(1, 10000) n;
  insert into public.admin_logs (level, origin, message, created_at)
  select 'info', 'bot', 'Entry ' || n, now() - n * interval '150 s' from generate_series(1, 100000) n;
  analyze;
  select public.work_out_days(accounts::text[], (now() - interval '1 year')::date, now()::date, null)
  from unnest(array['{real}', '{demo}', '{demo,real}']) accounts`)
await database.close()
"""

Ask = Callable[[], Awaitable[Any]]


async def run() -> list[Result]:
    with TemporaryDirectory() as directory:
        async with _analytics(Path(directory)) as (bus, by):
            cold = (await _milliseconds(lambda: bus.call(rpc.DASHBOARD, ask.NoQuery()), 1))[0]
            dashboard = await _milliseconds(lambda: bus.call(rpc.DASHBOARD, ask.NoQuery()))
            lists = _lists(bus)
            first = [(await _milliseconds(question, 1))[0] for question in lists.values()]
            listed = {name: _p95(await _milliseconds(question)) for name, question in lists.items()}
            months = _months(bus.clock.now().date())
            daily = await _milliseconds(lambda: bus.call(rpc.DAILY, next(months)))
            figures = await _milliseconds(lambda: bus.call(rpc.FIGURES, _figures_of(next(months))), 5)
            half_a_year = await _milliseconds(lambda: bus.call(rpc.FIGURES, _half_a_year(bus.clock.now().date())), 1)
            exported = await _export(bus, by)
    return [
        Result("analytics.dashboard_p95_ms", _p95(dashboard), "ms"),
        Result("analytics.dashboard_cold_ms", cold, "ms"),
        Result("analytics.lists_cold_ms", max(first), "ms"),
        *(Result(f"analytics.{name}_p95_ms", p95, "ms") for name, p95 in listed.items()),
        Result("analytics.daily30_ms", median(daily), "ms"),
        Result("analytics.figures30_ms", median(figures), "ms"),
        Result("analytics.figures180_ms", half_a_year[0], "ms"),
        Result("analytics.export_rows_per_s", exported, "1/s"),
    ]


def _lists(bus: Bus) -> dict[str, Ask]:
    somebody = UUID("00000000-0000-4000-8000-000000000001")
    return {
        "trades": lambda: bus.call(rpc.TRADES, ask.TradesQuery()),
        "users": lambda: bus.call(rpc.USERS, ask.UsersQuery(sort_by="total_pnl", limit=100)),
        "user_trades": lambda: bus.call(rpc.USER_TRADES, ask.TradesOfUser(id=somebody)),
        "user_sessions": lambda: bus.call(rpc.USER_SESSIONS, ask.PageOfUser(id=somebody)),
        "user_activity": lambda: bus.call(rpc.USER_ACTIVITY, ask.PageOfUser(id=somebody)),
        "alerts": lambda: bus.call(rpc.ALERTS, ask.AlertsQuery()),
        "logs": lambda: bus.call(rpc.LOGS, ask.LogsQuery()),
    }


async def _milliseconds(question: Ask, times: int = _TIMES) -> list[float]:
    took = []
    for _ in range(times):
        started = time.monotonic()
        await question()
        took.append(1000 * (time.monotonic() - started))
    return took


def _p95(times: list[float]) -> float:
    return quantiles(times, n=20)[-1]


def _months(today: date) -> Iterator[ask.Period]:
    """Thirty days, each time other ones."""
    for back in range(1000):
        last = today - timedelta(days=back)
        yield ask.Period(date_from=(last - timedelta(days=29)).isoformat(), date_to=last.isoformat())


def _figures_of(period: ask.Period) -> FiguresQuery:
    return FiguresQuery(date_from=period.date_from, date_to=period.date_to)


def _half_a_year(today: date) -> FiguresQuery:
    return FiguresQuery(date_from=(today - timedelta(days=179)).isoformat(), date_to=today.isoformat())


async def _export(bus: Bus, by: str) -> float:
    """Rows per second."""
    rows, after, started = 0, "", time.monotonic()
    wanted = TradesExport(account_type=ask.Accounts.BOTH)
    while rows < _EXPORTED:
        page = await bus.call(rpc.EXPORT_PAGE, ExportPage(by=by, trades=wanted, after=after))
        rows, after = rows + page.rows, page.next
    return rows / (time.monotonic() - started)


@asynccontextmanager
async def _analytics(directory: Path) -> AsyncIterator[tuple[Bus, str]]:
    """A bus to ask on, and who asks."""
    server = SupabaseServer(directory / "supabase")
    await asyncio.to_thread(server.prepare)
    await asyncio.to_thread(_generate, directory / "supabase" / "supabase" / ".temp" / "data")
    nats = NatsServer(directory)
    nats.start()
    bus = await Bus.connect(
        nats.url, ADMIN, nats.passwords[ADMIN], service=ADMIN, instance="bench", clock=SystemClock()
    )
    environment = nats.environment("analytics") | server.environment
    analytics = ServiceProcess("services.analytics", environment, directory / "analytics.log")
    try:
        await bus.ensure(*STREAMS, *BUCKETS)
        server.start()
        await analytics.start()
        yield bus, (await server.sign_up()).user
    finally:
        await analytics.stop()
        await bus.close()
        server.stop()
        nats.kill()


def _generate(data: Path) -> None:
    command = [str(node_path()), "--input-type=module", "-e", _GENERATOR, str(data), str(_TRADES)]
    subprocess.run(command, check=True, cwd=PACKAGE, timeout=900)
