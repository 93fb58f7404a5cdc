-- A trade is told with the mode of the bot that decided it: auto or manual, as what its user wanted of that run says.

create index user_activity_log_runs on public.user_activity_log (user_id, (details ->> 'run'))
  where details ? 'run';

drop function public.trade_details(bigint);
drop function private.trade_details(bigint);
create function private.trade_details(trade_id bigint) returns table (
  id bigint, user_id uuid, email text, full_name text, account_type text, ativo_nome text, direction text,
  valor numeric, pnl numeric, resultado text, data_abertura timestamptz, closed_at timestamptz, seconds_open integer,
  bot_mode text, balance_before numeric, balance_after numeric
)
language sql stable security definer set search_path = '' as $$
  select trade.id, trade.user_id, coalesce(people.email, ''), coalesce(profile.full_name, 'Unknown'),
    trade.account_type, trade.ativo_nome, trade.direction, trade.valor, coalesce(trade.pnl, 0), trade.resultado,
    trade.data_abertura,
    case when trade.status = 'closed' then coalesce(trade.data_fechamento, trade.data_expiracao) end,
    case when trade.status = 'closed' and trade.data_fechamento is not null
      then round(extract(epoch from trade.data_fechamento - trade.data_abertura))::integer
      else trade.expiration_seconds end,
    (
      select log.details ->> 'mode'
      from public.user_activity_log log
      where log.user_id = trade.user_id and log.details ? 'run' and log.details ->> 'run' = trade.session_id
      -- As it was when this was decided; clocks differ, and the first is told a moment after the run began.
      order by log.created_at <= coalesce(trade.decided_at, trade.data_abertura) desc,
        abs(extract(epoch from log.created_at - coalesce(trade.decided_at, trade.data_abertura)))
      limit 1
    ),
    trade.balance_before, trade.balance_after
  from public.trade_history trade
  left join auth.users people on people.id = trade.user_id
  left join public.profiles profile on profile.user_id = trade.user_id
  where trade.id = trade_id
$$;
create function public.trade_details(trade_id bigint) returns table (
  id bigint, user_id uuid, email text, full_name text, account_type text, ativo_nome text, direction text,
  valor numeric, pnl numeric, resultado text, data_abertura timestamptz, closed_at timestamptz, seconds_open integer,
  bot_mode text, balance_before numeric, balance_after numeric
)
language sql stable security invoker set search_path = '' as $$
  select * from private.trade_details(trade_id)
$$;

-- The most that all of these users together had brought: those whose accounts are in one currency.
drop function public.peak_of_day(date);
drop function private.peak_of_day(date);
create function private.peak_of_day(day date, of_users uuid[]) returns table (peak numeric)
language sql stable security definer set search_path = '' as $$
  select greatest(0, max(running.total))
  from (
    select sum(trade.pnl) over (
      order by coalesce(trade.data_fechamento, trade.data_expiracao), trade.id rows unbounded preceding
    ) as total
    from public.trade_history trade
    where trade.account_type = 'real' and trade.status = 'closed'
      and trade.data_abertura >= day::timestamp at time zone 'UTC'
      and trade.data_abertura < (day + 1)::timestamp at time zone 'UTC'
      and trade.user_id = any (of_users)
  ) running
$$;
create function public.peak_of_day(day date, of_users uuid[]) returns table (peak numeric)
language sql stable security invoker set search_path = '' as $$
  select * from private.peak_of_day(day, of_users)
$$;

do $$
declare
  made regprocedure;
begin
  for made in
    select oid from pg_catalog.pg_proc
    where proname in ('trade_details', 'peak_of_day')
      and pronamespace in ('public'::regnamespace, 'private'::regnamespace)
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to service_role', made);
  end loop;
end
$$;
