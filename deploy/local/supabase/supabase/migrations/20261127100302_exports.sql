-- Users with what they traded from a day to another, in the order of their ids: pages begin behind one.

create function private.traded_users(
  accounts text[], first_day date, last_day date, after_user uuid, at_most integer
) returns table (
  user_id uuid, email text, full_name text, trades bigint, wins bigint, losses bigint, ties bigint, volume numeric,
  pnl numeric
)
language sql stable security definer set search_path = '' as $$
  select traded.key::uuid, coalesce(people.email, ''), coalesce(profile.full_name, 'Unknown'), traded.trades, traded.wins,
    traded.losses, traded.ties, traded.volume, traded.pnl
  from (
    select key, sum(trades) as trades, sum(wins) as wins, sum(losses) as losses, sum(ties) as ties,
      sum(volume) as volume, sum(pnl) as pnl
    from private.trade_days
    where of = 'user' and account_type = any (accounts) and day between first_day and last_day
      and key > coalesce(after_user::text, '')
    group by key
    order by key
    limit at_most
  ) traded
  left join auth.users people on people.id = traded.key::uuid
  left join public.profiles profile on profile.user_id = traded.key::uuid
  order by traded.key
$$;

create function public.traded_users(
  accounts text[], first_day date, last_day date, after_user uuid, at_most integer
) returns table (
  user_id uuid, email text, full_name text, trades bigint, wins bigint, losses bigint, ties bigint, volume numeric,
  pnl numeric
)
language sql stable security invoker set search_path = '' as $$
  select * from private.traded_users(accounts, first_day, last_day, after_user, at_most)
$$;

revoke execute on function private.traded_users(text[], date, date, uuid, integer),
  public.traded_users(text[], date, date, uuid, integer) from public, anon, authenticated;
grant execute on function private.traded_users(text[], date, date, uuid, integer),
  public.traded_users(text[], date, date, uuid, integer) to service_role;
