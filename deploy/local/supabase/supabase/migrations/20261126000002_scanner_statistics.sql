-- The scanner's signals, their verdicts, and who was right most often.

-- Of each candle that closes: which signals it decides, and what it adds to them.
create index strategy_trades_undecided on public.strategy_trades (active_id, timeframe, signal_timestamp)
  where result = 'PENDING';

alter table public.scanner_performance
  add column total_ties integer not null default 0,
  add column total_timeouts integer not null default 0,
  add column wilson_lower numeric(5, 2) not null default 0,
  add column window_seconds integer not null default 0;
comment on column public.scanner_performance.total_signals is 'Won or lost.';
comment on column public.scanner_performance.win_rate is 'Percent of total_signals.';
comment on column public.scanner_performance.wilson_lower is 'Percent: lower bound of the 95 % interval of win_rate.';
comment on column public.scanner_performance.window_seconds is 'Signals that were decided in so many seconds count.';

-- As scanner_performance, which clients read and which has one row per active and timeframe, for each strategy alone.
create table public.strategy_performance (
  id uuid primary key default gen_random_uuid(),
  strategy_id text not null,
  active_id text not null,
  ativo_nome text not null,
  timeframe integer not null,
  total_signals integer not null,
  total_wins integer not null,
  total_losses integer not null,
  total_ties integer not null,
  total_timeouts integer not null,
  win_rate numeric(5, 2) not null,
  wilson_lower numeric(5, 2) not null,
  window_seconds integer not null,
  last_signal timestamptz not null,
  last_updated timestamptz not null default now(),
  created_at timestamptz not null default now(),
  unique (active_id, timeframe, strategy_id)
);
alter table public.strategy_performance enable row level security;
revoke all on public.strategy_performance from anon, authenticated;
grant all on public.strategy_performance to service_role;

create function private.percent(part bigint, whole bigint) returns numeric
language sql immutable set search_path = '' as $$
  select case when whole = 0 then 0 else round(100.0 * part / whole, 2) end
$$;

-- Wilson's score interval: what the win rate is at least, with 97.5 % confidence. Few signals prove little.
create function private.wilson_lower(wins bigint, total bigint) returns numeric
language sql immutable set search_path = '' as $$
  select case when total = 0 then 0 else round(100 * (
    (wins + z * z / 2 - z * sqrt(wins::float8 * (total - wins) / total + z * z / 4)) / (total + z * z)
  )::numeric, 2) end
  from (values (1.959963984540054::float8)) quantile (z)
$$;

-- Seconds in which a signal must have been decided to count: at least so many, and so many candles.
create function private.scanner_window(timeframe integer, least_seconds integer, candles integer) returns integer
language sql immutable set search_path = '' as $$
  select greatest(least_seconds, timeframe * candles)
$$;

-- Signals are written once; a close decides those of the candle before, once. A close without a price is of a candle
-- that does not exist. May be repeated without harm. Answers how many were decided.
create function public.record_signals(signals jsonb, closes jsonb) returns table (decided bigint)
language sql security invoker set search_path = '' as $$
  insert into public.strategy_trades (
    id, active_id, ativo_nome, timeframe, strategy_id, confidence, signal_timestamp, signal_direction, signal_price
  )
  select id, active_id, ativo_nome, timeframe, strategy_id, confidence, signal_timestamp, signal_direction, signal_price
  from jsonb_populate_recordset(null::public.strategy_trades, signals)
  on conflict (id) do nothing;

  with verdicts as (
    update public.strategy_trades known set
      result = case
        when given.price is null then 'TIMEOUT'
        when given.price = known.signal_price then 'TIE'
        when (given.price > known.signal_price) = (known.signal_direction = 'CALL') then 'WIN'
        else 'LOSS'
      end,
      result_timestamp = given.ended_at,
      result_price = given.price,
      price_diff = given.price - known.signal_price
    from jsonb_to_recordset(closes) as given (
      active_id text, timeframe integer, ended_at timestamptz, price numeric
    )
    where known.result = 'PENDING'
      and known.active_id = given.active_id
      and known.timeframe = given.timeframe
      and known.signal_timestamp = given.ended_at - make_interval(secs => given.timeframe)
    returning 1
  )
  select count(*) from verdicts
$$;

-- When signals expired that should have been decided before that time, in epoch seconds, by active and timeframe.
create function public.overdue_signals(before timestamptz)
returns table (active_id text, timeframe integer, expiries bigint[])
language sql stable security invoker set search_path = '' as $$
  select pending.active_id, pending.timeframe, 
    array_agg(distinct extract(epoch from pending.expiry)::bigint order by extract(epoch from pending.expiry)::bigint)
  from (
    select signal.active_id, signal.timeframe,
      signal.signal_timestamp + make_interval(secs => signal.timeframe) as expiry
    from public.strategy_trades signal
    where signal.result = 'PENDING'
  ) pending
  where pending.expiry < before
  group by pending.active_id, pending.timeframe
  order by min(pending.expiry)
  limit 200
$$;

