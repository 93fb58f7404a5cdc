-- How the day of real accounts goes: what it brought so far, the most it had brought, and the losses since the last win.
-- By the day (UTC) of the opening, as all sums are; in the order in which trades were closed.

create index trade_history_real_of_day on public.trade_history (data_abertura, user_id)
  where account_type = 'real' and status = 'closed';

create function private.risk_of_day(day date, of_users uuid[])
returns table (user_id uuid, pnl numeric, peak numeric, losses bigint)
language sql stable security definer set search_path = '' as $$
  with closed as (
    select
      trade.user_id, trade.resultado, trade.pnl,
      sum(trade.pnl) over (
        partition by trade.user_id order by coalesce(trade.data_fechamento, trade.data_expiracao), trade.id
        rows unbounded preceding
      ) as total,
      count(*) filter (where trade.resultado = 'WIN') over (
        partition by trade.user_id order by coalesce(trade.data_fechamento, trade.data_expiracao) desc, trade.id desc
        rows unbounded preceding
      ) as wins_since
    from public.trade_history trade
    where trade.account_type = 'real' and trade.status = 'closed'
      and trade.data_abertura >= day::timestamp at time zone 'UTC'
      and trade.data_abertura < (day + 1)::timestamp at time zone 'UTC'
      and (of_users is null or trade.user_id = any (of_users))
  )
  select closed.user_id, sum(closed.pnl), greatest(0, max(closed.total)),
    count(*) filter (where closed.resultado = 'LOSS' and closed.wins_since = 0)
  from closed
  group by closed.user_id
$$;

-- The most that all of them together had brought.
create function private.peak_of_day(day date) returns table (peak numeric)
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
  ) running
$$;

create function public.risk_of_day(day date, of_users uuid[])
returns table (user_id uuid, pnl numeric, peak numeric, losses bigint)
language sql stable security invoker set search_path = '' as $$
  select * from private.risk_of_day(day, of_users)
$$;

create function public.peak_of_day(day date) returns table (peak numeric)
language sql stable security invoker set search_path = '' as $$
  select * from private.peak_of_day(day)
$$;

do $$
declare
  made regprocedure;
begin
  for made in
    select oid from pg_catalog.pg_proc
    where proname in ('risk_of_day', 'peak_of_day')
      and pronamespace in ('public'::regnamespace, 'private'::regnamespace)
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to service_role', made);
  end loop;
end
$$;
