-- Trading users are contacts by themselves. What they do is noted in the transaction in which it is written, whoever
-- writes it: one row added to a queue, which nothing holds up and nothing can lose. The CRM works it off, each row in the
-- transaction that deletes it: contacts, facts and events come of it once.

create table public.crm_user_events (
  id bigint generated always as identity primary key,
  user_id uuid not null,
  kind text not null check (kind in ('person', 'opened', 'closed', 'bot', 'balance')),
  data jsonb not null default '{}',
  at timestamptz not null default now()
);
comment on table public.crm_user_events is 'What users did that the CRM does not know yet.';

create table public.crm_trading_facts (
  contact_id uuid primary key references public.crm_contacts (id) on delete cascade,
  account_type text check (account_type in ('demo', 'real')),
  balance numeric,
  real_balance numeric,
  bot_running boolean not null default false,
  last_trade_at timestamptz,
  last_real_trade_at timestamptz,
  trades bigint not null default 0,
  real_trades bigint not null default 0,
  demo_losses integer not null default 0,
  real_losses integer not null default 0,
  first_deposit_at timestamptz,
  updated_at timestamptz not null default now()
);
comment on column public.crm_trading_facts.balance is 'Of the account that the user shows; of the real one, as it was last shown: real_balance.';
comment on column public.crm_trading_facts.real_losses is 'In a row, up to now; a tie is neither.';

do $$
declare
  made text;
begin
  foreach made in array array['crm_user_events', 'crm_trading_facts'] loop
    execute format('alter table public.%I enable row level security', made);
    execute format('revoke all on public.%I from anon, authenticated', made);
    execute format('grant all on public.%I to service_role', made);
  end loop;
end
$$;

insert into private.crm_personal_data (table_name, erase, merge) values (
  'crm_trading_facts', 'delete from public.crm_trading_facts where contact_id = $1',
  'update public.crm_trading_facts set contact_id = $1 where contact_id = $2'
);

create function private.crm_note_person() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.crm_user_events (user_id, kind) values (new.user_id, 'person');
  return null;
end
$$;
create trigger crm_person after insert on public.profiles for each row execute function private.crm_note_person();
create trigger crm_person_changed after update of email, full_name, phone on public.profiles
  for each row when ((old.email, old.full_name, old.phone) is distinct from (new.email, new.full_name, new.phone))
  execute function private.crm_note_person();

create function private.crm_note_opened() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.crm_user_events (user_id, kind, data)
  select made.user_id, 'opened', jsonb_build_object('account_type', made.account_type, 'at', made.data_abertura)
  from made;
  insert into public.crm_user_events (user_id, kind, data)
  select made.user_id, 'closed',
    jsonb_build_object('account_type', made.account_type, 'result', made.resultado, 'order', made.order_id)
  from made where made.resultado is not null;
  return null;
end
$$;
create trigger crm_opened after insert on public.trade_history referencing new table as made
  for each statement execute function private.crm_note_opened();

create function private.crm_note_closed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.crm_user_events (user_id, kind, data)
  select made.user_id, 'closed',
    jsonb_build_object('account_type', made.account_type, 'result', made.resultado, 'order', made.order_id)
  from made join known on known.id = made.id
  where made.resultado is not null and known.resultado is null;
  return null;
end
$$;
create trigger crm_closed after update on public.trade_history referencing old table as known new table as made
  for each statement execute function private.crm_note_closed();

create function private.crm_note_bot() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.crm_user_events (user_id, kind, data)
  values (new.user_id, 'bot', jsonb_build_object('running', new.bot_running, 'account_type', new.account_type));
  return null;
end
$$;
create trigger crm_bot after update of bot_running, account_type on public.bot_status
  for each row when ((old.bot_running, old.account_type) is distinct from (new.bot_running, new.account_type))
  execute function private.crm_note_bot();

create function private.crm_note_balance() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.crm_user_events (user_id, kind, data)
  values (new.user_id, 'balance', jsonb_build_object('balance', new.broker_balance, 'account_type', new.account_type));
  return null;
end
$$;
-- After the other one by its name: which account a balance is of is known first.
create trigger crm_cash after update of broker_balance, account_type on public.bot_status
  for each row when ((old.broker_balance, old.account_type) is distinct from (new.broker_balance, new.account_type))
  execute function private.crm_note_balance();

-- The contact of a trading user: theirs, or one of their address that nobody owns yet, or a new one. An erased one stays
-- erased: null.
create function private.crm_contact_of_user(of_user uuid) returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  person record;
  known public.crm_contacts;
  given jsonb;
