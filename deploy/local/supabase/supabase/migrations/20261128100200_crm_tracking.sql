-- What becomes of mails after they were handed over: seen, clicked, left, bounced, complained of. Each is told once.

alter table public.crm_mail_out add column delivered_at timestamptz;
alter table public.crm_mail_out add column machine_clicked_at timestamptz;
comment on column public.crm_mail_out.delivered_at is 'When who delivers said that it was; mail servers themselves seldom do.';
comment on column public.crm_mail_out.machine_opened_at is 'By a program that looks at everything, as far as can be told.';
create index crm_mail_out_bounces on public.crm_mail_out (contact_id, bounced_at) where bounced_at is not null;

-- `[{id, mail, kind: open | click, number, machine, at}]`; whatever comes within a second of the sending is a machine.
create function public.crm_record_seen(events jsonb) returns integer
language plpgsql volatile security invoker set search_path = '' as $$
declare
  seen record;
  mail public.crm_mail_out;
  told integer := 0;
  by_machine boolean;
begin
  for seen in
    select * from jsonb_to_recordset(events) as one (id uuid, mail uuid, kind text, number integer, machine boolean, at timestamptz)
    order by mail, at
  loop
    select * into mail from public.crm_mail_out known where known.id = seen.mail for update;
    continue when not found;
    by_machine := seen.machine or coalesce(seen.at < mail.sent_at + interval '1 second', false);
    if by_machine then
      update public.crm_mail_out set
        machine_opened_at = case seen.kind when 'open' then coalesce(machine_opened_at, seen.at) else machine_opened_at end,
        machine_clicked_at = case seen.kind when 'click' then coalesce(machine_clicked_at, seen.at) else machine_clicked_at end
      where id = mail.id;
      continue;
    end if;
    update public.crm_mail_out set
      opened_at = coalesce(opened_at, seen.at),
      clicked_at = case seen.kind when 'click' then coalesce(clicked_at, seen.at) else clicked_at end
    where id = mail.id;
    told := told + private.crm_emit(
      'mail_opened', mail.contact_id, private.crm_mail_facts(mail), 'mail_opened:' || mail.id
    )::integer;
    if seen.kind = 'click' then
      told := told + private.crm_emit(
        'mail_clicked', mail.contact_id, private.crm_mail_facts(mail) || jsonb_build_object('link', seen.number),
        'mail_clicked:' || mail.id || ':' || seen.number
      )::integer;
    end if;
  end loop;
  return told;
end
$$;

-- What a link in a mail is written with; null: there is no such mail.
create function public.crm_mail_written(mail uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'template_version_id', known.template_version_id, 'data', known.data, 'campaign_id', known.campaign_id,
    'contact', coalesce((
      select private.crm_recipient(person) from public.crm_contacts person
      where person.id = private.crm_contact_of(known.contact_id) and person.deleted_at is null
    ), '{}')
  )
  from public.crm_mail_out known where known.id = crm_mail_written.mail
$$;

-- What a recipient has agreed to, and may change; null: there is no such mail.
create function public.crm_preferences(mail uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'address', coalesce(regexp_replace(person.email, '^(.)[^@]*@', '\1…@'), ''), 'topic', known.topic,
    'topics', (
      select jsonb_agg(jsonb_build_object(
        'topic', one.topic, 'subscribed', coalesce(private.crm_consent(person.id, known.channel, one.topic) = 'subscribed', false)
      ) order by one.topic)
      from (
        select known.topic as topic union
        select said.topic from public.crm_consents said
        where said.contact_id = person.id and said.channel = known.channel union
        select '*'
      ) one
    )
  )
  from public.crm_mail_out known
  join public.crm_contacts person on person.id = private.crm_contact_of(known.contact_id)
  where known.id = crm_preferences.mail
$$;

-- A recipient says that it wants no more of a topic (null: that of the mail; *: of anything), or wants it again. False:
-- there is no such mail. Who was erased meanwhile stays suppressed.
create function public.crm_choose(
  mail uuid, topic text, subscribed boolean, how text, ip text
) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_mail_out;
  chosen text;
begin
  select * into known from public.crm_mail_out one where one.id = mail for update;
  if not found then
    return false;
  end if;
  chosen := coalesce(crm_choose.topic, known.topic);
  if not subscribed then
    update public.crm_mail_out set unsubscribed_at = coalesce(unsubscribed_at, now()) where id = known.id;
  end if;
  if exists (
    select from public.crm_contacts person
    where person.id = private.crm_contact_of(known.contact_id) and person.deleted_at is null
  ) then
    perform private.crm_record_consent(
      private.crm_contact_of(known.contact_id), known.channel, chosen,
      case when subscribed then 'subscribed' else 'unsubscribed' end, how, null, ip,
      jsonb_build_object('mail', known.id)
    );
  elsif not subscribed and known.address_hash is not null then
    insert into public.crm_suppressions (channel, address_hash, reason)
    values (known.channel, known.address_hash, 'unsubscribed') on conflict do nothing;
  end if;
  return true;
end
$$;

-- What was told of a mail by who delivers: `kind` delivered, bounce or complaint, each under an id of its own. An address
-- that is gone is suppressed, as is one that bounced for a while three times in 30 days, or whose owner complained, who
-- is sent nothing of any topic any more. False: there is no such mail.
create function public.crm_mail_returned(mail uuid, event text, kind text, hard boolean, why text) returns boolean
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
    update public.crm_mail_out set bounced_at = coalesce(bounced_at, now()), error = coalesce(error, left(why, 300))
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

select private.crm_services_only();
