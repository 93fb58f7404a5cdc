-- Figures of everybody over half a year read no trades: each day is worked out once, and again when a trade that was
-- opened on it, or open in it, has changed. A count of changes says so, which is kept in the transaction that writes the
-- trades; a day is as it was only while the count is the one that it was worked out with.

create table private.trade_day_changes (
  account_type text not null,
  day date not null,
  changes bigint not null,
  primary key (account_type, day)
) with (fillfactor = 50);
comment on table private.trade_day_changes is 'Statements that changed a trade that was open in some moment of a UTC day.';

create table private.trade_day_figures (
  accounts text[] not null,
  day date not null,
  changes bigint not null,
  staked numeric not null,
  promised numeric not null,
  filled bigint not null,
  slipped numeric not null,
  waited_in integer[] not null,
  waited_by integer[] not null,
  slipped_in integer[] not null,
  slipped_by integer[] not null,
  seconds_at_risk float8 not null,
  stake_seconds float8 not null,
  most_at_risk numeric not null,
  most_open bigint not null,
  primary key (accounts, day)
);
comment on table private.trade_day_figures is 'Of the trades of some account types, in their alphabetical order.';
comment on column private.trade_day_figures.changes is 'Of these accounts on that day, when it was worked out.';
comment on column private.trade_day_figures.waited_in is
  'Buckets (private.bucket_value) of milliseconds until acknowledgements, and in waited_by how many are in each.';
comment on column private.trade_day_figures.seconds_at_risk is
  'Between midnight and midnight, as the three after it, whenever what is open then was opened.';

alter table private.trade_day_changes enable row level security;
alter table private.trade_day_figures enable row level security;
grant select on private.trade_day_changes, private.trade_day_figures to service_role;

-- What is open over midnight is looked for in more days than that of its opening.
create index trade_history_over_midnight on public.trade_history (account_type, data_abertura)
  where (data_abertura at time zone 'UTC')::date < (coalesce(data_fechamento, data_expiracao) at time zone 'UTC')::date;

-- Of each trade every day from its opening to its end, but at most a year of them.
create function private.days_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    insert into private.trade_day_changes as known (account_type, day, changes)
    select distinct account_type, first_day + further, 1
    from (
      select distinct account_type, (data_abertura at time zone 'UTC')::date as first_day,
        (coalesce(data_fechamento, data_expiracao) at time zone 'UTC')::date as last_day
      from added
    ) span
    cross join lateral generate_series(0, least(greatest(last_day - first_day, 0), 366)) further
    order by 1, 2
    on conflict (account_type, day) do update set changes = known.changes + 1;
  elsif tg_op = 'DELETE' then
    insert into private.trade_day_changes as known (account_type, day, changes)
    select distinct account_type, first_day + further, 1
    from (
      select distinct account_type, (data_abertura at time zone 'UTC')::date as first_day,
        (coalesce(data_fechamento, data_expiracao) at time zone 'UTC')::date as last_day
      from removed
    ) span
    cross join lateral generate_series(0, least(greatest(last_day - first_day, 0), 366)) further
    order by 1, 2
    on conflict (account_type, day) do update set changes = known.changes + 1;
  else
    insert into private.trade_day_changes as known (account_type, day, changes)
    select distinct account_type, first_day + further, 1
    from (
      select account_type, (data_abertura at time zone 'UTC')::date as first_day,
        (coalesce(data_fechamento, data_expiracao) at time zone 'UTC')::date as last_day
      from added
      union
      select account_type, (data_abertura at time zone 'UTC')::date,
        (coalesce(data_fechamento, data_expiracao) at time zone 'UTC')::date
      from removed
    ) span
    cross join lateral generate_series(0, least(greatest(last_day - first_day, 0), 366)) further
    order by 1, 2
    on conflict (account_type, day) do update set changes = known.changes + 1;
  end if;
  return null;
end
$$;
revoke execute on function private.days_changed() from public, anon, authenticated;

-- Named to be called after those that add up: locks are always taken in one order.
create trigger trade_history_days_added after insert on public.trade_history referencing new table as added
  for each statement execute function private.days_changed();
create trigger trade_history_days_changed after update on public.trade_history
  referencing new table as added old table as removed
  for each statement execute function private.days_changed();
create trigger trade_history_days_removed after delete on public.trade_history referencing old table as removed
  for each statement execute function private.days_changed();

-- The middle of a bucket, which is off by at most 1 %: those of numbers above 0 are from 0.001 × 1.02ⁿ⁻¹ to 0.001 × 1.02ⁿ,
-- of those below it likewise with −n, and 0 is what is smaller (C. Masson et al., "DDSketch", 2019).
create function private.bucket_value(bucket integer) returns float8
language sql immutable set search_path = '' as $$
  select sign(bucket) * 0.001 * 1.02::float8 ^ abs(bucket) * 2 / 2.02
