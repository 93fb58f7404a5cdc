-- The CRM's foundation: contacts, what happened to them, what must be told, and whether they may be written to.

create table public.crm_contacts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid unique references auth.users (id) on delete set null,
  email text,
  email_norm text generated always as (lower(email)) stored unique,
  phone text check (phone ~ '^\+[1-9][0-9]{6,14}$'),
  first_name text,
  last_name text,
  name text not null default '',
  locale text,
  timezone text,
  source text not null default 'api',
  status text not null default 'lead' check (status in ('lead', 'prospect', 'customer', 'inactive', 'churned')),
  score integer not null default 0 check (score between 0 and 100),
  custom_fields jsonb not null default '{}' check (jsonb_typeof(custom_fields) = 'object'),
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_seen_at timestamptz,
  deleted_at timestamptz
);
comment on column public.crm_contacts.user_id is 'The trading user, if the contact is one.';
comment on column public.crm_contacts.version is 'Counts changes; a write may say which one it saw.';
comment on column public.crm_contacts.deleted_at is 'Erased: the row is a tombstone without personal data.';
create unique index crm_contacts_phone on public.crm_contacts (phone) where phone is not null;
create index crm_contacts_created on public.crm_contacts (created_at desc, id desc) where deleted_at is null;

create table public.crm_contact_aliases (
  alias_id uuid primary key,
  contact_id uuid not null references public.crm_contacts (id) on delete cascade,
  merged_at timestamptz not null default now()
);
comment on table public.crm_contact_aliases is 'Ids of contacts that were merged into another one.';
create index crm_contact_aliases_contact on public.crm_contact_aliases (contact_id);

create table public.crm_contact_tags (
  contact_id uuid not null references public.crm_contacts (id) on delete cascade,
  tag text not null check (tag = lower(btrim(tag)) and length(tag) between 1 and 50),
  at timestamptz not null default now(),
  primary key (contact_id, tag)
);
create index crm_contact_tags_tag on public.crm_contact_tags (tag, contact_id);

create table public.crm_activities (
  id uuid primary key default gen_random_uuid(),
  contact_id uuid not null references public.crm_contacts (id) on delete cascade,
  type text not null,
  at timestamptz not null default clock_timestamp(),
  ref_type text,
  ref_id text,
  data jsonb not null default '{}',
  dedupe_key text unique
);
comment on table public.crm_activities is 'Only ever added to, in the transaction of what it tells of.';
create index crm_activities_contact on public.crm_activities (contact_id, at desc, id desc);
create index crm_activities_type on public.crm_activities (contact_id, type, at desc);

create table public.crm_outbox (
  id uuid primary key default gen_random_uuid(),
  subject text not null,
  payload jsonb not null,
  headers jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  claimed_until timestamptz,
  published_at timestamptz
);
comment on table public.crm_outbox is 'Messages that follow a commit; published by any process of crm, under their id.';
create index crm_outbox_waiting on public.crm_outbox (created_at) where published_at is null;
create index crm_outbox_published on public.crm_outbox (published_at) where published_at is not null;

create table public.crm_consents (
  id uuid primary key default gen_random_uuid(),
  contact_id uuid not null references public.crm_contacts (id) on delete cascade,
  channel text not null check (channel in ('email', 'sms', 'push', 'webhook', 'notification')),
  topic text not null default '*' check (length(topic) between 1 and 60),
  state text not null check (state in ('subscribed', 'pending', 'unsubscribed')),
  at timestamptz not null default clock_timestamp(),
  how text not null,
  text_version text,
  ip text,
  proof jsonb not null default '{}'
);
comment on table public.crm_consents is 'Only ever added to; the newest of a channel and topic counts. Topic *: all of them.';
create index crm_consents_contact on public.crm_consents (contact_id, channel, topic, at desc);

create table public.crm_suppressions (
  channel text not null,
  address_hash text not null check (address_hash ~ '^[0-9a-f]{64}$'),
  reason text not null,
  at timestamptz not null default now(),
  primary key (channel, address_hash)
);
comment on table public.crm_suppressions is
  'Addresses that are never written to again, as sha256 of the normalised address: it outlives its contact.';

create table public.crm_frequency_caps (
  channel text primary key,
  per_day integer not null check (per_day between 0 and 1000),
  per_week integer not null check (per_week between 0 and 7000)
);
comment on table public.crm_frequency_caps is 'Marketing messages one contact gets in 24 hours and in 7 days.';
insert into public.crm_frequency_caps (channel, per_day, per_week) values ('email', 3, 10);

do $$
declare
  made text;
