-- What the CRM sends: templates and their versions, and of mails, webhooks and notifications the queues that senders
-- claim from. Whoever queues does so in the transaction of its cause, under a key that is queued once.

create table public.crm_email_templates (
  id uuid primary key default gen_random_uuid(),
  name text not null check (length(name) between 1 and 200),
  category text not null default '' check (length(category) <= 100),
  version_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
comment on column public.crm_email_templates.version_id is 'The newest; what uses a template keeps to the version it took.';
comment on column public.crm_email_templates.deleted_at is 'What was sent with it still says with which.';
create index crm_email_templates_created on public.crm_email_templates (created_at desc, id desc) where deleted_at is null;

create table public.crm_email_template_versions (
  id uuid primary key default gen_random_uuid(),
  template_id uuid not null references public.crm_email_templates (id) on delete cascade,
  number integer not null check (number >= 1),
  subject text not null default '',
  preheader text not null default '',
  design jsonb,
  mjml text,
  html text,
  text text not null default '',
  variables text[] not null default '{}',
  policy text not null default 'lenient' check (policy in ('lenient', 'strict')),
  problems jsonb not null default '[]',
  ready boolean not null,
  checksum text not null,
  created_by text not null default '',
  created_at timestamptz not null default now(),
  unique (template_id, number),
  check (not ready or html is not null)
);
comment on table public.crm_email_template_versions is
  'Never changed. html is sanitised; without it, or with an error among its problems, a version is a draft that is not sent.';
comment on column public.crm_email_template_versions.design is 'As the editor (Unlayer) gave it, together with html.';
alter table public.crm_email_templates
  add foreign key (version_id) references public.crm_email_template_versions (id) on delete set null;

create table public.crm_mail_out (
  id uuid primary key default gen_random_uuid(),
  key text not null unique,
  channel text not null default 'email' check (channel in ('email', 'sms', 'push', 'webhook')),
  contact_id uuid not null references public.crm_contacts (id) on delete cascade,
  template_version_id uuid not null references public.crm_email_template_versions (id),
  class text not null check (class in ('marketing', 'transactional')),
  topic text not null default '*',
  campaign_id uuid,
  run_id uuid,
  subject text not null default '',
  data jsonb not null default '{}',
  domain text not null,
  spacing double precision not null default 0,
  state text not null default 'queued' check (state in ('queued', 'sending', 'sent', 'failed', 'skipped')),
  error text,
  attempts integer not null default 0,
  lapses integer not null default 0,
  due_at timestamptz not null default now(),
  claim uuid,
  address_hash text,
  sent_at timestamptz,
  opened_at timestamptz,
  machine_opened_at timestamptz,
  clicked_at timestamptz,
  bounced_at timestamptz,
  complained_at timestamptz,
  unsubscribed_at timestamptz,
  created_at timestamptz not null default now()
);
comment on column public.crm_mail_out.channel is 'What goes by another one than e-mail is queued, paced, claimed and told of alike.';
comment on column public.crm_mail_out.domain is 'Of the recipient, by which sending is paced; # and the channel, of what is no e-mail.';
comment on column public.crm_mail_out.spacing is 'Seconds that its domain is left alone after it, if more than the pace asks.';
comment on column public.crm_mail_out.subject is 'Instead of the template''s, if not empty.';
comment on column public.crm_mail_out.due_at is 'When it may be sent; of one that is being sent, when its lease ends.';
comment on column public.crm_mail_out.lapses is 'Claims without a result: it may have been sent before, with the same Message-ID.';
comment on column public.crm_mail_out.address_hash is 'Where it went: a bounce suppresses it, whatever became of the contact.';
create index crm_mail_out_waiting on public.crm_mail_out (domain, class desc, due_at) where state in ('queued', 'sending');
create index crm_mail_out_contact on public.crm_mail_out (contact_id);
create index crm_mail_out_version on public.crm_mail_out (template_version_id);
create index crm_mail_out_campaign on public.crm_mail_out (campaign_id, state) where campaign_id is not null;

create table public.crm_mail_pace (
  domain text primary key,
  free_at timestamptz not null default '-infinity',
  wakes_at timestamptz not null
);
comment on table public.crm_mail_pace is
  'Of each recipient domain, until when it was written to enough, and when to look at what waits for it.';
create index crm_mail_pace_wakes on public.crm_mail_pace (wakes_at);

create table public.crm_webhooks (
  id uuid primary key default gen_random_uuid(),
  name text not null check (length(name) between 1 and 200),
  url text not null check (length(url) between 1 and 2000),
  secret text not null,
  state text not null default 'active' check (state in ('active', 'disabled')),
  failing_since timestamptz,
  created_at timestamptz not null default now()
);
comment on column public.crm_webhooks.secret is 'What posts are signed with, sealed.';

create table public.crm_webhook_out (
  id uuid primary key default gen_random_uuid(),
  key text not null unique,
  webhook_id uuid references public.crm_webhooks (id) on delete set null,
  payload jsonb not null,
  state text not null default 'queued' check (state in ('queued', 'sending', 'sent', 'failed', 'skipped')),
  error text,
  attempts integer not null default 0,
  status integer,
  due_at timestamptz not null default now(),
  claim uuid,
  sent_at timestamptz,
  created_at timestamptz not null default now()
);
comment on column public.crm_webhook_out.status is 'Of the last answer.';
create index crm_webhook_out_waiting on public.crm_webhook_out (due_at) where state in ('queued', 'sending');
create index crm_webhook_out_webhook on public.crm_webhook_out (webhook_id, created_at desc);

create table public.crm_notifications (
  id uuid primary key default gen_random_uuid(),
  key text not null unique,
  contact_id uuid not null references public.crm_contacts (id) on delete cascade,
  title text not null check (length(title) between 1 and 200),
  body text not null default '' check (length(body) <= 2000),
  state text not null check (state in ('sent', 'skipped')),
  error text,
  created_at timestamptz not null default now()
);
comment on table public.crm_notifications is 'Told to the sockets of the contact''s trading user; skipped if it is none.';
create index crm_notifications_contact on public.crm_notifications (contact_id);

do $$
declare
  made text;
begin
  foreach made in array array[
    'crm_email_templates', 'crm_email_template_versions', 'crm_mail_out', 'crm_mail_pace', 'crm_webhooks',
    'crm_webhook_out', 'crm_notifications'
  ] loop
    execute format('alter table public.%I enable row level security', made);
    execute format('revoke all on public.%I from anon, authenticated', made);
    execute format('grant all on public.%I to service_role', made);
  end loop;
end
$$;

-- Look at what waits for this domain no later than then.
create function private.crm_wake(domain text, at timestamptz) returns void
language sql volatile set search_path = '' as $$
  insert into public.crm_mail_pace as pace (domain, wakes_at) values (crm_wake.domain, crm_wake.at)
  on conflict (domain) do update set wakes_at = least(pace.wakes_at, excluded.wakes_at)
$$;

create function private.crm_mail_domain(contact uuid, channel text) returns text
language sql stable set search_path = '' as $$
  select case channel when 'email' then coalesce((
    select split_part(known.email_norm, '@', 2) from public.crm_contacts known where known.id = contact
  ), '') else '#' || channel end
$$;

-- Queue a mail; its id, that of the first if the key was queued before. Whether it may be sent is asked when it is.
create function private.crm_queue_mail(
  key text, contact uuid, template_version uuid, class text, topic text, campaign uuid default null,
  run uuid default null, data jsonb default '{}', channel text default 'email'
) returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  person constant uuid := private.crm_contact_of(contact);
  receiving constant text := private.crm_mail_domain(person, channel);
  made uuid;
begin
  insert into public.crm_mail_out (
    key, contact_id, template_version_id, class, topic, campaign_id, run_id, data, channel, domain
  ) values (
    crm_queue_mail.key, person, template_version, crm_queue_mail.class, coalesce(crm_queue_mail.topic, '*'), campaign,
    run, coalesce(crm_queue_mail.data, '{}'), crm_queue_mail.channel, receiving
  )
  on conflict on constraint crm_mail_out_key_key do nothing
  returning id into made;
  if made is null then
    return (select queued.id from public.crm_mail_out queued where queued.key = crm_queue_mail.key);
  end if;
  perform private.crm_wake(receiving, now());
  return made;
end
$$;

-- Queue a post to a webhook of `crm_webhooks`; its id. Skipped at once if there is none, or it is disabled.
create function private.crm_queue_webhook(key text, url_ref uuid, payload jsonb) returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  active constant boolean := coalesce((
    select hook.state = 'active' from public.crm_webhooks hook where hook.id = url_ref
  ), false);
  made uuid;
begin
  insert into public.crm_webhook_out (key, webhook_id, payload, state, error)
  values (
    crm_queue_webhook.key, (select hook.id from public.crm_webhooks hook where hook.id = url_ref),
    crm_queue_webhook.payload, case when active then 'queued' else 'skipped' end,
    case when not active then 'disabled' end
  )
  on conflict on constraint crm_webhook_out_key_key do nothing
  returning id into made;
  return coalesce(made, (
    select queued.id from public.crm_webhook_out queued where queued.key = crm_queue_webhook.key
  ));
end
$$;

-- Tell a contact's trading user, in the application; its id.
create function private.crm_queue_notification(key text, contact uuid, title text, body text) returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  person constant uuid := private.crm_contact_of(contact);
  receiver constant uuid := (
    select known.user_id from public.crm_contacts known where known.id = person and known.deleted_at is null
  );
  made uuid;
  told timestamptz;
begin
  insert into public.crm_notifications (key, contact_id, title, body, state, error)
  values (
    crm_queue_notification.key, person, crm_queue_notification.title, crm_queue_notification.body,
    case when receiver is null then 'skipped' else 'sent' end, case when receiver is null then 'no_user' end
  )
  on conflict on constraint crm_notifications_key_key do nothing
  returning id, created_at into made, told;
  if made is null then
    return (select before.id from public.crm_notifications before where before.key = crm_queue_notification.key);
  end if;
  if receiver is not null then
    perform private.crm_send('notice.' || receiver, jsonb_build_object(
      'id', made, 'at', told, 'user', receiver, 'title', crm_queue_notification.title, 'body', crm_queue_notification.body
    ));
  end if;
  return made;
end
$$;

create function public.crm_queue_mail(
  key text, contact uuid, template_version uuid, class text, topic text, campaign uuid, run uuid, data jsonb
) returns uuid
language sql volatile security invoker set search_path = '' as $$
  select private.crm_queue_mail(key, contact, template_version, class, topic, campaign, run, data)
$$;
create function public.crm_queue_webhook(key text, url_ref uuid, payload jsonb) returns uuid
language sql volatile security invoker set search_path = '' as $$
  select private.crm_queue_webhook(key, url_ref, payload)
$$;
create function public.crm_queue_notification(key text, contact uuid, title text, body text) returns uuid
language sql volatile security invoker set search_path = '' as $$
  select private.crm_queue_notification(key, contact, title, body)
$$;

-- Up to `at_most` mails that are due, of these channels and of domains that are not written to faster than one in `pace` seconds, for whoever
-- asks first; whatever may not be sent is skipped here, and says why. A lease that ends before the result is told is
-- another's: a mail is then handed over a second time only if it was being handed over when its sender died, and with
-- the same Message-ID.
create function private.crm_take_mails(
  claim uuid, at_most integer, lease double precision, pace double precision, channels text[]
) returns setof public.crm_mail_out
language plpgsql volatile set search_path = '' as $$
declare
  receiving record;
  mail public.crm_mail_out;
  refused text;
  left_over integer := at_most;
  free timestamptz;
  next_due timestamptz;
begin
  for receiving in
    select one.domain, one.free_at from public.crm_mail_pace one
    where one.wakes_at <= now()
      and case when one.domain like '#%' then substr(one.domain, 2) else 'email' end = any (channels)
    order by one.wakes_at
    limit at_most
    for update skip locked
  loop
    exit when left_over <= 0;
    free := greatest(receiving.free_at, now());
    for mail in
      select * from public.crm_mail_out waiting
      where waiting.domain = receiving.domain and waiting.state in ('queued', 'sending') and waiting.due_at <= now()
      order by waiting.class desc, waiting.due_at
      limit left_over
      for update skip locked
    loop
      exit when free > now() + interval '1 second';
      refused := private.crm_may_send(mail.contact_id, mail.channel, mail.topic, mail.class);
      if refused is not null then
        update public.crm_mail_out set state = 'skipped', error = refused, claim = null where id = mail.id;
        continue;
      end if;
      update public.crm_mail_out taken
      set state = 'sending', claim = crm_take_mails.claim, attempts = taken.attempts + 1,
        lapses = taken.lapses + (taken.state = 'sending')::integer, due_at = now() + make_interval(secs => lease)
      where taken.id = mail.id
      returning * into mail;
      free := free + make_interval(secs => greatest(pace, mail.spacing));
      left_over := left_over - 1;
      return next mail;
    end loop;
    select min(waiting.due_at) into next_due from public.crm_mail_out waiting
    where waiting.domain = receiving.domain and waiting.state in ('queued', 'sending');
    update public.crm_mail_pace
    set free_at = free,
      wakes_at = case when next_due is null then 'infinity' else greatest(next_due, free - interval '1 second') end
    where domain = receiving.domain;
  end loop;
end
$$;

-- What may be said of a contact in what is sent to it.
create function private.crm_recipient(person public.crm_contacts) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_build_object(
    'id', person.id, 'email', person.email, 'phone', person.phone, 'first_name', person.first_name,
    'last_name', person.last_name, 'name', person.name, 'locale', person.locale, 'timezone', person.timezone,
    'status', person.status, 'score', person.score, 'custom', person.custom_fields
  )
$$;

create function public.crm_recipient(of_contact uuid) returns table ("row" jsonb)
language sql stable security invoker set search_path = '' as $$
  select private.crm_recipient(person) from public.crm_contacts person
  where person.id = private.crm_contact_of(of_contact) and person.deleted_at is null
$$;

-- The same, with all that is needed to write them.
create function public.crm_claim_mails(
  claim uuid, at_most integer, lease double precision, pace double precision, channels text[]
) returns table (
  id uuid, channel text, contact_id uuid, template_version_id uuid, class text, topic text, campaign_id uuid, subject text, data jsonb,
  attempts integer, lapses integer, contact jsonb
)
language sql volatile security invoker set search_path = '' as $$
  select taken.id, taken.channel, taken.contact_id, taken.template_version_id, taken.class, taken.topic, taken.campaign_id,
    taken.subject, taken.data, taken.attempts, taken.lapses, private.crm_recipient(person)
  from private.crm_take_mails(claim, at_most, lease, pace, channels) taken
  join public.crm_contacts person on person.id = taken.contact_id
$$;

-- What is told of a mail, whatever happened to it.
create function private.crm_mail_facts(mail public.crm_mail_out) returns jsonb
language sql immutable set search_path = '' as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'ref_type', 'mail', 'ref_id', mail.id, 'channel', mail.channel, 'class', mail.class, 'topic', mail.topic,
    'template_version', mail.template_version_id, 'campaign', mail.campaign_id, 'run', mail.run_id
  ))
