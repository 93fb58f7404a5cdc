"""The platform's figures on people whose every day is made up: their ages cannot be made by signing up."""

from tests.integration.store.catalog import Catalog

_PEOPLE = """
insert into auth.users (id, email, created_at, last_sign_in_at) values
  ('00000000-0000-4000-8000-000000000001', 'a', now() - interval '90 days', now() - interval '1 hour'),
  ('00000000-0000-4000-8000-000000000002', 'b', now() - interval '6 days', now() - interval '10 days'),
  ('00000000-0000-4000-8000-000000000003', 'c', now() - interval '6 days', now() - interval '20 days'),
  ('00000000-0000-4000-8000-000000000004', 'd', now() - interval '60 days', now() - interval '40 days'),
  ('00000000-0000-4000-8000-000000000005', 'e', now() - interval '60 days', null);
insert into public.bot_status (user_id, account_type) values ('00000000-0000-4000-8000-000000000003', 'demo');
insert into public.trade_history (
  order_id, user_id, account_type, active_id, ativo_nome, direction, valor, expiration_seconds, status, resultado,
  pnl, data_abertura
)
select
  gen_random_uuid(), ('00000000-0000-4000-8000-00000000000' || person)::uuid, account, 1, 'EURUSD', 'call', stake, 60,
  case when pnl is null then 'open' else 'closed' end,
  case when pnl > 0 then 'WIN' when pnl < 0 then 'LOSS' end, pnl, now() - age
from (values
  (1, 'demo', 10, 8.2, interval '50 days'), (1, 'real', 10, 8.2, interval '46 days'), (1, 'real', 20, 8, interval '0'),
  (2, 'real', 30, -30, interval '5 days'), (2, 'real', 12.5, null, interval '0'), (2, 'real', 5, -3, interval '0'),
  (4, 'demo', 10, 0.5, interval '50 days')
) traded (person, account, stake, pnl, age);
insert into public.user_sessions (user_id, created_at, last_activity) values
  ('00000000-0000-4000-8000-000000000001', now() - interval '30 minutes', now()),
  ('00000000-0000-4000-8000-000000000002', now() - interval '10 minutes', now()),
  ('00000000-0000-4000-8000-000000000002', now() - interval '50 days', now() - interval '40 days');
"""


def test_the_dashboard_is_what_its_definitions_say(catalog: Catalog) -> None:
    [[row]] = catalog.ask((_PEOPLE, "select * from private.dashboard()"))
    assert {name: float(value) for name, value in row.items()} == {
        "total_users": 5,
        "total_users_real": 2,
        "total_users_demo_only": 2,
        "active_users_today_real": 1,
        "new_users_week_real": 1,
        "churn_rate_percentage": 40,
        "deposits_today_real": 37.5,
        "withdrawals_today_real": 5,
        "net_revenue_today_real": 32.5,
        "avg_deposit_size": 15.5,
        "trades_today_real": 3,
        "volume_today_real": 37.5,
        "platform_win_rate_real": 50,
        "avg_engagement_score": 50,
        "avg_session_duration_minutes": 20,
        "dau_real": 1,
        "mau_real": 2,
        "demo_users": 3,
        "conversion_rate_percent": 50,
        "avg_days_to_convert": 4,
    }


def test_of_nothing_every_figure_is_a_number(catalog: Catalog) -> None:
    [[row], [now]] = catalog.ask(("", "select * from private.dashboard()"), ("", "select * from private.realtime()"))
    assert {float(value) for value in (*row.values(), *now.values())} == {0}


def test_users_grow_by_the_day_of_their_sign_up(catalog: Catalog) -> None:
    question = """
    select (now() at time zone 'UTC')::date - day as ago, new_users, new_users_real
    from private.user_growth((now() at time zone 'UTC')::date - 60, (now() at time zone 'UTC')::date - 6) order by day
    """
    [rows] = catalog.ask((_PEOPLE, question))
    assert [tuple(map(int, row.values())) for row in rows] == [(60, 2, 0), (6, 2, 1)]


def test_figures_of_now_are_of_the_newest_trades_and_of_today(catalog: Catalog) -> None:
    [[row]] = catalog.ask((_PEOPLE, "select * from private.realtime()"))
    assert {name: float(value) for name, value in row.items()} == {
        "total_users": 5, "recent_trades": 6, "recent_wins": 4, "trades_today": 3, "wins_today": 1,
        "losses_today": 1, "ties_today": 0, "pnl_today": 5,
    }  # fmt: skip


_SIGNALS = """
insert into public.strategy_trades (
  active_id, ativo_nome, timeframe, strategy_id, signal_timestamp, signal_direction, signal_price, result
)
select '1', 'EUR/USD', 60, 'mhi', now() - age, 'CALL', 1, result
from (values
  (interval '0', 'WIN'), (interval '1 hour', 'LOSS'), (interval '2 hours', 'PENDING'), (interval '2 hours', 'TIMEOUT'),
  (interval '3 hours', 'PENDING'), (interval '30 hours', 'WIN'), (interval '40 days', 'TIE')
) given (age, result);
update public.strategy_trades set result = 'WIN' where signal_timestamp = now() - interval '3 hours';
update public.strategy_trades set result = 'LOSS' where signal_timestamp = now() - interval '1 hour';
delete from public.strategy_trades;
"""


def test_signals_count_after_they_were_deleted(catalog: Catalog) -> None:
    of_day, ever = catalog.ask(
        (_SIGNALS, "select * from public.signal_counts(now() - interval '1 day')"),
        (_SIGNALS, "select * from public.signal_counts(null)"),
    )
    assert [int(value) for value in of_day[0].values()] == [2, 1, 0, 1]
    assert [int(value) for value in ever[0].values()] == [3, 1, 1, 1]


def test_errors_of_a_day_are_grave_log_entries(catalog: Catalog) -> None:
    change = """
    insert into public.admin_logs (level, origin, message, created_at) values
      ('error', 'api', 'x', now()), ('critical', 'bot', 'x', now()), ('warn', 'api', 'x', now()),
      ('error', 'api', 'x', now() - interval '25 hours')
    """
    [[row]] = catalog.ask((change, "select public.errors_of_day() as many"))
    assert int(row["many"]) == 2
