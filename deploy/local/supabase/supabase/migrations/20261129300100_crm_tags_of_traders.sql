-- As before; also of `user.` and `bot.`, as what was `trading.` alone is named now: of everybody who trades all is
-- known of their bot.
create or replace function public.crm_campaign_preflight(campaign uuid) returns jsonb
language plpgsql stable security invoker set search_path = '' set statement_timeout = '15s' as $$
declare
  known public.crm_campaigns;
  tags text[];
  answer jsonb;
begin
  select * into known from public.crm_campaigns one where one.id = campaign;
  if not found then
    return null;
  end if;
  select array_agg(distinct tag) into tags
  from public.crm_email_template_versions version, unnest(version.variables) tag
  where version.id = coalesce(known.template_version_id, private.crm_campaign_version(known))
    and (tag ~ '^(custom|user|bot|trading)\.' or tag in (
      'contact.first_name', 'contact.last_name', 'contact.name', 'contact.email', 'contact.phone', 'contact.locale',
      'contact.timezone'
    ));
  with people as materialized (
    select person.id, to_jsonb(person) as contact, person.custom_fields as custom,
      (select to_jsonb(facts) from public.crm_trading_facts facts where facts.contact_id = person.id) as trading,
      private.crm_address(person, known.channel) as address,
      private.crm_consent(person.id, known.channel, known.topic) as consent
    from private.crm_audience(known) person
  ), judged as (
    select case
      when coalesce(people.address, '') = '' then 'no_address'
      when exists (
        select from public.crm_suppressions listed
        where listed.channel = known.channel and listed.address_hash = private.crm_address_hash(people.address)
      ) then 'suppressed'
      when people.consent = 'unsubscribed' then 'unsubscribed'
      when people.consent is distinct from 'subscribed' then 'no_consent'
    end as why
    from people
  )
  select jsonb_build_object(
    'recipients', (select count(*) from judged), 'reached', (select count(*) from judged where judged.why is null),
    'why', coalesce((
      select jsonb_object_agg(counted.why, counted.many) from (
        select judged.why, count(*) as many from judged where judged.why is not null group by judged.why
      ) counted
    ), '{}'),
    'missing', coalesce((
      select jsonb_object_agg(counted.tag, counted.many) from (
        select tag, count(*) as many from people, unnest(tags) tag
        where coalesce(case
          when tag ~ '^custom\.' then people.custom ->> substr(tag, 8)
          when tag ~ '^(user|trading)\.' then people.trading ->> split_part(tag, '.', 2)
          when tag ~ '^bot\.' then people.trading ->> 'bot_running'
          else people.contact ->> substr(tag, 9) end, '') = ''
        group by tag
      ) counted
    ), '{}')
  ) into answer;
  return answer;
end
$$;

select private.crm_services_only();