-- Forget signals that no longer count, and bring both tables in line with the others: rows that would say the same are
-- not written, because clients hear of every write, and rows without signals are deleted.
create function public.aggregate_scanner(at timestamptz, least_seconds integer, candles integer)
returns table (aggregated bigint, upserted bigint, removed bigint, pending bigint)
language sql security invoker set search_path = '' as $$
  select pg_advisory_xact_lock(hashtext('public.aggregate_scanner'));

  delete from public.strategy_trades signal
  where signal.signal_timestamp < at - make_interval(
    secs => signal.timeframe + private.scanner_window(signal.timeframe, least_seconds, candles)
  );

  with counted as materialized (
    select signal.active_id, signal.timeframe, signal.strategy_id, grouping(signal.strategy_id) as of_all,
      max(signal.ativo_nome) as ativo_nome,
      count(*) filter (where signal.result = 'WIN') as wins,
      count(*) filter (where signal.result = 'LOSS') as losses,
      count(*) filter (where signal.result = 'TIE') as ties,
      count(*) filter (where signal.result = 'TIMEOUT') as timeouts,
      max(signal.signal_timestamp) as last_signal
    from public.strategy_trades signal
    where signal.result <> 'PENDING'
    group by grouping sets (
      (signal.active_id, signal.timeframe), (signal.active_id, signal.timeframe, signal.strategy_id)
    )
  ),
  found as materialized (
    select counted.*, wins + losses as total, private.percent(wins, wins + losses) as win_rate,
      private.wilson_lower(wins, wins + losses) as wilson_lower,
      private.scanner_window(timeframe, least_seconds, candles) as window_seconds
    from counted
  ),
  performances as (
    insert into public.scanner_performance as known (
      active_id, ativo_nome, timeframe, total_signals, total_wins, total_losses, total_ties, total_timeouts,
      win_rate, wilson_lower, window_seconds, last_signal, last_updated
    )
    select active_id, ativo_nome, timeframe, total, wins, losses, ties, timeouts,
      win_rate, wilson_lower, window_seconds, last_signal, at
    from found where of_all = 1
    on conflict (active_id, timeframe) do update set
      ativo_nome = excluded.ativo_nome, total_signals = excluded.total_signals, total_wins = excluded.total_wins,
      total_losses = excluded.total_losses, total_ties = excluded.total_ties,
      total_timeouts = excluded.total_timeouts, win_rate = excluded.win_rate, wilson_lower = excluded.wilson_lower,
      window_seconds = excluded.window_seconds, last_signal = excluded.last_signal,
      last_updated = excluded.last_updated
    where (known.ativo_nome, known.total_wins, known.total_losses, known.total_ties, known.total_timeouts,
        known.window_seconds, known.last_signal)
      is distinct from (excluded.ativo_nome, excluded.total_wins, excluded.total_losses, excluded.total_ties,
        excluded.total_timeouts, excluded.window_seconds, excluded.last_signal)
    returning 1
  ),
  empty_performances as (
    delete from public.scanner_performance known
    where not exists (
      select from found
      where of_all = 1 and found.active_id = known.active_id and found.timeframe = known.timeframe
    )
    returning 1
  ),
  strategies as (
    insert into public.strategy_performance as known (
      strategy_id, active_id, ativo_nome, timeframe, total_signals, total_wins, total_losses, total_ties,
      total_timeouts, win_rate, wilson_lower, window_seconds, last_signal, last_updated
    )
    select strategy_id, active_id, ativo_nome, timeframe, total, wins, losses, ties,
      timeouts, win_rate, wilson_lower, window_seconds, last_signal, at
    from found where of_all = 0 and strategy_id is not null
    on conflict (active_id, timeframe, strategy_id) do update set
      ativo_nome = excluded.ativo_nome, total_signals = excluded.total_signals, total_wins = excluded.total_wins,
      total_losses = excluded.total_losses, total_ties = excluded.total_ties,
      total_timeouts = excluded.total_timeouts, win_rate = excluded.win_rate, wilson_lower = excluded.wilson_lower,
      window_seconds = excluded.window_seconds, last_signal = excluded.last_signal,
      last_updated = excluded.last_updated
    where (known.ativo_nome, known.total_wins, known.total_losses, known.total_ties, known.total_timeouts,
        known.window_seconds, known.last_signal)
      is distinct from (excluded.ativo_nome, excluded.total_wins, excluded.total_losses, excluded.total_ties,
        excluded.total_timeouts, excluded.window_seconds, excluded.last_signal)
    returning 1
  ),
  empty_strategies as (
    delete from public.strategy_performance known
    where not exists (
      select from found
      where of_all = 0 and found.active_id = known.active_id and found.timeframe = known.timeframe
        and found.strategy_id = known.strategy_id
    )
    returning 1
  )
  select
    (select count(*) from found where of_all = 1),
    (select count(*) from performances),
    (select count(*) from empty_performances),
    (select count(*) from public.strategy_trades signal where signal.result = 'PENDING')
$$;

-- Every strategy on every timeframe, over all actives.
create function public.strategy_totals()
returns table (
  strategy_id text, timeframe integer, actives bigint, total_signals bigint, total_wins bigint, total_losses bigint,
  total_ties bigint, total_timeouts bigint, win_rate numeric, wilson_lower numeric, window_seconds integer,
  last_signal timestamptz, last_updated timestamptz
)
language sql stable security invoker set search_path = '' as $$
  select known.strategy_id, known.timeframe, count(*), sum(known.total_signals), sum(known.total_wins),
    sum(known.total_losses), sum(known.total_ties), sum(known.total_timeouts),
    private.percent(sum(known.total_wins), sum(known.total_signals)),
    private.wilson_lower(sum(known.total_wins), sum(known.total_signals)),
    max(known.window_seconds), max(known.last_signal), max(known.last_updated)
  from public.strategy_performance known
  group by known.strategy_id, known.timeframe
  order by private.wilson_lower(sum(known.total_wins), sum(known.total_signals)) desc, sum(known.total_signals) desc
$$;

revoke execute on function public.record_signals(jsonb, jsonb), public.overdue_signals(timestamptz),
  public.aggregate_scanner(timestamptz, integer, integer), public.strategy_totals()
  from public, anon, authenticated;
grant execute on function public.record_signals(jsonb, jsonb), public.overdue_signals(timestamptz),
  public.aggregate_scanner(timestamptz, integer, integer), public.strategy_totals() to service_role;
