-- How the scanner's signals turned out is counted as they are decided and deleted, not by reading all of them again.

drop function public.strategy_totals();
drop function public.aggregate_scanner(timestamptz, integer, integer);

-- Counts of each strategy alone; rates and bounds follow from them.
alter table public.strategy_performance
  drop column total_signals,
  drop column win_rate,
  drop column wilson_lower,
  drop column window_seconds;
truncate public.strategy_performance;

-- To find what is too old, whose age depends on the timeframe.
create index strategy_trades_age on public.strategy_trades (timeframe, signal_timestamp);

create type private.decided_signal as (
  strategy_id text, active_id text, ativo_nome text, timeframe integer, result text, signal_timestamp timestamptz
);

-- Add decided signals to the counts, or take them away with a sign of -1. In one order, so that two who write at the
-- same time wait for, and not on, one another.
create function private.count_signals(signals private.decided_signal[], sign integer) returns void
language sql security invoker set search_path = '' as $$
  insert into public.strategy_performance as known (
    strategy_id, active_id, ativo_nome, timeframe, total_wins, total_losses, total_ties, total_timeouts, last_signal
  )
  select signal.strategy_id, signal.active_id, max(signal.ativo_nome), signal.timeframe,
    sign * count(*) filter (where signal.result = 'WIN'), sign * count(*) filter (where signal.result = 'LOSS'),
    sign * count(*) filter (where signal.result = 'TIE'), sign * count(*) filter (where signal.result = 'TIMEOUT'),
    max(signal.signal_timestamp)
  from unnest(signals) as signal
  group by signal.active_id, signal.timeframe, signal.strategy_id
  order by signal.active_id, signal.timeframe, signal.strategy_id
  on conflict (active_id, timeframe, strategy_id) do update set
    ativo_nome = excluded.ativo_nome,
    total_wins = known.total_wins + excluded.total_wins,
    total_losses = known.total_losses + excluded.total_losses,
    total_ties = known.total_ties + excluded.total_ties,
    total_timeouts = known.total_timeouts + excluded.total_timeouts,
    last_signal = greatest(known.last_signal, excluded.last_signal),
    last_updated = now()
$$;

create function private.signals_changed() returns trigger
language plpgsql security invoker set search_path = '' as $$
begin
  if tg_op <> 'INSERT' then
    perform private.count_signals(array(
      select row(gone.strategy_id, gone.active_id, gone.ativo_nome, gone.timeframe, gone.result, gone.signal_timestamp)::private.decided_signal
      from gone where gone.result <> 'PENDING' and gone.strategy_id is not null
    ), -1);
  end if;
  if tg_op <> 'DELETE' then
    perform private.count_signals(array(
      select row(here.strategy_id, here.active_id, here.ativo_nome, here.timeframe, here.result, here.signal_timestamp)::private.decided_signal
      from here where here.result <> 'PENDING' and here.strategy_id is not null
    ), 1);
  end if;
  return null;
end
$$;
create trigger strategy_trades_inserted after insert on public.strategy_trades
  referencing new table as here for each statement execute function private.signals_changed();
create trigger strategy_trades_updated after update on public.strategy_trades
  referencing old table as gone new table as here for each statement execute function private.signals_changed();
create trigger strategy_trades_deleted after delete on public.strategy_trades
  referencing old table as gone for each statement execute function private.signals_changed();

select private.count_signals(array(
  select row(signal.strategy_id, signal.active_id, signal.ativo_nome, signal.timeframe, signal.result, signal.signal_timestamp)::private.decided_signal
  from public.strategy_trades signal where signal.result <> 'PENDING' and signal.strategy_id is not null
), 1);

