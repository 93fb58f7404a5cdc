-- Forms: what strangers say of themselves. Nobody knows who wrote it until the address has confirmed it by the link that
-- only its owner gets: before that nothing changes of a contact that is known, of a new one nothing is kept but the address,
-- and nobody has agreed to anything.

create table public.crm_forms (
  id uuid primary key default gen_random_uuid(),
  name text not null check (length(name) between 1 and 200),
  fields jsonb not null default '[]' check (jsonb_typeof(fields) = 'array'),
  topic text not null check (length(topic) between 1 and 60),
  consent_text text not null,
  text_version integer not null default 1,
  template_id uuid not null references public.crm_email_templates (id),
  origins text[] not null default '{}',
  tags text[] not null default '{}',
  segment_id uuid references public.crm_segments (id),
  reminders integer not null default 0 check (reminders between 0 and 2),
  thanks text not null default '',
  active boolean not null default true,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column public.crm_forms.fields is 'What is asked besides the address: [{key, label, required}].';
comment on column public.crm_forms.text_version is 'Of consent_text: counts its changes; kept with each consent.';
comment on column public.crm_forms.template_id is 'Of the mail that asks for confirmation: it leads to links.confirm.';
comment on column public.crm_forms.origins is 'Pages that may send it, where a browser says which one does.';
comment on column public.crm_forms.segment_id is 'A static one, for who has confirmed.';
create index crm_forms_template on public.crm_forms (template_id);
create index crm_forms_segment on public.crm_forms (segment_id);

create table public.crm_form_submissions (
  id uuid primary key,
  form_id uuid not null references public.crm_forms (id) on delete cascade,
  contact_id uuid not null references public.crm_contacts (id) on delete cascade,
  state text not null default 'pending' check (state in ('pending', 'confirmed', 'expired')),
  fields jsonb not null default '{}',
  consent_text text not null,
  text_version integer not null,
  ip text,
  agent text,
  newly_known boolean not null,
  mails integer not null default 1,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  confirmed_at timestamptz
);
comment on column public.crm_form_submissions.fields is 'As given; a contact has them once it has confirmed.';
comment on column public.crm_form_submissions.newly_known is 'The contact was made by it: if it is never confirmed, it goes again.';
create index crm_form_submissions_contact on public.crm_form_submissions (contact_id, created_at desc);
create index crm_form_submissions_form on public.crm_form_submissions (form_id, created_at desc, id desc);
create index crm_form_submissions_pending on public.crm_form_submissions (created_at) where state = 'pending';

do $$
declare
  made text;
begin
  foreach made in array array['crm_forms', 'crm_form_submissions'] loop
    execute format('alter table public.%I enable row level security', made);
    execute format('revoke all on public.%I from anon, authenticated', made);
    execute format('grant all on public.%I to service_role', made);
  end loop;
end
$$;

insert into private.crm_personal_data (table_name, erase, merge) values (
  'crm_form_submissions', 'delete from public.crm_form_submissions where contact_id = $1',
  'update public.crm_form_submissions set contact_id = $1, newly_known = false where contact_id = $2'
) on conflict do nothing;
insert into private.crm_template_users (kind, named_by) values (
  'form', 'select name from public.crm_forms where template_id = $1 order by created_at'
);

-- Who has only said an address so far has no fields yet, not even required ones.
create or replace function private.crm_check_custom_fields() returns trigger
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
  where field.required and not new.custom_fields ? field.key and new.source not in ('trading', 'form')
    and new.deleted_at is null
  limit 1;
  if fault is not null then
    raise exception '`custom_fields.%` is required', fault using errcode = '22023';
  end if;
  return new;
end
$$;

-- As before; without custom fields there are none to be changed.
create or replace function private.crm_set_fields(contact uuid, fields jsonb) returns text[]
language sql volatile set search_path = '' as $$
  select private.crm_update_contact(contact, coalesce(
    (select jsonb_object_agg(given.key, given.value) from jsonb_each(fields) given where given.key !~ '^custom\.'), '{}'
  ) || coalesce((
    select jsonb_build_object('custom_fields', jsonb_object_agg(substr(given.key, 8), given.value))
    from jsonb_each(fields) given where given.key ~ '^custom\.' having count(*) > 0
  ), '{}'))
$$;

create function private.crm_form_answer(outcome text, form uuid default null, said text default null) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('outcome', outcome, 'message', said, 'form', (
    select to_jsonb(one) || jsonb_build_object(
      'pending', (select count(*) from public.crm_form_submissions sent where sent.form_id = one.id and sent.state = 'pending'),
      'confirmed', (select count(*) from public.crm_form_submissions sent where sent.form_id = one.id and sent.state = 'confirmed')
    ) from public.crm_forms one where one.id = form
  ))
$$;

-- What is wrong with a form that is to be saved; null if nothing is.
create function private.crm_form_fault(wanted jsonb) returns text
language plpgsql stable set search_path = '' as $$
declare
  unknown text;
  mail public.crm_email_template_versions;
begin
  select asked ->> 'key' into unknown from jsonb_array_elements(wanted -> 'fields') asked
  where asked ->> 'key' ~ '^custom\.'
    and not exists (select from public.crm_custom_fields known where known.key = substr(asked ->> 'key', 8))
  limit 1;
  if unknown is not null then
    return format('`fields` mention %s, which is not a field that was declared', unknown);
  end if;
  select version.* into mail
  from public.crm_email_templates template
  join public.crm_email_template_versions version on version.id = template.version_id
  where template.id = (wanted ->> 'template_id')::uuid and template.deleted_at is null;
  if not found then
    return '`template_id` is not a template that is there';
  elsif not mail.ready then
    return '`template_id` is a draft that cannot be sent';
  elsif position('links.confirm' in mail.html) = 0 then
    return '`template_id` does not lead to links.confirm, where the address is confirmed';
  elsif wanted ->> 'segment_id' is not null and not exists (
    select from public.crm_segments one where one.id = (wanted ->> 'segment_id')::uuid and one.kind = 'static'
  ) then
    return '`segment_id` is not a static segment that is there';
  end if;
  return null;
end
$$;

-- Make a form (no id), or change one. `expected`: the version that the writer saw.
create function public.crm_save_form(form uuid, given jsonb, expected integer) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_forms;
  wanted jsonb := given;
  fault text;
  saved constant uuid := coalesce(form, gen_random_uuid());
begin
  if form is not null then
    select * into known from public.crm_forms one where one.id = form for update;
    if not found then
      return private.crm_form_answer('not_found');
    elsif expected is not null and expected <> known.version then
      return private.crm_form_answer('conflict', form);
    end if;
    wanted := to_jsonb(known) || given;
  end if;
  fault := private.crm_form_fault(wanted);
  if fault is not null then
    return private.crm_form_answer('invalid', null, fault);
  end if;
  insert into public.crm_forms as one (
    id, name, fields, topic, consent_text, template_id, origins, tags, segment_id, reminders, thanks, active
  )
  select saved, new.name, new.fields, new.topic, new.consent_text, new.template_id, new.origins, new.tags, new.segment_id,
    new.reminders, new.thanks, new.active
  from jsonb_populate_record(null::public.crm_forms, wanted) new
  on conflict (id) do update set
    name = excluded.name, fields = excluded.fields, topic = excluded.topic, consent_text = excluded.consent_text,
    text_version = one.text_version + (one.consent_text <> excluded.consent_text)::integer,
    template_id = excluded.template_id, origins = excluded.origins, tags = excluded.tags,
    segment_id = excluded.segment_id, reminders = excluded.reminders, thanks = excluded.thanks, active = excluded.active,
    version = one.version + 1, updated_at = now();
  return private.crm_form_answer('done', saved);
end
$$;

create function public.crm_one_form(form uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select private.crm_form_answer('done', one.id) -> 'form' from public.crm_forms one where one.id = form
$$;

create function public.crm_find_forms(search text, at_most integer, skipped integer) returns jsonb
language sql stable security invoker set search_path = '' as $$
  with wanted as (
    select * from public.crm_forms one where search is null or position(lower(search) in lower(one.name)) > 0
  )
  select jsonb_build_object(
    'total', (select count(*) from wanted),
    'rows', coalesce((
      select jsonb_agg(private.crm_form_answer('done', page.id) -> 'form') from (
        select id from wanted order by created_at desc, id limit at_most offset skipped
      ) page
    ), '[]')
  )
$$;

-- With what was sent and not confirmed; of what was, the consents have the proof. False: there is none.
create function public.crm_drop_form(form uuid, actor text) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
begin
  delete from public.crm_forms one where one.id = form;
  if found then
    perform private.crm_note(actor, 'form_dropped', jsonb_build_object('form', form));
  end if;
  return found;
end
$$;

-- The newest first; null: there is no such form.
create function public.crm_submissions_of(form uuid, of_state text, at_most integer, skipped integer) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'total', (
      select count(*) from public.crm_form_submissions sent
      where sent.form_id = one.id and (of_state is null or sent.state = of_state)
    ),
    'rows', coalesce((
      select jsonb_agg(to_jsonb(page) - array['consent_text', 'newly_known'] order by page.created_at desc, page.id desc)
      from (
        select * from public.crm_form_submissions sent
        where sent.form_id = one.id and (of_state is null or sent.state = of_state)
        order by sent.created_at desc, sent.id desc limit at_most offset skipped
      ) page
    ), '[]')
  )
  from public.crm_forms one where one.id = form
$$;

-- What is wrong with what was sent, which is the same whoever is known already; null if nothing is.
create function private.crm_submission_fault(form public.crm_forms, given jsonb) returns text
language plpgsql stable set search_path = '' as $$
declare
  asked record;
  field public.crm_custom_fields;
  fault text;
begin
  for asked in
    select coalesce(entry.key, one.key) as key, entry.value, one.key as known, coalesce(one.required, false) as required
    from jsonb_each(given) entry
    full join jsonb_to_recordset(form.fields) as one (key text, required boolean) on one.key = entry.key
  loop
    if asked.known is null then
      return format('`fields.%s` is nothing that this form asks', asked.key);
    elsif coalesce(asked.value, 'null') in ('null', '""') then
      if asked.required then
        return format('`fields.%s` is required', asked.key);
      end if;
      continue;
    elsif asked.key ~ '^custom\.' then
      select * into field from public.crm_custom_fields one where one.key = substr(asked.key, 8);
      fault := case when found then private.crm_custom_fault(field, asked.value) end;
    elsif jsonb_typeof(asked.value) <> 'string' or length(asked.value #>> '{}') > 100 then
      fault := 'must be a text of at most 100 characters';
    elsif asked.key = 'phone' and private.crm_phone(asked.value #>> '{}') is null then
      fault := 'must be a telephone number with its country, such as +55 11 99999-0000';
    else
      fault := null;
    end if;
    if fault is not null then
      return format('`fields.%s` %s', asked.key, fault);
    end if;
  end loop;
  return null;
end
$$;

-- The contact of an address, made if there is none; whether it was.
create function private.crm_contact_by_address(address text, out contact uuid, out made boolean)
language plpgsql volatile set search_path = '' as $$
begin
  select one.id into contact from public.crm_contacts one where one.email_norm = lower(address) and one.deleted_at is null;
  made := contact is null;
  if made then
    contact := private.crm_insert_contact(jsonb_build_object('email', address), 'form');
  end if;
exception when unique_violation then
  select one.id, false into contact, made from public.crm_contacts one where one.email_norm = lower(address);
end
$$;

-- Somebody has sent a form. `taken` says nothing of whether the address was known, or is written to: who fills in an
-- address that is not theirs learns nothing, and cannot have it written to more often than the limits here.
create function public.crm_submit_form(
  form uuid, submission uuid, address text, given jsonb, from_origin text, from_ip text, from_agent text,
  confirm_at text, lifetime double precision
) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  asked public.crm_forms;
  mail uuid;
  fault text;
  person record;
begin
  select * into asked from public.crm_forms one where one.id = form and one.active;
  if not found then
    return '{"outcome": "not_found"}';
  elsif from_origin <> '' and not from_origin = any (asked.origins) then
    return '{"outcome": "foreign"}';
  end if;
  fault := private.crm_submission_fault(asked, given);
  if fault is not null then
    return jsonb_build_object('outcome', 'invalid', 'message', fault);
  end if;
  select version.id into mail from public.crm_email_templates template
  join public.crm_email_template_versions version on version.id = template.version_id and version.ready
  where template.id = asked.template_id and template.deleted_at is null;
  if not found then
    return '{"outcome": "not_found"}';
  end if;
  select * into person from private.crm_contact_by_address(address);
  perform from public.crm_contacts one where one.id = person.contact for update;
  if not exists (
    select from public.crm_form_submissions sent where sent.contact_id = person.contact and (
      sent.form_id = form and sent.state = 'pending' and sent.created_at > now() - interval '10 minutes'
    )
  ) and (
    select count(*) from public.crm_form_submissions sent
    where sent.contact_id = person.contact and sent.created_at > now() - interval '1 day'
  ) < 5 then
    insert into public.crm_form_submissions (
      id, form_id, contact_id, fields, consent_text, text_version, ip, agent, newly_known, expires_at
    ) values (
      submission, form, person.contact, jsonb_strip_nulls(given), asked.consent_text, asked.text_version, from_ip,
      from_agent, person.made, now() + make_interval(secs => lifetime)
    );
    if not exists (
      select from public.crm_consents said
      where said.contact_id = person.contact and said.channel = 'email' and said.topic in (asked.topic, '*')
    ) then
      perform private.crm_record_consent(
        person.contact, 'email', asked.topic, 'pending', 'form', asked.text_version::text, from_ip,
        jsonb_build_object('form', form, 'submission', submission)
      );
    end if;
    perform private.crm_queue_mail(
      'form:' || submission || ':1', person.contact, mail, 'transactional', asked.topic, null, null,
      jsonb_build_object('links', jsonb_build_object('confirm', confirm_at))
    );
  end if;
  return jsonb_build_object('outcome', 'taken', 'message', asked.thanks);
end
$$;

-- What a confirmed contact has said of itself, as far as it still can be so: a field may be gone meanwhile, and a telephone
-- number be another's.
create function private.crm_usable_fields(contact uuid, given jsonb) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_object_agg(entry.key, case entry.key
    when 'phone' then to_jsonb(private.crm_phone(entry.value #>> '{}')) else entry.value end), '{}')
  from jsonb_each(given) entry
  left join public.crm_custom_fields field on entry.key = 'custom.' || field.key
  where entry.value <> '""' and case
    when entry.key ~ '^custom\.' then field.key is not null and private.crm_custom_fault(field, entry.value) is null
    when entry.key = 'phone' then not exists (
      select from public.crm_contacts other
      where other.phone = private.crm_phone(entry.value #>> '{}') and other.id <> contact
    )
    else true
  end
$$;

-- The owner of the address has followed the link. Once or more often, it is the same.
create function public.crm_confirm_form(submission uuid, from_ip text, from_agent text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  sent public.crm_form_submissions;
  asked public.crm_forms;
begin
  select * into sent from public.crm_form_submissions one where one.id = submission for update;
  if not found then
    return '{"outcome": "not_found"}';
  elsif sent.state = 'confirmed' then
    return '{"outcome": "done"}';
  elsif sent.state = 'expired' or sent.expires_at <= now() then
    return '{"outcome": "expired"}';
  end if;
  select * into asked from public.crm_forms one where one.id = sent.form_id;
  perform private.crm_set_fields(sent.contact_id, private.crm_usable_fields(sent.contact_id, sent.fields));
  perform private.crm_set_tags(sent.contact_id, asked.tags, true);
  if asked.segment_id is not null then
    perform private.crm_segment_put(asked.segment_id, sent.contact_id, true);
  end if;
  perform private.crm_record_consent(
    sent.contact_id, 'email', asked.topic, 'subscribed', 'form', sent.text_version::text, from_ip,
    jsonb_build_object(
      'form', asked.id, 'form_name', asked.name, 'submission', sent.id, 'text', sent.consent_text,
      'submitted_at', sent.created_at, 'submitted_from', sent.ip, 'submitted_with', sent.agent,
      'confirmed_at', now(), 'confirmed_from', from_ip, 'confirmed_with', from_agent
    )
  );
  update public.crm_form_submissions set state = 'confirmed', confirmed_at = now(), fields = '{}' where id = sent.id;
  perform private.crm_emit(
    'form_submitted', sent.contact_id,
    jsonb_build_object('form', asked.id, 'ref_type', 'form', 'ref_id', asked.id), 'form_submitted:' || sent.id
  );
  return '{"outcome": "done"}';
end
$$;

-- What was never confirmed goes, and with it who is known by nothing else. It was never written to again, so the address
-- is not kept from coming back.
create function private.crm_expire_submission(sent public.crm_form_submissions) returns void
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
  perform private.crm_erase(person.id, 'form');
  delete from public.crm_suppressions listed
  where listed.channel = 'email' and listed.address_hash = private.crm_address_hash(person.email)
    and listed.reason = 'erased' and listed.at = now();
end
$$;

-- Reminds of what is not confirmed yet, and lets go what never was; of how many.
create function public.crm_tend_forms(at_most integer, reminded_every double precision) returns integer
language plpgsql volatile security invoker set search_path = '' as $$
declare
  sent public.crm_form_submissions;
  done integer := 0;
begin
  for sent in
    select waiting.* from public.crm_form_submissions waiting
    join public.crm_forms asked on asked.id = waiting.form_id
    where waiting.state = 'pending' and (
      waiting.expires_at <= now() or (
        waiting.mails <= asked.reminders
        and waiting.created_at + waiting.mails * make_interval(secs => reminded_every) <= now()
      )
    )
    order by waiting.created_at
    limit at_most
    for update of waiting skip locked
  loop
    done := done + 1;
    if sent.expires_at <= now() then
      perform private.crm_expire_submission(sent);
      continue;
    end if;
    update public.crm_form_submissions set mails = sent.mails + 1 where id = sent.id;
    perform private.crm_queue_mail(
      'form:' || sent.id || ':' || (sent.mails + 1), sent.contact_id, first.template_version_id, 'transactional',
      first.topic, null, null, first.data
    ) from public.crm_mail_out first where first.key = 'form:' || sent.id || ':1';
  end loop;
  return done;
end
$$;

select private.crm_services_only();
