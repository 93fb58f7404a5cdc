-- As before; but rows that were locked are found again by their place: a plan that was made while few were known went
-- through all who wait for each of them.
create or replace function private.crm_release_recipients(campaign public.crm_campaigns, at_most integer) returns integer
language plpgsql volatile set search_path = '' as $$
declare
  taken integer;
  receiving text[];
begin
  with claimed as (
    select waiting.ctid as place, waiting.contact_id, coalesce(waiting.variant, campaign.winner) as subject
    from public.crm_campaign_recipients waiting
    where waiting.campaign_id = campaign.id and waiting.state = 'waiting'
      and (cardinality(campaign.subjects) = 0 or coalesce(waiting.variant, campaign.winner) is not null)
    order by waiting.contact_id
    limit at_most
    for update skip locked
  ), asked as (
    select claimed.*, gen_random_uuid() as mail_id,
      private.crm_may_send(claimed.contact_id, campaign.channel, campaign.topic, 'marketing') as refused
    from claimed
  ), queued as (
    insert into public.crm_mail_out (
      id, key, channel, contact_id, template_version_id, class, topic, campaign_id, subject, data, domain, spacing
    )
    select asked.mail_id, concat_ws(':', 'campaign', campaign.id, asked.contact_id), campaign.channel, asked.contact_id,
      campaign.template_version_id, 'marketing', campaign.topic, campaign.id,
      coalesce(campaign.subjects[asked.subject + 1], ''),
      jsonb_build_object('campaign', jsonb_build_object('name', campaign.name)),
      private.crm_mail_domain(asked.contact_id, campaign.channel), coalesce(3600.0 / campaign.per_domain_hour, 0)
    from asked where asked.refused is null
    on conflict on constraint crm_mail_out_key_key do nothing
    returning domain
  ), done as (
    update public.crm_campaign_recipients kept set
      state = case when asked.refused is null then 'queued' else 'skipped' end, why = asked.refused,
      variant = asked.subject, taken_at = now(),
      mail_id = case when asked.refused is null then asked.mail_id end
    from asked where kept.ctid = asked.place and kept.campaign_id = campaign.id and kept.state = 'waiting'
    returning kept.contact_id
  )
  select (select count(*) from done), (select array_agg(distinct queued.domain) from queued) into taken, receiving;
  perform private.crm_wake(each, now()) from unnest(receiving) each;
  return taken;
end
$$;

select private.crm_services_only();
