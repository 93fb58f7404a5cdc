-- What a campaign is for: an event that is to happen to its recipients within so many days after their mail was handed
-- over, and how many of them it happened to.

alter table public.crm_campaigns add column conversion jsonb;
comment on column public.crm_campaigns.conversion is
  '{event, within_days, account_type?, form_id?, tag?, segment_id?}; null: nothing that could be counted.';
alter table public.crm_campaign_recipients add column converted boolean not null default false;
comment on column public.crm_campaign_recipients.converted is
  'Kept when somebody is erased, since what their activities said is gone; of all others they tell.';

-- Each person once, also one who had two mails before two contacts became one.
create view private.crm_conversions with (security_invoker = true) as
select distinct mail.campaign_id, mail.contact_id, taken.variant
from public.crm_mail_out mail
join public.crm_campaigns campaign on campaign.id = mail.campaign_id and campaign.conversion is not null
left join public.crm_campaign_recipients taken
  on taken.campaign_id = mail.campaign_id and taken.contact_id = mail.contact_id
where mail.state = 'sent' and (taken.converted or exists (
  select from public.crm_activities did
  where did.contact_id = mail.contact_id and did.type = campaign.conversion ->> 'event'
    and did.at >= coalesce(mail.handed_at, mail.sent_at)
    and did.at < coalesce(mail.handed_at, mail.sent_at)
      + make_interval(days => (campaign.conversion ->> 'within_days')::integer)
    and did.data @> jsonb_strip_nulls(jsonb_build_object(
      'account_type', campaign.conversion ->> 'account_type', 'form', campaign.conversion ->> 'form_id',
      'tag', lower(btrim(campaign.conversion ->> 'tag')), 'segment', campaign.conversion ->> 'segment_id'
    ))
));
comment on view private.crm_conversions is 'Recipients who did what their campaign is for, in time.';
revoke all on private.crm_conversions from anon, authenticated;
grant select on private.crm_conversions to service_role;

-- In one statement, which sees the activities as they were.
update private.crm_personal_data set erase =
  'with did as (
     update public.crm_campaign_recipients taken set converted = true from private.crm_conversions counted
     where counted.contact_id = $1 and taken.contact_id = $1 and taken.campaign_id = counted.campaign_id
   ) update public.crm_activities set data = ''{}'', ref_id = null where contact_id = $1'
where table_name = 'crm_activities';

-- What is wrong with what a campaign is for; null if nothing is.
create function private.crm_conversion_fault(conversion jsonb) returns text
language sql stable set search_path = '' as $$
  select case
    when conversion ? 'form_id' and not exists (
      select from public.crm_forms one where one.id = (conversion ->> 'form_id')::uuid
    ) then '`conversion.form_id` is not a form that is there'
    when conversion ? 'segment_id' and not exists (
      select from public.crm_segments one where one.id = (conversion ->> 'segment_id')::uuid
    ) then '`conversion.segment_id` is not a segment that is there'
  end
$$;

-- As before; besides, who did what it is for.
create or replace function private.crm_campaign_counts(campaign uuid) returns jsonb
language sql stable set search_path = '' as $$
  select to_jsonb(people) || to_jsonb(mails) || jsonb_build_object(
    'skipped', people.skipped + mails.skipped, 'converted', (
      select count(*) from private.crm_conversions did where did.campaign_id = crm_campaign_counts.campaign
    )
  )
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
      count(mail.machine_clicked_at) as machine_clicked, count(mail.bounced_at) as bounced,
      count(*) filter (
        where mail.hard_bounced_at is not null or (mail.bounced_at is not null and mail.state = 'failed')
      ) as hard_bounced, count(mail.complained_at) as complained,
      count(mail.unsubscribed_at) as unsubscribed
    from public.crm_mail_out mail where mail.campaign_id = campaign
  ) mails
$$;

create or replace function public.crm_campaign_stats(campaign uuid) returns jsonb
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
      select jsonb_agg(to_jsonb(done) || jsonb_build_object(
        'subject', one.subjects[done.variant + 1], 'converted', coalesce(did.converted, 0)
      ) order by done.variant)
      from private.crm_variants(one.id) done
      left join (
        select counted.variant, count(*) as converted from private.crm_conversions counted
        where counted.campaign_id = one.id group by counted.variant
      ) did on did.variant = done.variant
    ), '[]')
  )
  from public.crm_campaigns one where one.id = campaign
$$;

-- As before, with what it is for; a form or a segment that is dropped later only ends what is counted.
create or replace function public.crm_save_campaign(campaign uuid, given jsonb, expected integer, actor text) returns jsonb
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
  wanted.conversion := nullif(wanted.conversion, 'null');
  fault := coalesce(
    private.crm_campaign_fault(wanted),
    case when given ? 'conversion' then private.crm_conversion_fault(wanted.conversion) end
  );
  if fault is not null then
    return private.crm_campaign_answer('invalid', null, fault);
  end if;
  insert into public.crm_campaigns as one (
    id, name, channel, template_id, segment_id, excluded_segments, topic, subjects, test_share, winner_metric,
    decide_after, per_hour, per_domain_hour, warm_up, conversion, created_by
  ) values (
    coalesce(campaign, gen_random_uuid()), wanted.name, wanted.channel, wanted.template_id, wanted.segment_id,
    wanted.excluded_segments, wanted.topic, wanted.subjects, wanted.test_share, wanted.winner_metric,
    wanted.decide_after, wanted.per_hour, wanted.per_domain_hour, nullif(wanted.warm_up, 'null'),
    wanted.conversion, actor
  )
  on conflict (id) do update set
    name = excluded.name, channel = excluded.channel, template_id = excluded.template_id,
    segment_id = excluded.segment_id, excluded_segments = excluded.excluded_segments, topic = excluded.topic,
    subjects = excluded.subjects, test_share = excluded.test_share, winner_metric = excluded.winner_metric,
    decide_after = excluded.decide_after, per_hour = excluded.per_hour, per_domain_hour = excluded.per_domain_hour,
    warm_up = excluded.warm_up, conversion = excluded.conversion, version = one.version + 1, updated_at = now()
  returning one.id into campaign;
  perform private.crm_tell_campaign(campaign);
  return private.crm_campaign_answer('done', campaign);
end
$$;

create or replace view public.crm_ab_tests with (security_invoker = true) as
select campaign.id as campaign_id, (tried.place - 1)::integer as variant, tried.subject, campaign.test_share,
  campaign.winner_metric, campaign.winner is not distinct from (tried.place - 1)::integer as won,
  coalesce(done.sent, 0) as sent, coalesce(done.opened, 0) as opened, coalesce(done.clicked, 0) as clicked,
  coalesce(did.converted, 0) as converted
from public.crm_campaigns campaign
cross join lateral unnest(campaign.subjects) with ordinality tried (subject, place)
left join lateral (
  select counted.sent, counted.opened, counted.clicked from private.crm_variants(campaign.id) counted
  where counted.variant = tried.place - 1
) done on true
left join lateral (
  select count(*) as converted from private.crm_conversions counted
  where counted.campaign_id = campaign.id and counted.variant = tried.place - 1
) did on true;

select private.crm_services_only();
