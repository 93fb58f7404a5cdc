-- What analytics writes, in one statement per batch. Every function may be repeated and reordered without harm.

-- A row per order: inserted open or already settled, settled exactly once, never reopened. Clients count the updates of a
-- settled row, so a repetition must not be one. Answers the row of every order that is in the table now.
create function public.record_trades(rows jsonb) returns table (order_id uuid, id bigint, status text)
language sql security invoker set search_path = '' as $$
  with given as (
    select * from jsonb_to_recordset(rows) as given (
      order_id uuid, user_id uuid, external_id bigint, type text, account_type text, active_id integer, ativo_nome text,
      direction text, valor numeric, profit_esperado numeric, payout integer, expiration_seconds integer,
      strategy_id text, confidence integer, status text, resultado text, pnl numeric, data_abertura timestamptz,
      data_expiracao timestamptz, data_fechamento timestamptz, open_quote numeric, close_quote numeric,
      balance_id bigint, session_id uuid, sequence integer, correlation_id text, decided_at timestamptz
    )
  ),
  written as (
    insert into public.trade_history as known (
      order_id, user_id, external_id, type, account_type, active_id, ativo_nome, direction, valor, profit_esperado,
      payout, expiration_seconds, strategy_id, confidence, status, resultado, pnl, data_abertura, data_expiracao,
      data_fechamento, open_quote, close_quote, balance_id, session_id, sequence, correlation_id, decided_at
    )
    select
      order_id, user_id, external_id, type, account_type, active_id, ativo_nome, direction, valor, profit_esperado,
      payout, expiration_seconds, strategy_id, confidence, status, resultado, pnl, data_abertura, data_expiracao,
      data_fechamento, open_quote, close_quote, balance_id, session_id, sequence, correlation_id, decided_at
    from given
    on conflict (order_id) do update set
      status = excluded.status,
      resultado = excluded.resultado,
      pnl = excluded.pnl,
      data_fechamento = excluded.data_fechamento,
      close_quote = excluded.close_quote
    where known.resultado is null and excluded.resultado is not null
    returning known.order_id, known.id, known.status
  )
  select written.order_id, written.id, written.status from written
  union
  select known.order_id, known.id, known.status
  from public.trade_history known join given using (order_id)
  where not exists (select 1 from written where written.order_id = known.order_id)
$$;

-- One row per user, two groups of columns; each is written only by events that are not older than what it holds.
create function public.record_bot_status(rows jsonb) returns void
language sql security invoker set search_path = '' as $$
  insert into public.bot_status as known (
    user_id, is_connected, broker_balance, connection_type, ssid, account_at,
    bot_running, bot_pid, session_active, status, account_type, last_heartbeat, bot_at
  )
  select
    user_id, coalesce(is_connected, false), coalesce(broker_balance, 0), connection_type, ssid, account_at,
    coalesce(bot_running, false), bot_pid, coalesce(session_active, false), status, coalesce(account_type, 'demo'),
    last_heartbeat, bot_at
  from jsonb_to_recordset(rows) as given (
    user_id uuid, is_connected boolean, broker_balance numeric, connection_type text, ssid text, account_at timestamptz,
    bot_running boolean, bot_pid integer, session_active boolean, status text, account_type text,
    last_heartbeat timestamptz, bot_at timestamptz
  )
  on conflict (user_id) do update set
    (is_connected, broker_balance, connection_type, ssid, account_at) = (
      select
        case when newer then excluded.is_connected else known.is_connected end,
        case when newer then excluded.broker_balance else known.broker_balance end,
        case when newer then excluded.connection_type else known.connection_type end,
        case when newer then excluded.ssid else known.ssid end,
        case when newer then excluded.account_at else known.account_at end
      from (select excluded.account_at is not null
              and (known.account_at is null or excluded.account_at >= known.account_at) as newer) as account
    ),
    (bot_running, bot_pid, session_active, status, account_type, last_heartbeat, bot_at) = (
      select
        case when newer then excluded.bot_running else known.bot_running end,
        case when newer then excluded.bot_pid else known.bot_pid end,
        case when newer then excluded.session_active else known.session_active end,
        case when newer then excluded.status else known.status end,
        case when newer then excluded.account_type else known.account_type end,
        case when newer then excluded.last_heartbeat else known.last_heartbeat end,
        case when newer then excluded.bot_at else known.bot_at end
      from (select excluded.bot_at is not null
              and (known.bot_at is null or excluded.bot_at >= known.bot_at) as newer) as bot
    )
  where (excluded.account_at is not null and (known.account_at is null or excluded.account_at >= known.account_at))
     or (excluded.bot_at is not null and (known.bot_at is null or excluded.bot_at >= known.bot_at))
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
