-- Trades, bots and broker sessions.

create table public.trade_history (
  id bigint generated always as identity primary key,
  order_id uuid not null unique,
  user_id uuid not null references auth.users (id) on delete cascade,
  external_id bigint unique,
  type text not null default 'blitz-option',
  account_type text not null check (account_type in ('demo', 'real')),
  active_id integer not null,
  ativo_nome text not null,
  direction text not null check (direction in ('call', 'put')),
  valor numeric not null check (valor > 0),
  profit_esperado numeric,
  payout integer,
  expiration_seconds integer not null,
  strategy_id text,
  confidence integer,
  status text not null check (status in ('open', 'closed')),
  resultado text check (resultado in ('WIN', 'LOSS', 'TIE')),
  pnl numeric,
  data_abertura timestamptz not null,
  data_expiracao timestamptz,
  data_fechamento timestamptz,
  open_quote numeric,
  close_quote numeric,
  balance_id bigint,
  balance_before numeric,
  balance_after numeric,
  session_id text,
  sequence integer,
  martingale_step integer,
  correlation_id text,
  decided_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((resultado is null) = (status = 'open')),
  check ((resultado is null) = (pnl is null))
);
comment on table public.trade_history is 'One row per order that the broker booked; written by analytics alone.';
comment on column public.trade_history.session_id is 'The bot run that decided it.';
create index trade_history_user_opened on public.trade_history (user_id, data_abertura desc);
create index trade_history_open on public.trade_history (user_id) where status = 'open';
create index trade_history_account_opened on public.trade_history (account_type, data_abertura desc);

alter table public.trade_history enable row level security;
revoke all on public.trade_history from anon, authenticated;
grant select, delete on public.trade_history to authenticated;
grant all on public.trade_history to service_role;
create policy trade_history_select_own on public.trade_history for select to authenticated
  using ((select auth.uid()) = user_id);
-- "Reset history" in the client. Open rows are still to be settled, and real money is not forgotten.
create policy trade_history_delete_own_closed_demo on public.trade_history for delete to authenticated
  using ((select auth.uid()) = user_id and status = 'closed' and account_type = 'demo');
create trigger trade_history_touch before update on public.trade_history
  for each row execute function private.touch();

-- An event that is delivered again must not bring back what its owner deleted. Longer than any event is kept.
create table private.deleted_trades (
  order_id uuid primary key,
  deleted_at timestamptz not null default now()
);
create index deleted_trades_age on private.deleted_trades (deleted_at);
alter table private.deleted_trades enable row level security;
grant select on private.deleted_trades to service_role;

create function private.remember_deleted_trades() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.deleted_trades (order_id) select order_id from deleted on conflict do nothing;
  delete from private.deleted_trades where deleted_at < now() - interval '90 days';
  return null;
end
$$;
create trigger trade_history_deleted after delete on public.trade_history referencing old table as deleted
  for each statement execute function private.remember_deleted_trades();

-- The name and the words of the first documentation.
create view public.trades_history with (security_invoker = true) as
select
  id, user_id, session_id as bot_id, ativo_nome as ativo, upper(direction) as direcao, valor,
  case resultado when 'TIE' then 'DRAW' else resultado end as resultado,
  pnl as profit_loss, strategy_id, account_type,
  data_abertura as horario_entrada, data_fechamento as horario_saida, created_at
from public.trade_history;
revoke all on public.trades_history from anon, authenticated;
grant select on public.trades_history to authenticated, service_role;

create table public.bot_status (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null unique references auth.users (id) on delete cascade,
  is_connected boolean not null default false,
  broker_balance numeric not null default 0,
  connection_type text,
  ssid text,
  account_at timestamptz,
  account_type text not null default 'demo' check (account_type in ('demo', 'real')),
  bot_running boolean not null default false,
  bot_pid integer,
  session_active boolean not null default false,
  status text,
  last_heartbeat timestamptz,
  bot_at timestamptz,
  last_trade_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_updated timestamptz generated always as (updated_at) stored
);
comment on column public.bot_status.ssid is 'An opaque handle, present while connected; never a session id of the broker.';
comment on column public.bot_status.account_at is 'Time of the newest event in the columns above it; older ones change nothing.';
comment on column public.bot_status.bot_at is 'Likewise, of the columns about the bot.';
alter table public.bot_status enable row level security;
revoke all on public.bot_status from anon, authenticated;
grant select on public.bot_status to authenticated;
grant all on public.bot_status to service_role;
create policy bot_status_select_own on public.bot_status for select to authenticated
  using ((select auth.uid()) = user_id);
create trigger bot_status_touch before update on public.bot_status
  for each row execute function private.touch();

create table public.bot_control (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  command text not null check (command in ('start', 'stop', 'pause', 'resume')),
  status text not null default 'processed',
  config jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  processed_at timestamptz
);
comment on table public.bot_control is 'A log of what users asked of their bots; commands travel on NATS.';
create index bot_control_user on public.bot_control (user_id, created_at desc);
alter table public.bot_control enable row level security;
revoke all on public.bot_control from anon, authenticated;
grant select on public.bot_control to authenticated;
grant all on public.bot_control to service_role;
create policy bot_control_select_own on public.bot_control for select to authenticated
  using ((select auth.uid()) = user_id);

create table public.broker_sessions (
  user_id uuid primary key references auth.users (id) on delete cascade,
  broker_user_id text not null,
  ssid_ciphertext text,
  expires_at timestamptz,
  renewed_at timestamptz,
  status text not null default 'unknown',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.broker_sessions is 'For services only: no policy lets a user in.';
alter table public.broker_sessions enable row level security;

create table public.bot_configs (
  user_id uuid primary key references auth.users (id) on delete cascade,
  ativo text,
  valor_entrada numeric,
  tempo_expiracao integer,
  stop_loss numeric,
  take_profit numeric,
  martingale_enabled boolean not null default false,
  updated_at timestamptz not null default now()
);
alter table public.bot_configs enable row level security;
create trigger bot_configs_touch before update on public.bot_configs
  for each row execute function private.touch();

revoke all on public.broker_sessions, public.bot_configs from anon, authenticated;
grant all on public.broker_sessions, public.bot_configs to service_role;
