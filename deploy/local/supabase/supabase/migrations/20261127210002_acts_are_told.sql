-- What administrators did is told to who looks on, too: by the event of its entry in the log.

create or replace function private.note_action(actor uuid, target uuid, action text, details jsonb, ip text)
returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare
  made bigint;
begin
  insert into public.user_activity_log (user_id, actor_id, action, details, ip)
  values (target, actor, action, details, ip)
  returning id into made;
  insert into public.admin_logs (event_id, level, origin, message, metadata, audit) values (
    'activity.' || made, 'info', 'api', 'User ' || replace(action, '_', ' '),
    details || jsonb_build_object('user', target, 'by', actor, 'action', action), true
  );
  return made;
end
$$;

create or replace function public.mark_alert(of_number bigint, actor uuid, resolve boolean)
returns table (found boolean)
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
  insert into public.admin_logs (event_id, level, origin, message, metadata, audit) values (
    'alert.' || of_number || case when resolve then '.resolved' else '.read' end, 'info', 'api',
    case when resolve and not alert.is_resolved then 'Alert resolved: ' else 'Alert read: ' end || alert.message,
    jsonb_build_object('by', actor, 'alert', of_number, 'kind', alert.kind), true
  );
  return query select true;
end
$$;
