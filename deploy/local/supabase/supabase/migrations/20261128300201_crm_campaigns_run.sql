-- Campaigns as they go: started, released to the queue bit by bit, held, gone on with, decided, ended.

-- Write down who is in it, now. Who has not agreed is written down, too, and left out when it comes to them: it says so.
create function private.crm_start_campaign(campaign public.crm_campaigns) returns text
language plpgsql volatile set search_path = '' as $$
declare
  newest constant uuid := private.crm_campaign_version(campaign);
  subjects constant integer := cardinality(campaign.subjects);
begin
  if newest is null then
    return 'template';
  elsif private.crm_campaign_fault(campaign) is not null then
    return 'segment';
  end if;
  perform private.crm_rebuild(each) from unnest(array[campaign.segment_id] || campaign.excluded_segments) each;
  insert into public.crm_campaign_recipients (campaign_id, contact_id, variant)
  select campaign.id, picked.contact_id, case
    when subjects > 0 and (get_byte(picked.hash, 0) * 256 + get_byte(picked.hash, 1)) * 100 < campaign.test_share * 65536
      then (get_byte(picked.hash, 2) * 256 + get_byte(picked.hash, 3)) % subjects
    end
  from (
    select member.contact_id, sha256(convert_to(campaign.id::text || member.contact_id::text, 'UTF8')) as hash
    from public.crm_segment_members member
    join public.crm_contacts one on one.id = member.contact_id and one.deleted_at is null
    where member.segment_id = campaign.segment_id and member.member and not exists (
      select from public.crm_segment_members other
      where other.contact_id = member.contact_id and other.member and other.segment_id = any (campaign.excluded_segments)
    )
  ) picked;
  update public.crm_campaigns set
    status = 'sending', why = null, template_version_id = newest, started_at = now(), resumed_at = now(), updated_at = now()
  where id = campaign.id;
  return null;
end
$$;

-- What the person who runs it may do: `verb` schedule, send, pause, resume, cancel.
create function public.crm_move_campaign(campaign uuid, verb text, at timestamptz, zone text, actor text) returns jsonb
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
      update public.crm_mail_out set state = 'skipped', error = 'cancelled' where campaign_id = campaign and state = 'queued';
      update public.crm_campaign_recipients set state = 'skipped', why = 'cancelled'
      where campaign_id = campaign and state = 'waiting';
  end case;
  perform private.crm_note(actor, 'campaign_' || verb, jsonb_build_object('campaign', campaign));
  perform private.crm_tell_campaign(campaign);
  return private.crm_campaign_answer('done', campaign);
end
$$;

-- What is in the queue stays there; what a sender has in its hands goes.
create function private.crm_pause_campaign(campaign uuid, because text) returns void
language plpgsql volatile set search_path = '' as $$
begin
  update public.crm_campaigns set status = 'paused', why = because, updated_at = now() where id = campaign;
  update public.crm_mail_out set due_at = 'infinity' where campaign_id = campaign and state = 'queued';
end
$$;

-- How many more may be released now.
create function private.crm_campaign_allowance(campaign public.crm_campaigns, at_most integer) returns integer
language plpgsql stable set search_path = '' as $$
declare
  day constant integer := floor(extract(epoch from now() - campaign.started_at) / 86400);
  left_over bigint := at_most;
begin
  if campaign.per_hour is not null then
    left_over := least(left_over, campaign.per_hour - (
      select count(*) from public.crm_campaign_recipients taken where taken.campaign_id = campaign.id
        and taken.state = 'queued' and taken.taken_at > now() - interval '1 hour'
    ));
  end if;
  if campaign.warm_up is not null then
    left_over := least(
      left_over,
      least(
        1e9, (campaign.warm_up ->> 'first_day')::numeric * power((campaign.warm_up ->> 'growth')::numeric, least(day, 100))
      )::bigint - (
        select count(*) from public.crm_campaign_recipients taken where taken.campaign_id = campaign.id
          and taken.state = 'queued' and taken.taken_at >= campaign.started_at + make_interval(days => day)
      )
    );
  end if;
  return greatest(left_over, 0);
end
$$;

-- Take up to so many who wait, each by a change that happens once, and put their mails into the queue with it; how many
-- were taken.
create function private.crm_release_recipients(campaign public.crm_campaigns, at_most integer) returns integer
language plpgsql volatile set search_path = '' as $$
declare
  taken integer;
  receiving text[];