$$;

-- What became of claimed mails: `{id, outcome: sent | retry | failed | skipped, error, after, bounced}`; a retry is due
-- `after` seconds from now, and an address that bounced is not written to again. Rows that are no longer this claim's are
-- left alone; how many were.
create function public.crm_finish_mails(claim uuid, results jsonb) returns integer
language plpgsql volatile security invoker set search_path = '' as $$
declare
  result record;
  mail public.crm_mail_out;
  foreign_ones integer := 0;
begin
  for result in
    select * from jsonb_to_recordset(results) as told (id uuid, outcome text, error text, after double precision, bounced boolean)
  loop
    update public.crm_mail_out done
    set state = case result.outcome when 'retry' then 'queued' else result.outcome end,
      error = result.error, claim = null,
      due_at = now() + make_interval(secs => coalesce(result.after, 0)),
      sent_at = case result.outcome when 'sent' then clock_timestamp() end,
      bounced_at = case when result.bounced then clock_timestamp() end,
      address_hash = (
        select private.crm_address_hash(private.crm_address(person, done.channel))
        from public.crm_contacts person where person.id = done.contact_id
      )
    where done.id = result.id and done.state = 'sending' and done.claim = crm_finish_mails.claim
    returning * into mail;
    if not found then
      foreign_ones := foreign_ones + 1;
    elsif mail.state = 'sent' then
      perform private.crm_emit('mail_sent', mail.contact_id, private.crm_mail_facts(mail), 'mail_sent:' || mail.id);
    elsif result.bounced and mail.state = 'failed' then
      insert into public.crm_suppressions (channel, address_hash, reason) values (mail.channel, mail.address_hash, 'bounced')
      on conflict do nothing;
      perform private.crm_emit(
        'mail_bounced', mail.contact_id, private.crm_mail_facts(mail) || jsonb_build_object('hard', true),
        'mail_bounced:' || mail.id
      );
    elsif mail.state = 'queued' then
      perform private.crm_wake(mail.domain, mail.due_at);
    end if;
  end loop;
  return foreign_ones;
