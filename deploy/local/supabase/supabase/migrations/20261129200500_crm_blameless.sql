-- As before; besides, what was retried because there was no server does not count as an attempt: after an outage the first
-- server that asked for patience was taken for the last try.
create or replace function public.crm_finish_mails(claim uuid, results jsonb) returns integer
language plpgsql volatile security invoker set search_path = '' as $$
declare
  result record;
  mail public.crm_mail_out;
  foreign_ones integer := 0;
begin
  for result in
    select * from jsonb_to_recordset(results) as told (
      id uuid, outcome text, error text, after double precision, bounced boolean, blameless boolean
    )
  loop
    update public.crm_mail_out done
    set state = case result.outcome when 'retry' then 'queued' else result.outcome end,
      error = result.error, claim = null, attempts = done.attempts - coalesce(result.blameless, false)::integer,
      due_at = now() + make_interval(secs => coalesce(result.after, 0)),
      handed_at = case when result.outcome in ('sent', 'unknown') then done.handed_at end,
      sent_at = case result.outcome when 'sent' then clock_timestamp() end,
      bounced_at = case when result.bounced then clock_timestamp() end,
      address_hash = (
        select private.crm_address_hash(private.crm_address(person, done.channel))
        from public.crm_contacts person where person.id = done.contact_id
      )
    where done.id = result.id and done.state in ('sending', 'unknown') and done.claim = crm_finish_mails.claim
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

-- Who is erased is not written to any more, not even what a sender has claimed and not handed over yet. What a mail server
-- said names addresses; why a mail was skipped does not.
update private.crm_personal_data set erase =
  'update public.crm_mail_out mail set data = ''{}'', subject = '''',
     state = case when waits.id is null then mail.state else ''skipped'' end,
     error = case when waits.id is not null then ''deleted'' when mail.state = ''skipped'' then mail.error end,
     claim = case when waits.id is null then mail.claim end
   from public.crm_mail_out same
   left join public.crm_mail_out waits on waits.id = same.id and waits.handed_at is null and waits.state in (''queued'', ''sending'')
   where same.id = mail.id and mail.contact_id = $1'
where table_name = 'crm_mail_out';

select private.crm_services_only();