begin
  foreach made in array array[
    'crm_contacts', 'crm_contact_aliases', 'crm_contact_tags', 'crm_activities', 'crm_outbox', 'crm_consents',
    'crm_suppressions', 'crm_frequency_caps'
  ] loop
    execute format('alter table public.%I enable row level security', made);
    execute format('revoke all on public.%I from anon, authenticated', made);
    execute format('grant all on public.%I to service_role', made);
  end loop;
end
$$;

-- Consent and what happened are written once: nobody changes them, but who merges contacts or erases one, and says so.
create function private.crm_keep() returns trigger
language plpgsql set search_path = '' as $$
begin
  if current_setting('pregao.crm_rewrites', true) = 'yes' then
    return case tg_op when 'DELETE' then old else new end;
  end if;
  raise exception '% is only ever added to', tg_table_name using errcode = '23001';
end
$$;
create trigger kept before update on public.crm_consents for each row execute function private.crm_keep();
create trigger kept before update on public.crm_activities for each row execute function private.crm_keep();

-- A contact by its id, or by that of one that was merged into it; null if there is none.
create function private.crm_contact_of(given uuid) returns uuid
language sql stable set search_path = '' as $$
  select coalesce(
    (select alias.contact_id from public.crm_contact_aliases alias where alias.alias_id = given),
    (select contact.id from public.crm_contacts contact where contact.id = given)
  )
$$;

-- Write an activity, and tell of it once this transaction is committed. With a dedupe key, once and never again: false
-- says that it was told already.
create function private.crm_emit(type text, contact uuid, data jsonb, dedupe text default null) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  made constant uuid := gen_random_uuid();
  told constant timestamptz := clock_timestamp();
begin
  insert into public.crm_activities (id, contact_id, type, at, ref_type, ref_id, data, dedupe_key)
  values (
    made, contact, crm_emit.type, told, crm_emit.data ->> 'ref_type', crm_emit.data ->> 'ref_id',
    coalesce(crm_emit.data, '{}'), dedupe
  )
  on conflict (dedupe_key) do nothing;
  if not found then
    return false;
  end if;
  insert into public.crm_outbox (id, subject, payload) values (
    made, 'crm.event.' || crm_emit.type,
    jsonb_build_object(
      'id', made, 'type', crm_emit.type, 'contact_id', contact, 'at', told, 'data', coalesce(crm_emit.data, '{}')
    )
  );
  return true;
end
$$;

-- A message that follows this transaction's commit; its id.
create function private.crm_send(subject text, payload jsonb, headers jsonb default '{}') returns uuid
language sql volatile set search_path = '' as $$
  insert into public.crm_outbox (subject, payload, headers)
  values (crm_send.subject, crm_send.payload, coalesce(crm_send.headers, '{}'))
  returning id
$$;

-- What waits to be published, for whoever asks first. Every row that is committed is found, whenever its transaction
-- began; a claim that lapses without a mark is another's.
create function public.crm_claim_outbox(at_most integer, lease interval)
returns table (id uuid, subject text, payload jsonb, headers jsonb, created_at timestamptz)
language sql volatile security invoker set search_path = '' as $$
  update public.crm_outbox claimed set claimed_until = clock_timestamp() + lease
  where claimed.id in (
    select waiting.id from public.crm_outbox waiting
    where waiting.published_at is null and coalesce(waiting.claimed_until < clock_timestamp(), true)
    order by waiting.created_at
    limit at_most
    for update skip locked
  )
  returning claimed.id, claimed.subject, claimed.payload, claimed.headers, claimed.created_at
$$;

create function public.crm_mark_published(ids uuid[]) returns void
language sql volatile security invoker set search_path = '' as $$
  update public.crm_outbox set published_at = now() where id = any (ids) and published_at is null
$$;

create function public.crm_prune_outbox(kept interval) returns void
language sql volatile security invoker set search_path = '' as $$
  delete from public.crm_outbox where published_at < now() - kept
$$;

-- How long the oldest message has waited, in seconds.
create function public.crm_outbox_age() returns double precision
language sql stable security invoker set search_path = '' as $$
  select coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::double precision
  from public.crm_outbox where published_at is null
$$;

create function private.crm_address_hash(address text) returns text
language sql immutable set search_path = '' as $$
  select encode(sha256(convert_to(lower(btrim(address)), 'UTF8')), 'hex')
$$;

-- Of a contact on a channel: where nothing is sent by an address, it is the contact itself.
create function private.crm_address(contact public.crm_contacts, channel text) returns text
language sql stable set search_path = '' as $$
  select case channel when 'email' then contact.email when 'sms' then contact.phone else contact.id::text end
