-- Contacts: written in one place, whoever asks for it (administrators, imports, forms, workflows, what users do).

-- Several things happen in one moment, as clocks have it: what came first is told by a number.
alter table public.crm_activities add column number bigint generated always as identity;
drop index public.crm_activities_contact;
create index crm_activities_contact on public.crm_activities (contact_id, number desc);
alter table public.crm_outbox add column number bigint generated always as identity;
drop index public.crm_outbox_waiting;
create index crm_outbox_waiting on public.crm_outbox (number) where published_at is null;

-- As before, in the order of their numbers.
drop function public.crm_claim_outbox(integer, interval);
create function public.crm_claim_outbox(at_most integer, lease interval)
returns table (id uuid, number bigint, subject text, payload jsonb, headers jsonb)
language sql volatile security invoker set search_path = '' as $$
  update public.crm_outbox claimed set claimed_until = clock_timestamp() + lease
  where claimed.id in (
    select waiting.id from public.crm_outbox waiting
    where waiting.published_at is null and coalesce(waiting.claimed_until < clock_timestamp(), true)
    order by waiting.number
    limit at_most
    for update skip locked
  )
  returning claimed.id, claimed.number, claimed.subject, claimed.payload, claimed.headers
$$;

create index crm_contacts_score on public.crm_contacts (score, id) where deleted_at is null;
create index crm_contacts_name on public.crm_contacts ((coalesce(name, '') collate "C"), id) where deleted_at is null;
create index crm_contacts_email on public.crm_contacts ((coalesce(email, '') collate "C"), id) where deleted_at is null;

create table public.crm_custom_fields (
  key text primary key check (key ~ '^[a-z][a-z0-9_]{0,39}$'),
  label text not null,
  type text not null check (type in ('text', 'number', 'boolean', 'date', 'select')),
  options text[] not null default '{}',
  required boolean not null default false,
  pii boolean not null default false,
  created_at timestamptz not null default now()
);
comment on table public.crm_custom_fields is 'What crm_contacts.custom_fields may hold.';

create table public.crm_audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  details jsonb not null default '{}'
);
comment on table public.crm_audit is 'Who exported, imported, erased, merged or suppressed; without personal data.';

