-- Users as administrators look for them, and what the platform's people do in numbers.

-- Everybody who signed up. Whether somebody has a real or a demo account follows from what they traded on, and from the
-- account their bot is set to; who has neither yet would begin with demo.
create view private.people with (security_invoker = true) as
select
  person.id, coalesce(person.email, '')::text as email,
  coalesce(
    nullif(profile.phone, ''), nullif(person.phone, ''), nullif(person.raw_user_meta_data ->> 'whatsapp', '')
  )::text as phone,
  coalesce(profile.full_name, '') as full_name,
  person.created_at, person.last_sign_in_at,
  coalesce(person.banned_until > now(), false) as is_suspended,
  coalesce(person.last_sign_in_at > now() - interval '7 days', false)
    and not coalesce(person.banned_until > now(), false) as is_active,
  (in_real.key is not null or coalesce(bot.account_type = 'real', false)) as has_real,
  (in_demo.key is not null or coalesce(bot.account_type = 'demo', false)) as has_demo,
  coalesce(bot.bot_running, false) as bot_running,
  coalesce(in_real.trades, 0) as trades_real, coalesce(in_real.wins, 0) as wins_real,
  coalesce(in_real.losses, 0) as losses_real, coalesce(in_real.ties, 0) as ties_real,
  coalesce(in_real.volume, 0) as volume_real, coalesce(in_real.pnl, 0) as pnl_real,
  in_real.first_at as first_real, in_real.last_at as last_real,
  coalesce(in_demo.trades, 0) as trades_demo, coalesce(in_demo.wins, 0) as wins_demo,
  coalesce(in_demo.losses, 0) as losses_demo, coalesce(in_demo.ties, 0) as ties_demo,
  coalesce(in_demo.volume, 0) as volume_demo, coalesce(in_demo.pnl, 0) as pnl_demo,
  in_demo.first_at as first_demo, in_demo.last_at as last_demo,
  case when in_real.first_at > in_demo.first_at
    then extract(epoch from in_real.first_at - in_demo.first_at) / 86400 end as days_to_convert
from auth.users person
left join public.profiles profile on profile.user_id = person.id
left join public.bot_status bot on bot.user_id = person.id
left join private.trade_totals in_real
  on in_real.of = 'user' and in_real.account_type = 'real' and in_real.key = person.id::text
left join private.trade_totals in_demo
  on in_demo.of = 'user' and in_demo.account_type = 'demo' and in_demo.key = person.id::text;

create function private.win_rate(wins bigint, losses bigint, ties bigint) returns numeric
language sql immutable set search_path = '' as $$
  select case when wins + losses + ties > 0 then round(100.0 * wins / (wins + losses + ties), 2) else 0 end
$$;
comment on function private.win_rate is 'Percent of what is decided, two decimals; 0 of none.';

create type private.found_user as (
  user_id uuid, email text, phone text, created_at timestamptz, last_sign_in_at timestamptz, account_type text,
  total_trades bigint, total_pnl numeric, win_rate numeric, is_active boolean, is_suspended boolean,
  bot_running boolean, sort_value text
);

-- Of the parameters of private.find_users and private.count_users, in their order.
create function private.user_condition() returns text
language sql immutable set search_path = '' as $$
  select '($1 = ''both'' or case $1 when ''real'' then has_real else has_demo or not has_real end)
    and ($2 is null or strpos(lower(email), lower($2)) > 0 or strpos(phone, $2) > 0
      or strpos(lower(full_name), lower($2)) > 0)
    and ($3 is null or is_active = $3)'
$$;

create function private.find_users(
  accounts text, search text, active boolean, sort_by text, ascending boolean, at_most integer, skipped integer,
  after_value text, after_id uuid
) returns setof private.found_user
language plpgsql stable security definer set search_path = '' as $$
declare
  value text := case sort_by
    when 'email' then 'person.email collate "C"' when 'total_pnl' then 'person.pnl_real'
    when 'total_trades' then 'person.trades_real'
    when 'win_rate' then 'private.win_rate(person.wins_real, person.losses_real, person.ties_real)'
    else 'person.created_at' end;
  kind text := case sort_by
    when 'email' then 'text' when 'total_pnl' then 'numeric' when 'total_trades' then 'bigint'
    when 'win_rate' then 'numeric' else 'timestamptz' end;
  direction_word text := case when ascending then 'asc' else 'desc' end;
  behind text := case when ascending then '>' else '<' end;
