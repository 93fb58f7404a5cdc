-- Files know contacts by an external id, too: a line with one that is known changes that contact, whatever the address in
-- it, and needs none.

-- As before; what a line says of two contacts, or of none, is wrong.
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
      and not exists (select from public.crm_contacts one where one.external_id = item.given ->> 'external_id')
    union all
    select item.line, '`phone` is another contact''s'
    from jsonb_to_recordset(rows) as item (line bigint, given jsonb)
    join public.crm_contacts other on other.phone = item.given ->> 'phone'
      and other.email_norm is distinct from lower(item.given ->> 'email')
      and coalesce(other.external_id <> item.given ->> 'external_id', true)
    union all
    select item.line, '`phone` is that of line ' || item.first
    from (
      select one.line, lower(one.given ->> 'email') as email, first_value(one.line) over same as first,
        first_value(lower(one.given ->> 'email')) over same as first_email
      from jsonb_to_recordset(rows) as one (line bigint, given jsonb) where one.given ? 'phone'
      window same as (partition by one.given ->> 'phone' order by one.line)
    ) item
    where item.email <> item.first_email
    union all
    select item.line, '`external_id` is not that of the contact with this `email`'
    from jsonb_to_recordset(rows) as item (line bigint, given jsonb)
    join public.crm_contacts by_address on by_address.email_norm = lower(item.given ->> 'email')
    left join public.crm_contacts by_id on by_id.external_id = item.given ->> 'external_id'
    where by_address.id <> by_id.id or by_address.external_id <> item.given ->> 'external_id'
    union all
    select item.line, case when item.email is null then '`email` is required of a new contact'
      else '`external_id` is that of line ' || item.first end
    from (
      select one.line, lower(one.given ->> 'email') as email, one.given ->> 'external_id' as external_id,
        first_value(one.line) over same as first, first_value(lower(one.given ->> 'email')) over same as first_email
      from jsonb_to_recordset(rows) as one (line bigint, given jsonb) where one.given ? 'external_id'
      window same as (partition by one.given ->> 'external_id' order by one.line)
    ) item
    where (item.email <> item.first_email or item.first_email is null)
      and not exists (select from public.crm_contacts one where one.external_id = item.external_id)
  ) faulty group by faulty.line
$$;

create or replace function public.crm_check_import_rows(rows jsonb) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'errors', coalesce((
      select jsonb_agg(to_jsonb(faulty) order by faulty.line) from private.crm_faulty_rows(rows) faulty
    ), '[]'),
    'known', (
      select count(*) from jsonb_to_recordset(rows) as item (line bigint, given jsonb)
      where exists (select from public.crm_contacts one where one.email_norm = lower(item.given ->> 'email'))
        or exists (select from public.crm_contacts one where one.external_id = item.given ->> 'external_id')
    )
  )
$$;

create or replace function private.crm_import_known(known public.crm_contacts, given jsonb, new_tags text[]) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  changed text[];
  tagged integer;
begin
  -- A line before this one may have said another: what is known of it is looked up anew.
  if exists (
    select from public.crm_contacts one
    where one.id = known.id and one.external_id <> given ->> 'external_id'
  ) then
    raise exception '`external_id` is not that of the contact with this `email`' using errcode = '22023';
  end if;
  changed := private.crm_update_contact(known.id, private.crm_filled(given - 'tags' - 'unsubscribed' - case
    when lower(given ->> 'email') = known.email_norm then 'email' else '' end));
  tagged := private.crm_set_tags(
    known.id, new_tags || array(select jsonb_array_elements_text(coalesce(given -> 'tags', '[]'))), true
  );
  return changed <> '{}' or tagged > 0;
end
$$;

-- As before, with it.
create or replace function private.crm_insert_imported(rows jsonb, new_tags text[]) returns uuid[]
language plpgsql volatile set search_path = '' as $$
declare
  made uuid[];
