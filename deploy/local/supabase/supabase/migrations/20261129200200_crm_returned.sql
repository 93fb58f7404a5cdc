-- Of campaigns, which mails came back for good, and which links only programs have followed; and what who delivers posts
-- is written down at once.

alter table public.crm_mail_out add column hard_bounced_at timestamptz;
comment on column public.crm_mail_out.hard_bounced_at is
  'When it came back for good after it was sent; one that is refused at once is failed and bounced.';
update public.crm_mail_out mail set hard_bounced_at = mail.bounced_at
where mail.bounced_at is not null and mail.state = 'sent' and exists (
  select from public.crm_activities done
  where done.contact_id = mail.contact_id and done.type = 'mail_bounced' and done.ref_id = mail.id::text
    and (done.data ->> 'hard')::boolean
);

-- What was told of a mail by who delivers: `kind` delivered, bounce or complaint, each under an id of its own. An address
-- that is gone is suppressed, as is one that bounced for a while three times in 30 days, or whose owner complained, who
-- is sent nothing of any topic any more. False: there is no such mail.
create or replace function public.crm_mail_returned(mail uuid, event text, kind text, hard boolean, why text) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_mail_out;
  person uuid;
  hash text;
  facts jsonb;
begin
  select * into known from public.crm_mail_out one where one.id = mail for update;
  if not found then
    return false;
  end if;
  person := private.crm_contact_of(known.contact_id);
  hash := coalesce(known.address_hash, (
    select private.crm_address_hash(private.crm_address(one, known.channel)) from public.crm_contacts one where one.id = person
  ));
  facts := private.crm_mail_facts(known);
  if kind = 'delivered' then
    update public.crm_mail_out set delivered_at = coalesce(delivered_at, now()) where id = known.id;
  elsif kind = 'bounce' then
    update public.crm_mail_out set
      bounced_at = coalesce(bounced_at, now()), error = coalesce(error, left(why, 300)),
      hard_bounced_at = case when hard then coalesce(hard_bounced_at, now()) else hard_bounced_at end
    where id = known.id;
    if not private.crm_emit(
      'mail_bounced', person, facts || jsonb_build_object('hard', hard, 'why', left(why, 300)),
      'mail_returned:' || known.id || ':' || event
    ) then
      return true;
    end if;
    if hash is not null and (hard or (
      select count(*) from public.crm_activities done
      where done.contact_id = person and done.type = 'mail_bounced' and done.at > now() - interval '30 days'
        and done.data ->> 'channel' = known.channel
    ) >= 3) then
      insert into public.crm_suppressions (channel, address_hash, reason) values (known.channel, hash, 'bounced')
      on conflict do nothing;
    end if;
  else
    update public.crm_mail_out set complained_at = coalesce(complained_at, now()) where id = known.id;
    if not private.crm_emit('mail_complained', person, facts, 'mail_complained:' || known.id) then
      return true;
    end if;
    if hash is not null then
      insert into public.crm_suppressions (channel, address_hash, reason) values (known.channel, hash, 'complained')
      on conflict do nothing;
    end if;
    if exists (select from public.crm_contacts one where one.id = person and one.deleted_at is null) then
      perform private.crm_record_consent(person, known.channel, '*', 'unsubscribed', 'complaint');
    end if;
  end if;
  return true;
end
$$;

-- The same of many: `[{mail, event, kind, hard, why}]`; of how many there are such mails.
create function public.crm_mails_returned(events jsonb) returns integer
language plpgsql volatile security invoker set search_path = '' as $$
declare
  told record;
  known integer := 0;
begin
  for told in
    select * from jsonb_to_recordset(events) as one (mail uuid, event text, kind text, hard boolean, why text) order by one.mail
  loop
    known := known + public.crm_mail_returned(told.mail, told.event, told.kind, told.hard, told.why)::integer;
  end loop;
  return known;
end
$$;

-- As before; besides, what only programs have clicked, and what came back for good.
create or replace function private.crm_campaign_counts(campaign uuid) returns jsonb
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
      count(mail.machine_clicked_at) as machine_clicked, count(mail.bounced_at) as bounced,
      count(*) filter (
        where mail.hard_bounced_at is not null or (mail.bounced_at is not null and mail.state = 'failed')
      ) as hard_bounced, count(mail.complained_at) as complained,
      count(mail.unsubscribed_at) as unsubscribed
    from public.crm_mail_out mail where mail.campaign_id = campaign
  ) mails
$$;

select private.crm_services_only();