begin
  return query execute format(
    'select id, email, phone, created_at, last_sign_in_at,
      case when has_real and has_demo then ''both'' when has_real then ''real'' else ''demo'' end,
      trades_real::bigint, pnl_real, private.win_rate(wins_real, losses_real, ties_real), is_active, is_suspended,
      bot_running, (%1$s)::text
    from private.people person
    where %2$s and ($6 is null or (%1$s, id) %3$s ($6::%4$s, $7))
    order by %1$s %5$s, id %5$s
    limit $4 offset $5',
    value, private.user_condition(), behind, kind, direction_word
  ) using accounts, search, active, at_most, skipped, after_value, after_id;
end
$$;

create function private.count_users(accounts text, search text, active boolean) returns bigint
language plpgsql stable security definer set search_path = '' as $$
declare
  found bigint;
begin
  if accounts = 'both' and search is null and active is null then
    return (select count(*) from auth.users);
  end if;
  execute 'select count(*) from private.people where ' || private.user_condition()
  into found using accounts, search, active;
  return found;
end
$$;

create type private.user_details as (
  user_id uuid, email text, phone text, created_at timestamptz, last_sign_in_at timestamptz, account_type text,
  is_active boolean, is_suspended boolean,
  total_trades_real bigint, total_pnl_real numeric, win_rate_real numeric, total_volume_real numeric,
  total_trades_demo bigint, total_pnl_demo numeric, win_rate_demo numeric, total_volume_demo numeric,
  first_trade_demo timestamptz, first_trade_real timestamptz, days_to_convert numeric, last_trade_at timestamptz,
  session_count bigint, last_session_at timestamptz
);

create function private.user_details(of_user uuid) returns setof private.user_details
language sql stable security definer set search_path = '' as $$
  select
    person.id, person.email, person.phone, person.created_at, person.last_sign_in_at,
    case when person.has_real and person.has_demo then 'both' when person.has_real then 'real' else 'demo' end,
    person.is_active, person.is_suspended,
    person.trades_real::bigint, person.pnl_real,
    private.win_rate(person.wins_real, person.losses_real, person.ties_real), person.volume_real,
    person.trades_demo::bigint, person.pnl_demo,
    private.win_rate(person.wins_demo, person.losses_demo, person.ties_demo), person.volume_demo,
    person.first_demo, person.first_real, round(person.days_to_convert, 4),
    greatest(person.last_real, person.last_demo), visits.many, visits.last_at
  from private.people person
  cross join lateral (
    select count(*) as many, max(visit.last_activity) as last_at
    from public.user_sessions visit where visit.user_id = person.id
  ) visits
  where person.id = of_user
$$;

create type private.user_figures as (
  trades bigint, wins bigint, losses bigint, ties bigint, volume numeric, pnl numeric, best numeric, worst numeric,
  drawdown numeric, streak bigint
);