$$;

-- How much was open in days of UTC, of trades of anybody or of one user; days in which nothing was open have zeros.
-- Options that are not settled count until they expire.
create function private.exposure_of_days(accounts text[], of_user uuid, days date[]) returns table (
  day date, seconds_at_risk float8, stake_seconds float8, most_at_risk numeric, most_open bigint
)
language plpgsql stable security invoker set search_path = '' as $$
begin
  return query execute
    'with day as (
      select day, day::timestamp at time zone ''UTC'' as begins, (day + 1)::timestamp at time zone ''UTC'' as ends
      from unnest($3) day
    ), span as (
      select day.day, greatest(trade.opened, day.begins) as opened, least(trade.closed, day.ends) as closed, trade.valor
      from day cross join lateral (
        select data_abertura as opened, greatest(data_abertura, coalesce(data_fechamento, data_expiracao)) as closed,
          valor
        from public.trade_history
        where account_type = any ($1) and ($2 is null or user_id = $2)
          and data_abertura >= day.begins and data_abertura < day.ends
        union all
        select data_abertura, coalesce(data_fechamento, data_expiracao), valor
        from public.trade_history
        where account_type = any ($1) and ($2 is null or user_id = $2)
          and data_abertura < day.begins and coalesce(data_fechamento, data_expiracao) > day.begins
          and (data_abertura at time zone ''UTC'')::date
            < (coalesce(data_fechamento, data_expiracao) at time zone ''UTC'')::date
      ) trade
    ), change as (
      select day, opened as at, valor as money, 1 as number from span
      union all
      select day, closed, -valor, -1 from span
    ), standing as (
      select day, at, lead(at) over in_order as next_at, sum(money) over in_order as money,
        sum(number) over in_order as number
      from change
      window in_order as (partition by day order by at, number rows unbounded preceding)
    )
    select
      day.day,
      coalesce(sum(date_part(''epoch'', next_at - at)) filter (where number > 0), 0),
      coalesce(sum(money::float8 * date_part(''epoch'', next_at - at)), 0),
      coalesce(max(money), 0), coalesce(max(number), 0)
    from day left join standing using (day)
    group by day.day'
  using accounts, of_user, days;
end
$$;

-- Works out what has changed since it was, the newest days first; how many it were. `accounts` in their order; `at_most`
-- days, or all of them if it is null. One statement: trades are those of the moment that the changes are counted in.
create function private.work_out_days(accounts text[], first_day date, last_day date, at_most integer) returns bigint
language sql volatile security definer set search_path = '' as $$
  with wanted as materialized (
    select changed.day, sum(changed.changes) as changes
    from private.trade_day_changes changed
    where changed.account_type = any (accounts) and changed.day between first_day and last_day
    group by changed.day
  ), stale as materialized (
    select wanted.day, wanted.changes
    from wanted
    left join private.trade_day_figures known
      on known.accounts = work_out_days.accounts and known.day = wanted.day
    where known.changes is distinct from wanted.changes
    order by wanted.day desc
    limit at_most
  ), trade as materialized (
    select
      stale.day, told.staked, told.promised, told.slipped,
      sign(told.waited) * greatest(0, ceil(ln(greatest(abs(told.waited), 0.001) / 0.001) / ln(1.02))) as waited_in,
      sign(told.slipped) * greatest(0, ceil(ln(greatest(abs(told.slipped), 0.001)::float8 / 0.001) / ln(1.02)))
        as slipped_in
    from stale cross join lateral (
      select
        case when resultado is not null then valor end as staked,
        case when resultado is not null then valor * payout / 100 end as promised,
        date_part('epoch', acknowledged_at - decided_at) * 1000 as waited,
        case direction when 'call' then 1 else -1 end * (open_quote - decided_quote) / nullif(decided_quote, 0) * 10000
          as slipped
      from public.trade_history
      where account_type = any (accounts) and data_abertura >= stale.day::timestamp at time zone 'UTC'
        and data_abertura < (stale.day + 1)::timestamp at time zone 'UTC'
      offset 0  -- or each is worked out anew wherever it is named
    ) told
  ), sums as (
    select day, coalesce(sum(staked), 0) as staked, coalesce(sum(promised), 0) as promised, count(slipped) as filled,
      coalesce(sum(slipped), 0) as slipped
    from trade
    group by day
  ), waits as (
    select day, array_agg(bucket order by bucket) as buckets, array_agg(trades order by bucket) as trades
    from (
      select day, waited_in::integer as bucket, count(*)::integer as trades
      from trade where waited_in is not null group by 1, 2
    ) told
    group by day
  ), slips as (
    select day, array_agg(bucket order by bucket) as buckets, array_agg(trades order by bucket) as trades
    from (
      select day, slipped_in::integer as bucket, count(*)::integer as trades
      from trade where slipped_in is not null group by 1, 2
    ) told
    group by day
  ), worked_out as (
    insert into private.trade_day_figures as known (
      accounts, day, changes, staked, promised, filled, slipped, waited_in, waited_by, slipped_in, slipped_by,
      seconds_at_risk, stake_seconds, most_at_risk, most_open
    )
    select
      accounts, stale.day, stale.changes, coalesce(sums.staked, 0), coalesce(sums.promised, 0),
      coalesce(sums.filled, 0), coalesce(sums.slipped, 0), coalesce(waits.buckets, '{}'), coalesce(waits.trades, '{}'),
      coalesce(slips.buckets, '{}'), coalesce(slips.trades, '{}'), exposure.seconds_at_risk, exposure.stake_seconds,
      exposure.most_at_risk, exposure.most_open
    from stale
    join private.exposure_of_days(accounts, null, array(select day from stale)) exposure using (day)
    left join sums using (day)
    left join waits using (day)
    left join slips using (day)
    order by stale.day
    on conflict on constraint trade_day_figures_pkey do update set
      changes = excluded.changes, staked = excluded.staked, promised = excluded.promised, filled = excluded.filled,
      slipped = excluded.slipped, waited_in = excluded.waited_in, waited_by = excluded.waited_by,
      slipped_in = excluded.slipped_in, slipped_by = excluded.slipped_by, seconds_at_risk = excluded.seconds_at_risk,
      stake_seconds = excluded.stake_seconds, most_at_risk = excluded.most_at_risk, most_open = excluded.most_open
    where known.changes < excluded.changes
  )
  select count(*) from stale
