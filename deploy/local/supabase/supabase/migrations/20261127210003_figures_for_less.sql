-- How assets did by the hour is added up, too, so that a heat map of everybody reads no trades.

alter table private.trade_days
  drop constraint trade_days_of_check,
  add constraint trade_days_of_check check (of in ('all', 'asset', 'strategy', 'hour', 'user', 'asset_hour'));
comment on table private.trade_days is
  'By UTC day of the opening. `key`: empty, ticker, strategy, hour of UTC ("00" to "23"), user id, hour and ticker.';

create or replace function private.add_up(changes private.trade_change[]) returns void
language sql volatile security definer set search_path = '' as $$
  with change as materialized (
    select
      case
        when grouping(asset, hour) = 0 then 'asset_hour' when grouping(asset) = 0 then 'asset'
        when grouping(strategy) = 0 then 'strategy' when grouping(hour) = 0 then 'hour'
        when grouping(user_id) = 0 then 'user' else 'all'
      end as of,
      case when grouping(asset, hour) = 0 then lpad(hour::text, 2, '0') || ' ' || asset
        else coalesce(asset, strategy, lpad(hour::text, 2, '0'), user_id::text, '') end as key,
      account_type, day, sum(trades) as trades, sum(wins) as wins, sum(losses) as losses, sum(ties) as ties,
      sum(volume) as volume, sum(pnl) as pnl, sum(won) as won, min(data_abertura) as first_at,
      max(data_abertura) as last_at
    from (
      select
        user_id, account_type, ativo_nome as asset, coalesce(strategy_id, '') as strategy,
        opened::date as day, date_part('hour', opened) as hour, data_abertura,
        trades, wins, losses, ties, volume, pnl, won
      from (select given.*, data_abertura at time zone 'UTC' as opened from unnest(changes) given) told
    ) changed
    group by account_type, day, grouping sets ((), (asset), (strategy), (hour), (user_id), (asset, hour))
  ), days as (
    insert into private.trade_days as known
      (of, key, account_type, day, trades, wins, losses, ties, volume, pnl, won)
    select of, key, account_type, day, trades, wins, losses, ties, volume, pnl, won
    from change
    order by 1, 3, 4, 2
    on conflict (of, account_type, day, key) do update set
      trades = known.trades + excluded.trades,
      wins = known.wins + excluded.wins,
      losses = known.losses + excluded.losses,
      ties = known.ties + excluded.ties,
      volume = known.volume + excluded.volume,
      pnl = known.pnl + excluded.pnl,
      won = known.won + excluded.won
  )
  insert into private.trade_totals as known
    (of, key, account_type, trades, wins, losses, ties, volume, pnl, won, first_at, last_at)
  select
    of, key, account_type, sum(trades), sum(wins), sum(losses), sum(ties), sum(volume), sum(pnl), sum(won),
    min(first_at), max(last_at)
  from change
  where of not in ('hour', 'asset_hour')
  group by 1, 2, 3
  order by 1, 3, 2
  on conflict (of, account_type, key) do update set
    trades = known.trades + excluded.trades,
    wins = known.wins + excluded.wins,
    losses = known.losses + excluded.losses,
    ties = known.ties + excluded.ties,
    volume = known.volume + excluded.volume,
    pnl = known.pnl + excluded.pnl,
    won = known.won + excluded.won,
    first_at = least(known.first_at, excluded.first_at),
    last_at = greatest(known.last_at, excluded.last_at)
$$;

create or replace function private.trades_removed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform private.add_up(array(
    select row(
      user_id, account_type, ativo_nome, strategy_id, data_abertura, -1,
      -(resultado is not distinct from 'WIN')::integer, -(resultado is not distinct from 'LOSS')::integer,
      -(resultado is not distinct from 'TIE')::integer, -valor, -coalesce(pnl, 0),
      case when resultado = 'WIN' then -pnl else 0 end
    )::private.trade_change
    from removed
  ));
  delete from private.trade_days
  where trades = 0 and of in ('all', 'asset', 'strategy', 'hour', 'user', 'asset_hour')
    and account_type in ('demo', 'real') and day in (select (data_abertura at time zone 'UTC')::date from removed);
  delete from private.trade_totals where trades = 0;
  update private.trade_totals known set
    first_at = (
      select min(trade.data_abertura) from public.trade_history trade
      where trade.user_id = gone.user_id and trade.account_type = gone.account_type
    ),
    last_at = (
      select max(trade.data_abertura) from public.trade_history trade
      where trade.user_id = gone.user_id and trade.account_type = gone.account_type
    )
  from (select distinct user_id, account_type from removed) gone
  where known.of = 'user' and known.key = gone.user_id::text and known.account_type = gone.account_type;
  return null;
