-- When users were here, and what was done to them or by them. Both are written from events, in any order and as often as
-- they come.

-- Edges tell from when to when they saw somebody. What lies closer together than a gap is one visit, whichever edge saw
-- it; a visit has no end of its own, so that nobody need say it.
create function private.record_visits(rows jsonb, gap interval) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  seen record;
  met uuid[];
begin
  perform pg_advisory_xact_lock(hashtext('private.record_visits'));
  for seen in
    select given.user_id, given.first, given.last
    from jsonb_to_recordset(rows) as given (user_id uuid, first timestamptz, last timestamptz)
    join auth.users person on person.id = given.user_id
    order by given.user_id, given.first
  loop
    select array_agg(visit.id order by visit.created_at, visit.id) into met
    from public.user_sessions visit
    where visit.user_id = seen.user_id
      and visit.created_at <= seen.last + gap and visit.last_activity >= seen.first - gap;
    if met is null then
      insert into public.user_sessions (user_id, created_at, last_activity)
      values (seen.user_id, seen.first, seen.last);
    else
      update public.user_sessions visit set
        created_at = least(seen.first, part.first),
        last_activity = greatest(seen.last, part.last)
      from (
        select min(one.created_at) as first, max(one.last_activity) as last
        from public.user_sessions one where one.id = any (met)
      ) part
      where visit.id = met[1];
      delete from public.user_sessions visit where visit.id = any (met[2:]);
    end if;
  end loop;
end
$$;

create type private.visit as (
  total bigint, session_id uuid, created_at timestamptz, last_activity timestamptz, trades bigint, pnl numeric
);

-- The newest first, with what the user traded meanwhile on all accounts. One row without a session says how many there
-- are, if the page has none.
create function public.find_visits(of_user uuid, at_most integer, skipped integer) returns setof private.visit
language sql stable security invoker set search_path = '' as $$
  select counted.total, page.id, page.created_at, page.last_activity, traded.many, traded.pnl
  from (select count(*) as total from public.user_sessions where user_id = of_user) counted
  left join (
    select id, created_at, last_activity
    from public.user_sessions
    where user_id = of_user
    order by last_activity desc, id
    limit at_most offset skipped
  ) page on true
  left join lateral (
    select count(*) as many, coalesce(sum(trade.pnl), 0) as pnl
    from public.trade_history trade
    where trade.user_id = of_user and trade.data_abertura between page.created_at and page.last_activity
  ) traded on page.id is not null
  order by page.last_activity desc, page.id
$$;

alter table public.user_activity_log add column event_id text unique;
comment on column public.user_activity_log.event_id is 'Of the event it was written from, if it was: the same is written once.';

-- What users want of their bots: `action` is what a bot is to do now, `run`, `paused` or `stopped`. What was done follows
-- from what it was told before: a new run was started, one that paused was resumed, any other was configured anew.
create function private.record_activity(rows jsonb) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  told record;
  before record;
begin
  perform pg_advisory_xact_lock(hashtext('private.record_activity'));
  for told in
    select given.*
    from jsonb_to_recordset(rows) as given (
      event_id text, user_id uuid, action text, details jsonb, created_at timestamptz
    )
    join auth.users person on person.id = given.user_id
    order by given.created_at
  loop
    select log.action, log.details ->> 'run' as run into before
    from public.user_activity_log log
    where log.user_id = told.user_id and log.created_at < told.created_at and log.action like 'bot\_%'
      and log.details ->> 'account_type' = told.details ->> 'account_type'
    order by log.created_at desc
    limit 1;
    insert into public.user_activity_log (event_id, user_id, action, details, created_at)
    values (
      told.event_id, told.user_id,
      case
        when told.action <> 'bot_run' then told.action
        when before.run is distinct from told.details ->> 'run' then 'bot_started'
        when before.action = 'bot_paused' then 'bot_resumed'
        else 'bot_configured'
      end,
      told.details, told.created_at
    )
    on conflict (event_id) do nothing;
  end loop;
end
$$;

create type private.activity as (
  total bigint, id bigint, user_id uuid, actor_id uuid, action text, details jsonb, ip text, created_at timestamptz
);

create function public.find_activity(of_user uuid, at_most integer, skipped integer) returns setof private.activity
language sql stable security invoker set search_path = '' as $$
  select counted.total, page.*
  from (
    select count(*) as total from public.user_activity_log where user_id = of_user or actor_id = of_user
  ) counted
  left join (
    select id, user_id, actor_id, action, details, ip, created_at
    from public.user_activity_log
    where user_id = of_user or actor_id = of_user
    order by created_at desc, id desc
    limit at_most offset skipped
  ) page on true
  order by page.created_at desc, page.id desc
$$;
comment on function public.find_activity is 'As find_visits, of what was done to a user or by them.';

create function public.record_visits(rows jsonb, gap interval) returns void
language sql volatile security invoker set search_path = '' as $$ select private.record_visits(rows, gap) $$;
create function public.record_activity(rows jsonb) returns void
language sql volatile security invoker set search_path = '' as $$ select private.record_activity(rows) $$;

do $$
declare
  made regprocedure;
begin
  for made in
    select oid from pg_catalog.pg_proc
    where proname in ('record_visits', 'find_visits', 'record_activity', 'find_activity')
      and pronamespace in ('public'::regnamespace, 'private'::regnamespace)
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to service_role', made);
  end loop;
end
$$;
