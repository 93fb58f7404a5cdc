-- What figures of trades are made of. Each answers at most some hundred rows, or one with everything in it: a hosted
-- server cuts longer answers. Days are of UTC and of the opening; a user that is null means everybody.

create function private.wilson_upper(wins bigint, total bigint) returns numeric
language sql immutable set search_path = '' as $$
  select 100 - private.wilson_lower(total - wins, total)
$$;

-- With $1 to $4: account types, user or null, first and last day. For EXECUTE, which plans for the values it is given.
create function private.trades_of_period() returns text
language sql immutable set search_path = '' as $$
  select 'public.trade_history trade
    where account_type = any ($1) and ($2 is null or user_id = $2)
      and data_abertura >= $3::timestamp at time zone ''UTC''
      and data_abertura < ($4 + 1)::timestamp at time zone ''UTC'''
$$;

-- Results, the interval of the win rate, time from decision to acknowledgement, and slippage: in basis points of the
-- price that was decided on, above 0 where the fill was worse (higher for a call, lower for a put).
create function public.trade_figures(accounts text[], of_user uuid, first_day date, last_day date) returns table (
  wins bigint, losses bigint, ties bigint, won numeric, lost numeric, staked numeric, promised numeric,
  win_rate_lower numeric, win_rate_upper numeric, acknowledged bigint, acknowledged_p50 float8,
  acknowledged_p99 float8, filled bigint, slippage_mean float8, slippage_p50 float8, slippage_p99 float8
)
language plpgsql stable security invoker set search_path = '' as $$
begin
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

-- For how long anything was open, how much money for how long, and the most that was open at once. Options that are not
-- settled count until they expire.
create function public.trade_exposure(accounts text[], of_user uuid, first_day date, last_day date) returns table (
  seconds_at_risk float8, stake_seconds float8, most_at_risk numeric, most_open bigint
)
language plpgsql stable security invoker set search_path = '' as $$
begin
  return query execute
    'with span as (
      select data_abertura as opened, greatest(data_abertura, coalesce(data_fechamento, data_expiracao)) as closed, valor
      from ' || private.trades_of_period() || '
    ), change as (
      select opened as at, valor as money, 1 as number from span
      union all
      select closed, -valor, -1 from span
    )
    select
      coalesce(sum(date_part(''epoch'', next_at - at)) filter (where number > 0), 0),
      coalesce(sum(money::float8 * date_part(''epoch'', next_at - at)), 0),
      coalesce(max(money), 0), coalesce(max(number), 0)
    from (
      select at, lead(at) over in_order as next_at, sum(money) over in_order as money, sum(number) over in_order as number
      from change
      window in_order as (order by at, number rows unbounded preceding)
    ) standing'
  using accounts, of_user, first_day, last_day;
end
$$;

-- Of every user and account with decided trades that are no ties, in one value: {wins, losses, runs, longest_win,
-- longest_loss}. A run is of equal results, one after the other.
create function public.trade_streaks(accounts text[], of_user uuid, first_day date, last_day date) returns jsonb
language plpgsql stable security invoker set search_path = '' as $$
declare
  found jsonb;
begin
  execute
    'with numbered as (
      select user_id, account_type, resultado,
        row_number() over (partition by user_id, account_type order by data_abertura, id)
        - row_number() over (partition by user_id, account_type, resultado order by data_abertura, id) as run
      from ' || private.trades_of_period() || ' and resultado in (''WIN'', ''LOSS'')
    ), runs as (
      select user_id, account_type, resultado, count(*) as length
      from numbered
      group by user_id, account_type, resultado, run
    ), traders as (
      select
        coalesce(sum(length) filter (where resultado = ''WIN''), 0) as wins,
        coalesce(sum(length) filter (where resultado = ''LOSS''), 0) as losses,
        count(*) as runs,
        coalesce(max(length) filter (where resultado = ''WIN''), 0) as longest_win,
        coalesce(max(length) filter (where resultado = ''LOSS''), 0) as longest_loss
      from runs
      group by user_id, account_type
    )
    select coalesce(jsonb_agg(to_jsonb(traders)), ''[]'') from traders'
  into found using accounts, of_user, first_day, last_day;
  return found;
end
$$;

-- By ISO weekday (1 is Monday) and hour, with an empty asset; and of the most traded assets by asset and hour, with the
-- weekday 0. Decided trades; hours without any are left out.
create function public.trade_heat(
  accounts text[], of_user uuid, first_day date, last_day date, most_assets integer
) returns table (
  weekday integer, asset text, hour integer, trades bigint, wins bigint, losses bigint, pnl numeric
)
language plpgsql stable security invoker set search_path = '' as $$
begin
  return query execute
    'with cell as materialized (
      select
        grouping(weekday) = 0 as by_weekday, weekday, ativo_nome, hour, count(*) as trades,
        count(*) filter (where resultado = ''WIN'') as wins, count(*) filter (where resultado = ''LOSS'') as losses,
        sum(pnl) as pnl
      from (
        select ativo_nome, resultado, pnl,
          extract(isodow from data_abertura at time zone ''UTC'')::integer as weekday,
          extract(hour from data_abertura at time zone ''UTC'')::integer as hour
        from ' || private.trades_of_period() || ' and resultado is not null
      ) decided
      group by grouping sets ((weekday, hour), (ativo_nome, hour))
    ), most as (
      select ativo_nome from cell where not by_weekday group by ativo_nome order by sum(trades) desc, ativo_nome limit $5
    )
    select coalesce(weekday, 0), coalesce(ativo_nome, ''''), hour, trades, wins, losses, pnl
    from cell
    where by_weekday or ativo_nome in (select ativo_nome from most)
    order by 1, 2, 3'
  using accounts, of_user, first_day, last_day, most_assets;
