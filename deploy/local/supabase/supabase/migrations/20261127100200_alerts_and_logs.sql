-- What operators must see, and what was done and went wrong on the platform. Both are written from events, each once
-- whatever its repetitions.

alter table public.admin_alerts
  add column number bigint generated always as identity unique,
  add column event_id text unique,
  add column service text not null default '',
  add column kind text not null default '',
  add column user_id text not null default '',
  add column ends text not null default '',
  add column read_by uuid,
  add column read_at timestamptz,
  add column resolved_by uuid,
  add column resolved_at timestamptz;
comment on column public.admin_alerts.number is 'By which clients call it: they want a number.';
comment on column public.admin_alerts.ends is 'The `event_id` of the alert that this one says is over.';
comment on column public.admin_alerts.resolved_by is 'Nobody, where it was over by itself.';
create index admin_alerts_ends on public.admin_alerts (ends) where ends <> '';
create index admin_alerts_newest on public.admin_alerts (created_at desc, number desc);
drop index public.admin_alerts_created;

alter table public.admin_logs
  add column event_id text unique,
  add column audit boolean not null default false;
comment on column public.admin_logs.audit is 'Who did what: is never changed, and never deleted.';
create index admin_logs_newest on public.admin_logs (created_at desc, id desc);
create index admin_logs_level on public.admin_logs (level, created_at desc, id desc);
drop index public.admin_logs_created;

create function private.append_only() returns trigger
language plpgsql set search_path = '' as $$
begin
  if tg_op = 'DELETE' then
    if not old.audit then
      return old;
    end if;
  end if;
  raise exception 'rows of % are only appended', tg_table_name;
end
$$;
revoke execute on function private.append_only() from public, anon, authenticated;
create trigger admin_logs_append_only before update or delete on public.admin_logs
  for each row execute function private.append_only();
create trigger admin_logs_not_emptied before truncate on public.admin_logs
  for each statement execute function private.append_only();

-- Answers the rows of these events that are in the table now. What was read or resolved meanwhile stays so. An alert and
-- its end may come in any order, but not at the same moment, when neither would see the other.
create function public.record_alerts(rows jsonb) returns table (event_id text, number bigint)
language sql volatile security invoker set search_path = '' as $$
  select pg_catalog.pg_advisory_xact_lock(5920261127);

  insert into public.admin_alerts (
    event_id, alert_type, severity, service, kind, user_id, message, details, ends, is_resolved, resolved_at, created_at
  )
  select
    given.event_id, given.alert_type, given.severity, given.service, given.kind, given.user_id, given.message,
    given.details, given.ends, given.ends <> '', case when given.ends <> '' then given.created_at end, given.created_at
  from jsonb_populate_recordset(null::public.admin_alerts, rows) as given
  order by given.created_at
  on conflict do nothing;

  update public.admin_alerts known set is_resolved = true, resolved_at = over.created_at
  from public.admin_alerts over
  where over.ends = known.event_id and over.ends <> '' and not known.is_resolved
    and (
      known.event_id in (select given.event_id from jsonb_to_recordset(rows) as given (event_id text))
      or over.event_id in (select given.event_id from jsonb_to_recordset(rows) as given (event_id text))
    );

  select known.event_id, known.number
  from public.admin_alerts known
  where known.event_id in (select given.event_id from jsonb_to_recordset(rows) as given (event_id text))
$$;

create function public.record_logs(rows jsonb) returns table (event_id text, id bigint)
language sql volatile security invoker set search_path = '' as $$
  insert into public.admin_logs (event_id, level, origin, message, metadata, audit, created_at)
  select given.event_id, given.level, given.origin, given.message, given.metadata, given.audit, given.created_at
  from jsonb_populate_recordset(null::public.admin_logs, rows) as given
  order by given.created_at
  on conflict do nothing;

  select known.event_id, known.id
  from public.admin_logs known
  where known.event_id in (select given.event_id from jsonb_to_recordset(rows) as given (event_id text))
$$;

-- Of all pages, and the rows of one: the newest first.
create function public.find_alerts(of_severity text, of_type text, unread boolean, at_most integer, skipped integer)
returns table (total bigint, rows jsonb)
language sql stable security invoker set search_path = '' as $$
  with wanted as not materialized (
    select * from public.admin_alerts alert
    where (of_severity is null or alert.severity = of_severity)
      and (of_type is null or of_type in (alert.alert_type, alert.kind))
      and (not unread or not alert.is_read)
  )
  select (select count(*) from wanted), (
    select coalesce(jsonb_agg(to_jsonb(page) order by page.created_at desc, page.number desc), '[]')
    from (select * from wanted order by created_at desc, number desc limit at_most offset skipped) page
  )
$$;

create function public.find_logs(
  of_level text, of_origin text, since timestamptz, search text, at_most integer, skipped integer
) returns table (total bigint, rows jsonb)
language sql stable security invoker set search_path = '' as $$
  with wanted as not materialized (
    select * from public.admin_logs entry
    where (of_level is null or entry.level = of_level)
      and (of_origin is null or entry.origin = of_origin)
      and (since is null or entry.created_at >= since)
      and (
        search is null or position(lower(search) in lower(entry.message)) > 0
        or position(lower(search) in lower(entry.metadata::text)) > 0
      )
  )
  select (select count(*) from wanted), (
    select coalesce(jsonb_agg(to_jsonb(page) order by page.created_at desc, page.id desc), '[]')
    from (select * from wanted order by created_at desc, id desc limit at_most offset skipped) page
  )
$$;

-- Somebody has seen an alert, or also seen to it. The first who did stays; again is nothing new. Whether there is one.
create function public.mark_alert(of_number bigint, actor uuid, resolve boolean) returns table (found boolean)
language plpgsql volatile security invoker set search_path = '' as $$
declare
  alert public.admin_alerts;
begin
  select * into alert from public.admin_alerts known where known.number = of_number for update;
  if alert.id is null or (alert.is_read and (alert.is_resolved or not resolve)) then
    return query select alert.id is not null;
    return;
  end if;
  update public.admin_alerts known set
    is_read = true,
    read_by = coalesce(known.read_by, actor),
    read_at = coalesce(known.read_at, now()),
    is_resolved = known.is_resolved or resolve,
    resolved_by = case when resolve and not known.is_resolved then actor else known.resolved_by end,
    resolved_at = case when resolve and not known.is_resolved then now() else known.resolved_at end
  where known.number = of_number;
  insert into public.admin_logs (level, origin, message, metadata, audit) values (
    'info', 'api',
    case when resolve and not alert.is_resolved then 'Alert resolved: ' else 'Alert read: ' end || alert.message,
    jsonb_build_object('by', actor, 'alert', of_number, 'kind', alert.kind), true
  );
  return query select true;
end
$$;

-- How many entries were deleted: those before that time, but for who did what.
create function public.forget_logs(before timestamptz) returns table (deleted bigint)
language sql volatile security invoker set search_path = '' as $$
  with gone as (
    delete from public.admin_logs entry where entry.created_at < before and not entry.audit returning 1
  )
  select count(*) from gone
$$;

do $$
declare
  made regprocedure;
begin
  for made in
    select oid from pg_catalog.pg_proc
    where pronamespace = 'public'::regnamespace
      and proname in ('record_alerts', 'record_logs', 'find_alerts', 'find_logs', 'mark_alert', 'forget_logs')
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to service_role', made);
  end loop;
end
$$;