-- Forget signals that no longer count, and bring scanner_performance in line with the counts: rows that would say the
-- same are not written, because clients hear of every write, and rows without signals are deleted.
create function public.aggregate_scanner(at timestamptz, least_seconds integer, candles integer)
returns table (aggregated bigint, upserted bigint, removed bigint, pending bigint)
-- Only plain index scans take note of entries whose signals are gone: where nothing vacuums, there are more and more.
language sql security invoker set search_path = '' set enable_bitmapscan = off as $$
  select pg_advisory_xact_lock(hashtext('public.aggregate_scanner'));

  -- From one timeframe to the next by the index.
  with recursive timeframes (timeframe) as (
    select min(signal.timeframe) from public.strategy_trades signal
    union all
    select (select min(signal.timeframe) from public.strategy_trades signal where signal.timeframe > known.timeframe)
    from timeframes known where known.timeframe is not null
  )
  delete from public.strategy_trades signal
  using timeframes
  where signal.timeframe = timeframes.timeframe
    and signal.signal_timestamp < at - make_interval(
      secs => timeframes.timeframe + private.scanner_window(timeframes.timeframe, least_seconds, candles)
    );

  delete from public.strategy_performance
  where total_wins + total_losses + total_ties + total_timeouts = 0;

  with found as materialized (
    select active_id, timeframe, max(ativo_nome) as ativo_nome, sum(total_wins) as wins, sum(total_losses) as losses,
      sum(total_ties) as ties, sum(total_timeouts) as timeouts, max(last_signal) as last_signal,
      private.scanner_window(timeframe, least_seconds, candles) as window_seconds
    from public.strategy_performance
    group by active_id, timeframe
  ),
  written as (
    insert into public.scanner_performance as known (
      active_id, ativo_nome, timeframe, total_signals, total_wins, total_losses, total_ties, total_timeouts,
      win_rate, wilson_lower, window_seconds, last_signal, last_updated
    )
    select active_id, ativo_nome, timeframe, wins + losses, wins, losses, ties, timeouts,
      private.percent(wins, wins + losses), private.wilson_lower(wins, wins + losses), window_seconds, last_signal, at
    from found
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
  emptied as (
    delete from public.scanner_performance known
    where not exists (
      select from found where found.active_id = known.active_id and found.timeframe = known.timeframe
    )
    returning 1
  )
  select
    (select count(*) from found),
    (select count(*) from written),
    (select count(*) from emptied),
    (select count(*) from public.strategy_trades signal where signal.result = 'PENDING')
$$;

-- Every strategy on every timeframe that was aggregated, over all actives.
create function public.strategy_totals()
returns table (
  strategy_id text, timeframe integer, actives bigint, total_signals bigint, total_wins bigint, total_losses bigint,
  total_ties bigint, total_timeouts bigint, win_rate numeric, wilson_lower numeric, window_seconds integer,
  last_signal timestamptz, last_updated timestamptz
)
language sql stable security invoker set search_path = '' as $$
  select total.strategy_id, total.timeframe, total.actives, total.wins + total.losses, total.wins, total.losses,
    total.ties, total.timeouts, private.percent(total.wins, total.wins + total.losses),
    private.wilson_lower(total.wins, total.wins + total.losses), aggregated.window_seconds, total.last_signal,
    total.last_updated
  from (
    select known.strategy_id, known.timeframe, count(*) as actives, sum(known.total_wins) as wins,
      sum(known.total_losses) as losses, sum(known.total_ties) as ties, sum(known.total_timeouts) as timeouts,
      max(known.last_signal) as last_signal, max(known.last_updated) as last_updated
    from public.strategy_performance known
    where known.total_wins + known.total_losses + known.total_ties + known.total_timeouts > 0
    group by known.strategy_id, known.timeframe
  ) total
  join (
    select known.timeframe, max(known.window_seconds) as window_seconds
    from public.scanner_performance known
    group by known.timeframe
  ) aggregated on aggregated.timeframe = total.timeframe
  order by private.wilson_lower(total.wins, total.wins + total.losses) desc, total.wins + total.losses desc
$$;

revoke execute on function public.aggregate_scanner(timestamptz, integer, integer), public.strategy_totals()
  from public, anon, authenticated;
grant execute on function public.aggregate_scanner(timestamptz, integer, integer), public.strategy_totals()
  to service_role;
