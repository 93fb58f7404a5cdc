-- Scoring rules, applied to what happens to contacts. The same event scores once, however often it comes.

create function private.crm_score_rule(rule public.crm_scoring_rules, source uuid, contact uuid) returns boolean
language plpgsql volatile set search_path = '' as $$
begin
  if not rule.repeatable and exists (
    select from public.crm_score_events entry where entry.contact_id = contact and entry.rule_id = rule.id
  ) then
    return false;
  elsif rule.cap_per_day is not null and (
    select count(*) from public.crm_score_events entry
    where entry.contact_id = contact and entry.rule_id = rule.id and entry.at > now() - interval '1 day'
  ) >= rule.cap_per_day then
    return false;
  end if;
  insert into public.crm_score_events (contact_id, rule_id, source_event, delta, half_life_days)
  values (contact, rule.id, source::text, rule.delta, rule.half_life_days)
  on conflict do nothing;
  return found;
end
$$;

-- `events`: [{id, type, contact_id, data}]; how many contacts have another score now.
create function public.crm_score(events jsonb) returns integer
language plpgsql volatile security invoker set search_path = '' as $$
declare
  told record;
  rule public.crm_scoring_rules;
  scored uuid[] := '{}';
  changed integer := 0;
  contact uuid;
begin
  for told in
    select one.* from jsonb_to_recordset(events) as one (id uuid, type text, contact_id uuid, data jsonb)
    where exists (select from public.crm_scoring_rules known where known.active and known.event = one.type)
    order by one.contact_id
  loop
    contact := private.crm_contact_of(told.contact_id);
    perform from public.crm_contacts one where one.id = contact and one.deleted_at is null for update;
    if found then
      for rule in
        select * from public.crm_scoring_rules known
        where known.active and known.event = told.type and coalesce(told.data, '{}') @> known.filter order by known.id
      loop
        if private.crm_score_rule(rule, told.id, contact) then
          scored := scored || contact;
        end if;
      end loop;
    end if;
  end loop;
  for contact in select distinct each from unnest(scored) each order by 1 loop
    changed := changed + private.crm_settle_score(contact)::integer;
  end loop;
  return changed;
end
$$;

-- Points that decay: write the scores that are no longer what the ledger says; how many.
create function public.crm_settle_scores(at_most integer) returns integer
language sql volatile security invoker set search_path = '' as $$
  select count(*) filter (where private.crm_settle_score(aged.id))::integer
  from (
    select one.id from public.crm_contacts one
    where one.deleted_at is null
      and exists (
        select from public.crm_score_events entry where entry.contact_id = one.id and entry.half_life_days is not null
      )
      and one.score <> private.crm_score_of(one.id)
    limit at_most
  ) aged
$$;

create function public.crm_scores_of(contact uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object('score', one.score, 'entries', coalesce((
    select jsonb_agg(to_jsonb(page) order by page.at desc) from (
      select entry.id, entry.rule_id, rule.name as rule, entry.source_event, entry.delta, entry.half_life_days, entry.at
      from public.crm_score_events entry left join public.crm_scoring_rules rule on rule.id = entry.rule_id
      where entry.contact_id = one.id order by entry.at desc limit 200
    ) page
  ), '[]'))
  from public.crm_contacts one where one.id = private.crm_contact_of(contact) and one.deleted_at is null
$$;

create function public.crm_set_thresholds(scores integer[]) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  delete from public.crm_score_thresholds where score <> all (scores);
  insert into public.crm_score_thresholds (score) select distinct each from unnest(scores) each on conflict do nothing;
end
$$;

select private.crm_services_only();
