-- Plans that are kept are made while tables are small, and outlive that. So what is asked for each mail must have no
-- second index to choose: whether a contact had enough lately was looked for among all mails of the week.
create index crm_mail_out_sent on public.crm_mail_out (sent_at) where sent_at is not null;

create or replace function public.crm_stats() returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'statuses', coalesce((
      select jsonb_object_agg(counted.status, counted.many) from (
        select status, count(*) as many from public.crm_contacts where deleted_at is null group by status
      ) counted
    ), '{}'),
    'segments', private.crm_count('crm_segments', 'active'),
    'workflows', private.crm_count('crm_workflows', 'status = ''active'''),
    'campaigns', private.crm_count('crm_campaigns', 'status in (''scheduled'', ''sending'')'),
    'templates', private.crm_count('crm_email_templates', 'true'),
    'mails', (select count(*) from public.crm_mail_out where sent_at > now() - interval '30 days')
  )
$$;
drop index public.crm_activities_sent;

-- As before, each with its contact looked up: joined, all contacts were read for each claim.
create or replace function public.crm_claim_mails(
  claim uuid, at_most integer, lease double precision, pace double precision, channels text[]
) returns table (
  id uuid, channel text, contact_id uuid, template_version_id uuid, class text, topic text, campaign_id uuid, subject text, data jsonb,
  attempts integer, lapses integer, contact jsonb
)
language sql volatile security invoker set search_path = '' as $$
  select taken.id, taken.channel, taken.contact_id, taken.template_version_id, taken.class, taken.topic, taken.campaign_id,
    taken.subject, taken.data, taken.attempts, taken.lapses,
    (select private.crm_recipient(person) from public.crm_contacts person where person.id = taken.contact_id)
  from private.crm_take_mails(claim, at_most, lease, pace, channels) taken
$$;
