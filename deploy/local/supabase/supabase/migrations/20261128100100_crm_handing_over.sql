-- Mails are handed over at most once: what is about to be is marked before, and if nobody says what became of it the
-- outcome is unknown, which is told and never tried again.

alter table public.crm_mail_out drop constraint crm_mail_out_state_check;
alter table public.crm_mail_out add constraint crm_mail_out_state_check
  check (state in ('queued', 'sending', 'sent', 'failed', 'skipped', 'unknown'));
alter table public.crm_mail_out add column handed_at timestamptz;
comment on column public.crm_mail_out.handed_at is 'When its sender was about to hand it over; empty while surely nobody has.';
comment on column public.crm_mail_out.lapses is 'Claims that ended without a mail having been handed over.';
create index crm_mail_out_unknown on public.crm_mail_out (handed_at) where state = 'unknown';

-- As before; but of what was being handed over when its lease ended nobody knows what became of it. One piece of
-- marketing at a time goes to a contact, so that the next one is counted against the caps.
create or replace function private.crm_take_mails(
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
      if mail.state = 'sending' and mail.handed_at is not null then
        update public.crm_mail_out set state = 'unknown', error = 'no_answer' where id = mail.id;
        continue;
      end if;
      exit when free > now() + interval '1 second';
      refused := private.crm_may_send(mail.contact_id, mail.channel, mail.topic, mail.class);
      if refused is not null then
        update public.crm_mail_out set state = 'skipped', error = refused, claim = null where id = mail.id;
        continue;
      end if;
      if mail.class = 'marketing' and exists (
        select from public.crm_mail_out other
        where other.contact_id = mail.contact_id and other.id <> mail.id and other.channel = mail.channel
          and other.class = 'marketing' and other.state = 'sending'
      ) then
        update public.crm_mail_out set due_at = now() + interval '5 seconds', state = 'queued', claim = null
        where id = mail.id;
        continue;
      end if;
      update public.crm_mail_out taken
      set state = 'sending', claim = crm_take_mails.claim, attempts = taken.attempts + 1, handed_at = null,
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

-- What became of claimed mails: `{id, outcome: sent | retry | failed | skipped | unknown, error, after, bounced}`; a
-- retry is due `after` seconds from now, and an address that bounced is not written to again. Rows that are no longer
-- this claim's are left alone, how many were is answered; but who finds out late what became of one says so.
create or replace function public.crm_finish_mails(claim uuid, results jsonb) returns integer
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

-- Say what became of some claimed mails, and which are handed over next: those that may be, because they are still this
-- claim's, nobody has stopped them, and their lease was made longer.
create function public.crm_hand_over(claim uuid, results jsonb, following uuid[], lease double precision) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  allowed jsonb;
begin
  perform public.crm_finish_mails(claim, results);
  with marked as (
    update public.crm_mail_out next_one
    set handed_at = clock_timestamp(), due_at = clock_timestamp() + make_interval(secs => lease)
    where next_one.id = any (following) and next_one.state = 'sending' and next_one.claim = crm_hand_over.claim
      and next_one.due_at > clock_timestamp()
    returning next_one.id
  )
  select coalesce(jsonb_agg(marked.id), '[]') into allowed from marked;
  return allowed;
end
$$;

-- What waits, what is unknown, and how long the oldest that is due has waited, in seconds.
create function public.crm_mail_figures() returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'waiting', count(*) filter (where state = 'queued'),
    'sending', count(*) filter (where state = 'sending'),
    'unknown', (select count(*) from public.crm_mail_out where state = 'unknown'),
    'late', coalesce(extract(epoch from now() - min(due_at) filter (where state = 'queued' and due_at < now())), 0)
  )
  from public.crm_mail_out where state in ('queued', 'sending')
$$;

select private.crm_services_only();
