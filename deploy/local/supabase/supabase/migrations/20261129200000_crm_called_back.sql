-- A campaign that is paused or cancelled stops at what is being handed over: also what a sender has claimed and not handed
-- over yet stays here. (Before, that went; and if the sender died, the next one sent it.)

create function private.crm_keep_from_going() returns trigger
language plpgsql set search_path = '' as $$
begin
  if exists (
    select from public.crm_campaigns one where one.id = new.campaign_id and one.status in ('paused', 'cancelled')
  ) then
    return null;
  end if;
  return new;
end
$$;
comment on function private.crm_keep_from_going is
  'Its sender is not told that it may hand it over, because the row is left as it was.';
create trigger going before update of handed_at on public.crm_mail_out for each row
  when (old.handed_at is null and new.handed_at is not null and new.campaign_id is not null)
  execute function private.crm_keep_from_going();

-- What is not being handed over of a campaign that is paused waits, and of one that is cancelled goes no more. A row that
-- a sender has in its hands at this moment is left to the next look, so that nobody waits for each other.
create function private.crm_call_back(campaign uuid) returns void
language plpgsql volatile set search_path = '' as $$
declare
  cancelled constant boolean := (select one.status = 'cancelled' from public.crm_campaigns one where one.id = campaign);
begin
  update public.crm_mail_out mail set
    state = case when cancelled then 'skipped' else 'queued' end,
    error = case when cancelled then 'cancelled' else mail.error end,
    due_at = case when cancelled then mail.due_at else 'infinity' end,
    claim = null
  where mail.id in (
    select held.id from public.crm_mail_out held
    where held.campaign_id = campaign and held.handed_at is null and (
      held.state = 'sending' or (held.state = 'queued' and (cancelled or held.due_at < 'infinity'))
    )
    for update skip locked
  );
end
$$;

create or replace function private.crm_pause_campaign(campaign uuid, because text) returns void
language plpgsql volatile set search_path = '' as $$
begin
  update public.crm_campaigns set status = 'paused', why = because, updated_at = now() where id = campaign;
  perform private.crm_call_back(campaign);
end
$$;

-- As before, but for what is called back.
create or replace function public.crm_move_campaign(campaign uuid, verb text, at timestamptz, zone text, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_campaigns;
  allowed constant text[] := case verb
    when 'schedule' then array['draft', 'scheduled'] when 'send' then array['draft', 'scheduled']
    when 'pause' then array['sending'] when 'resume' then array['paused']
    when 'cancel' then array['draft', 'scheduled', 'sending', 'paused'] end;
  fault text;
  receiving text[];
begin
  select * into known from public.crm_campaigns one where one.id = campaign for update;
  if not found then
    return private.crm_campaign_answer('not_found');
  elsif not known.status = any (allowed) then
    return private.crm_campaign_answer('conflict', campaign, format('It is %s', known.status));
  end if;
  if verb in ('schedule', 'send') and private.crm_campaign_version(known) is null then
    return private.crm_campaign_answer('invalid', null, '`template_id` is a draft that cannot be sent');
  end if;
  case verb
    when 'schedule' then
      update public.crm_campaigns set status = 'scheduled', scheduled_at = at, timezone = zone, updated_at = now()
      where id = campaign;
    when 'send' then
      fault := private.crm_start_campaign(known);
      if fault is not null then
        return private.crm_campaign_answer('invalid', null, format('`%s_id` cannot be used any more', fault));
      end if;
    when 'pause' then
      perform private.crm_pause_campaign(campaign, null);
    when 'resume' then
      update public.crm_campaigns set status = 'sending', why = null, resumed_at = now(), updated_at = now()
      where id = campaign;
      with freed as (
        update public.crm_mail_out set due_at = now()
        where campaign_id = campaign and state = 'queued' and due_at = 'infinity' returning domain
      )
      select array_agg(distinct domain) into receiving from freed;
      perform private.crm_wake(each, now()) from unnest(receiving) each;
    when 'cancel' then
      update public.crm_campaigns set status = 'cancelled', why = null, finished_at = now(), updated_at = now()
      where id = campaign;
      perform private.crm_call_back(campaign);
      update public.crm_campaign_recipients set state = 'skipped', why = 'cancelled'
      where campaign_id = campaign and state = 'waiting';
  end case;
  perform private.crm_note(actor, 'campaign_' || verb, jsonb_build_object('campaign', campaign));
  perform private.crm_tell_campaign(campaign);
  return private.crm_campaign_answer('done', campaign);
end
$$;

-- As before; those that were stopped a moment ago are looked at, too, for what senders had in their hands.
create or replace function public.crm_campaigns_due(done_since double precision) returns setof uuid
language sql stable security invoker set search_path = '' as $$
  select one.id from public.crm_campaigns one
  where one.status = 'sending' or (one.status = 'scheduled' and one.scheduled_at <= now())
    or (one.status in ('sent', 'paused', 'cancelled') and coalesce(one.finished_at, one.updated_at) > now() - make_interval(secs => done_since))
    or (one.status in ('paused', 'cancelled') and one.updated_at > now() - interval '2 minutes')
  order by one.scheduled_at nulls first, one.id
$$;

-- As before, but for what is called back.
create or replace function public.crm_tend_campaign(campaign uuid, at_most integer, grace double precision) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_campaigns;
  released integer := 0;
  fault text;
  told jsonb;
begin
  select * into known from public.crm_campaigns one where one.id = campaign for update;
  if not found then
    return null;
  end if;
  if known.status = 'scheduled' and known.scheduled_at <= now() then
    fault := case when known.scheduled_at < now() - make_interval(secs => grace) then 'missed'
      else private.crm_start_campaign(known) end;
    if fault is not null then
      update public.crm_campaigns set status = 'failed', why = fault, finished_at = now(), updated_at = now()
      where id = campaign;
    end if;
    select * into known from public.crm_campaigns one where one.id = campaign;
  end if;
  if known.status = 'sending' then
    fault := private.crm_campaign_harm(known);
    if fault is not null then
      perform private.crm_pause_campaign(campaign, fault);
    else
      if cardinality(known.subjects) > 0 and known.test_share < 100 and known.winner is null then
        perform private.crm_decide(known);
        select * into known from public.crm_campaigns one where one.id = campaign;
      end if;
      released := private.crm_release_recipients(known, private.crm_campaign_allowance(known, at_most));
    end if;
  end if;
  if known.status in ('paused', 'cancelled') then
    perform private.crm_call_back(campaign);
  end if;
  told := private.crm_tell_campaign(campaign);
  if known.status = 'sending' and fault is null and (told ->> 'waiting')::integer + (told ->> 'queued')::integer = 0 then
    update public.crm_campaigns set status = 'sent', finished_at = now(), updated_at = now() where id = campaign;
    told := private.crm_tell_campaign(campaign);
  end if;
  return jsonb_build_object('released', released, 'status', told ->> 'status', 'idle', coalesce((
    select extract(epoch from now() - greatest(known.resumed_at, max(mail.sent_at)))
    from public.crm_mail_out mail
    where mail.campaign_id = campaign and told ->> 'status' = 'sending'
    having bool_or(mail.state in ('queued', 'sending') and mail.due_at < now())
  ), 0));
end
$$;

alter function public.crm_move_campaign(uuid, text, timestamptz, text, text) set statement_timeout = '30s';
alter function public.crm_tend_campaign(uuid, integer, double precision) set statement_timeout = '60s';

select private.crm_services_only();