begin
  with claimed as (
    select waiting.contact_id, coalesce(waiting.variant, campaign.winner) as subject
    from public.crm_campaign_recipients waiting
    where waiting.campaign_id = campaign.id and waiting.state = 'waiting'
      and (cardinality(campaign.subjects) = 0 or coalesce(waiting.variant, campaign.winner) is not null)
    order by waiting.contact_id
    limit at_most
    for update skip locked
  ), asked as (
    select claimed.*, private.crm_may_send(claimed.contact_id, campaign.channel, campaign.topic, 'marketing') as refused
    from claimed
  ), queued as (
    insert into public.crm_mail_out (
      key, channel, contact_id, template_version_id, class, topic, campaign_id, subject, data, domain, spacing
    )
    select concat_ws(':', 'campaign', campaign.id, asked.contact_id), campaign.channel, asked.contact_id,
      campaign.template_version_id, 'marketing', campaign.topic, campaign.id,
      coalesce(campaign.subjects[asked.subject + 1], ''),
      jsonb_build_object('campaign', jsonb_build_object('name', campaign.name)),
      private.crm_mail_domain(asked.contact_id, campaign.channel), coalesce(3600.0 / campaign.per_domain_hour, 0)
    from asked where asked.refused is null
    on conflict on constraint crm_mail_out_key_key do nothing
    returning id, contact_id, domain
  ), done as (
    update public.crm_campaign_recipients kept set
      state = case when asked.refused is null then 'queued' else 'skipped' end, why = asked.refused,
      variant = asked.subject, taken_at = now(),
      mail_id = (select queued.id from queued where queued.contact_id = asked.contact_id)
    from asked where kept.campaign_id = campaign.id and kept.contact_id = asked.contact_id and kept.state = 'waiting'
    returning kept.contact_id
  )
  select (select count(*) from done), (select array_agg(distinct queued.domain) from queued) into taken, receiving;
  perform private.crm_wake(each, now()) from unnest(receiving) each;
  return taken;
end
$$;

-- When all of the test is in the queue, and the time is over: the subject that did best.
create function private.crm_decide(campaign public.crm_campaigns) returns void
language plpgsql volatile set search_path = '' as $$
begin
  if exists (
    select from public.crm_campaign_recipients waiting
    where waiting.campaign_id = campaign.id and waiting.state = 'waiting' and waiting.variant is not null
  ) then
    return;
  elsif campaign.tested_at is null then
    update public.crm_campaigns set tested_at = now() where id = campaign.id;
    campaign.tested_at := now();
  end if;
  if campaign.winner_metric <> 'manual' and campaign.tested_at + make_interval(secs => campaign.decide_after) <= now() then
    update public.crm_campaigns set winner = coalesce((
      select done.variant from private.crm_variants(campaign.id) done
      order by (case campaign.winner_metric when 'clicked' then done.clicked else done.opened end)::numeric / greatest(done.sent, 1) desc,
        done.opened::numeric / greatest(done.sent, 1) desc, done.variant
      limit 1
    ), 0) where id = campaign.id;
  end if;
end
$$;

-- By hand, at any time of the test.
create function public.crm_choose_subject(campaign uuid, chosen integer, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_campaigns;
begin
  select * into known from public.crm_campaigns one where one.id = campaign for update;
  if not found then
    return private.crm_campaign_answer('not_found');
  elsif known.status not in ('sending', 'paused') or known.winner is not null or known.test_share = 100 then
    return private.crm_campaign_answer('conflict', campaign, 'There is nothing to decide');
  elsif chosen >= cardinality(known.subjects) then
    return private.crm_campaign_answer('invalid', null, '`subject` is not one of them');
  end if;
  update public.crm_campaigns set winner = chosen, updated_at = now() where id = campaign;
  perform private.crm_note(actor, 'campaign_decided', jsonb_build_object('campaign', campaign, 'subject', chosen));
  return private.crm_campaign_answer('done', campaign);
end
$$;

-- Why a campaign that goes wrong is to be stopped before it does more harm: of what was tried since it was last gone on
-- with, more than a twentieth bounced, a thousandth complained, or a fifth failed. Null: go on.
create function private.crm_campaign_harm(campaign public.crm_campaigns) returns text
language sql stable set search_path = '' as $$
  select case
    when tried >= 50 and bounced * 20 > tried then 'bounces'
    when complained >= 2 and complained * 1000 > tried then 'complaints'
    when tried >= 50 and failed * 5 > tried then 'failures'
  end
  from (
    select count(*) as tried, count(mail.bounced_at) as bounced, count(mail.complained_at) as complained,
      count(*) filter (where mail.state = 'failed') as failed
    from public.crm_mail_out mail
    where mail.campaign_id = campaign.id and mail.state in ('sent', 'failed')
      and coalesce(mail.sent_at, mail.due_at) >= campaign.resumed_at
  ) counted
$$;

-- Which ones are to be looked at; `done_since`: also those that have ended since, for what happens to their mails.
create function public.crm_campaigns_due(done_since double precision) returns setof uuid
language sql stable security invoker set search_path = '' as $$
  select one.id from public.crm_campaigns one
  where one.status = 'sending' or (one.status = 'scheduled' and one.scheduled_at <= now())
    or (one.status in ('sent', 'paused') and coalesce(one.finished_at, one.updated_at) > now() - make_interval(secs => done_since))
  order by one.scheduled_at nulls first, one.id
$$;

-- One step of one campaign, in one transaction: whoever dies in it has done nothing. How far it is, how many were released,
-- and how long nothing was sent of what is due. Null: there is no such campaign.
create function public.crm_tend_campaign(campaign uuid, at_most integer, grace double precision) returns jsonb
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

select private.crm_services_only();
