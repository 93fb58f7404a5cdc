-- The market scanner, and what operators look at.

create table public.strategy_trades (
  id uuid primary key default gen_random_uuid(),
  active_id text not null,
  ativo_nome text not null,
  timeframe integer not null,
  strategy_id text,
  confidence integer,
  signal_timestamp timestamptz not null,
  signal_direction text not null check (signal_direction in ('CALL', 'PUT')),
  signal_price numeric not null,
  result text not null default 'PENDING' check (result in ('PENDING', 'WIN', 'LOSS', 'TIE', 'TIMEOUT')),
  result_timestamp timestamptz,
  result_price numeric,
  price_diff numeric,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index strategy_trades_signal on public.strategy_trades (signal_timestamp desc);
create index strategy_trades_pending on public.strategy_trades (signal_timestamp) where result = 'PENDING';
alter table public.strategy_trades enable row level security;
create trigger strategy_trades_touch before update on public.strategy_trades
  for each row execute function private.touch();

create table public.scanner_performance (
  id uuid primary key default gen_random_uuid(),
  active_id text not null,
  ativo_nome text not null,
  timeframe integer not null,
  total_signals integer not null default 0,
  total_wins integer not null default 0,
  total_losses integer not null default 0,
  win_rate numeric(5, 2) not null default 0,
  last_signal timestamptz,
  last_updated timestamptz not null default now(),
  created_at timestamptz not null default now(),
  unique (active_id, timeframe)
);
create index scanner_performance_rank on public.scanner_performance (win_rate desc, total_signals desc);
alter table public.scanner_performance enable row level security;
revoke all on public.scanner_performance from anon, authenticated;
grant select on public.scanner_performance to authenticated;
create policy scanner_performance_select on public.scanner_performance for select to authenticated using (true);

create table public.available_assets (
  id bigint generated always as identity primary key,
  asset_id integer not null unique,
  asset_name text not null,
  category text not null,
  ticker text not null,
  is_active boolean not null default true
);
alter table public.available_assets enable row level security;
revoke all on public.available_assets from anon, authenticated;
grant select on public.available_assets to authenticated;
create policy available_assets_select on public.available_assets for select to authenticated using (true);

create table public.health_logs (
  id bigint generated always as identity primary key,
  service_name text not null,
  status text not null check (status in ('healthy', 'degraded', 'down')),
  response_time_ms integer,
  error_message text,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now()
);
create index health_logs_created on public.health_logs (created_at desc);
alter table public.health_logs enable row level security;

create table public.admin_logs (
  id bigint generated always as identity primary key,
  level text not null check (level in ('debug', 'info', 'warn', 'error', 'critical')),
  origin text not null check (origin in ('api', 'bot', 'worker', 'frontend')),
  message text not null,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now()
);
create index admin_logs_created on public.admin_logs (created_at desc);
alter table public.admin_logs enable row level security;

create table public.admin_alerts (
  id uuid primary key default gen_random_uuid(),
  alert_type text not null check (alert_type in ('error', 'disconnect', 'drawdown', 'custom')),
  severity text not null,
  message text not null,
  details jsonb not null default '{}',
  is_read boolean not null default false,
  is_resolved boolean not null default false,
  created_at timestamptz not null default now()
);
create index admin_alerts_created on public.admin_alerts (created_at desc);
alter table public.admin_alerts enable row level security;

create table public.system_config (
  key text primary key,
  value jsonb not null,
  updated_at timestamptz not null default now()
);
alter table public.system_config enable row level security;
create trigger system_config_touch before update on public.system_config
  for each row execute function private.touch();
insert into public.system_config (key, value) values
  ('maintenance_mode', 'false'),
  ('max_concurrent_bots', '10000'),
  ('default_risk_limits', '{}'),
  ('alert_thresholds', '{}');

create table public.webhooks (
  id uuid primary key default gen_random_uuid(),
  url text not null,
  events text[] not null default '{}',
  is_active boolean not null default true,
  created_at timestamptz not null default now()
);
alter table public.webhooks enable row level security;

create table public.webhook_logs (
  id bigint generated always as identity primary key,
  webhook_id uuid not null references public.webhooks (id) on delete cascade,
  status integer,
  attempt integer not null default 1,
  error_message text,
  created_at timestamptz not null default now()
);
create index webhook_logs_webhook on public.webhook_logs (webhook_id, created_at desc);
alter table public.webhook_logs enable row level security;

revoke all on public.strategy_trades, public.health_logs, public.admin_logs, public.admin_alerts, public.system_config,
  public.webhooks, public.webhook_logs from anon, authenticated;
grant all on public.strategy_trades, public.scanner_performance, public.available_assets, public.health_logs,
  public.admin_logs, public.admin_alerts, public.system_config, public.webhooks, public.webhook_logs to service_role;

-- Hosted projects have this publication; the local server has no realtime.
do $$
begin
  if exists (select 1 from pg_publication where pubname = 'supabase_realtime') then
    alter publication supabase_realtime add table public.trade_history, public.scanner_performance;
  end if;
end
$$;