$$;

create function private.crm_suppress(channel text, address text, reason text) returns boolean
language plpgsql volatile set search_path = '' as $$
begin
  insert into public.crm_suppressions (channel, address_hash, reason)
  values (crm_suppress.channel, private.crm_address_hash(address), crm_suppress.reason)
  on conflict do nothing;
  return found;
end
$$;

-- What counts of a contact's consent now: subscribed, pending, unsubscribed, or null if nothing was ever said.
create function private.crm_consent(contact uuid, channel text, topic text) returns text
language sql stable set search_path = '' as $$
  select said.state
  from public.crm_consents said
  where said.contact_id = crm_consent.contact and said.channel = crm_consent.channel
    and said.topic in (crm_consent.topic, '*')
  order by said.at desc, said.state = 'unsubscribed' desc
  limit 1
$$;

-- Add to the ledger, and tell of it; false: it was so already, or was written before under that key.
create function private.crm_record_consent(
  contact uuid, channel text, topic text, state text, how text, text_version text default null, ip text default null,
  proof jsonb default '{}', dedupe text default null
) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  told constant jsonb := jsonb_build_object('channel', channel, 'topic', topic, 'state', state, 'how', how);
begin
  perform from public.crm_contacts known where known.id = contact for update;
  if state = (case topic
    when '*' then (
      select case said.topic when '*' then said.state end
      from public.crm_consents said
      where said.contact_id = contact and said.channel = crm_record_consent.channel
      order by said.at desc limit 1
    )
    else private.crm_consent(contact, channel, topic)
  end) then
    return false;
  end if;
  if not private.crm_emit('consent_changed', contact, told, dedupe) then
    return false;
  end if;
  insert into public.crm_consents (contact_id, channel, topic, state, how, text_version, ip, proof)
  values (contact, channel, topic, state, how, text_version, ip, coalesce(proof, '{}'));
  if state = 'unsubscribed' then
    perform private.crm_emit('unsubscribed', contact, told, dedupe || '.unsubscribed');
  end if;
  return true;
end
$$;

-- Whether a marketing message may go to a contact now: null, or why not. Of what is not marketing only `deleted`,
-- `no_address` and `suppressed` count; who sends such a thing asks with class `transactional`.
create function private.crm_may_send(contact uuid, channel text, topic text, class text default 'marketing') returns text
language plpgsql stable set search_path = '' as $$
declare
  known public.crm_contacts;
  address text;
  consent text;
  cap public.crm_frequency_caps;
begin
  select * into known from public.crm_contacts one
  where one.id = private.crm_contact_of(contact) and one.deleted_at is null;
  if not found then
    return 'deleted';
  end if;
  address := private.crm_address(known, channel);
  if coalesce(address, '') = '' then
    return 'no_address';
  end if;
  if exists (
    select from public.crm_suppressions listed
    where listed.channel = crm_may_send.channel and listed.address_hash = private.crm_address_hash(address)
  ) then
    return 'suppressed';
  end if;
  if class = 'transactional' then
    return null;
  end if;
  consent := private.crm_consent(known.id, channel, topic);
  if consent = 'unsubscribed' then
    return 'unsubscribed';
  elsif consent is distinct from 'subscribed' then
    return 'no_consent';
  end if;
  select * into cap from public.crm_frequency_caps set_ where set_.channel = crm_may_send.channel;
  if found and exists (
    select from (
      select count(*) as week, count(*) filter (where sent.at > now() - interval '1 day') as day
      from public.crm_activities sent
      where sent.contact_id = known.id and sent.type = 'mail_sent' and sent.at > now() - interval '7 days'
        and sent.data ->> 'class' = 'marketing' and coalesce(sent.data ->> 'channel', 'email') = crm_may_send.channel
    ) counted
    where counted.day >= cap.per_day or counted.week >= cap.per_week
  ) then
    return 'frequency_cap';
  end if;
  return null;
end
$$;

create function public.crm_may_send(contact uuid, channel text, topic text, class text) returns text
language sql stable security invoker set search_path = '' as $$
  select private.crm_may_send(contact, channel, topic, class)
$$;

create function private.crm_services_only() returns void
language plpgsql volatile set search_path = '' as $$
declare
  made regprocedure;
begin
  for made in
    select oid from pg_catalog.pg_proc
    where proname like 'crm\_%' and pronamespace in ('public'::regnamespace, 'private'::regnamespace)
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to service_role', made);
  end loop;
end
$$;
comment on function private.crm_services_only is
  'To be called at the end of every migration of the CRM: its functions are for the services alone.';
select private.crm_services_only();