$$;
create function public.work_out_days(accounts text[], first_day date, last_day date, at_most integer) returns bigint
language sql volatile security invoker set search_path = '' as $$
  select private.work_out_days(
    array(select distinct account from unnest(accounts) account order by 1), first_day, last_day, at_most
  )
$$;

-- As before of one user; of everybody from days that were worked out, where percentiles are those of buckets.
create or replace function public.trade_figures(accounts text[], of_user uuid, first_day date, last_day date)
returns table (
  wins bigint, losses bigint, ties bigint, won numeric, lost numeric, staked numeric, promised numeric,
  win_rate_lower numeric, win_rate_upper numeric, acknowledged bigint, acknowledged_p50 float8,
  acknowledged_p99 float8, filled bigint, slippage_mean float8, slippage_p50 float8, slippage_p99 float8
)
language plpgsql volatile security invoker set search_path = '' as $$
declare
  sorted text[] := array(select distinct account from unnest(accounts) account order by 1);
begin
  if of_user is null then
    perform private.work_out_days(sorted, first_day, last_day, null);
    return query
    with known as materialized (
      select * from private.trade_day_figures figures
      where figures.accounts = sorted and figures.day between first_day and last_day
    ), bucket as materialized (
      select 'waited' as of, waited.bucket, sum(waited.trades)::bigint as trades
      from known cross join lateral unnest(known.waited_in, known.waited_by) waited (bucket, trades)
      group by 2
      union all
      select 'slipped', slipped.bucket, sum(slipped.trades)::bigint
      from known cross join lateral unnest(known.slipped_in, known.slipped_by) slipped (bucket, trades)
      group by 2
    ), rank as materialized (
      select of, bucket, sum(trades) over (partition by of order by bucket) as up_to,
        sum(trades) over (partition by of) as trades
      from bucket
    ), results as (
      select sum(days.wins)::bigint as wins, sum(days.losses)::bigint as losses, sum(days.ties)::bigint as ties,
        coalesce(sum(days.won), 0) as won, coalesce(sum(days.won - days.pnl), 0) as lost
      from private.trade_days days
      where days.of = 'all' and days.key = '' and days.account_type = any (sorted)
        and days.day between first_day and last_day
    )
    select
      coalesce(results.wins, 0), coalesce(results.losses, 0), coalesce(results.ties, 0), results.won, results.lost,
      sums.staked, sums.promised,
      case when results.wins + results.losses > 0 then
        private.wilson_lower(results.wins, results.wins + results.losses)
      end,
      case when results.wins + results.losses > 0 then
        private.wilson_upper(results.wins, results.wins + results.losses)
      end,
      coalesce((select max(rank.trades) from rank where of = 'waited'), 0)::bigint,
      (select private.bucket_value(min(bucket)) from rank where of = 'waited' and up_to >= 0.5 * trades),
      (select private.bucket_value(min(bucket)) from rank where of = 'waited' and up_to >= 0.99 * trades),
      sums.filled, (sums.slipped / nullif(sums.filled, 0))::float8,
      (select private.bucket_value(min(bucket)) from rank where of = 'slipped' and up_to >= 0.5 * trades),
      (select private.bucket_value(min(bucket)) from rank where of = 'slipped' and up_to >= 0.99 * trades)
    from results cross join (
      select coalesce(sum(known.staked), 0) as staked, coalesce(sum(known.promised), 0) as promised,
        coalesce(sum(known.filled), 0)::bigint as filled, coalesce(sum(known.slipped), 0) as slipped
      from known
    ) sums;
    return;
  end if;
  return query execute
    'select wins, losses, ties, won, lost, staked, promised,
      case when wins + losses > 0 then private.wilson_lower(wins, wins + losses) end,
      case when wins + losses > 0 then private.wilson_upper(wins, wins + losses) end,
      acknowledged, waited[1], waited[2], filled, slipped_mean, slipped[1], slipped[2]
    from (
      select
        count(*) filter (where resultado = ''WIN'') as wins,
        count(*) filter (where resultado = ''LOSS'') as losses,
        count(*) filter (where resultado = ''TIE'') as ties,
        coalesce(sum(pnl) filter (where resultado = ''WIN''), 0) as won,
        coalesce(-sum(pnl) filter (where resultado = ''LOSS''), 0) as lost,
        coalesce(sum(valor) filter (where resultado is not null), 0) as staked,
        coalesce(sum(valor * payout / 100) filter (where resultado is not null), 0) as promised,
        count(waited) as acknowledged,
        percentile_cont(array[0.5, 0.99]) within group (order by waited) as waited,
        count(slipped) as filled,
        avg(slipped) as slipped_mean,
        percentile_cont(array[0.5, 0.99]) within group (order by slipped) as slipped
      from (
        select resultado, pnl, valor, payout,
          date_part(''epoch'', acknowledged_at - decided_at) * 1000 as waited,
          (case direction when ''call'' then 1 else -1 end * (open_quote - decided_quote)
            / nullif(decided_quote, 0) * 10000)::float8 as slipped
        from ' || private.trades_of_period() || '
        offset 0  -- or both are worked out anew for every aggregate
      ) told
    ) added_up'
  using accounts, of_user, first_day, last_day;