-- A user's decided trades in the order in which they were closed. The drawdown is the deepest fall of what was won so
-- far below its highest point, which is 0 at the beginning; ties neither make a streak nor end one.
create function public.user_figures(of_user uuid, accounts text[]) returns setof private.user_figures
language sql stable security invoker set search_path = '' as $$
  with trade as (
    select
      resultado, valor, pnl, coalesce(data_fechamento, data_expiracao, data_abertura) as closed_at, id
    from public.trade_history
    where user_id = of_user and account_type = any (accounts) and resultado is not null
  ), curve as (
    select resultado, valor, pnl, closed_at, id, sum(pnl) over (order by closed_at, id) as won
    from trade
  ), falls as (
    select *, greatest(max(won) over (order by closed_at, id), 0) - won as fall
    from curve
  ), newest as (
    select resultado, row_number() over (order by closed_at desc, id desc) as place
    from trade where resultado <> 'TIE'
  )
  select
    count(*), count(*) filter (where resultado = 'WIN'), count(*) filter (where resultado = 'LOSS'),
    count(*) filter (where resultado = 'TIE'), coalesce(sum(valor), 0), coalesce(sum(pnl), 0),
    coalesce(max(pnl), 0), coalesce(min(pnl), 0), coalesce(max(fall), 0),
    coalesce((
      select case min(one.resultado) when 'WIN' then 1 else -1 end * count(*)
      from newest one
      where one.place < coalesce((
        select min(other.place) from newest other
        where other.resultado <> (select first.resultado from newest first where first.place = 1)
      ), one.place + 1)
    ), 0)
  from falls
$$;

create type private.user_slice as (
  of text, key text, trades bigint, wins bigint, losses bigint, ties bigint, volume numeric, pnl numeric
);

create function public.user_slices(of_user uuid, accounts text[]) returns setof private.user_slice
language sql stable security invoker set search_path = '' as $$
  select
    part.of, part.key, count(*), count(*) filter (where resultado = 'WIN'),
    count(*) filter (where resultado = 'LOSS'), count(*) filter (where resultado = 'TIE'), sum(valor), sum(pnl)
  from public.trade_history
  cross join lateral (values ('asset', ativo_nome), ('strategy', coalesce(strategy_id, ''))) part (of, key)
  where user_id = of_user and account_type = any (accounts) and resultado is not null
  group by part.of, part.key
  order by count(*) desc, part.key
$$;
comment on function public.user_slices is 'Of the trades that are decided; the most used first.';

create type private.growth as (day date, new_users bigint, new_users_real bigint);

create function private.user_growth(first_day date, last_day date) returns setof private.growth
language sql stable security definer set search_path = '' as $$
  select (created_at at time zone 'UTC')::date, count(*), count(*) filter (where has_real)
  from private.people
  where created_at >= first_day::timestamp at time zone 'UTC'
    and created_at < (last_day + 1)::timestamp at time zone 'UTC'
  group by 1
$$;
comment on function private.user_growth is 'By UTC day of the sign-up; days without one are left out.';

create type private.dashboard as (
  total_users bigint, total_users_real bigint, total_users_demo_only bigint, active_users_today_real bigint,
  new_users_week_real bigint, churn_rate_percentage numeric, deposits_today_real numeric,
  withdrawals_today_real numeric, net_revenue_today_real numeric, avg_deposit_size numeric, trades_today_real bigint,
  volume_today_real numeric, platform_win_rate_real numeric, avg_engagement_score numeric,
  avg_session_duration_minutes numeric, dau_real bigint, mau_real bigint, demo_users bigint,
  conversion_rate_percent numeric, avg_days_to_convert numeric
);

