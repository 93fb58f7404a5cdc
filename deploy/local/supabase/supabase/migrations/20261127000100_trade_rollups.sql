-- Trades added up, so that no question reads all of them. Kept in the transaction that writes the trades: whatever is
-- written, deleted or written again, they are what adding up anew would give.

create table private.trade_days (
  of text not null check (of in ('all', 'asset', 'strategy', 'hour', 'user')),
  key text not null,
  account_type text not null,
  day date not null,
  trades integer not null,
  wins integer not null,
  losses integer not null,
  ties integer not null,
  volume numeric not null,
  pnl numeric not null,
  won numeric not null,
  primary key (of, account_type, day, key)
);
comment on table private.trade_days is
  'By UTC day of the opening. `key`: empty, ticker, strategy, hour of UTC ("00" to "23"), user id.';
comment on column private.trade_days.trades is 'Open ones, too: wins, losses and ties are those that are decided.';
comment on column private.trade_days.won is 'Sum of the profits of winning trades.';

create table private.trade_totals (
  of text not null check (of in ('all', 'asset', 'strategy', 'user')),
  key text not null,
  account_type text not null,
  trades integer not null,
  wins integer not null,
  losses integer not null,
  ties integer not null,
  volume numeric not null,
  pnl numeric not null,
  won numeric not null,
  first_at timestamptz,
  last_at timestamptz,
  primary key (of, account_type, key)
);
comment on column private.trade_totals.first_at is 'When the first of these trades was opened, as far as they are there.';

alter table private.trade_days enable row level security;
alter table private.trade_totals enable row level security;
grant select on private.trade_days, private.trade_totals to service_role;

