-- Lists of trades for administrators. Sorting is dynamic, from a fixed choice; every value is a parameter.

create index trade_history_account_pnl on public.trade_history (account_type, (coalesce(pnl, 0)), id);
create index trade_history_account_stake on public.trade_history (account_type, valor, id);

-- Of the parameters of private.find_trades and private.sum_trades, in their order.
create function private.trade_condition() returns text
language sql immutable set search_path = '' as $$
  select '($2 is null or user_id = $2) and ($3 is null or ativo_nome = $3) and ($4 is null or resultado = $4)
    and ($5 is null or strategy_id = $5) and ($6 is null or expiration_seconds = $6)
    and ($7 is null or payout >= $7) and ($8 is null or payout <= $8)
    and ($9 is null or data_abertura >= $9::timestamp at time zone ''UTC'')
    and ($10 is null or data_abertura < ($10 + 1)::timestamp at time zone ''UTC'')'
$$;

create function private.find_trades(
  accounts text[], of_user uuid, asset text, result text, strategy text, seconds integer, least_payout integer,
  most_payout integer, first_day date, last_day date, sort_by text, ascending boolean, at_most integer, skipped integer,
  after_value text, after_id bigint
) returns table (
  id bigint, user_id uuid, email text, account_type text, ativo_nome text, direction text, valor numeric, pnl numeric,
  resultado text, data_abertura timestamptz, closed_at timestamptz, seconds_open integer, sort_value text
)
language plpgsql stable security definer set search_path = '' as $$
declare
  value text := case sort_by when 'pnl' then 'coalesce(pnl, 0)' when 'valor' then 'valor' else 'data_abertura' end;
  kind text := case when sort_by in ('pnl', 'valor') then 'numeric' else 'timestamptz' end;
  direction_word text := case when ascending then 'asc' else 'desc' end;
  behind text := case when ascending then '>' else '<' end;
begin
  -- Of each account type as many as are needed: an index has them in order.
  return query execute format(
    'select found.id, found.user_id, coalesce(people.email, '''')::text, found.account_type, found.ativo_nome,
      found.direction, found.valor, coalesce(found.pnl, 0), found.resultado, found.data_abertura,
      case when found.status = ''closed'' then coalesce(found.data_fechamento, found.data_expiracao) end,
      case when found.status = ''closed'' and found.data_fechamento is not null
        then round(extract(epoch from found.data_fechamento - found.data_abertura))::integer
        else found.expiration_seconds end,
      found.sort_value::text
    from unnest($1) account (type) cross join lateral (
      select *, %1$s as sort_value
      from public.trade_history
      where account_type = account.type and %2$s and ($13 is null or (%1$s, id) %3$s ($13::%4$s, $14))
      order by %1$s %5$s, id %5$s
      limit $11 + $12
    ) found
    left join auth.users people on people.id = found.user_id
    order by found.sort_value %5$s, found.id %5$s
    limit $11 offset $12',
    value, private.trade_condition(), behind, kind, direction_word
  ) using accounts, of_user, asset, result, strategy, seconds, least_payout, most_payout, first_day, last_day, at_most,
    skipped, after_value, after_id;
end
$$;

create function private.sum_trades(
  accounts text[], of_user uuid, asset text, result text, strategy text, seconds integer, least_payout integer,
  most_payout integer, first_day date, last_day date
) returns table (
  trades bigint, wins bigint, losses bigint, ties bigint, volume numeric, pnl numeric
)
language plpgsql stable security definer set search_path = '' as $$
begin
  if of_user is null and asset is null and result is null and strategy is null and seconds is null
    and least_payout is null and most_payout is null
  then
    return query
      select coalesce(sum(day.trades), 0)::bigint, coalesce(sum(day.wins), 0)::bigint,
        coalesce(sum(day.losses), 0)::bigint, coalesce(sum(day.ties), 0)::bigint, coalesce(sum(day.volume), 0),
        coalesce(sum(day.pnl), 0)
      from private.trade_days day
      where day.of = 'all' and day.key = '' and day.account_type = any (accounts)
        and (first_day is null or day.day >= first_day) and (last_day is null or day.day <= last_day);
  else
    return query execute
      'select count(*), count(*) filter (where resultado = ''WIN''), count(*) filter (where resultado = ''LOSS''),
        count(*) filter (where resultado = ''TIE''), coalesce(sum(valor), 0), coalesce(sum(pnl), 0)
      from public.trade_history
      where account_type = any ($1) and ' || private.trade_condition()
    using accounts, of_user, asset, result, strategy, seconds, least_payout, most_payout, first_day, last_day;
  end if;
end
$$;

create function private.trade_details(trade_id bigint) returns table (
  id bigint, user_id uuid, email text, account_type text, ativo_nome text, direction text, valor numeric, pnl numeric,
  resultado text, data_abertura timestamptz, closed_at timestamptz, seconds_open integer, balance_before numeric,
  balance_after numeric
)
language sql stable security definer set search_path = '' as $$
  select trade.id, trade.user_id, coalesce(people.email, ''), trade.account_type, trade.ativo_nome, trade.direction,
    trade.valor, coalesce(trade.pnl, 0), trade.resultado, trade.data_abertura,
    case when trade.status = 'closed' then coalesce(trade.data_fechamento, trade.data_expiracao) end,
    case when trade.status = 'closed' and trade.data_fechamento is not null
      then round(extract(epoch from trade.data_fechamento - trade.data_abertura))::integer
      else trade.expiration_seconds end,
    trade.balance_before, trade.balance_after
  from public.trade_history trade
  left join auth.users people on people.id = trade.user_id
  where trade.id = trade_id
$$;

create function public.find_trades(
  accounts text[], of_user uuid, asset text, result text, strategy text, seconds integer, least_payout integer,
  most_payout integer, first_day date, last_day date, sort_by text, ascending boolean, at_most integer, skipped integer,
  after_value text, after_id bigint
) returns table (
  id bigint, user_id uuid, email text, account_type text, ativo_nome text, direction text, valor numeric, pnl numeric,
  resultado text, data_abertura timestamptz, closed_at timestamptz, seconds_open integer, sort_value text
)
language sql stable security invoker set search_path = '' as $$
  select * from private.find_trades(
    accounts, of_user, asset, result, strategy, seconds, least_payout, most_payout, first_day, last_day, sort_by,
    ascending, at_most, skipped, after_value, after_id
  )
$$;

create function public.sum_trades(
  accounts text[], of_user uuid, asset text, result text, strategy text, seconds integer, least_payout integer,
  most_payout integer, first_day date, last_day date
) returns table (
  trades bigint, wins bigint, losses bigint, ties bigint, volume numeric, pnl numeric
)
language sql stable security invoker set search_path = '' as $$
  select * from private.sum_trades(
    accounts, of_user, asset, result, strategy, seconds, least_payout, most_payout, first_day, last_day
  )
$$;

create function public.trade_details(trade_id bigint) returns table (
  id bigint, user_id uuid, email text, account_type text, ativo_nome text, direction text, valor numeric, pnl numeric,
  resultado text, data_abertura timestamptz, closed_at timestamptz, seconds_open integer, balance_before numeric,
  balance_after numeric
)
language sql stable security invoker set search_path = '' as $$
  select * from private.trade_details(trade_id)
$$;

revoke execute on function private.trade_condition() from public, anon, authenticated;
do $$
declare
  made regprocedure;
begin
  for made in
    select oid from pg_catalog.pg_proc
    where proname in ('find_trades', 'sum_trades', 'trade_details')
      and pronamespace in ('public'::regnamespace, 'private'::regnamespace)
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to service_role', made);
  end loop;
end
$$;
