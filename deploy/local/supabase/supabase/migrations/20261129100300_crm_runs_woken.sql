-- Runs that are woken, and runs that are called off.

-- What they waited for has come: [{run, node, at, found}]; how many were woken. Whoever looked at a run before its event
-- came, and has not committed yet, is too late; and whoever has, has moved nothing but its clock: else the event would be
-- forgotten until the time for it is over.
create or replace function public.crm_wake_runs(wakes jsonb) returns integer
language sql volatile security invoker set search_path = '' as $$
  with woken as (
    update public.crm_workflow_runs run
    set found = given.found, due_at = clock_timestamp(), seq = run.seq + 1, claimed_until = null
    from jsonb_to_recordset(wakes) as given (run uuid, node text, at timestamptz, found jsonb)
    where run.id = given.run and run.node = given.node and run.waits = 'event' and run.ended_at is null
      and run.found is null and given.at >= coalesce(run.since, '-infinity')
    returning run.id
  ) select count(*)::integer from woken
$$;

create or replace function private.crm_workflow_result() returns trigger
language plpgsql set search_path = '' as $$
declare
  woken uuid;
begin
  update public.crm_workflow_runs run
  set found = jsonb_build_object('outcome', new.state, 'error', new.error), due_at = clock_timestamp(), seq = run.seq + 1,
    claimed_until = null
  where run.awaits = new.key and run.waits = 'result' and run.ended_at is null and run.found is null
  returning run.id into woken;
  if woken is not null then
    perform private.crm_send('wf.due.' || woken, jsonb_build_object('run', woken));
  end if;
  return null;
end
$$;

-- What a run that is called off waited for to be sent is not sent any more, if nobody has begun to.
create function private.crm_call_off() returns trigger
language plpgsql set search_path = '' as $$
begin
  update public.crm_mail_out set state = 'skipped', error = 'cancelled', claim = null
  where key = old.awaits and (state = 'queued' or (state = 'sending' and handed_at is null));
  update public.crm_webhook_out set state = 'skipped', error = 'cancelled' where key = old.awaits and state = 'queued';
  return null;
end
$$;
create trigger called_off after update of status on public.crm_workflow_runs for each row
  when (new.status = 'cancelled' and old.status <> 'cancelled' and old.waits = 'result')
  execute function private.crm_call_off();

select private.crm_services_only();
