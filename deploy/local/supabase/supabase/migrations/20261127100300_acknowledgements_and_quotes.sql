-- How long it took until the broker's answer was there, and what the price had been.

alter table public.trade_history
  add column acknowledged_at timestamptz,
  add column decided_quote numeric;
comment on column public.trade_history.acknowledged_at is
  'When it was known that the broker had booked it, by the clock of decided_at; null if only the result was told.';
comment on column public.trade_history.decided_quote is 'The price that it was decided on; open_quote is the fill.';

create or replace function public.record_trades(rows jsonb) returns table (order_id uuid, id bigint, status text)
language sql security invoker set search_path = '' as $$
  insert into public.trade_history as known (
    order_id, user_id, external_id, type, account_type, active_id, ativo_nome, direction, valor, profit_esperado,
    payout, expiration_seconds, strategy_id, confidence, status, resultado, pnl, data_abertura, data_expiracao,
    data_fechamento, open_quote, close_quote, balance_id, session_id, sequence, correlation_id, decided_at,
    acknowledged_at, decided_quote
  )
  select distinct on (order_id)
    order_id, user_id, external_id, type, account_type, active_id, ativo_nome, direction, valor, profit_esperado,
    payout, expiration_seconds, strategy_id, confidence, status, resultado, pnl, data_abertura, data_expiracao,
    data_fechamento, open_quote, close_quote, balance_id, session_id, sequence, correlation_id, decided_at,
    acknowledged_at, decided_quote
  from jsonb_populate_recordset(null::public.trade_history, rows) as given
  where not exists (select from private.deleted_trades deleted where deleted.order_id = given.order_id)
  order by order_id, resultado nulls last
  on conflict (order_id) do update set
    status = excluded.status,
    resultado = excluded.resultado,
    pnl = excluded.pnl,
    data_fechamento = excluded.data_fechamento,
    close_quote = excluded.close_quote,
    acknowledged_at = coalesce(known.acknowledged_at, excluded.acknowledged_at)
  where known.resultado is null and excluded.resultado is not null;

  select known.order_id, known.id, known.status
  from public.trade_history known
  where known.order_id in (select given.order_id from jsonb_to_recordset(rows) as given (order_id uuid))
$$;