-- As the clients know these figures (api-contract §5.1): deposits and withdrawals are proxies, today's stakes and what
-- was won with them. Sessions are those of the last 30 days.
create function private.dashboard() returns setof private.dashboard
language sql stable security definer set search_path = '' as $$
  with people as (
    select
      count(*) as total,
      count(*) filter (where has_real) as in_real,
      count(*) filter (where has_demo) as in_demo,
      count(*) filter (where has_demo and not has_real) as in_demo_only,
      count(*) filter (where has_real or has_demo) as somewhere,
      count(*) filter (where has_real and last_sign_in_at > now() - interval '1 day') as of_day,
      count(*) filter (where has_real and last_sign_in_at > now() - interval '30 days') as of_month,
      count(*) filter (where last_sign_in_at > now() - interval '30 days') as seen,
      count(*) filter (where has_real and created_at > now() - interval '7 days') as new,
      avg(case
        when last_sign_in_at > now() - interval '7 days' then 90
        when last_sign_in_at > now() - interval '14 days' then 70
        when last_sign_in_at > now() - interval '30 days' then 50
        else 20 end) as engagement,
      avg(days_to_convert) as days_to_convert
    from private.people
  ), today as (
    select coalesce(sum(trades), 0) as trades, coalesce(sum(volume), 0) as volume, coalesce(sum(pnl), 0) as pnl
    from private.trade_days
    where of = 'all' and key = '' and account_type = 'real' and day = (now() at time zone 'UTC')::date
  ), ever as (
    select coalesce(sum(trades), 0) as trades, coalesce(sum(volume), 0) as volume,
      private.win_rate(
        coalesce(sum(wins), 0)::bigint, coalesce(sum(losses), 0)::bigint, coalesce(sum(ties), 0)::bigint
      ) as win_rate
    from private.trade_totals
    where of = 'all' and key = '' and account_type = 'real'
  ), visits as (
    select avg(extract(epoch from last_activity - created_at)) / 60 as minutes
    from public.user_sessions
    where last_activity > now() - interval '30 days'
  )
  select
    people.total, people.in_real, people.in_demo_only, people.of_day, people.new,
    case when people.total > 0 then round(100.0 * (people.total - people.seen) / people.total, 2) else 0 end,
    today.volume, greatest(today.pnl, 0), today.volume - greatest(today.pnl, 0),
    case when ever.trades > 0 then round(ever.volume / ever.trades, 2) else 0 end,
    today.trades::bigint, today.volume, ever.win_rate, round(coalesce(people.engagement, 0), 2),
    round(coalesce(visits.minutes, 0), 2), people.of_day, people.of_month, people.in_demo,
    case when people.somewhere > 0 then round(100.0 * people.in_real / people.somewhere, 2) else 0 end,
    round(coalesce(people.days_to_convert, 0), 2)
  from people, today, ever, visits
$$;

create type private.realtime as (
  total_users bigint, recent_trades bigint, recent_wins bigint, trades_today bigint, wins_today bigint,
  losses_today bigint, ties_today bigint, pnl_today numeric
);

-- Recent trades are those that are decided of the newest hundred, whatever their account; of today, those of real ones.
create function private.realtime() returns setof private.realtime
language sql stable security definer set search_path = '' as $$
  select
    (select count(*) from auth.users), recent.decided, recent.wins, coalesce(today.trades, 0)::bigint,
    coalesce(today.wins, 0)::bigint, coalesce(today.losses, 0)::bigint, coalesce(today.ties, 0)::bigint,
    coalesce(today.pnl, 0)
  from (
    select count(*) filter (where resultado is not null) as decided, count(*) filter (where resultado = 'WIN') as wins
    from (select resultado from public.trade_history order by id desc limit 100) newest
  ) recent
  left join private.trade_days today
    on today.of = 'all' and today.key = '' and today.account_type = 'real'
    and today.day = (now() at time zone 'UTC')::date
$$;

create function public.errors_of_day() returns bigint
language sql stable security invoker set search_path = '' as $$
  select count(*) from public.admin_logs
  where created_at > now() - interval '1 day' and level in ('error', 'critical')
$$;

-- The scanner's signals are deleted soon after they were decided; how they turned out is kept, by hour.
create table private.signal_hours (
  hour timestamptz primary key,
  wins bigint not null,
  losses bigint not null,
  ties bigint not null,
  timeouts bigint not null
);
comment on table private.signal_hours is 'Decided signals by the hour in which they were given, those that were deleted since, too.';
alter table private.signal_hours enable row level security;
grant select on private.signal_hours to service_role;

create function private.count_hours(signals private.decided_signal[], sign integer) returns void
language sql volatile security definer set search_path = '' as $$
  insert into private.signal_hours as known (hour, wins, losses, ties, timeouts)
  select
    date_trunc('hour', signal.signal_timestamp, 'UTC'), sign * count(*) filter (where signal.result = 'WIN'),
    sign * count(*) filter (where signal.result = 'LOSS'), sign * count(*) filter (where signal.result = 'TIE'),
    sign * count(*) filter (where signal.result = 'TIMEOUT')
  from unnest(signals) as signal
  group by 1
  order by 1
  on conflict (hour) do update set
    wins = known.wins + excluded.wins,
    losses = known.losses + excluded.losses,
    ties = known.ties + excluded.ties,
    timeouts = known.timeouts + excluded.timeouts
