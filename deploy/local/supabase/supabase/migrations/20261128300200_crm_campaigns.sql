-- Campaigns: what is sent to a segment. Who is in it is written down when the campaign starts, a row for each; each row
-- becomes a mail in the queue in the transaction that takes it, so that nobody is left out and nobody is written to twice,
-- whoever dies when.

create table public.crm_campaigns (
  id uuid primary key default gen_random_uuid(),
  name text not null check (length(name) between 1 and 200),
  channel text not null default 'email' check (channel in ('email', 'sms', 'push', 'webhook')),
  template_id uuid not null references public.crm_email_templates (id),
  segment_id uuid not null references public.crm_segments (id),
  excluded_segments uuid[] not null default '{}',
  topic text not null default '*' check (length(topic) between 1 and 60),
  subjects text[] not null default '{}' check (cardinality(subjects) <> 1 and cardinality(subjects) <= 5),
  test_share integer not null default 100 check (test_share between 1 and 100),
  winner_metric text not null default 'clicked' check (winner_metric in ('clicked', 'opened', 'manual')),
  decide_after double precision not null default 14400 check (decide_after between 0 and 2592000),
  per_hour integer check (per_hour >= 1),
  per_domain_hour integer check (per_domain_hour >= 1),
  warm_up jsonb,
  status text not null default 'draft'
    check (status in ('draft', 'scheduled', 'sending', 'paused', 'sent', 'cancelled', 'failed')),
  why text,
  scheduled_at timestamptz,
  timezone text not null default 'UTC',
  template_version_id uuid references public.crm_email_template_versions (id),
  tested_at timestamptz,
  winner integer,
  started_at timestamptz,
  resumed_at timestamptz,
  finished_at timestamptz,
  progress jsonb not null default '{}',
  created_by text not null default '',
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column public.crm_campaigns.subjects is 'Two to five that are tried; none: the template''s.';
comment on column public.crm_campaigns.test_share is 'Percent of the recipients that the subjects are tried on; the others get the winner.';
comment on column public.crm_campaigns.decide_after is 'Seconds from the last of the test''s mails in the queue to the winner.';
comment on column public.crm_campaigns.warm_up is '{first_day, growth}: recipients of the first day, and how many times as many of each one after it.';
comment on column public.crm_campaigns.why is 'It is paused or failed by itself: bounces, complaints, failures, missed, template, segment.';
comment on column public.crm_campaigns.template_version_id is 'The newest when it started: whoever changes the template meanwhile does not change it.';
comment on column public.crm_campaigns.winner is 'Place of the subject, from 0 on.';
comment on column public.crm_campaigns.progress is 'As last told.';
create index crm_campaigns_created on public.crm_campaigns (created_at desc, id desc);
create index crm_campaigns_template on public.crm_campaigns (template_id);
create index crm_campaigns_template_version on public.crm_campaigns (template_version_id);
create index crm_campaigns_segment on public.crm_campaigns (segment_id);
create index crm_campaigns_status on public.crm_campaigns (status);

create table public.crm_campaign_recipients (
  campaign_id uuid not null references public.crm_campaigns (id) on delete cascade,
  contact_id uuid not null references public.crm_contacts (id) on delete cascade,
  variant integer,
  state text not null default 'waiting' check (state in ('waiting', 'queued', 'skipped')),
  why text,
  mail_id uuid,
  taken_at timestamptz,
  primary key (campaign_id, contact_id)
);
comment on column public.crm_campaign_recipients.variant is 'Place of the subject; null: there is but one, or it waits for the winner.';
comment on column public.crm_campaign_recipients.mail_id is 'In crm_mail_out.';
create index crm_campaign_recipients_contact on public.crm_campaign_recipients (contact_id);
create index crm_campaign_recipients_waiting on public.crm_campaign_recipients (campaign_id, contact_id) where state = 'waiting';
create index crm_campaign_recipients_taken on public.crm_campaign_recipients (campaign_id, taken_at) where state = 'queued';

do $$
declare
  made text;
begin
  foreach made in array array['crm_campaigns', 'crm_campaign_recipients'] loop
    execute format('alter table public.%I enable row level security', made);
    execute format('revoke all on public.%I from anon, authenticated', made);
    execute format('grant all on public.%I to service_role', made);
  end loop;
end
$$;

-- Of two contacts that become one, what either has got counts.
insert into private.crm_personal_data (table_name, erase, merge) values (
  'crm_campaign_recipients', 'select $1',
  'with gone as (delete from public.crm_campaign_recipients where contact_id = $2 returning *)
   insert into public.crm_campaign_recipients as kept (campaign_id, contact_id, variant, state, why, mail_id, taken_at)
   select campaign_id, $1, variant, state, why, mail_id, taken_at from gone
   on conflict (campaign_id, contact_id) do update set
     variant = case when kept.state = ''queued'' then kept.variant else excluded.variant end,
     why = case when kept.state = ''queued'' then kept.why else excluded.why end,
     mail_id = coalesce(kept.mail_id, excluded.mail_id), taken_at = coalesce(kept.taken_at, excluded.taken_at),
     state = case when ''queued'' in (kept.state, excluded.state) then ''queued'' else kept.state end'
) on conflict do nothing;
insert into private.crm_template_users (kind, named_by) values (
  'campaign',
  'select name from public.crm_campaigns where template_id = $1 and status not in (''sent'', ''cancelled'', ''failed'')
   order by created_at'
);

-- A segment that a campaign leaves out must not go: those in it would be written to.
create function private.crm_keep_excluded() returns trigger
language plpgsql set search_path = '' as $$
begin
  if exists (
    select from public.crm_campaigns one
    where old.id = any (one.excluded_segments) and one.status in ('draft', 'scheduled')
  ) then
    raise exception 'a campaign leaves out segment %', old.id using errcode = '23503';
  end if;
  return old;
end
$$;
create trigger excluded before delete on public.crm_segments for each row execute function private.crm_keep_excluded();

-- A mail that comes back to the queue is kept there while its campaign is paused, and goes no more when it is cancelled.
create function private.crm_hold_mail() returns trigger
language plpgsql set search_path = '' as $$
begin
  case (select one.status from public.crm_campaigns one where one.id = new.campaign_id)
    when 'paused' then
      new.due_at := 'infinity';
    when 'cancelled' then
      new.state := 'skipped';
      new.error := 'cancelled';
    else
      null;
  end case;
  return new;
end
$$;
create trigger held before update of state on public.crm_mail_out for each row
  when (old.state = 'sending' and new.state = 'queued' and new.campaign_id is not null)
  execute function private.crm_hold_mail();

create function private.crm_campaign_counts(campaign uuid) returns jsonb
language sql stable set search_path = '' as $$
  select to_jsonb(people) || to_jsonb(mails) || jsonb_build_object('skipped', people.skipped + mails.skipped)
  from (
    select count(*) as recipients, count(*) filter (where one.state = 'waiting') as waiting,
      count(*) filter (where one.state = 'skipped') as skipped
    from public.crm_campaign_recipients one where one.campaign_id = campaign
  ) people, (
    select count(*) filter (where mail.state in ('queued', 'sending')) as queued,
      count(*) filter (where mail.state = 'unknown') as unknown, count(*) filter (where mail.state = 'sent') as sent, count(*) filter (where mail.state = 'failed') as failed,
      count(*) filter (where mail.state = 'skipped') as skipped,
      count(*) filter (where mail.state = 'sent' and mail.bounced_at is null) as delivered,
      count(mail.opened_at) as opened, count(mail.machine_opened_at) as machine_opened, count(mail.clicked_at) as clicked,
      count(mail.bounced_at) as bounced, count(mail.complained_at) as complained,
      count(mail.unsubscribed_at) as unsubscribed
    from public.crm_mail_out mail where mail.campaign_id = campaign
  ) mails
$$;

create function private.crm_campaign_told(campaign public.crm_campaigns) returns jsonb
language sql stable set search_path = '' as $$
  select to_jsonb(campaign) - array['progress', 'tested_at', 'resumed_at']
    || jsonb_build_object('stats', campaign.progress - array['id', 'name', 'status', 'why'])
$$;

create function private.crm_campaign_answer(outcome text, campaign uuid default null, said text default null) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('outcome', outcome, 'message', said, 'campaign', (
    select private.crm_campaign_told(one) from public.crm_campaigns one where one.id = campaign
  ))
$$;

-- Count anew how far it is, and tell of it if that is news.
create function private.crm_tell_campaign(campaign uuid) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare
  known public.crm_campaigns;
  now_told jsonb;
begin
  select * into known from public.crm_campaigns one where one.id = campaign for update;
  now_told := private.crm_campaign_counts(campaign) || jsonb_build_object(
    'id', known.id, 'name', known.name, 'status', known.status, 'why', known.why
  );
  if now_told <> known.progress then
    update public.crm_campaigns set progress = now_told where id = campaign;
    perform private.crm_send('operators.campaign', now_told || jsonb_build_object('at', clock_timestamp()));
  end if;
  return now_told;
end
$$;

-- What is wrong with a campaign that is to be saved; null if nothing is.
create function private.crm_campaign_fault(wanted public.crm_campaigns) returns text
language sql stable set search_path = '' as $$
  select case
    when not exists (
      select from public.crm_email_templates one where one.id = wanted.template_id and one.deleted_at is null
    ) then '`template_id` is not a template that is there'
    when not exists (select from public.crm_segments one where one.id = wanted.segment_id)
      then '`segment_id` is not a segment that is there'
    when exists (
      select from unnest(wanted.excluded_segments) each
      where not exists (select from public.crm_segments one where one.id = each)
    ) then '`excluded_segments` mention a segment that is not there'
    when wanted.segment_id = any (wanted.excluded_segments) then '`excluded_segments` leave everybody out'
  end
$$;

-- The version that would be sent now; null: the template is a draft, or is no longer there.
create function private.crm_campaign_version(campaign public.crm_campaigns) returns uuid
language sql stable set search_path = '' as $$
  select version.id from public.crm_email_templates template
  join public.crm_email_template_versions version on version.id = template.version_id and version.ready
  where template.id = campaign.template_id and template.deleted_at is null
$$;

-- Make a campaign (no id), or change one that has not started. `expected`: the version that the writer saw.
create function public.crm_save_campaign(campaign uuid, given jsonb, expected integer, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  wanted public.crm_campaigns;
  fault text;
begin
  if campaign is not null then
    select * into wanted from public.crm_campaigns one where one.id = campaign for update;
    if not found then
      return private.crm_campaign_answer('not_found');
    elsif expected is not null and expected <> wanted.version then
      return private.crm_campaign_answer('conflict', campaign);
    elsif wanted.status not in ('draft', 'scheduled') then
      return private.crm_campaign_answer('conflict', campaign, format('It is %s already', wanted.status));
    end if;
    wanted := jsonb_populate_record(wanted, given);
  else
    wanted := jsonb_populate_record(null::public.crm_campaigns, given);
  end if;
  fault := private.crm_campaign_fault(wanted);
  if fault is not null then
    return private.crm_campaign_answer('invalid', null, fault);
  end if;
  insert into public.crm_campaigns as one (
    id, name, channel, template_id, segment_id, excluded_segments, topic, subjects, test_share, winner_metric,
    decide_after, per_hour, per_domain_hour, warm_up, created_by
  ) values (
    coalesce(campaign, gen_random_uuid()), wanted.name, wanted.channel, wanted.template_id, wanted.segment_id,
    wanted.excluded_segments, wanted.topic, wanted.subjects, wanted.test_share, wanted.winner_metric,
    wanted.decide_after, wanted.per_hour, wanted.per_domain_hour, nullif(wanted.warm_up, 'null'), actor
  )
  on conflict (id) do update set
    name = excluded.name, channel = excluded.channel, template_id = excluded.template_id,
    segment_id = excluded.segment_id, excluded_segments = excluded.excluded_segments, topic = excluded.topic,
    subjects = excluded.subjects, test_share = excluded.test_share, winner_metric = excluded.winner_metric,
    decide_after = excluded.decide_after, per_hour = excluded.per_hour, per_domain_hour = excluded.per_domain_hour,
    warm_up = excluded.warm_up, version = one.version + 1, updated_at = now()
  returning one.id into campaign;
  perform private.crm_tell_campaign(campaign);
  return private.crm_campaign_answer('done', campaign);
end
$$;

create function public.crm_one_campaign(campaign uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select private.crm_campaign_told(one) from public.crm_campaigns one where one.id = campaign
$$;

create function public.crm_find_campaigns(search text, of_status text, at_most integer, skipped integer) returns jsonb
language sql stable security invoker set search_path = '' as $$
  with wanted as (
    select * from public.crm_campaigns one
    where (search is null or position(lower(search) in lower(one.name)) > 0)
      and (of_status is null or one.status = of_status)
  )
  select jsonb_build_object(
    'total', (select count(*) from wanted),
    'rows', coalesce((
      select jsonb_agg(private.crm_campaign_told(page::public.crm_campaigns)) from (
        select * from wanted order by created_at desc, id desc limit at_most offset skipped
      ) page
    ), '[]')
  )
$$;

create function public.crm_drop_campaign(campaign uuid, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_campaigns;
begin
  select * into known from public.crm_campaigns one where one.id = campaign for update;
  if not found then
    return private.crm_campaign_answer('not_found');
  elsif known.status in ('scheduled', 'sending', 'paused') then
    return private.crm_campaign_answer('conflict', campaign, format('It is %s: cancel it first', known.status));
  end if;
  delete from public.crm_campaigns one where one.id = campaign;
  perform private.crm_note(actor, 'campaign_dropped', jsonb_build_object('campaign', campaign));
  return private.crm_campaign_answer('done');
end
$$;

-- Of all subjects, how each has done.
create function private.crm_variants(campaign uuid) returns table (variant integer, sent bigint, opened bigint, clicked bigint)
language sql stable set search_path = '' as $$
  select taken.variant, count(*) filter (where mail.state = 'sent'), count(mail.opened_at), count(mail.clicked_at)
  from public.crm_campaign_recipients taken
  join public.crm_mail_out mail on mail.id = taken.mail_id
  where taken.campaign_id = campaign and taken.variant is not null
  group by taken.variant
$$;

-- Counted now; null: there is no such campaign.
create function public.crm_campaign_stats(campaign uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select private.crm_campaign_counts(one.id) || jsonb_build_object(
    'why', coalesce((
      select jsonb_object_agg(reason, many) from (
        select reason, count(*) as many from (
          select left_out.why as reason from public.crm_campaign_recipients left_out
          where left_out.campaign_id = one.id and left_out.state = 'skipped'
          union all
          select mail.error from public.crm_mail_out mail
          where mail.campaign_id = one.id and mail.state in ('skipped', 'failed')
        ) reasons where reason is not null group by reason order by count(*) desc limit 50
      ) counted
    ), '{}'),
    'variants', coalesce((
      select jsonb_agg(to_jsonb(done) || jsonb_build_object('subject', one.subjects[done.variant + 1]) order by done.variant)
      from private.crm_variants(one.id) done
    ), '[]')
  )
  from public.crm_campaigns one where one.id = campaign
$$;

-- By contact; null: there is no such campaign.
create function public.crm_recipients_of(campaign uuid, of_state text, at_most integer, behind uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'total', (
      select count(*) from public.crm_campaign_recipients taken
      where taken.campaign_id = one.id and (of_state is null or taken.state = of_state)
    ),
    'rows', coalesce((
      select jsonb_agg(jsonb_build_object(
        'contact_id', page.contact_id, 'state', page.state, 'why', coalesce(page.why, mail.error),
        'variant', page.variant, 'mail', mail.state, 'sent_at', mail.sent_at, 'opened_at', mail.opened_at,
        'clicked_at', mail.clicked_at, 'bounced_at', mail.bounced_at
      ) order by page.contact_id)
      from (
        select * from public.crm_campaign_recipients taken
        where taken.campaign_id = one.id and (of_state is null or taken.state = of_state)
          and (behind is null or taken.contact_id > behind)
        order by taken.contact_id limit at_most
      ) page
      left join public.crm_mail_out mail on mail.id = page.mail_id
    ), '[]')
  )
  from public.crm_campaigns one where one.id = campaign
$$;

select private.crm_services_only();