end
$$;

create function public.crm_claim_webhooks(claim uuid, at_most integer, lease double precision)
returns table (id uuid, webhook_id uuid, url text, secret text, payload jsonb, attempts integer)
language plpgsql volatile security invoker set search_path = '' as $$
begin
  update public.crm_webhook_out waiting set state = 'skipped', error = 'disabled', claim = null
  where waiting.state in ('queued', 'sending') and waiting.due_at <= now() and not exists (
    select from public.crm_webhooks hook where hook.id = waiting.webhook_id and hook.state = 'active'
  );
  return query
    with taken as (
      update public.crm_webhook_out one
      set state = 'sending', claim = crm_claim_webhooks.claim, attempts = one.attempts + 1,
        due_at = now() + make_interval(secs => lease)
      where one.id in (
        select waiting.id from public.crm_webhook_out waiting
        where waiting.state in ('queued', 'sending') and waiting.due_at <= now()
        order by waiting.due_at
        limit at_most
        for update skip locked
      )
      returning one.id, one.webhook_id, one.payload, one.attempts
    )
    select taken.id, taken.webhook_id, hook.url, hook.secret, taken.payload, taken.attempts
    from taken join public.crm_webhooks hook on hook.id = taken.webhook_id;
end
$$;

-- What became of a claimed post: sent, failed for good, or a retry that is due `after` seconds from now. A webhook that
-- is gone, or has taken nothing for `patience` seconds, is disabled; true if it was now.
create function public.crm_finish_webhook(
  claim uuid, of_post uuid, outcome text, answered integer, why text, after double precision, gone boolean,
  patience double precision
) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
declare
  hook uuid;
  since timestamptz;
begin
  update public.crm_webhook_out done
  set state = case outcome when 'retry' then 'queued' else outcome end, error = why, status = answered, claim = null,
    due_at = now() + make_interval(secs => coalesce(after, 0)),
    sent_at = case outcome when 'sent' then clock_timestamp() end
  where done.id = of_post and done.state = 'sending' and done.claim = crm_finish_webhook.claim
  returning done.webhook_id into hook;
  if not found then
    return false;
  elsif outcome = 'sent' then
    update public.crm_webhooks set failing_since = null where id = hook and failing_since is not null;
    return false;
  end if;
  update public.crm_webhooks set failing_since = coalesce(failing_since, now()) where id = hook
  returning failing_since into since;
  if gone or since < now() - make_interval(secs => patience) then
    update public.crm_webhooks set state = 'disabled' where id = hook and state = 'active';
    return found;
  end if;
  return false;
end
$$;

select private.crm_services_only();
