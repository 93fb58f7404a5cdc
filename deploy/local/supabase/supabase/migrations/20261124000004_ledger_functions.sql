-- What analytics writes, in one statement per batch. Every function may be repeated and reordered without harm.

-- A row per order: inserted open or already settled, settled exactly once, never reopened, not brought back once its
-- owner deleted it. Clients count the updates of a settled row, so a repetition must not be one. Answers the rows of
-- these orders that are in the table now; in a second statement, which sees what others committed during the first.
create function public.record_trades(rows jsonb) returns table (order_id uuid, id bigint, status text)
language sql security invoker set search_path = '' as $$
  insert into public.trade_history as known (
    order_id, user_id, external_id, type, account_type, active_id, ativo_nome, direction, valor, profit_esperado,
    payout, expiration_seconds, strategy_id, confidence, status, resultado, pnl, data_abertura, data_expiracao,
    data_fechamento, open_quote, close_quote, balance_id, session_id, sequence, correlation_id, decided_at
  )
  select distinct on (order_id)
    order_id, user_id, external_id, type, account_type, active_id, ativo_nome, direction, valor, profit_esperado,
    payout, expiration_seconds, strategy_id, confidence, status, resultado, pnl, data_abertura, data_expiracao,
    data_fechamento, open_quote, close_quote, balance_id, session_id, sequence, correlation_id, decided_at
  from jsonb_populate_recordset(null::public.trade_history, rows) as given
  where not exists (select from private.deleted_trades deleted where deleted.order_id = given.order_id)
  order by order_id, resultado nulls last
  on conflict (order_id) do update set
    status = excluded.status,
    resultado = excluded.resultado,
    pnl = excluded.pnl,
    data_fechamento = excluded.data_fechamento,
    close_quote = excluded.close_quote
  where known.resultado is null and excluded.resultado is not null;

  select known.order_id, known.id, known.status
  from public.trade_history known
  where known.order_id in (select given.order_id from jsonb_to_recordset(rows) as given (order_id uuid))
$$;

-- One row per user, two groups of columns; each is written only by news that is not older than what it holds. Users who
-- are gone are left out.
create function public.record_bot_status(rows jsonb) returns void
language sql security invoker set search_path = '' as $$
  insert into public.bot_status (user_id)
  select profile.user_id
  from public.profiles profile
  where profile.user_id in (select given.user_id from jsonb_to_recordset(rows) as given (user_id uuid))
  order by profile.user_id
  on conflict do nothing;

  update public.bot_status known set
    is_connected = given.is_connected,
    broker_balance = coalesce(given.broker_balance, known.broker_balance),
    connection_type = given.connection_type,
    ssid = given.ssid,
    account_at = given.account_at
  from jsonb_populate_recordset(null::public.bot_status, rows) as given
  where given.user_id = known.user_id and given.account_at >= coalesce(known.account_at, '-infinity');

  update public.bot_status known set
    bot_running = given.bot_running,
    bot_pid = given.bot_pid,
    session_active = given.session_active,
    status = given.status,
    account_type = given.account_type,
    last_heartbeat = given.last_heartbeat,
    bot_at = given.bot_at
  from jsonb_populate_recordset(null::public.bot_status, rows) as given
  where given.user_id = known.user_id and given.bot_at >= coalesce(known.bot_at, '-infinity');
$$;

-- Until the CRM has contacts of its own, they are the people who signed up: leads have never traded real money.
create function public.crm_stats() returns table (contacts bigint, leads bigint, customers bigint)
language sql stable security invoker set search_path = '' as $$
  select count(*), count(*) filter (where not buys), count(*) filter (where buys)
  from (
    select exists (
      select 1 from public.trade_history trade where trade.user_id = profile.user_id and trade.account_type = 'real'
    ) as buys
    from public.profiles profile
  ) people
$$;

revoke execute on function public.record_trades(jsonb), public.record_bot_status(jsonb), public.crm_stats()
  from public, anon, authenticated;
grant execute on function public.record_trades(jsonb), public.record_bot_status(jsonb), public.crm_stats() to service_role;