end
$$;

-- Of who traded on a demo account for the first time in a week of these days (it begins on Monday) and had no trade on a
-- real one before: how many have one since, and after how many days.
create function public.demo_to_real(first_day date, last_day date) returns table (
  week date, people bigint, converted bigint, median_days float8
)
language sql stable security invoker set search_path = '' as $$
  select
    date_trunc('week', demo.first_at at time zone 'UTC')::date, count(*), count(real.first_at),
    percentile_cont(0.5) within group (order by extract(epoch from real.first_at - demo.first_at) / 86400)
  from private.trade_totals demo
  left join private.trade_totals real on real.of = 'user' and real.key = demo.key and real.account_type = 'real'
  where demo.of = 'user' and demo.account_type = 'demo'
    and demo.first_at >= first_day::timestamp at time zone 'UTC'
    and demo.first_at < (last_day + 1)::timestamp at time zone 'UTC'
    and (real.first_at is null or real.first_at >= demo.first_at)
  group by 1
  order by 1
$$;

-- What was won and staked by day; of one user, or of everybody.
create function public.trade_returns(accounts text[], of_user uuid, first_day date, last_day date) returns table (
  day date, pnl numeric, staked numeric
)
language sql stable security invoker set search_path = '' as $$
  select day, sum(pnl), sum(volume)
  from private.trade_days
  where of = case when of_user is null then 'all' else 'user' end and key = coalesce(of_user::text, '')
    and account_type = any (accounts) and day between first_day and last_day
  group by day
  order by day
$$;

do $$
declare
  made regprocedure;
begin
  for made in
    select oid from pg_catalog.pg_proc
    where pronamespace in ('public'::regnamespace, 'private'::regnamespace) and proname in (
      'wilson_upper', 'trades_of_period', 'trade_figures', 'trade_exposure', 'trade_streaks', 'trade_heat',
      'demo_to_real', 'trade_returns'
    )
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to service_role', made);
  end loop;
end
$$;