create function private.add_up(added public.trade_history[], removed public.trade_history[]) returns void
language sql volatile security definer set search_path = '' as $$
  with trade as (
    select 1 as sign, now_there.* from unnest(added) now_there
    union all
    select -1, was_there.* from unnest(removed) was_there
  ), change as materialized (
    select
      account_type, group_of.of, group_of.key, (data_abertura at time zone 'UTC')::date as day,
      sum(sign) as trades,
      coalesce(sum(sign) filter (where resultado = 'WIN'), 0) as wins,
      coalesce(sum(sign) filter (where resultado = 'LOSS'), 0) as losses,
      coalesce(sum(sign) filter (where resultado = 'TIE'), 0) as ties,
      sum(sign * valor) as volume,
      sum(sign * coalesce(pnl, 0)) as pnl,
      coalesce(sum(sign * pnl) filter (where resultado = 'WIN'), 0) as won,
      min(data_abertura) as first_at,
      max(data_abertura) as last_at
    from trade cross join lateral (values
      ('all', ''), ('asset', ativo_nome), ('strategy', coalesce(strategy_id, '')),
      ('hour', to_char(data_abertura at time zone 'UTC', 'HH24')), ('user', user_id::text)
    ) group_of (of, key)
    group by 1, 2, 3, 4
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
  where of <> 'hour'
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

create function private.trades_added() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform private.add_up((select array_agg(trade::public.trade_history) from added trade), null);
  return null;
end
$$;

create function private.trades_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform private.add_up((select array_agg(trade::public.trade_history) from added trade), (select array_agg(trade::public.trade_history) from removed trade));
  return null;
end
$$;

create function private.trades_removed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform private.add_up(null, (select array_agg(trade::public.trade_history) from removed trade));
  delete from private.trade_days
  where trades = 0 and of in ('all', 'asset', 'strategy', 'hour', 'user') and account_type in ('demo', 'real')
    and day in (select (data_abertura at time zone 'UTC')::date from removed);
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

create trigger trade_history_added after insert on public.trade_history referencing new table as added
  for each statement execute function private.trades_added();
create trigger trade_history_changed after update on public.trade_history
  referencing new table as added old table as removed
  for each statement execute function private.trades_changed();
create trigger trade_history_removed after delete on public.trade_history referencing old table as removed
  for each statement execute function private.trades_removed();

revoke execute on function private.add_up(public.trade_history[], public.trade_history[]), private.trades_added(),
  private.trades_changed(), private.trades_removed() from public, anon, authenticated;

-- What was traded before this migration.
select private.add_up(array_agg(trade), null) from public.trade_history trade having count(*) > 0;

-- Of some account types, by UTC day, from a day to another; days without trades are left out.
create function public.trades_by_day(accounts text[], first_day date, last_day date)
returns table (
  day date, trades bigint, wins bigint, losses bigint, ties bigint, volume numeric, pnl numeric, won numeric,
  active_users bigint
)
language sql stable security invoker set search_path = '' as $$
  select days.day, days.trades, days.wins, days.losses, days.ties, days.volume, days.pnl, days.won, active.users
  from (
    select day, sum(trades) as trades, sum(wins) as wins, sum(losses) as losses, sum(ties) as ties,
      sum(volume) as volume, sum(pnl) as pnl, sum(won) as won
    from private.trade_days
    where of = 'all' and key = '' and account_type = any (accounts) and day between first_day and last_day
    group by day
  ) days
  join (
    select day, count(*) as users
    from (
      select distinct day, key
      from private.trade_days
      where of = 'user' and account_type = any (accounts) and day between first_day and last_day
    ) traded
    group by day
  ) active using (day)
  order by day
$$;

-- The same by asset, strategy or hour of UTC, in the order of their names.
create function public.trades_by(what text, accounts text[], first_day date, last_day date)
returns table (
  key text, trades bigint, wins bigint, losses bigint, ties bigint, volume numeric, pnl numeric, won numeric
)
language sql stable security invoker set search_path = '' as $$
  select key, sum(trades), sum(wins), sum(losses), sum(ties), sum(volume), sum(pnl), sum(won)
  from private.trade_days
  where of = what and account_type = any (accounts) and day between first_day and last_day
  group by key
  order by key
$$;

-- Of all time, by asset.
create function public.trades_by_asset(accounts text[])
returns table (
  key text, trades bigint, wins bigint, losses bigint, ties bigint, volume numeric, pnl numeric, won numeric
)
language sql stable security invoker set search_path = '' as $$
  select key, sum(trades), sum(wins), sum(losses), sum(ties), sum(volume), sum(pnl), sum(won)
  from private.trade_totals
  where of = 'asset' and account_type = any (accounts)
  group by key
  order by key
$$;

-- Users who won or staked most, ever; those who have no trade of these accounts are left out.
create function private.top_users(accounts text[], by_volume boolean, at_most integer)
returns table (
  user_id uuid, email text, full_name text, trades bigint, wins bigint, losses bigint, ties bigint, volume numeric,
  pnl numeric
)
language sql stable security definer set search_path = '' as $$
  select people.id, coalesce(people.email, ''), coalesce(profile.full_name, 'Unknown'), best.trades, best.wins,
    best.losses, best.ties, best.volume, best.pnl
  from (
    select key, sum(trades) as trades, sum(wins) as wins, sum(losses) as losses, sum(ties) as ties,
      sum(volume) as volume, sum(pnl) as pnl
    from private.trade_totals
    where of = 'user' and account_type = any (accounts)
    group by key
    order by case when by_volume then sum(volume) else sum(pnl) end desc, key
    limit at_most
  ) best
  join auth.users people on people.id = best.key::uuid
  left join public.profiles profile on profile.user_id = people.id
  order by case when by_volume then best.volume else best.pnl end desc, best.key
$$;
create function public.top_users(accounts text[], by_volume boolean, at_most integer)
returns table (
  user_id uuid, email text, full_name text, trades bigint, wins bigint, losses bigint, ties bigint, volume numeric,
  pnl numeric
)
language sql stable security invoker set search_path = '' as $$
  select * from private.top_users(accounts, by_volume, at_most)
$$;

revoke execute on function public.trades_by_day(text[], date, date), public.trades_by(text, text[], date, date),
  public.trades_by_asset(text[]), private.top_users(text[], boolean, integer),
  public.top_users(text[], boolean, integer) from public, anon, authenticated;
grant execute on function public.trades_by_day(text[], date, date), public.trades_by(text, text[], date, date),
  public.trades_by_asset(text[]), private.top_users(text[], boolean, integer),
  public.top_users(text[], boolean, integer) to service_role;
