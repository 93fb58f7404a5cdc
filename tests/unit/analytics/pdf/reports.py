"""Reports for tests, made up from a seed."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from libs.contracts import figures as told
from libs.contracts.figures import Figures
from services.analytics.pdf.report import AssetBar, Report, Table

FIRST = date(2026, 10, 1)


def some_figures(seed: int = 1, days: int = 58) -> Figures:
    chance = random.Random(seed)
    equity, points, peak = Decimal(0), [], Decimal(0)
    for number in range(days):
        pnl = Decimal(round(chance.gauss(12, 160), 2)).quantize(Decimal("0.01"))
        equity += pnl
        peak = max(peak, equity)
        points.append(
            told.EquityPoint(date=FIRST + timedelta(days=number), pnl=pnl, equity=equity, drawdown=equity - peak)
        )
    cells = [
        told.WeekdayCell(
            weekday=weekday, hour=hour, trades=chance.randrange(1, 3000), wins=1, losses=1,
            pnl=Decimal(chance.randrange(-90, 90)),
            win_rate=round(chance.gauss(54, 8), 2),
        )
        for weekday in range(1, 8)
        for hour in range(24)
        if chance.random() < 0.8
    ]  # fmt: skip
    return Figures(
        first=FIRST, last=FIRST + timedelta(days=days - 1), trades=41_873, wins=22_190, losses=18_911, ties=772,
        staked=Decimal("418730.00"), pnl=equity,
        win_rate=told.WinRate(value=53.99, lower=53.51, upper=54.47, break_even=54.21, edge=-0.22),
        expectancy=Decimal("0.0166"), return_on_stakes=0.17, profit_factor=1.0037, sharpe_ratio=1.21,
        sortino_ratio=1.93,
        max_drawdown=told.Drawdown(
            amount=Decimal("912.40"), peak=FIRST, trough=FIRST + timedelta(days=9), recovered=None, length_days=31
        ),
        streaks=told.Streaks(
            longest_win=14, longest_loss=12, longest_loss_chance=0.71,
            runs_test=told.RunsTest(runs=20301, expected=20422.1, z=-1.2, p_value=0.23),
        ),
        exposure=told.Exposure(
            time_at_risk=61.2, mean_at_risk=Decimal("83.20"), most_at_risk=Decimal("1290.00"), most_open=57
        ),
        acknowledgement=told.Acknowledgement(trades=41_000, p50_ms=84.0, p99_ms=412.0),
        slippage=told.Slippage(trades=41_000, mean=0.02, p50=0.0, p99=0.9),
        by_weekday=tuple(cells), by_asset=(), cohorts=(), equity=tuple(points),
    )  # fmt: skip


def a_report(rows: int = 120, **changes: Any) -> Report:
    chance = random.Random(2)
    columns = (
        "trade_id",
        "account_type",
        "ativo",
        "valor",
        "pnl",
        "resultado",
        "direcao",
        "data_abertura",
        "user_email",
    )
    lines = tuple(
        (
            str(100_000 + number), "real", chance.choice(("EURUSD-OTC", "GBPUSD-OTC")), "10.00",
            chance.choice(("8.20", "-10.00")), chance.choice(("WIN", "LOSS")), "CALL", "2026-11-03T14:02:11Z",
            "somebody@example.test",
        )
        for number in range(rows)
    )  # fmt: skip
    bars = tuple(
        AssetBar(
            asset=f"ASSET{number:02}-OTC", trades=chance.randrange(100, 9000), win_rate=round(chance.gauss(54, 6), 2),
            pnl=Decimal(chance.randrange(-50_000, 50_000)) / 100,
        )
        for number in range(10)
    )  # fmt: skip
    report = Report(
        title="Trades", about="1 October to 27 November 2026, real accounts",
        made_at=datetime(2026, 11, 27, 3, 4, tzinfo=UTC), figures=some_figures(), assets=bars,
        table=Table(title="Trades", columns=columns, rows=lines),
    )  # fmt: skip
    return msgspec.structs.replace(report, **changes)