end
$$;

-- What was traded before this migration.
insert into private.trade_days (of, key, account_type, day, trades, wins, losses, ties, volume, pnl, won)
select
  'asset_hour', to_char(data_abertura at time zone 'UTC', 'HH24') || ' ' || ativo_nome, account_type,
  (data_abertura at time zone 'UTC')::date, count(*), count(*) filter (where resultado = 'WIN'),
  count(*) filter (where resultado = 'LOSS'), count(*) filter (where resultado = 'TIE'), sum(valor),
  sum(coalesce(pnl, 0)), coalesce(sum(pnl) filter (where resultado = 'WIN'), 0)
from public.trade_history
group by 1, 2, 3, 4;

-- As before of one user; of everybody from the sums.
create or replace function public.trade_heat(
  accounts text[], of_user uuid, first_day date, last_day date, most_assets integer
) returns table (
  weekday integer, asset text, hour integer, trades bigint, wins bigint, losses bigint, pnl numeric
)
language plpgsql stable security invoker set search_path = '' as $$
begin
  if of_user is null then
    return query
    with cell as materialized (
      select of = 'hour' as by_weekday, day.day, substr(key, 4) as asset, left(key, 2)::integer as hour,
        day.wins + day.losses + day.ties as trades, day.wins, day.losses, day.pnl
      from private.trade_days day
      where of in ('hour', 'asset_hour') and account_type = any (accounts) and day.day between first_day and last_day
    ), most as (
      select cell.asset from cell where not by_weekday
      group by cell.asset having sum(cell.trades) > 0 order by sum(cell.trades) desc, cell.asset limit most_assets
    )
    select case when by_weekday then extract(isodow from day)::integer else 0 end, cell.asset, cell.hour,
      sum(cell.trades), sum(cell.wins), sum(cell.losses), sum(cell.pnl)
    from cell
    where by_weekday or cell.asset in (select most.asset from most)
    group by 1, 2, 3
    having sum(cell.trades) > 0
    order by 1, 2, 3;
    return;
  end if;
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
      select ativo_nome from cell where not by_weekday group by ativo_nome order by sum(trades) desc, ativo_nome
      limit $5
    )
    select coalesce(weekday, 0), coalesce(ativo_nome, ''''), hour, trades, wins, losses, pnl
    from cell
    where by_weekday or ativo_nome in (select ativo_nome from most)
    order by 1, 2, 3'
  using accounts, of_user, first_day, last_day, most_assets;
end
$$;

-- As before, from one sorted text of results per trader ("WWL…") instead of two sorted windows.
create or replace function public.trade_streaks(
  accounts text[], of_user uuid, first_day date, last_day date
) returns jsonb
language plpgsql stable security invoker set search_path = '' as $$
declare
  found jsonb;
begin
  execute
    'with told as materialized (
      select string_agg(left(resultado, 1), '''' order by data_abertura, id) as results
      from ' || private.trades_of_period() || ' and resultado in (''WIN'', ''LOSS'')
      group by user_id, account_type
    ), traders as (
      select
        length(replace(results, ''L'', '''')) as wins,
        length(replace(results, ''W'', '''')) as losses,
        1 + (2 * length(results) - length(replace(results, ''WL'', '''')) - length(replace(results, ''LW'', ''''))) / 2
          as runs,
        (select max(length(run)) from string_to_table(results, ''L'') run) as longest_win,
        (select max(length(run)) from string_to_table(results, ''W'') run) as longest_loss
      from told
    )
    select coalesce(jsonb_agg(to_jsonb(traders)), ''[]'') from traders'
  into found using accounts, of_user, first_day, last_day;
  return found;
end
$$;
