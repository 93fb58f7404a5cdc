-- Contacts: timeline, consent, merging, export and erasure.

-- As an object, because over RPC a text alone is no JSON everywhere.
drop function public.crm_may_send(uuid, text, text, text);
create function public.crm_may_send(contact uuid, channel text, topic text, class text) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object('refusal', private.crm_may_send(contact, channel, topic, class))
$$;

-- What administrators note themselves is an activity, too.
create function public.crm_add_activity(contact uuid, kind text, data jsonb, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  found_id constant uuid := private.crm_contact_of(contact);
  made public.crm_activities;
begin
  if not exists (select from public.crm_contacts one where one.id = found_id and one.deleted_at is null) then
    return null;
  end if;
  insert into public.crm_activities (contact_id, type, data)
  values (found_id, kind, data || jsonb_build_object('by', actor))
  returning * into made;
  return to_jsonb(made) - 'dedupe_key' - 'number';
end
$$;

-- The newest first; null: there is no such contact.
create function public.crm_activities_of(
  contact uuid, kind text, at_most integer, skipped integer, behind bigint
) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'total', (
      select count(*) from public.crm_activities done
      where done.contact_id = one.id and (kind is null or done.type = kind)
    ),
    'rows', coalesce((
      select jsonb_agg(to_jsonb(page) - 'dedupe_key' order by page.number desc)
      from (
        select * from public.crm_activities done
        where done.contact_id = one.id and (kind is null or done.type = kind)
          and (behind is null or done.number < behind)
        order by done.number desc limit at_most offset skipped
      ) page
    ), '[]')
  )
  from public.crm_contacts one where one.id = private.crm_contact_of(contact) and one.deleted_at is null
$$;

create function public.crm_consents_of(contact uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'current', coalesce((
      select jsonb_agg(to_jsonb(newest) - 'proof' - 'contact_id' order by newest.channel, newest.topic)
      from (
        select distinct on (said.channel, said.topic) said.*
        from public.crm_consents said where said.contact_id = one.id order by said.channel, said.topic, said.at desc
      ) newest
    ), '[]'),
    'history', coalesce((
      select jsonb_agg(to_jsonb(said) - 'proof' - 'contact_id' order by said.at desc)
      from (
        select * from public.crm_consents said where said.contact_id = one.id order by said.at desc limit 200
      ) said
    ), '[]')
  )
  from public.crm_contacts one where one.id = private.crm_contact_of(contact) and one.deleted_at is null
$$;

-- False: there is no such contact.
create function public.crm_give_consent(
  contact uuid, channel text, topic text, state text, how text, text_version text, ip text, proof jsonb
) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
declare
  found_id constant uuid := private.crm_contact_of(contact);
begin
  if not exists (select from public.crm_contacts one where one.id = found_id and one.deleted_at is null) then
    return false;
  end if;
  perform private.crm_record_consent(found_id, channel, topic, state, how, text_version, ip, proof);
  return true;
end
$$;

create function public.crm_suppress(channel text, address text, reason text, actor text) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform private.crm_note(actor, 'suppressed', jsonb_build_object('channel', channel, 'reason', reason));
  return private.crm_suppress(channel, address, reason);
end
$$;

create function public.crm_unsuppress(channel text, hash text, actor text) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
begin
  delete from public.crm_suppressions listed
  where listed.channel = crm_unsuppress.channel and listed.address_hash = hash;
  if found then
    perform private.crm_note(actor, 'unsuppressed', jsonb_build_object('channel', channel, 'hash', hash));
    return true;
  end if;
  return false;
end
$$;

-- `of_address`: whether it is listed; the list itself knows only hashes.
create function public.crm_find_suppressions(of_channel text, of_address text, at_most integer, skipped integer) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'total', (
      select count(*) from public.crm_suppressions listed
      where (of_channel is null or listed.channel = of_channel)
        and (of_address is null or listed.address_hash = private.crm_address_hash(of_address))
    ),
    'rows', coalesce((
      select jsonb_agg(to_jsonb(page) order by page.at desc, page.address_hash) from (
        select * from public.crm_suppressions listed
        where (of_channel is null or listed.channel = of_channel)
        and (of_address is null or listed.address_hash = private.crm_address_hash(of_address))
        order by listed.at desc, listed.address_hash limit at_most offset skipped
      ) page
    ), '[]')
  )
