-- Of one person: nothing is counted twice when two contacts become one, and nothing is left of who is erased.

-- A score is the sum of its ledger, of two contacts' as of one's; what counts once for a contact still does.
update private.crm_personal_data set merge =
  'with twice as (
     delete from public.crm_score_events gone using public.crm_score_events kept
     where gone.contact_id = $2 and kept.contact_id = $1 and gone.rule_id is not distinct from kept.rule_id and (
       (gone.rule_id is null and gone.source_event = kept.source_event)
       or exists (select from public.crm_scoring_rules rule where rule.id = gone.rule_id and not rule.repeatable)
     )
     returning gone.id
   ) update public.crm_score_events set contact_id = $1 where contact_id = $2 and id not in (select id from twice)'
where table_name = 'crm_score_events';

-- Of the trading facts those of who trades, where both have some.
create function private.crm_merge_facts(kept uuid, gone uuid) returns void
language plpgsql volatile set search_path = '' as $$
declare
  is_user constant boolean := (select one.user_id is not null from public.crm_contacts one where one.id = kept);
begin
  delete from public.crm_trading_facts old
  where old.contact_id = case when is_user then gone else kept end
    and exists (select from public.crm_trading_facts other where other.contact_id = case when is_user then kept else gone end);
  update public.crm_trading_facts set contact_id = kept where contact_id = gone;
end
$$;
update private.crm_personal_data set merge = 'select private.crm_merge_facts($1, $2)' where table_name = 'crm_trading_facts';