begin
  select * into known from public.crm_contacts one where one.user_id = of_user;
  if found then
    return case when known.deleted_at is null then known.id end;
  end if;
  select profile.email, profile.full_name, private.crm_phone(profile.phone) as phone into person
  from public.profiles profile where profile.user_id = of_user;
  if not found then
    return null;
  end if;
  select * into known from public.crm_contacts one
  where one.email_norm = lower(person.email) and one.user_id is null and one.deleted_at is null for update;
  if found then
    update public.crm_contacts set user_id = of_user, version = version + 1, updated_at = now() where id = known.id;
    perform private.crm_emit('contact_updated', known.id, '{"fields": ["user_id"]}');
  else
    given := jsonb_build_object(
      'user_id', of_user, 'email', person.email, 'name', person.full_name, 'phone', (
        select person.phone where not exists (select from public.crm_contacts one where one.phone = person.phone)
      )
    );
    if exists (select from public.crm_contacts one where one.email_norm = lower(person.email)) then
      given := given - 'email';
    end if;
    known.id := private.crm_insert_contact(given, 'trading');
  end if;
  insert into public.crm_trading_facts (contact_id) values (known.id) on conflict do nothing;
  perform private.crm_emit('signed_up', known.id, '{}', 'signed_up.' || of_user);
  return known.id;
end
$$;

-- What a profile says is taken over where the contact says nothing, or said what the profile did before.
create function private.crm_person_changed(contact uuid, of_user uuid) returns void
language plpgsql volatile set search_path = '' as $$
declare
  known public.crm_contacts;
  given jsonb := '{}';
  person record;
begin
  select * into known from public.crm_contacts one where one.id = contact;
  select profile.email, profile.full_name, private.crm_phone(profile.phone) as phone into person
  from public.profiles profile where profile.user_id = of_user;
  if coalesce(person.full_name, '') not in ('', known.name) and (known.source = 'trading' or known.name = '') then
    given := given || private.crm_filled(jsonb_build_object('name', person.full_name));
  end if;
  if person.phone <> coalesce(known.phone, '')
    and not exists (select from public.crm_contacts one where one.phone = person.phone) then
    given := given || jsonb_build_object('phone', person.phone);
  end if;
  if lower(person.email) <> coalesce(known.email_norm, '') and (known.source = 'trading' or known.email is null)
    and not exists (select from public.crm_contacts one where one.email_norm = lower(person.email)) then
    given := given || jsonb_build_object('email', person.email);
  end if;
  perform private.crm_update_contact(contact, given);
end
$$;

create function private.crm_deposited(contact uuid) returns void
language plpgsql volatile set search_path = '' as $$
begin
  update public.crm_trading_facts set first_deposit_at = now() where contact_id = contact and first_deposit_at is null;
  if found then
    perform private.crm_emit('first_deposit', contact, '{}', 'first_deposit.' || contact);
  end if;
end
$$;

-- One thing that a user did, applied to the facts; the names of facts that changed.
create function private.crm_apply(contact uuid, told public.crm_user_events) returns text[]
language plpgsql volatile set search_path = '' as $$
declare
  real constant boolean := told.data ->> 'account_type' = 'real';
  facts public.crm_trading_facts;
  many constant bigint := coalesce((told.data ->> 'many')::bigint, 1);
  losses integer;
begin
  select * into facts from public.crm_trading_facts one where one.contact_id = contact for update;
  case told.kind
  when 'person' then
    perform private.crm_person_changed(contact, told.user_id);
    return '{}';
  when 'opened' then
    update public.crm_trading_facts set
      last_trade_at = greatest(last_trade_at, (told.data ->> 'at')::timestamptz), trades = trades + many,
      last_real_trade_at = case when real then greatest(last_real_trade_at, (told.data ->> 'at')::timestamptz)
        else last_real_trade_at end,
      real_trades = real_trades + case when real then many else 0 end, updated_at = now()
    where contact_id = contact;
    if real then
      perform private.crm_deposited(contact);
      if (select one.status in ('lead', 'prospect') from public.crm_contacts one where one.id = contact) then
        perform private.crm_update_contact(contact, '{"status": "customer"}');
      end if;
    end if;
    return array['last_trade_at', 'trades'];
  when 'closed' then
    losses := case told.data ->> 'result'
      when 'LOSS' then 1 + case when real then facts.real_losses else facts.demo_losses end
      when 'WIN' then 0
    end;
    update public.crm_trading_facts set
      real_losses = case when real then coalesce(losses, real_losses) else real_losses end,
      demo_losses = case when real then demo_losses else coalesce(losses, demo_losses) end,
      updated_at = now()
    where contact_id = contact;
    if losses >= 2 then
      perform private.crm_emit('losses_in_a_row', contact, jsonb_build_object(
        'losses', losses, 'account_type', told.data ->> 'account_type', 'ref_type', 'order', 'ref_id', told.data ->> 'order'
      ), 'losses.' || (told.data ->> 'order'));
    end if;
    return array['losses'];
  when 'bot' then
    update public.crm_trading_facts set
      bot_running = (told.data ->> 'running')::boolean, account_type = told.data ->> 'account_type', updated_at = now()
    where contact_id = contact;
    if facts.bot_running is distinct from (told.data ->> 'running')::boolean then
      perform private.crm_emit(
        case when (told.data ->> 'running')::boolean then 'bot_started' else 'bot_stopped' end, contact,
        jsonb_build_object('account_type', told.data ->> 'account_type'), 'bot.' || told.id
      );
    end if;
    return array['bot_running', 'account_type'];
  when 'balance' then
    update public.crm_trading_facts set
      balance = (told.data ->> 'balance')::numeric, account_type = told.data ->> 'account_type',
      real_balance = case when real then (told.data ->> 'balance')::numeric else real_balance end, updated_at = now()
    where contact_id = contact;
    if real and (told.data ->> 'balance')::numeric > 0 then
      perform private.crm_deposited(contact);
    end if;
    return array['balance', 'account_type'];
  end case;