begin
  with item as (
    select distinct on (lower(one.given ->> 'email')) private.crm_filled(one.given) as given
    from jsonb_to_recordset(rows) as one (line bigint, given jsonb)
    order by lower(one.given ->> 'email'), one.line
  ), new as (
    insert into public.crm_contacts (
      email, phone, first_name, last_name, name, locale, timezone, source, status, custom_fields,
      external_id
    )
    select given ->> 'email',
      case when not exists (select from public.crm_contacts one where one.phone = given ->> 'phone')
        and count(*) over (partition by given ->> 'phone') = 1 then given ->> 'phone' end,
      given ->> 'first_name', given ->> 'last_name', coalesce(given ->> 'name', ''), given ->> 'locale',
      given ->> 'timezone', 'import', coalesce(given ->> 'status', 'lead'), coalesce(given -> 'custom_fields', '{}'),
      given ->> 'external_id'
    from item
    on conflict do nothing
    returning id, email_norm
  ), tagged as (
    insert into public.crm_contact_tags (contact_id, tag)
    select distinct new.id, lower(btrim(tag))
    from new join item on lower(item.given ->> 'email') = new.email_norm,
      unnest(new_tags || array(select jsonb_array_elements_text(coalesce(item.given -> 'tags', '[]')))) tag
    where btrim(tag) <> ''
    returning contact_id, tag
  ), told as (
    insert into public.crm_activities (contact_id, type, data)
    select id, 'contact_created', '{"source": "import"}'::jsonb from new
    union all
    select contact_id, 'tag_added', jsonb_build_object('tag', tag) from tagged
    returning id, contact_id, type, at, data
  ), sent as (
    insert into public.crm_outbox (id, subject, payload)
    select told.id, 'crm.event.' || told.type, jsonb_build_object(
      'id', told.id, 'type', told.type, 'contact_id', told.contact_id, 'at', told.at, 'data', told.data
    ) from told
  )
  select coalesce(array_agg(new.id), '{}') into made from new;
  return made;
end
$$;

create or replace function public.crm_import_rows(import_id uuid, from_row bigint, rows jsonb, faults jsonb) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  job public.crm_imports;
  bad jsonb := faults;
  good jsonb;
  known record;
  made uuid[];
  changed bigint := 0;
  same bigint := 0;
  skips bigint;
begin
  select * into job from public.crm_imports one where one.id = crm_import_rows.import_id and one.state = 'running' for update;
  if not found or job.done <> from_row then
    return null;
  end if;
  select bad || coalesce(jsonb_agg(to_jsonb(faulty) order by faulty.line), '[]') into bad
  from private.crm_faulty_rows(rows) faulty;
  select coalesce(jsonb_agg(to_jsonb(item)) filter (where erased.reason is null), '[]'), count(erased.reason)
  into good, skips
  from jsonb_to_recordset(rows) as item (line bigint, given jsonb)
  left join public.crm_suppressions erased on erased.channel = 'email' and erased.reason = 'erased'
    and erased.address_hash = private.crm_address_hash(item.given ->> 'email')
  where not exists (select from jsonb_array_elements(bad) fault where (fault ->> 'line')::bigint = item.line);
  made := private.crm_insert_imported((
    select coalesce(jsonb_agg(to_jsonb(item)), '[]')
    from jsonb_to_recordset(good) as item (line bigint, given jsonb)
    where not exists (select from public.crm_contacts one where one.email_norm = lower(item.given ->> 'email'))
      and not exists (select from public.crm_contacts one where one.external_id = item.given ->> 'external_id')
      and item.given ? 'email'
  ), job.tags);
  for known in
    select * from (
      select item.line, item.given, one as contact, one.id = any (made) as new,
        row_number() over (partition by one.id order by item.line) as turn
      from jsonb_to_recordset(good) as item (line bigint, given jsonb)
      left join public.crm_contacts by_id on by_id.external_id = item.given ->> 'external_id'
      left join public.crm_contacts by_address on by_address.email_norm = lower(item.given ->> 'email')
      join public.crm_contacts one on one.id = coalesce(by_id.id, by_address.id)
    ) row
    where not (row.new and row.turn = 1) or row.given ? 'unsubscribed'
    order by row.line
  loop
    begin
      if (known.given ->> 'unsubscribed')::boolean then
        perform private.crm_record_consent((known.contact).id, 'email', '*', 'unsubscribed', 'import');
      end if;
      if known.new and known.turn = 1 then
        continue;
      elsif not job.updates then
        skips := skips + 1;
      elsif private.crm_import_known(known.contact, known.given, job.tags) then
        changed := changed + 1;
      else
        same := same + 1;
      end if;
    exception when unique_violation then
      bad := bad || jsonb_build_object('line', known.line, 'message', format(
        '`%s` is another contact''s', private.crm_taken(sqlerrm)
      ));
    when invalid_parameter_value then
      bad := bad || jsonb_build_object('line', known.line, 'message', sqlerrm);
    end;
  end loop;
  update public.crm_imports set
    done = job.done + jsonb_array_length(rows) + jsonb_array_length(faults), inserted = job.inserted + cardinality(made),
    updated = job.updated + changed, unchanged = job.unchanged + same, skipped = job.skipped + skips,
    failed = job.failed + jsonb_array_length(bad),
    errors = (
      select coalesce(jsonb_agg(kept.fault order by (kept.fault ->> 'line')::bigint), '[]') from (
        select fault from jsonb_array_elements(job.errors || bad) fault order by (fault ->> 'line')::bigint limit 100
      ) kept
    ),
    updated_at = now()
  where id = crm_import_rows.import_id
  returning * into job;
  return to_jsonb(job);
end
$$;

select private.crm_services_only();