-- What is to be done with the rows of each table that has a contact id when a contact is erased or merged; statements
-- in which $1 is the contact, and of a merge $2 the one that becomes an alias. A table that is not here fails a test.
create table private.crm_personal_data (
  table_name text primary key,
  erase text not null,
  merge text not null
);
alter table private.crm_personal_data enable row level security;
grant all on private.crm_personal_data to service_role;
insert into private.crm_personal_data (table_name, erase, merge) values
  (
    'crm_contact_aliases', 'select $1',
    'update public.crm_contact_aliases set contact_id = $1 where contact_id = $2'
  ),
  (
    'crm_contact_tags', 'delete from public.crm_contact_tags where contact_id = $1',
    'with moved as (delete from public.crm_contact_tags where contact_id = $2 returning tag, at)
     insert into public.crm_contact_tags (contact_id, tag, at) select $1, tag, at from moved on conflict do nothing'
  ),
  (
    'crm_activities', 'update public.crm_activities set data = ''{}'', ref_id = null where contact_id = $1',
    'update public.crm_activities set contact_id = $1 where contact_id = $2'
  ),
  (
    'crm_consents', 'update public.crm_consents set ip = null, proof = ''{}'' where contact_id = $1',
    'update public.crm_consents set contact_id = $1 where contact_id = $2'
  ),
  (
    'crm_mail_out', 'update public.crm_mail_out set data = ''{}'', subject = '''' where contact_id = $1',
    'update public.crm_mail_out set contact_id = $1 where contact_id = $2'
  ),
  (
    'crm_notifications', 'delete from public.crm_notifications where contact_id = $1',
    'update public.crm_notifications set contact_id = $1 where contact_id = $2'
  );

do $$
declare
  made text;
begin
  foreach made in array array['crm_custom_fields', 'crm_audit'] loop
    execute format('alter table public.%I enable row level security', made);
    execute format('revoke all on public.%I from anon, authenticated', made);
    execute format('grant all on public.%I to service_role', made);
  end loop;
end
$$;

create function private.crm_note(actor text, action text, details jsonb) returns void
language sql volatile set search_path = '' as $$
  insert into public.crm_audit (actor, action, details) values (actor, action, coalesce(details, '{}'))
$$;

create function private.crm_is_date(given text) returns boolean
language plpgsql immutable set search_path = '' as $$
begin
  return given ~ '^\d{4}-\d{2}-\d{2}$' and given::date is not null;
exception when datetime_field_overflow or invalid_datetime_format then
  return false;
end
$$;

-- Whether a value of a custom field is one; text that says why not.
create function private.crm_custom_fault(field public.crm_custom_fields, value jsonb) returns text
language plpgsql stable set search_path = '' as $$
begin
  if field.type = 'number' and jsonb_typeof(value) <> 'number' then
    return 'must be a number';
  elsif field.type = 'boolean' and jsonb_typeof(value) <> 'boolean' then
    return 'must be true or false';
  elsif field.type in ('text', 'date', 'select') and jsonb_typeof(value) <> 'string' then
    return 'must be a text';
  elsif field.type = 'text' and length(value #>> '{}') > 2000 then
    return 'must have at most 2000 characters';
  elsif field.type = 'date' and not private.crm_is_date(value #>> '{}') then
    return 'must be a date such as 2026-11-27';
  elsif field.type = 'select' and not (value #>> '{}') = any (field.options) then
    return 'must be one of: ' || array_to_string(field.options, ', ');
  end if;
  return null;
end
$$;

-- On every way in which a contact is written. What the field is called stands at the beginning of the message.
create function private.crm_check_custom_fields() returns trigger
language plpgsql set search_path = '' as $$
declare
  given record;
  fault text;
begin
  if tg_op = 'UPDATE' then
    if new.custom_fields = old.custom_fields then
      return new;
    end if;
  end if;
  for given in
    select entry.key, entry.value, field
    from jsonb_each(new.custom_fields) entry left join public.crm_custom_fields field on field.key = entry.key
  loop
    fault := case
      when (given.field).key is null then 'is not a field that was declared'
      else private.crm_custom_fault(given.field, given.value)
    end;
    if fault is not null then
      raise exception '`custom_fields.%` %', given.key, fault using errcode = '22023';
    end if;
  end loop;
  select field.key into fault
  from public.crm_custom_fields field
  where field.required and not new.custom_fields ? field.key and new.source <> 'trading' and new.deleted_at is null
  limit 1;
  if fault is not null then
    raise exception '`custom_fields.%` is required', fault using errcode = '22023';
  end if;
  return new;
end
$$;
create trigger custom_fields before insert or update of custom_fields on public.crm_contacts
  for each row execute function private.crm_check_custom_fields();

-- A contact with its tags, as services read it.
create function private.crm_told(contact public.crm_contacts) returns jsonb
language sql stable set search_path = '' as $$
  select to_jsonb(contact) - 'email_norm' || jsonb_build_object('tags', coalesce((
    select jsonb_agg(owned.tag order by owned.tag) from public.crm_contact_tags owned where owned.contact_id = contact.id
  ), '[]'))
$$;

-- `+55 (11) 99999-0000` as E.164; null if it cannot be one.
create function private.crm_phone(given text) returns text
language sql immutable set search_path = '' as $$
  select case when cleaned ~ '^\+[1-9][0-9]{6,14}$' then cleaned end
  from (select regexp_replace(given, '[\s().-]', '', 'g') as cleaned) number
$$;

-- Of a contact's fields those that may be given, with names made of each other.
create function private.crm_filled(given jsonb) returns jsonb
language sql immutable set search_path = '' as $$
  select case
    when coalesce(given ->> 'name', '') = '' and coalesce(given ->> 'first_name', given ->> 'last_name') is not null
      then given || jsonb_build_object('name', btrim(concat_ws(' ', given ->> 'first_name', given ->> 'last_name')))
    when coalesce(given ->> 'name', '') <> '' and not given ? 'first_name'
      then given || jsonb_build_object(
        'first_name', split_part(given ->> 'name', ' ', 1),
        'last_name', nullif(substr(given ->> 'name', length(split_part(given ->> 'name', ' ', 1)) + 2), '')
      )
    else given
  end
$$;

create function private.crm_set_tags(contact uuid, wanted text[], added boolean) returns integer
language plpgsql volatile set search_path = '' as $$
declare
  one text;
  changed integer := 0;
begin
  for one in select distinct lower(btrim(each)) from unnest(wanted) each where btrim(each) <> '' order by 1 loop
    if added then
      insert into public.crm_contact_tags (contact_id, tag) values (contact, one) on conflict do nothing;
    else
      delete from public.crm_contact_tags where contact_id = contact and tag = one;
    end if;
    if found then
      changed := changed + 1;
      perform private.crm_emit(
        case when added then 'tag_added' else 'tag_removed' end, contact, jsonb_build_object('tag', one)
      );
    end if;
  end loop;
  return changed;
end
$$;

-- A new contact; its id. Raises unique_violation for an address that another one has.
create function private.crm_insert_contact(given jsonb, origin text) returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  made uuid;
  filled constant jsonb := private.crm_filled(jsonb_strip_nulls(given));
begin
  insert into public.crm_contacts (
    user_id, email, phone, first_name, last_name, name, locale, timezone, source, status, score, custom_fields
  )
  select (filled ->> 'user_id')::uuid, filled ->> 'email', nullif(filled ->> 'phone', ''), filled ->> 'first_name',
    filled ->> 'last_name', coalesce(filled ->> 'name', ''), filled ->> 'locale', filled ->> 'timezone', origin,
    coalesce(filled ->> 'status', 'lead'), coalesce((filled ->> 'score')::integer, 0),
    coalesce(filled -> 'custom_fields', '{}')
  returning id into made;
  perform private.crm_emit('contact_created', made, jsonb_build_object('source', origin));
  perform private.crm_set_tags(made, array(select jsonb_array_elements_text(coalesce(filled -> 'tags', '[]'))), true);
  return made;
end
$$;

-- Change what is given of a contact: fields that are null are emptied, custom fields are changed one by one (null takes
-- one away), tags, if they are given, become these. The names of what changed; none: nothing is written or told.
create function private.crm_update_contact(contact uuid, given jsonb) returns text[]
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
      updated_at = now()
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

-- As crm_update_contact, with custom fields by name: `custom.{key}`.
create function private.crm_set_fields(contact uuid, fields jsonb) returns text[]
language sql volatile set search_path = '' as $$
  select private.crm_update_contact(contact, coalesce(
    (select jsonb_object_agg(given.key, given.value) from jsonb_each(fields) given where given.key !~ '^custom\.'), '{}'
  ) || coalesce((
    select jsonb_build_object('custom_fields', jsonb_object_agg(substr(given.key, 8), given.value))
    from jsonb_each(fields) given where given.key ~ '^custom\.'
  ), '{}'))
$$;

-- What became of a request about a contact: `done`, or why not, with the field that is in the way.
create function private.crm_answer(outcome text, contact uuid default null, field text default null, said text default null)
returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('outcome', outcome, 'field', field, 'message', said, 'contact', (
    select private.crm_told(one) from public.crm_contacts one where one.id = contact
  ))
$$;

-- Which field a unique index is about: the local server tells no constraint's name but in the message.
create function private.crm_taken(said text) returns text
language sql immutable set search_path = '' as $$
  select case when said ~ 'phone' then 'phone' when said ~ 'user_id' then 'user_id' else 'email' end
$$;

create function public.crm_create_contact(given jsonb, origin text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  made uuid;
begin
  made := private.crm_insert_contact(given, origin);
  return private.crm_answer('done', made);
exception
  when unique_violation then
    return private.crm_answer('taken', null, private.crm_taken(sqlerrm));
  when invalid_parameter_value then
    return private.crm_answer('invalid', null, null, sqlerrm);
end
$$;

-- `expected`: the version that the writer saw; null: whatever it is. `whole`: what is not given is emptied.
create function public.crm_change_contact(contact uuid, given jsonb, expected integer, whole boolean) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  found_id constant uuid := private.crm_contact_of(contact);
  seen integer;
  filled jsonb := given;
begin
  select one.version into seen from public.crm_contacts one
  where one.id = found_id and one.deleted_at is null for update;
  if not found then
    return private.crm_answer('not_found');
  elsif seen is distinct from expected and expected is not null then
    return private.crm_answer('conflict', found_id);
  end if;
  if whole then
    filled := '{"phone": null, "first_name": null, "last_name": null, "locale": null, "timezone": null, "tags": []}'
      || private.crm_filled(jsonb_strip_nulls(given))
      || jsonb_build_object('custom_fields', (
        select coalesce(jsonb_object_agg(known.key, 'null'::jsonb), '{}') || coalesce(given -> 'custom_fields', '{}')
        from public.crm_contacts one, jsonb_each(one.custom_fields) known where one.id = found_id
      ));
  end if;
  perform private.crm_update_contact(found_id, filled);
  return private.crm_answer('done', found_id);
exception
  when unique_violation then
    return private.crm_answer('taken', null, private.crm_taken(sqlerrm));
  when invalid_parameter_value then
    return private.crm_answer('invalid', null, null, sqlerrm);
end
$$;

create function public.crm_one_contact(contact uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select private.crm_told(one) from public.crm_contacts one
  where one.id = private.crm_contact_of(contact) and one.deleted_at is null
$$;

create function public.crm_tag_contact(contact uuid, tags text[], added boolean) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  found_id constant uuid := private.crm_contact_of(contact);
begin
  perform from public.crm_contacts one where one.id = found_id and one.deleted_at is null for update;
  if not found then
    return private.crm_answer('not_found');
  end if;
  perform private.crm_set_tags(found_id, tags, added);
  return private.crm_answer('done', found_id);
end
$$;

-- One page. `behind` is the last row of the page before, as its value of `sort_by` and its id; `counted` says whether the
-- total is wanted. Only names of the list below come into the statement; what is looked for are its parameters.
create function public.crm_find_contacts(
  search text, of_status text, of_tag text, least_score integer, of_segment uuid, sort_by text, ascending boolean,
  at_most integer, skipped integer, behind_value text, behind_id uuid
) returns jsonb
language plpgsql stable security invoker set search_path = '' as $$
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
    case when search is not null then
      '(position(lower($1) in one.email_norm) > 0 or position(lower($1) in lower(one.name)) > 0
        or position($1 in one.phone) > 0)' end,
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
    into total using search, of_status, of_tag, least_score, of_segment;
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
  using search, of_status, of_tag, least_score, of_segment, at_most, skipped, behind_value, behind_id;
  return jsonb_build_object('total', total, 'rows', page);
end
$$;

select private.crm_services_only();
