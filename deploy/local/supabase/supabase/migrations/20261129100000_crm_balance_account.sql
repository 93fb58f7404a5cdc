-- Of which account a balance is, is said with it: a user may show another account by the time it is written, and then the
-- play money of the demo account was taken for a deposit.

alter table public.bot_status add column balance_account text check (balance_account in ('demo', 'real'));
comment on column public.bot_status.balance_account is 'Whose balance broker_balance is; null: nobody has told of any.';

-- As before, with the account that the balance is of.
create or replace function public.record_bot_status(rows jsonb) returns void
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
    balance_account = given.balance_account,
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

create or replace function private.crm_note_balance() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.crm_user_events (user_id, kind, data)
  values (new.user_id, 'balance', jsonb_build_object('balance', new.broker_balance, 'account_type', new.balance_account));
  return null;
end
$$;
drop trigger crm_cash on public.bot_status;
create trigger crm_cash after update of broker_balance, balance_account on public.bot_status
  for each row when (
    new.balance_account is not null
    and (old.broker_balance, old.balance_account) is distinct from (new.broker_balance, new.balance_account)
  )
  execute function private.crm_note_balance();
