-- What another system calls a contact: whoever keeps the same people there finds them by it, and changes or adds them
-- without having to know whether they are known here.
alter table public.crm_contacts add column external_id text
  check (external_id = btrim(external_id) and length(external_id) between 1 and 200);
comment on column public.crm_contacts.external_id is 'What another system calls it; who is erased has none.';
create unique index crm_contacts_external_id on public.crm_contacts (external_id) where external_id is not null;

insert into private.crm_segment_fields (name, type, value, told) values
  ('external_id', 'text', 'one.external_id', 'external_id')
on conflict do nothing;

-- Without what is white around it; null if nothing is left.
create function private.crm_trimmed(given text) returns text
language sql immutable set search_path = '' as $$ select nullif(regexp_replace(given, '^\s+|\s+$', '', 'g'), '') $$;

create or replace function private.crm_taken(said text) returns text
language sql immutable set search_path = '' as $$
  select case when said ~ 'phone' then 'phone' when said ~ 'user_id' then 'user_id'
    when said ~ 'external_id' then 'external_id' else 'email' end
$$;

-- As before, with it.
create or replace function private.crm_insert_contact(given jsonb, origin text) returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  made uuid;
  filled constant jsonb := private.crm_filled(jsonb_strip_nulls(given));
begin
  insert into public.crm_contacts (
    user_id, email, phone, first_name, last_name, name, locale, timezone, source, status, score, custom_fields,
    external_id
  )
  select (filled ->> 'user_id')::uuid, filled ->> 'email', nullif(filled ->> 'phone', ''), filled ->> 'first_name',
    filled ->> 'last_name', coalesce(filled ->> 'name', ''), filled ->> 'locale', filled ->> 'timezone', origin,
    coalesce(filled ->> 'status', 'lead'), coalesce((filled ->> 'score')::integer, 0),
    coalesce(filled -> 'custom_fields', '{}'), private.crm_trimmed(filled ->> 'external_id')
  returning id into made;
  perform private.crm_emit('contact_created', made, jsonb_build_object('source', origin));
  perform private.crm_set_tags(made, array(select jsonb_array_elements_text(coalesce(filled -> 'tags', '[]'))), true);
  return made;
end
$$;

create or replace function private.crm_update_contact(contact uuid, given jsonb) returns text[]
language plpgsql volatile set search_path = '' as $$
declare
  before public.crm_contacts;
  after public.crm_contacts;
  changed text[];
begin
  select * into before from public.crm_contacts one where one.id = contact and one.deleted_at is null for update;
  if not found then
    return null;
  end if;
  after := jsonb_populate_record(before, given - array[
    'id', 'user_id', 'email_norm', 'source', 'custom_fields', 'version', 'created_at', 'updated_at', 'deleted_at'
  ]);
  after.name := coalesce(after.name, '');
  after.phone := nullif(after.phone, '');
  after.external_id := private.crm_trimmed(after.external_id);
  if not given ? 'name' and (given ? 'first_name' or given ? 'last_name') then
    after.name := btrim(concat_ws(' ', after.first_name, after.last_name));
  end if;
  after.custom_fields := jsonb_strip_nulls(before.custom_fields || coalesce(given -> 'custom_fields', '{}'));
  select array_agg(field order by field) into changed from (
    select written.key as field
    from jsonb_each(to_jsonb(after) - 'custom_fields') written
    join jsonb_each(to_jsonb(before)) known on known.key = written.key and known.value <> written.value
    where written.key <> 'email_norm'
    union all
    select 'custom.' || coalesce(written.key, known.key)
    from jsonb_each(after.custom_fields) written
    full join jsonb_each(before.custom_fields) known on known.key = written.key
    where written.value is distinct from known.value
  ) changes;
  if changed is not null then
    update public.crm_contacts set
      email = after.email, phone = after.phone, first_name = after.first_name, last_name = after.last_name,
      name = after.name, locale = after.locale, timezone = after.timezone, status = after.status, score = after.score,
      custom_fields = after.custom_fields, last_seen_at = after.last_seen_at, version = before.version + 1,
      external_id = after.external_id, updated_at = now()
    where id = contact;
    perform private.crm_emit('contact_updated', contact, jsonb_build_object('fields', changed));
  end if;
  if given ? 'tags' then
    perform private.crm_set_tags(
      contact, array(select tag from public.crm_contact_tags where contact_id = contact
        except select lower(btrim(each)) from jsonb_array_elements_text(given -> 'tags') each), false
    );
    perform private.crm_set_tags(contact, array(select jsonb_array_elements_text(given -> 'tags')), true);
  end if;
  return coalesce(changed, '{}');
end
$$;

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
    phone = coalesce(kept.phone, gone.phone), external_id = coalesce(kept.external_id, gone.external_id),
    first_name = coalesce(kept.first_name, gone.first_name), last_name = coalesce(kept.last_name, gone.last_name),
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

create or replace function private.crm_erase(contact uuid, actor text, for_good boolean default true) returns boolean
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
    email = null, phone = null, external_id = null, first_name = null, last_name = null, name = '', locale = null,
    timezone = null, custom_fields = '{}', last_seen_at = null, version = gone.version + 1, updated_at = now(), deleted_at = now()
  where id = gone.id;
  perform private.crm_emit('contact_deleted', gone.id, '{}');
  perform private.crm_note(actor, 'erased', jsonb_build_object('contact', gone.id));
  return true;