end
$$;

-- For how long anything was open in the period, how much money for how long, and the most that was open at once.
create or replace function public.trade_exposure(accounts text[], of_user uuid, first_day date, last_day date)
returns table (seconds_at_risk float8, stake_seconds float8, most_at_risk numeric, most_open bigint)
language plpgsql volatile security invoker set search_path = '' as $$
declare
  sorted text[] := array(select distinct account from unnest(accounts) account order by 1);
begin
  if of_user is null then
    perform private.work_out_days(sorted, first_day, last_day, null);
    return query
    select coalesce(sum(figures.seconds_at_risk), 0), coalesce(sum(figures.stake_seconds), 0),
      coalesce(max(figures.most_at_risk), 0), coalesce(max(figures.most_open), 0)
    from private.trade_day_figures figures
    where figures.accounts = sorted and figures.day between first_day and last_day;
    return;
  end if;
  return query
  select coalesce(sum(days.seconds_at_risk), 0), coalesce(sum(days.stake_seconds), 0),
    coalesce(max(days.most_at_risk), 0), coalesce(max(days.most_open), 0)
  from private.exposure_of_days(
    sorted, of_user, array(select first_day + further from generate_series(0, last_day - first_day) further)
  ) days;
end
$$;

-- What was traded before this migration.
insert into private.trade_day_changes (account_type, day, changes)
select distinct account_type, first_day + further, 1
from (
  select distinct
    account_type, (data_abertura at time zone 'UTC')::date as first_day,
    (coalesce(data_fechamento, data_expiracao) at time zone 'UTC')::date as last_day
  from public.trade_history
) span
cross join lateral generate_series(0, least(greatest(last_day - first_day, 0), 366)) further;

do $$
declare
  made regprocedure;
begin
  for made in
    select oid from pg_catalog.pg_proc
    where pronamespace in ('public'::regnamespace, 'private'::regnamespace) and proname in (
      'bucket_value', 'exposure_of_days', 'work_out_days', 'trade_figures', 'trade_exposure'
    )
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to service_role', made);
  end loop;
end
$$;
