-- Imports: a file, piece by piece, and how far it was worked off. Rows and how far they went are written together, so that
-- a process that dies repeats nothing and leaves nothing out.

create table public.crm_imports (
  id uuid primary key default gen_random_uuid(),
  by_user text not null,
  file_name text not null,
  state text not null default 'uploading' check (state in ('uploading', 'checked', 'running', 'done', 'failed', 'cancelled')),
  mapping jsonb not null default '{}',
  tags text[] not null default '{}',
  updates boolean not null default true,
  bytes bigint not null default 0,
  total bigint,
  done bigint not null default 0,
  inserted bigint not null default 0,
  updated bigint not null default 0,
  unchanged bigint not null default 0,
  skipped bigint not null default 0,
  failed bigint not null default 0,
  errors jsonb not null default '[]',
  error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column public.crm_imports.done is 'Rows that were worked off: where it goes on.';
comment on column public.crm_imports.errors is 'The first 100, with their lines.';

create table public.crm_import_pieces (
  import_id uuid not null references public.crm_imports (id) on delete cascade,
  number integer not null check (number between 0 and 999),
  text text not null,
  primary key (import_id, number)
);

do $$
declare
  made text;
begin
  foreach made in array array['crm_imports', 'crm_import_pieces'] loop
    execute format('alter table public.%I enable row level security', made);
    execute format('revoke all on public.%I from anon, authenticated', made);
    execute format('grant all on public.%I to service_role', made);
  end loop;
end
$$;

-- Null: there is none, or it is not being uploaded. The same piece may come again.
create function public.crm_add_import_piece(import_id uuid, piece integer, content text, most bigint) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_imports;
  before bigint;
begin
  select * into known from public.crm_imports one where one.id = crm_add_import_piece.import_id for update;
  if not found then
    return '{"outcome": "not_found"}';
  elsif known.state not in ('uploading', 'checked') then
    return '{"outcome": "conflict"}';
  end if;
  select octet_length(one.text) into before from public.crm_import_pieces one
  where one.import_id = crm_add_import_piece.import_id and one.number = piece;
  if known.bytes - coalesce(before, 0) + octet_length(content) > most then
    return '{"outcome": "full"}';
  end if;
  insert into public.crm_import_pieces (import_id, number, text) values (crm_add_import_piece.import_id, piece, content)
  on conflict on constraint crm_import_pieces_pkey do update set text = excluded.text;
  update public.crm_imports set
    bytes = known.bytes - coalesce(before, 0) + octet_length(content), state = 'uploading', updated_at = now()
  where id = crm_add_import_piece.import_id;
  return '{"outcome": "done"}';
end
$$;

-- From one state to another, with what was found on the way. Null: it is not in that state.
create function public.crm_move_import(import_id uuid, before text[], wanted text, found_total bigint, found_errors jsonb, why text)
returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_imports;
begin
  update public.crm_imports set
    state = wanted, total = coalesce(found_total, total), errors = coalesce(found_errors, errors),
    error = why, updated_at = now()
  where id = crm_move_import.import_id and state = any (before)
  returning * into known;
  if not found then
    return null;
  end if;
  if wanted in ('done', 'failed', 'cancelled') then
    delete from public.crm_import_pieces gone where gone.import_id = crm_move_import.import_id;
  end if;
  return to_jsonb(known);
end
$$;

-- Of rows {line, given} those that the database would not take, as {line, message}.
create function private.crm_faulty_rows(rows jsonb) returns table (line bigint, message text)
language sql stable set search_path = '' as $$
  select item.line, min('`' || entry.key || '` ' || coalesce(
    private.crm_custom_fault(field, entry.value), 'is not a field that was declared'
  ))
  from jsonb_to_recordset(rows) as item (line bigint, given jsonb)
  cross join lateral jsonb_each(coalesce(item.given -> 'custom_fields', '{}')) entry
  left join public.crm_custom_fields field on field.key = entry.key
  where field.key is null or private.crm_custom_fault(field, entry.value) is not null
  group by item.line
  union all
  select item.line, min('`' || field.key || '` is required')
  from jsonb_to_recordset(rows) as item (line bigint, given jsonb)
  join public.crm_custom_fields field on field.required
    and not coalesce(item.given -> 'custom_fields', '{}') ? field.key
  where not exists (select from public.crm_contacts one where one.email_norm = lower(item.given ->> 'email'))
  group by item.line
$$;

-- What importing rows would do, without doing it.
create function public.crm_check_import_rows(rows jsonb) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'errors', coalesce((
      select jsonb_agg(to_jsonb(faulty) order by faulty.line) from private.crm_faulty_rows(rows) faulty
    ), '[]'),
    'known', (
      select count(*) from jsonb_to_recordset(rows) as item (line bigint, given jsonb)
      join public.crm_contacts one on one.email_norm = lower(item.given ->> 'email')
    )
  )
$$;

create function private.crm_import_known(known public.crm_contacts, given jsonb, new_tags text[]) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  changed text[];
  tagged integer;
begin
  changed := private.crm_update_contact(known.id, private.crm_filled(given - 'tags' - 'unsubscribed' - 'email'));
  tagged := private.crm_set_tags(
    known.id, new_tags || array(select jsonb_array_elements_text(coalesce(given -> 'tags', '[]'))), true
  );
  return changed <> '{}' or tagged > 0;
end
$$;

-- New contacts, all at once: with their tags, and what is told of them. The ids.
create function private.crm_insert_imported(rows jsonb, new_tags text[]) returns uuid[]
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
      email, phone, first_name, last_name, name, locale, timezone, source, status, custom_fields
    )
    select given ->> 'email',
      case when not exists (select from public.crm_contacts one where one.phone = given ->> 'phone')
        and count(*) over (partition by given ->> 'phone') = 1 then given ->> 'phone' end,
      given ->> 'first_name', given ->> 'last_name', coalesce(given ->> 'name', ''), given ->> 'locale',
      given ->> 'timezone', 'import', coalesce(given ->> 'status', 'lead'), coalesce(given -> 'custom_fields', '{}')
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

-- Work off rows behind the first `from_row`; null: another process has done so already, or it was cancelled. Consent is
-- never raised: all that a file can say of it is that somebody unsubscribed.
create function public.crm_import_rows(import_id uuid, from_row bigint, rows jsonb, faults jsonb) returns jsonb
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
  ), job.tags);
  for known in
    select * from (
      select item.line, item.given, one as contact, one.id = any (made) as new,
        row_number() over (partition by one.id order by item.line) as turn
      from jsonb_to_recordset(good) as item (line bigint, given jsonb)
      join public.crm_contacts one on one.email_norm = lower(item.given ->> 'email')
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
      bad := bad || jsonb_build_object('line', known.line, 'message', '`phone` is another contact''s');
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

create function public.crm_export_contacts(of_segment uuid, behind uuid, at_most integer) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select coalesce(jsonb_agg(private.crm_told(page::public.crm_contacts)), '[]') from (
    select one.* from public.crm_contacts one
    where one.deleted_at is null and (behind is null or one.id > behind)
      and (of_segment is null or exists (
        select from public.crm_segment_members member
        where member.contact_id = one.id and member.segment_id = of_segment and member.member
      ))
    order by one.id limit at_most
  ) page
$$;

create function public.crm_audit_note(actor text, action text, details jsonb) returns void
language sql volatile security invoker set search_path = '' as $$ select private.crm_note(actor, action, details) $$;

select private.crm_services_only();