-- What a mail server said names addresses, and goes with who is erased.
update private.crm_personal_data set erase =
  'update public.crm_mail_out set data = ''{}'', subject = '''', error = case state when ''skipped'' then error end
   where contact_id = $1'
where table_name = 'crm_mail_out';

update private.crm_personal_data set erase =
  'with gone as (
     update public.crm_workflow_runs set event = ''{}'', found = null, error = null,
       status = case when ended_at is null then ''cancelled'' else status end,
       outcome = case when ended_at is null then ''erased'' else outcome end, ended_at = coalesce(ended_at, now())
     where contact_id = $1
     returning id
   ) update public.crm_workflow_steps set output = ''{}'', error = null where run_id in (select id from gone)'
where table_name = 'crm_workflow_runs';

create or replace function public.crm_merge_contacts(winner uuid, loser uuid, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  kept public.crm_contacts;
  gone public.crm_contacts;
  step record;
begin
  perform from public.crm_contacts one where one.id in (winner, loser) order by one.id for update;
  select * into kept from public.crm_contacts one where one.id = private.crm_contact_of(winner) and one.deleted_at is null;
  select * into gone from public.crm_contacts one where one.id = loser and one.deleted_at is null;
  if kept.id is null or gone.id is null then
    return private.crm_answer('not_found');
  elsif kept.id = gone.id then
    return private.crm_answer('invalid', null, 'other', '`other` is the same contact');
  elsif kept.user_id is not null and gone.user_id is not null then
    return private.crm_answer('invalid', null, 'other', '`other` is another trading user');
  end if;
  perform set_config('pregao.crm_rewrites', 'yes', true);
  insert into public.crm_consents (contact_id, channel, topic, state, how, proof)
  select kept.id, strict.channel, strict.topic, 'unsubscribed', 'merge', jsonb_build_object('merged', gone.id)
  from (
    select distinct said.channel, said.topic from public.crm_consents said
    where said.contact_id in (kept.id, gone.id)
      and private.crm_consent(said.contact_id, said.channel, said.topic) = 'unsubscribed'
  ) strict;
  for step in select * from private.crm_personal_data order by table_name loop
    execute step.merge using kept.id, gone.id;
  end loop;
  delete from public.crm_contacts where id = gone.id;
  insert into public.crm_contact_aliases (alias_id, contact_id) values (gone.id, kept.id);
  update public.crm_contacts set
    user_id = coalesce(kept.user_id, gone.user_id), email = coalesce(kept.email, gone.email),
    phone = coalesce(kept.phone, gone.phone), first_name = coalesce(kept.first_name, gone.first_name),
    last_name = coalesce(kept.last_name, gone.last_name),
    name = case when kept.name = '' then gone.name else kept.name end,
    locale = coalesce(kept.locale, gone.locale), timezone = coalesce(kept.timezone, gone.timezone),
    custom_fields = gone.custom_fields || kept.custom_fields,
    last_seen_at = greatest(kept.last_seen_at, gone.last_seen_at), created_at = least(kept.created_at, gone.created_at),
    version = kept.version + 1, updated_at = now()
  where id = kept.id;
  perform set_config('pregao.crm_rewrites', '', true);
  perform private.crm_emit('contact_merged', kept.id, jsonb_build_object('merged', gone.id));
  perform private.crm_settle_score(kept.id);
  perform private.crm_note(actor, 'merged', jsonb_build_object('contact', kept.id, 'merged', gone.id));
  return private.crm_answer('done', kept.id);
end
$$;

-- As before. `for_good`: the address is suppressed for ever, as one that was erased, whatever it was suppressed for before.
drop function private.crm_erase(uuid, text);
create function private.crm_erase(contact uuid, actor text, for_good boolean default true) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  gone public.crm_contacts;
  step record;
begin
  select * into gone from public.crm_contacts one
  where one.id = private.crm_contact_of(contact) and one.deleted_at is null for update;
  if not found then
    return false;
  end if;
  if for_good then
    insert into public.crm_suppressions (channel, address_hash, reason)
    select said.channel, private.crm_address_hash(said.address), 'erased'
    from (values ('email', gone.email), ('sms', gone.phone)) said (channel, address) where said.address is not null
    on conflict (channel, address_hash) do update set reason = 'erased';
  end if;
  perform set_config('pregao.crm_rewrites', 'yes', true);
  for step in select * from private.crm_personal_data order by table_name loop
    execute step.erase using gone.id;
  end loop;
  perform set_config('pregao.crm_rewrites', '', true);
  update public.crm_contacts set
    email = null, phone = null, first_name = null, last_name = null, name = '', locale = null, timezone = null,
    custom_fields = '{}', last_seen_at = null, version = gone.version + 1, updated_at = now(), deleted_at = now()
  where id = gone.id;
  perform private.crm_emit('contact_deleted', gone.id, '{}');
  perform private.crm_note(actor, 'erased', jsonb_build_object('contact', gone.id));
  return true;
end
$$;

create or replace function private.crm_expire_submission(sent public.crm_form_submissions) returns void
language plpgsql volatile set search_path = '' as $$
declare
  person public.crm_contacts;
begin
  update public.crm_form_submissions set state = 'expired', fields = '{}', ip = null, agent = null where id = sent.id;
  select * into person from public.crm_contacts one where one.id = sent.contact_id for update;
  if not sent.newly_known or person.source <> 'form' or person.version > 1 or person.user_id is not null or exists (
    select from public.crm_consents said where said.contact_id = person.id and said.state <> 'pending'
  ) or exists (
    select from public.crm_form_submissions other where other.contact_id = person.id and other.state <> 'expired'
  ) then
    return;
  end if;
  perform private.crm_erase(person.id, 'form', false);
end
$$;

create trigger kept before update or delete on public.crm_audit for each row execute function private.crm_keep();

-- Who is looked at by two at once is looked at by one after the other: the later one knows what the first one did.
create or replace function private.crm_recheck(contact uuid, names text[]) returns integer
language plpgsql volatile set search_path = '' as $$
declare
  known record;
  belongs boolean;
  changed integer := 0;
begin
  perform from public.crm_contacts one where one.id = contact for no key update;
  for known in
    select segment.id, segment.compiled, segment.rules, segment.built_at, coalesce(mine.member, false) as member
    from public.crm_segments segment
    left join public.crm_segment_members mine on mine.segment_id = segment.id and mine.contact_id = contact
    where segment.kind = 'dynamic' and segment.active and (names @> '{*}' or segment.mentions && (names || '*'::text))
  loop
    perform pg_advisory_xact_lock_shared(hashtext('crm_segment.' || known.id));
    execute format('select exists (%s and one.id = $2)', known.compiled) into belongs using known.rules, contact;
    if belongs <> known.member then
      changed := changed + private.crm_move_members(known.id, array[contact], belongs, known.built_at is null);
    end if;
  end loop;
  return changed;
end
$$;

-- As before, each line once; and a telephone number has one contact.
create or replace function private.crm_faulty_rows(rows jsonb) returns table (line bigint, message text)
language sql stable set search_path = '' as $$
  select faulty.line, min(faulty.message) from (
    select item.line, '`' || entry.key || '` ' || coalesce(
      private.crm_custom_fault(field, entry.value), 'is not a field that was declared'
    ) as message
    from jsonb_to_recordset(rows) as item (line bigint, given jsonb)
    cross join lateral jsonb_each(coalesce(item.given -> 'custom_fields', '{}')) entry
    left join public.crm_custom_fields field on field.key = entry.key
    where field.key is null or private.crm_custom_fault(field, entry.value) is not null
    union all
    select item.line, '`' || field.key || '` is required'
    from jsonb_to_recordset(rows) as item (line bigint, given jsonb)
    join public.crm_custom_fields field on field.required
      and not coalesce(item.given -> 'custom_fields', '{}') ? field.key
    where not exists (select from public.crm_contacts one where one.email_norm = lower(item.given ->> 'email'))
    union all
    select item.line, '`phone` is another contact''s'
    from jsonb_to_recordset(rows) as item (line bigint, given jsonb)
    join public.crm_contacts other on other.phone = item.given ->> 'phone'
      and other.email_norm is distinct from lower(item.given ->> 'email')
    union all
    select item.line, '`phone` is that of line ' || item.first
    from (
      select one.line, lower(one.given ->> 'email') as email, first_value(one.line) over same as first,
        first_value(lower(one.given ->> 'email')) over same as first_email
      from jsonb_to_recordset(rows) as one (line bigint, given jsonb) where one.given ? 'phone'
      window same as (partition by one.given ->> 'phone' order by one.line)
    ) item
    where item.email <> item.first_email
  ) faulty group by faulty.line
$$;

select private.crm_services_only();
