-- What is told of trading facts.

-- To who follows what happens, and not into the contact's timeline: a bot trades every minute.
create function private.crm_pass_on(type text, contact uuid, data jsonb) returns void
language plpgsql volatile set search_path = '' as $$
declare
  made constant uuid := gen_random_uuid();
begin
  insert into public.crm_outbox (id, subject, payload) values (
    made, 'crm.event.' || crm_pass_on.type, jsonb_build_object(
      'id', made, 'type', crm_pass_on.type, 'contact_id', contact, 'at', clock_timestamp(), 'data', crm_pass_on.data
    )
  );
end
$$;

-- As before; but who shows another account shows another balance.
create or replace function private.crm_apply(contact uuid, told public.crm_user_events) returns text[]
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
      bot_running = (told.data ->> 'running')::boolean, account_type = told.data ->> 'account_type', updated_at = now(),
      balance = case
        when account_type = told.data ->> 'account_type' then balance
        when real then real_balance
      end
    where contact_id = contact;
    if facts.bot_running is distinct from (told.data ->> 'running')::boolean then
      perform private.crm_emit(
        case when (told.data ->> 'running')::boolean then 'bot_started' else 'bot_stopped' end, contact,
        jsonb_build_object('account_type', told.data ->> 'account_type'), 'bot.' || told.id
      );
    end if;
    return array['bot_running', 'account_type', 'balance'];
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

create or replace function public.crm_apply_user_events(at_most integer) returns integer
language plpgsql volatile security invoker set search_path = '' as $$
declare
  told public.crm_user_events;
  contact uuid;
  done integer := 0;
  changed jsonb := '{}';
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
  perform private.crm_pass_on('contact_updated', of.contact, jsonb_build_object('fields', of.fields))
  from (
    select entry.key::uuid as contact, array_agg(distinct 'fact.' || fact) as fields
    from jsonb_each(changed) entry, jsonb_array_elements_text(entry.value) fact group by entry.key
  ) of;
  return done;
end
$$;

-- As before, no more than `at_most`.
create or replace function public.crm_tell_inactive(days integer, at_most integer) returns integer
language sql volatile security invoker set search_path = '' as $$
  select count(*) filter (where private.crm_emit(
    'inactive', quiet.contact_id, jsonb_build_object('days', days), quiet.key
  ))::integer
  from (
    select idle.contact_id, idle.key
    from (
      select facts.contact_id,
        concat_ws('.', 'inactive', days, facts.contact_id, extract(epoch from facts.last_trade_at)) as key
      from public.crm_trading_facts facts
      where facts.last_trade_at < now() - make_interval(days => days)
    ) idle
    where not exists (select from public.crm_activities told where told.dedupe_key = idle.key)
    limit at_most
  ) quiet
$$;

select private.crm_services_only();
