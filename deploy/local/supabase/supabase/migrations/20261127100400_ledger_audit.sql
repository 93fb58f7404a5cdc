-- Trades that are gone or altered although nobody was allowed to: found against the broker's books, and put right.

alter table private.deleted_trades add column by_owner boolean not null default true;
comment on column private.deleted_trades.by_owner is
  'Deleted by a signed-in user, who may do so with closed demo trades; whatever else deletes one is undone.';

create or replace function private.remember_deleted_trades() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.deleted_trades (order_id, by_owner)
  select order_id, (select auth.uid()) is not null from deleted
  on conflict (order_id) do update set deleted_at = now(), by_owner = excluded.by_owner;
  delete from private.deleted_trades where deleted_at < now() - interval '90 days';
  return null;
end
$$;

-- What a user's trades are said to be: those of these orders, and whatever else was decided since then.
create function public.kept_trades(account uuid, orders uuid[], since timestamptz) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'rows', coalesce((
      select jsonb_agg(jsonb_build_object(
        'id', id, 'order_id', order_id, 'user_id', user_id, 'external_id', external_id, 'type', type,
        'account_type', account_type, 'direction', direction, 'ativo_nome', ativo_nome, 'valor', valor::text,
        'status', status, 'resultado', resultado, 'pnl', pnl::text, 'data_abertura', data_abertura,
        'created_at', created_at
      ))
      from public.trade_history
      where order_id = any(orders) or (user_id = account and data_abertura >= since)
    ), '[]'::jsonb),
    'forgotten', coalesce((
      select jsonb_agg(order_id) from private.deleted_trades where order_id = any(orders) and by_owner
    ), '[]'::jsonb)
  )
$$;

create function private.unforget_trades(orders uuid[]) returns void
language sql volatile security definer set search_path = '' as $$
  delete from private.deleted_trades where order_id = any(orders) and not by_owner
$$;

-- Unlike record_trades, which never touches what is settled.
create function public.repair_trades(rows jsonb) returns void
language sql volatile security invoker set search_path = '' as $$
  select private.unforget_trades(array(select given.order_id from jsonb_to_recordset(rows) as given (order_id uuid)));

  insert into public.trade_history as known (
    order_id, user_id, external_id, type, account_type, active_id, ativo_nome, direction, valor, profit_esperado,
    payout, expiration_seconds, strategy_id, confidence, status, resultado, pnl, data_abertura, data_expiracao,
    data_fechamento, open_quote, close_quote, balance_id, session_id, sequence, correlation_id, decided_at,
    acknowledged_at, decided_quote
  )
  select
    order_id, user_id, external_id, type, account_type, active_id, ativo_nome, direction, valor, profit_esperado,
    payout, expiration_seconds, strategy_id, confidence, status, resultado, pnl, data_abertura, data_expiracao,
    data_fechamento, open_quote, close_quote, balance_id, session_id, sequence, correlation_id, decided_at,
    acknowledged_at, decided_quote
  from jsonb_populate_recordset(null::public.trade_history, rows) as given
  where not exists (select from private.deleted_trades deleted where deleted.order_id = given.order_id)
  on conflict (order_id) do update set
    user_id = excluded.user_id,
    external_id = excluded.external_id,
    type = excluded.type,
    account_type = excluded.account_type,
    active_id = excluded.active_id,
    ativo_nome = excluded.ativo_nome,
    direction = excluded.direction,
    valor = excluded.valor,
    profit_esperado = excluded.profit_esperado,
    payout = excluded.payout,
    status = excluded.status,
    resultado = excluded.resultado,
    pnl = excluded.pnl,
    data_abertura = excluded.data_abertura,
    data_expiracao = excluded.data_expiracao,
    data_fechamento = excluded.data_fechamento,
    open_quote = excluded.open_quote,
    close_quote = excluded.close_quote,
    balance_id = excluded.balance_id,
    acknowledged_at = coalesce(known.acknowledged_at, excluded.acknowledged_at)
$$;

revoke execute on function public.kept_trades(uuid, uuid[], timestamptz), public.repair_trades(jsonb),
  private.unforget_trades(uuid[]) from public, anon, authenticated;
grant execute on function public.kept_trades(uuid, uuid[], timestamptz), public.repair_trades(jsonb),
  private.unforget_trades(uuid[]) to service_role;