$$;

-- As before, and by hour; there what is deleted still counts.
create or replace function private.signals_changed() returns trigger
language plpgsql security invoker set search_path = '' as $$
declare
  before private.decided_signal[];
  after private.decided_signal[];
begin
  if tg_op <> 'INSERT' then
    before := array(
      select row(gone.strategy_id, gone.active_id, gone.ativo_nome, gone.timeframe, gone.result, gone.signal_timestamp)::private.decided_signal
      from gone where gone.result <> 'PENDING' and gone.strategy_id is not null
    );
    perform private.count_signals(before, -1);
  end if;
  if tg_op <> 'DELETE' then
    after := array(
      select row(here.strategy_id, here.active_id, here.ativo_nome, here.timeframe, here.result, here.signal_timestamp)::private.decided_signal
      from here where here.result <> 'PENDING' and here.strategy_id is not null
    );
    perform private.count_signals(after, 1);
    perform private.count_hours(before, -1);
    perform private.count_hours(after, 1);
  end if;
  return null;
end
$$;

insert into private.signal_hours (hour, wins, losses, ties, timeouts)
select
  date_trunc('hour', signal_timestamp, 'UTC'), count(*) filter (where result = 'WIN'),
  count(*) filter (where result = 'LOSS'), count(*) filter (where result = 'TIE'),
  count(*) filter (where result = 'TIMEOUT')
from public.strategy_trades
where result <> 'PENDING' and strategy_id is not null
group by 1;

create type private.signal_counts as (wins bigint, losses bigint, ties bigint, timeouts bigint);

create function public.signal_counts(since timestamptz) returns setof private.signal_counts
language sql stable security invoker set search_path = '' as $$
  select
    coalesce(sum(wins), 0)::bigint, coalesce(sum(losses), 0)::bigint, coalesce(sum(ties), 0)::bigint,
    coalesce(sum(timeouts), 0)::bigint
  from private.signal_hours
  where since is null or hour > since
$$;
comment on function public.signal_counts is 'Of the hours that began after that, or of all.';

create function public.find_users(
  accounts text, search text, active boolean, sort_by text, ascending boolean, at_most integer, skipped integer,
  after_value text, after_id uuid
) returns setof private.found_user
language sql stable security invoker set search_path = '' as $$
  select * from private.find_users(
    accounts, search, active, sort_by, ascending, at_most, skipped, after_value, after_id
  )
$$;
create function public.count_users(accounts text, search text, active boolean) returns bigint
language sql stable security invoker set search_path = '' as $$ select private.count_users(accounts, search, active) $$;
create function public.user_details(of_user uuid) returns setof private.user_details
language sql stable security invoker set search_path = '' as $$ select * from private.user_details(of_user) $$;
create function public.user_growth(first_day date, last_day date) returns setof private.growth
language sql stable security invoker set search_path = '' as $$ select * from private.user_growth(first_day, last_day) $$;
create function public.dashboard() returns setof private.dashboard
language sql stable security invoker set search_path = '' as $$ select * from private.dashboard() $$;
create function public.realtime() returns setof private.realtime
language sql stable security invoker set search_path = '' as $$ select * from private.realtime() $$;

do $$
declare
  made regprocedure;
begin
  for made in
    select oid from pg_catalog.pg_proc
    where proname in (
        'win_rate', 'user_condition', 'find_users', 'count_users', 'user_details', 'user_figures', 'user_slices',
        'user_growth', 'dashboard', 'realtime', 'errors_of_day', 'count_hours', 'signal_counts'
      )
      and pronamespace in ('public'::regnamespace, 'private'::regnamespace)
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to service_role', made);
  end loop;
end
$$;