end
$$;

-- Work off what users did, the oldest first; how many rows that was. One process at a time does: the others find nothing.
-- What changed of a contact's facts is told once for the batch.
create function public.crm_apply_user_events(at_most integer) returns integer
language plpgsql volatile security invoker set search_path = '' as $$
declare
  told public.crm_user_events;
  contact uuid;
  done integer := 0;
  changed jsonb := '{}';
  each record;
begin
  if not pg_try_advisory_xact_lock(hashtext('public.crm_apply_user_events')) then
    return 0;
  end if;
  for told in select * from public.crm_user_events order by id limit at_most loop
    begin
      contact := private.crm_contact_of_user(told.user_id);
      if contact is not null then
        insert into public.crm_trading_facts (contact_id) values (contact) on conflict do nothing;
        changed := changed || jsonb_build_object(contact, coalesce(changed -> contact::text, '[]')
          || to_jsonb(private.crm_apply(contact, told)));
      end if;
    exception when data_exception or integrity_constraint_violation then
      -- It would fail for ever, and hold up everybody's: it is kept where administrators see it.
      perform private.crm_note('crm', 'user_event_failed', to_jsonb(told) || jsonb_build_object('error', sqlerrm));
    end;
    delete from public.crm_user_events where id = told.id;
    done := done + 1;
  end loop;
  for each in
    select entry.key::uuid as contact, array_agg(distinct 'fact.' || fact) as fields
    from jsonb_each(changed) entry, jsonb_array_elements_text(entry.value) fact group by entry.key
  loop
    perform private.crm_emit('contact_updated', each.contact, jsonb_build_object('fields', each.fields));
  end loop;
  return done;
end
$$;

-- Tell once of everybody who has not traded for so many days, since their last trade; how many that were.
create function public.crm_tell_inactive(days integer, at_most integer) returns integer
language sql volatile security invoker set search_path = '' as $$
  select count(*) filter (where private.crm_emit(
    'inactive', quiet.contact_id, jsonb_build_object('days', days), quiet.key
  ))::integer
  from (
    select facts.contact_id,
      concat_ws('.', 'inactive', days, facts.contact_id, extract(epoch from facts.last_trade_at)) as key
    from public.crm_trading_facts facts
    where facts.last_trade_at < now() - make_interval(days => days)
  ) quiet
  where not exists (select from public.crm_activities told where told.dedupe_key = quiet.key)
  limit at_most
$$;

-- Everybody who is there already.
insert into public.crm_user_events (user_id, kind) select user_id, 'person' from public.profiles;
insert into public.crm_user_events (user_id, kind, data)
select user_id, 'opened',
  jsonb_build_object('account_type', account_type, 'at', max(data_abertura), 'many', count(*))
from public.trade_history group by user_id, account_type;
insert into public.crm_user_events (user_id, kind, data)
select user_id, 'bot', jsonb_build_object('running', bot_running, 'account_type', account_type) from public.bot_status;
insert into public.crm_user_events (user_id, kind, data)
select user_id, 'balance', jsonb_build_object('balance', broker_balance, 'account_type', account_type)
from public.bot_status;

-- The CRM in numbers. Of what does not exist there are none.
create function private.crm_count(of_table text, condition text) returns bigint
language plpgsql stable set search_path = '' as $$
declare
  many bigint := 0;
begin
  if to_regclass('public.' || of_table) is not null then
    execute format('select count(*) from public.%I where %s', of_table, condition) into many;
  end if;
  return many;
end
$$;

drop function public.crm_stats();
create function public.crm_stats() returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'statuses', coalesce((
      select jsonb_object_agg(counted.status, counted.many) from (
        select status, count(*) as many from public.crm_contacts where deleted_at is null group by status
      ) counted
    ), '{}'),
    'segments', private.crm_count('crm_segments', 'active'),
    'workflows', private.crm_count('crm_workflows', 'status = ''active'''),
    'campaigns', private.crm_count('crm_campaigns', 'status in (''scheduled'', ''sending'')'),
    'templates', private.crm_count('crm_email_templates', 'true'),
    'mails', (
      select count(*) from public.crm_activities where type = 'mail_sent' and at > now() - interval '30 days'
    )
  )
$$;
create index crm_activities_sent on public.crm_activities (at) where type = 'mail_sent';

select private.crm_services_only();