end
$$;

-- Change the contact that has this external id, or this address, or add one. What it changes is what is given; consent it
-- does not touch.
create function public.crm_upsert_contact(given jsonb, origin text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  wanted constant text := private.crm_trimmed(given ->> 'external_id');
  by_id uuid;
  by_address public.crm_contacts;
begin
  for turn in 1..2 loop
    select one.id into by_id from public.crm_contacts one where one.external_id = wanted;
    select * into by_address from public.crm_contacts one where one.email_norm = lower(given ->> 'email');
    if by_id <> by_address.id or by_address.external_id <> wanted then
      return private.crm_answer('taken', null, 'external_id', 'The contact with this email has another external_id');
    elsif coalesce(by_id, by_address.id) is not null then
      perform private.crm_update_contact(coalesce(by_id, by_address.id), given);
      return private.crm_answer('done', coalesce(by_id, by_address.id));
    elsif coalesce(given ->> 'email', '') = '' then
      return private.crm_answer('invalid', null, 'email', '`email` is required of a new contact');
    end if;
    begin
      by_id := private.crm_insert_contact(given, origin);
      return private.crm_answer('done', by_id);
    exception when unique_violation then
      if turn = 2 or private.crm_taken(sqlerrm) not in ('email', 'external_id') then
        raise;
      end if;  -- somebody else was faster: it is known now
    end;
  end loop;
exception
  when unique_violation then
    return private.crm_answer('taken', null, private.crm_taken(sqlerrm));
  when invalid_parameter_value then
    return private.crm_answer('invalid', null, null, sqlerrm);
end
$$;

drop function public.crm_find_contacts(
  jsonb, text, text, text, integer, uuid, text, boolean, integer, integer, text, uuid
);
-- One page. `behind` is the last row of the page before, as its value of `sort_by` and its id. Only names of the list
-- below, and what the compiler makes of the rule, come into the statement; what is looked for are its parameters. Hosted
-- databases stop it after two seconds.
create function public.crm_find_contacts(
  rules jsonb, search text, of_status text, of_tag text, least_score integer, of_segment uuid, sort_by text, ascending boolean,
  at_most integer, skipped integer, behind_value text, behind_id uuid,
  of_external_id text default null
) returns jsonb
language plpgsql stable security invoker set search_path = '' set statement_timeout = '2s' as $$
declare
  sorted record;
  conditions text := 'one.deleted_at is null';
  page jsonb;
  total bigint;
begin
  select * into strict sorted from (values
    ('created_at', 'timestamptz'), ('email', 'text'), ('name', 'text'), ('score', 'integer')
  ) known (name, type) where known.name = sort_by;
  conditions := concat_ws(' and ', conditions,
    case when rules is not null then 'one.id in (' || private.crm_compiled(rules) || ')' end,
    case when search is not null then
      '(position(lower($10) in one.email_norm) > 0 or position(lower($10) in lower(one.name)) > 0
        or position($10 in one.phone) > 0 or position($10 in one.external_id) > 0)' end,
    case when of_external_id is not null then 'one.external_id = $11' end,
    case when of_status is not null then 'one.status = $2' end,
    case when of_tag is not null then
      'exists (select from public.crm_contact_tags owned where owned.contact_id = one.id and owned.tag = lower($3))' end,
    case when least_score is not null then 'one.score >= $4' end,
    case when of_segment is not null then
      'exists (select from public.crm_segment_members member where member.contact_id = one.id and member.segment_id = $5
        and member.member)'
    end
  );
  execute 'select count(*) from public.crm_contacts one where ' || conditions
    into total using rules, of_status, of_tag, least_score, of_segment, at_most, skipped, behind_value, behind_id, search,
    private.crm_trimmed(of_external_id);
  execute format(
    'select coalesce(jsonb_agg(private.crm_told(listed)), ''[]'') from (
      select one as listed
      from public.crm_contacts one where %3$s %4$s
      order by %1$s %2$s, one.id %2$s limit $6 offset $7
    ) page',
    case sorted.type when 'text' then format('coalesce(one.%I, '''') collate "C"', sorted.name)
      else format('one.%I', sorted.name) end,
    case when ascending then 'asc' else 'desc' end,
    conditions,
    case when behind_id is not null then format(
      'and (%s, one.id) %s ($8::%s, $9)',
      case sorted.type when 'text' then format('coalesce(one.%I, '''') collate "C"', sorted.name)
        else format('one.%I', sorted.name) end,
      case when ascending then '>' else '<' end, sorted.type
    ) end
  ) into page
  using rules, of_status, of_tag, least_score, of_segment, at_most, skipped, behind_value, behind_id, search,
    private.crm_trimmed(of_external_id);
  return jsonb_build_object('outcome', 'done', 'total', total, 'rows', page);
exception when invalid_parameter_value then
  return jsonb_build_object('outcome', 'invalid', 'message', sqlerrm, 'total', 0, 'rows', '[]'::jsonb);
end
$$;

select private.crm_services_only();
