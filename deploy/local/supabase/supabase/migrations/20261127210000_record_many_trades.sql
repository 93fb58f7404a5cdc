-- As before, with the answer in one value: a server cuts one of more than a thousand rows.
drop function public.record_trades(jsonb);
create function public.record_trades(rows jsonb) returns jsonb
language sql volatile security invoker set search_path = '' as $$
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

  select coalesce(
    jsonb_agg(jsonb_build_object('order_id', known.order_id, 'id', known.id, 'status', known.status)), '[]'
  )
  from public.trade_history known
  where known.order_id in (select given.order_id from jsonb_to_recordset(rows) as given (order_id uuid))
$$;

revoke execute on function public.record_trades(jsonb) from public, anon, authenticated;
grant execute on function public.record_trades(jsonb) to service_role;