$$;

-- Contacts that may be the same person: with one phone in other spellings no more, as it is unique; of one name and the
-- part of the address before the @ or a `+tag` in it.
create function public.crm_duplicates(at_most integer) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('reason', found.reason, 'ids', found.ids)), '[]')
  from (
    select reason, array_agg(id order by created_at, id) as ids
    from (
      select 'address' as reason, regexp_replace(email_norm, '\+[^@]*@', '@') as key, id, created_at
      from public.crm_contacts where deleted_at is null and email_norm is not null
      union all
      select 'name', lower(name) || ' ' || split_part(regexp_replace(email_norm, '\+[^@]*@', '@'), '@', 1), id, created_at
      from public.crm_contacts where deleted_at is null and email_norm is not null and name <> ''
    ) likeness
    group by reason, key having count(*) > 1
    order by min(created_at), min(id::text) limit at_most
  ) found
$$;

-- The first contact takes over all that the second one has, and where it has nothing itself the second one's fields. Of
-- consent the strictest wins: what either has unsubscribed stays so. The second one's id goes on to mean the first.
create function public.crm_merge_contacts(winner uuid, loser uuid, actor text) returns jsonb
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
    custom_fields = gone.custom_fields || kept.custom_fields, score = greatest(kept.score, gone.score),
    last_seen_at = greatest(kept.last_seen_at, gone.last_seen_at), created_at = least(kept.created_at, gone.created_at),
    version = kept.version + 1, updated_at = now()
  where id = kept.id;
  perform set_config('pregao.crm_rewrites', '', true);
  perform private.crm_emit('contact_merged', kept.id, jsonb_build_object('merged', gone.id));
  perform private.crm_note(actor, 'merged', jsonb_build_object('contact', kept.id, 'merged', gone.id));
  return private.crm_answer('done', kept.id);
end
$$;

-- Erase: personal data goes, counts and the tombstone stay, and the address is suppressed for ever, so that neither a
-- late event nor an import brings the contact back. False: there is none.
create function private.crm_erase(contact uuid, actor text) returns boolean
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
  if gone.email is not null then
    perform private.crm_suppress('email', gone.email, 'erased');
  end if;
  if gone.phone is not null then
    perform private.crm_suppress('sms', gone.phone, 'erased');
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

create function public.crm_erase_contact(contact uuid, actor text) returns boolean
language sql volatile security invoker set search_path = '' as $$ select private.crm_erase(contact, actor) $$;

-- Every row of every table that has a contact id, by table; null: there is no such contact.
create function public.crm_export_contact(contact uuid, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_contacts;
  owned record;
  rows jsonb;
  bundle jsonb;
begin
  select * into known from public.crm_contacts one
  where one.id = private.crm_contact_of(contact) and one.deleted_at is null;
  if not found then
    return null;
  end if;
  bundle := jsonb_build_object('crm_contacts', jsonb_build_array(to_jsonb(known) - 'email_norm'));
  for owned in
    select c.relname from pg_catalog.pg_class c
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'contact_id' and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by c.relname
  loop
    execute format(
      'select coalesce(jsonb_agg(to_jsonb(owned)), ''[]'') from (
        select * from public.%I owned where owned.contact_id = $1 limit 10000) owned', owned.relname
    ) into rows using known.id;
    bundle := bundle || jsonb_build_object(owned.relname, rows);
  end loop;
  perform private.crm_note(actor, 'exported', jsonb_build_object('contact', known.id));
  return bundle;
end
$$;

-- A custom field that goes takes its values with it. `used`: a segment mentions it.
create function public.crm_drop_custom_field(of_key text, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if exists (select from public.crm_segments one where one.mentions @> array['custom.' || of_key]) then
    return '{"outcome": "used"}';
  end if;
  delete from public.crm_custom_fields where key = of_key;
  if not found then
    return '{"outcome": "not_found"}';
  end if;
  update public.crm_contacts set custom_fields = custom_fields - of_key, version = version + 1, updated_at = now()
  where custom_fields ? of_key;
  perform private.crm_note(actor, 'custom_field_dropped', jsonb_build_object('key', of_key));
  return '{"outcome": "done"}';
end
$$;

select private.crm_services_only();
