-- Scores: a ledger, whose sum within 0 and 100 is the contact's score. A source counts once for a rule.

create table public.crm_scoring_rules (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  event text not null,
  filter jsonb not null default '{}',
  delta integer not null check (delta between -100 and 100 and delta <> 0),
  cap_per_day integer check (cap_per_day > 0),
  repeatable boolean not null default true,
  half_life_days integer check (half_life_days > 0),
  active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column public.crm_scoring_rules.filter is 'What the event''s data must contain.';
comment on column public.crm_scoring_rules.repeatable is 'Whether it counts more than once for a contact.';
comment on column public.crm_scoring_rules.half_life_days is 'After so many days points count half; null: they stay.';

create table public.crm_score_events (
  id uuid primary key default gen_random_uuid(),
  contact_id uuid not null references public.crm_contacts (id) on delete cascade,
  rule_id uuid,
  source_event text not null,
  delta integer not null,
  half_life_days integer,
  at timestamptz not null default now()
);
comment on column public.crm_score_events.rule_id is 'Also of a rule that is gone; null: a correction, or points that no rule gives.';
create unique index crm_score_events_once on public.crm_score_events (rule_id, source_event) where rule_id is not null;
create unique index crm_score_events_by_hand on public.crm_score_events (contact_id, source_event) where rule_id is null;
create index crm_score_events_contact on public.crm_score_events (contact_id, rule_id, at);

create table public.crm_score_thresholds (
  score integer primary key check (score between 1 and 100)
);
comment on table public.crm_score_thresholds is 'Crossing one upwards is told with the score (score_changed, data.threshold).';
insert into public.crm_score_thresholds (score) values (50), (80);

do $$
declare
  made text;
begin
  foreach made in array array['crm_scoring_rules', 'crm_score_events', 'crm_score_thresholds'] loop
    execute format('alter table public.%I enable row level security', made);
    execute format('revoke all on public.%I from anon, authenticated', made);
    execute format('grant all on public.%I to service_role', made);
  end loop;
end
$$;

insert into private.crm_personal_data (table_name, erase, merge) values (
  'crm_score_events', 'select $1',
  'with twice as (
     delete from public.crm_score_events gone using public.crm_score_events kept
     where gone.contact_id = $2 and kept.contact_id = $1 and gone.rule_id is null and kept.rule_id is null
       and gone.source_event = kept.source_event
     returning gone.id
   ) update public.crm_score_events set contact_id = $1 where contact_id = $2 and id not in (select id from twice)'
);

create function private.crm_score_of(contact uuid) returns integer
language sql stable set search_path = '' as $$
  select greatest(0, least(100, round(coalesce(sum(
    entry.delta * coalesce(power(0.5, extract(epoch from now() - entry.at) / 86400.0 / entry.half_life_days), 1)
  ), 0))))::integer
  from public.crm_score_events entry where entry.contact_id = contact
$$;

-- Write the contact's score as its ledger has it now, and tell of it, and of the highest threshold it crossed upwards.
create function private.crm_settle_score(contact uuid) returns boolean
language plpgsql volatile set search_path = '' as $$
declare
  before integer;
  now_ integer;
  crossed integer;
begin
  select one.score into before from public.crm_contacts one
  where one.id = contact and one.deleted_at is null for update;
  now_ := private.crm_score_of(contact);
  if not found or now_ = before then
    return false;
  end if;
  update public.crm_contacts set score = now_, version = version + 1, updated_at = now() where id = contact;
  select max(line.score) into crossed from public.crm_score_thresholds line
  where line.score > before and line.score <= now_;
  perform private.crm_emit('score_changed', contact, jsonb_strip_nulls(
    jsonb_build_object('score', now_, 'before', before, 'threshold', crossed)
  ));
  return true;
end
$$;

-- Points that no rule gives, once for each source; false: they were given already.
create function private.crm_add_score(contact uuid, delta integer, source text) returns boolean
language plpgsql volatile set search_path = '' as $$
begin
  perform from public.crm_contacts one where one.id = contact for update;
  insert into public.crm_score_events (contact_id, source_event, delta) values (contact, source, delta)
  on conflict do nothing;
  if not found then
    return false;
  end if;
  perform private.crm_settle_score(contact);
  return true;
end
$$;

-- A score that is written as such is a correction in the ledger, so that the two always agree.
create function private.crm_correct_score() returns trigger
language plpgsql set search_path = '' as $$
begin
  if new.score <> private.crm_score_of(new.id) then
    insert into public.crm_score_events (contact_id, source_event, delta)
    values (new.id, 'correction.' || gen_random_uuid(), new.score - private.crm_score_of(new.id));
  end if;
  return null;
end
$$;
create trigger score_given after insert on public.crm_contacts
  for each row when (new.score <> 0) execute function private.crm_correct_score();
create trigger score_corrected after update of score on public.crm_contacts
  for each row when (new.score <> old.score and new.deleted_at is null) execute function private.crm_correct_score();

select private.crm_services_only();
