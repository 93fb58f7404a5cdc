-- Runs of workflows. services/crm/workflows decides where a run goes; here what it does on its way, what that brings
-- about, and where it is afterwards are committed at once, if nobody else has moved it meanwhile.

-- As before; of fields without custom ones among them, too.
create or replace function private.crm_set_fields(contact uuid, fields jsonb) returns text[]
language sql volatile set search_path = '' as $$
  select private.crm_update_contact(contact, coalesce(
    (select jsonb_object_agg(given.key, given.value) from jsonb_each(fields) given where given.key !~ '^custom\.'), '{}'
  ) || jsonb_build_object('custom_fields', coalesce(
    (select jsonb_object_agg(substr(given.key, 8), given.value) from jsonb_each(fields) given where given.key ~ '^custom\.'), '{}'
  )))
$$;

-- What conditions may mention of a contact.
create function private.crm_workflow_facts(contact uuid) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'email', one.email, 'phone', one.phone, 'first_name', one.first_name, 'last_name', one.last_name, 'name', one.name,
    'locale', one.locale, 'timezone', one.timezone, 'source', one.source, 'status', one.status, 'score', one.score,
    'is_user', one.user_id is not null, 'created_at', one.created_at, 'last_seen_at', one.last_seen_at,
    'account_type', facts.account_type, 'bot_running', coalesce(facts.bot_running, false),
    'balance', facts.balance::double precision, 'real_balance', facts.real_balance::double precision,
    'balance_band', case when coalesce(facts.real_balance, 0) <= 0 then 'none' when facts.real_balance < 100 then 'low'
      when facts.real_balance < 1000 then 'medium' else 'high' end,
    'trades', coalesce(facts.trades, 0), 'real_trades', coalesce(facts.real_trades, 0),
    'losses_in_a_row', greatest(facts.demo_losses, facts.real_losses, 0), 'last_trade_at', facts.last_trade_at,
    'last_real_trade_at', facts.last_real_trade_at, 'first_deposit_at', facts.first_deposit_at,
    'tags', array(select owned.tag from public.crm_contact_tags owned where owned.contact_id = one.id),
    'segments', private.crm_segments_of(one.id)
  ) || coalesce((
    select jsonb_object_agg('custom.' || entry.key, entry.value) from jsonb_each(one.custom_fields) entry
  ), '{}')
  from public.crm_contacts one left join public.crm_trading_facts facts on facts.contact_id = one.id
  where one.id = contact
$$;

create function public.crm_workflow_facts(of_contact uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object('contact_id', one.id, 'facts', private.crm_workflow_facts(one.id))
  from public.crm_contacts one where one.id = private.crm_contact_of(of_contact) and one.deleted_at is null
$$;

-- Tell operators, by the alerts that other services tell.
create function private.crm_workflow_alert(workflow public.crm_workflows, kind text, said text) returns void
language sql volatile set search_path = '' as $$
  select private.crm_send('alert.warning', jsonb_build_object(
    'id', gen_random_uuid(), 'at', clock_timestamp(), 'severity', 'warning', 'service', 'crm', 'kind', kind,
    'message', format('Workflow %s was paused: %s', workflow.name, said),
    'details', jsonb_build_object('workflow', workflow.id)
  ))
$$;

-- A workflow that runs away is stopped, and somebody is told.
create function private.crm_stop_workflow(of_workflow uuid, kind text, said text) returns void
language plpgsql volatile set search_path = '' as $$
declare
  known public.crm_workflows;
begin
  update public.crm_workflows one set status = 'paused', paused_because = said, updated_at = now()
  where one.id = of_workflow and one.status = 'active'
  returning * into known;
  if found then
    perform private.crm_note('crm', 'workflow_paused', jsonb_build_object('workflow', of_workflow, 'why', said));
    perform private.crm_workflow_alert(known, kind, said);
  end if;
end
$$;

-- Let a contact in, if the workflow's re-entry lets it: the run, or null. `key` is the cause: the same lets in once.
create function private.crm_enter_workflow(
  of_workflow uuid, of_version uuid, settings jsonb, contact uuid, key text, node text, event jsonb
) returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  person constant uuid := private.crm_contact_of(contact);
  policy constant text := coalesce(settings ->> 're_entry', 'once');
  made uuid;
begin
  perform from public.crm_contacts one where one.id = person and one.deleted_at is null for update;
  if not found then
    return null;
  elsif policy = 'only_if_not_running' and exists (
    select from public.crm_workflow_runs run
    where run.workflow_id = of_workflow and run.contact_id = person and run.ended_at is null
  ) then
    return null;
  elsif policy = 'once_per_window' and exists (
    select from public.crm_workflow_runs run
    where run.workflow_id = of_workflow and run.contact_id = person
      and run.started_at > clock_timestamp() - make_interval(secs => (settings ->> 'window_seconds')::integer)
  ) then
    return null;
  end if;
  insert into public.crm_workflow_runs (workflow_id, version_id, contact_id, entry_key, node, event)
  values (of_workflow, of_version, person, case policy when 'once' then 'once' else key end, node, coalesce(event, '{}'))
  on conflict (workflow_id, contact_id, entry_key) do nothing
  returning id into made;
  return made;
end
$$;

-- Let contacts in: [{workflow, version, contact, key, node, event}]. More in a minute than the workflow may begin pauses
-- it. The runs that began.
create function private.crm_enter_workflows(entries jsonb) returns uuid[]
language plpgsql volatile set search_path = '' as $$
declare
  given record;
  each record;
  made uuid;
  began uuid[] := '{}';
  began_here integer;
  room bigint;
begin
  for given in
    select one.workflow, one.version, version.settings, min(workflow.status) as status
    from jsonb_to_recordset(entries) as one (workflow uuid, version uuid)
    join public.crm_workflows workflow on workflow.id = one.workflow
    join public.crm_workflow_versions version on version.id = one.version and version.workflow_id = one.workflow
    group by one.workflow, one.version, version.settings order by one.workflow, one.version
  loop
    continue when given.status <> 'active';
    began_here := 0;
    room := coalesce((given.settings ->> 'runs_per_minute')::integer, 10000) - (
      select count(*) from public.crm_workflow_runs run
      where run.workflow_id = given.workflow and run.started_at > clock_timestamp() - interval '1 minute'
    );
    for each in
      select one.* from jsonb_to_recordset(entries) as one (workflow uuid, version uuid, contact uuid, key text, node text, event jsonb)
      where one.workflow = given.workflow and one.version = given.version order by one.contact
    loop
      if began_here >= room then
        perform private.crm_stop_workflow(given.workflow, 'workflow_runaway', 'it began more often in a minute than it may');
        exit;
      end if;
      made := private.crm_enter_workflow(
        given.workflow, given.version, given.settings, each.contact, each.key, each.node, each.event
      );
      if made is not null then
        began := began || made;
        began_here := began_here + 1;
      end if;
    end loop;
    if began_here > 0 then
      update public.crm_workflows set execution_count = execution_count + began_here where id = given.workflow;
    end if;
  end loop;
  return began;
end
$$;

create function public.crm_enter_workflows(entries jsonb) returns jsonb
language sql volatile security invoker set search_path = '' as $$
  select to_jsonb(private.crm_enter_workflows(entries))
$$;

-- Whom such events concern: [{contact_id, type}]. Triggers of active workflows, and runs that wait for such a one.
create function public.crm_workflow_interest(events jsonb) returns jsonb
language sql stable security invoker set search_path = '' as $$
  with told as (
    select distinct one.contact_id as asked, private.crm_contact_of(one.contact_id) as contact_id, one.type
    from jsonb_to_recordset(events) as one (contact_id uuid, type text)
  )
  select jsonb_build_object(
    'triggers', coalesce((
      select jsonb_agg(jsonb_build_object(
        'workflow', workflow.id, 'version', workflow.version_id, 'since', workflow.activated_at, 'node', trigger.told -> 'node',
        'params', trigger.told -> 'params'
      ) order by workflow.id, trigger.told ->> 'node')
      from public.crm_workflows workflow
      join public.crm_workflow_versions version on version.id = workflow.version_id,
        jsonb_array_elements(version.triggers) trigger (told)
      where workflow.status = 'active' and trigger.told -> 'params' ->> 'event' in (select told.type from told)
    ), '[]'),
    'waiting', coalesce((
      select jsonb_agg(jsonb_build_object(
        'run', run.id, 'seq', run.seq, 'version', run.version_id, 'node', run.node, 'contact', told.asked,
        'type', run.awaits
      ))
      from told join public.crm_workflow_runs run
        on run.contact_id = told.contact_id and run.awaits = told.type
      where run.waits = 'event' and run.ended_at is null and run.found is null
    ), '[]')
  )
$$;

-- What they waited for has come: [{run, seq, found}]; how many were woken.
create function public.crm_wake_runs(wakes jsonb) returns integer
language sql volatile security invoker set search_path = '' as $$
  with woken as (
    update public.crm_workflow_runs run set found = given.found, due_at = clock_timestamp()
    from jsonb_to_recordset(wakes) as given (run uuid, seq integer, found jsonb)
    where run.id = given.run and run.seq = given.seq and run.waits = 'event' and run.ended_at is null and run.found is null
    returning run.id
  ) select count(*)::integer from woken
$$;

-- The same of what is sent, in the transaction that says what became of it.
create function private.crm_workflow_result() returns trigger
language plpgsql set search_path = '' as $$
declare
  woken uuid;
begin
  update public.crm_workflow_runs run
  set found = jsonb_build_object('outcome', new.state, 'error', new.error), due_at = clock_timestamp()
  where run.awaits = new.key and run.waits = 'result' and run.ended_at is null and run.found is null
  returning run.id into woken;
  if woken is not null then
    perform private.crm_send('wf.due.' || woken, jsonb_build_object('run', woken));
  end if;
  return null;
end
$$;
create trigger crm_workflow_result after update of state on public.crm_mail_out for each row
  when (new.state in ('sent', 'failed', 'skipped') and old.state <> new.state and new.key like 'wf:%')
  execute function private.crm_workflow_result();
create trigger crm_workflow_result after update of state on public.crm_webhook_out for each row
  when (new.state in ('sent', 'failed', 'skipped') and old.state <> new.state and new.key like 'wf:%')
  execute function private.crm_workflow_result();

-- Runs that are due, with all that is needed to decide where they go; theirs who asked, for `lease` seconds. `these`: of
-- these, as their timers say; the clock that those go by may be a little ahead.
create function public.crm_claim_runs(these uuid[], at_most integer, lease double precision) returns jsonb
language sql volatile security invoker set search_path = '' as $$
  with due as (
    select waiting.id from public.crm_workflow_runs waiting
    join public.crm_workflows workflow on workflow.id = waiting.workflow_id and workflow.status = 'active'
    where waiting.status in ('active', 'waiting')
      and waiting.due_at <= clock_timestamp() + case when these is null then interval '0' else interval '1 second' end
      and coalesce(waiting.claimed_until < clock_timestamp(), true)
      and (these is null or waiting.id = any (these))
    order by waiting.due_at limit at_most
    for update of waiting skip locked
  ), taken as (
    update public.crm_workflow_runs run set claimed_until = clock_timestamp() + make_interval(secs => lease)
    from due where run.id = due.id
    returning run.*
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'run', taken.id, 'seq', taken.seq, 'version', taken.version_id, 'contact', taken.contact_id, 'node', taken.node,
    'waits', taken.waits, 'visits', taken.visits, 'steps', taken.steps, 'attempt', taken.attempt,
    'now', clock_timestamp(), 'due_at', taken.due_at, 'entered_at', taken.entered_at, 'since', taken.since,
    'found', case
      when taken.found is not null then jsonb_build_array(taken.found)
      when taken.waits = 'event' then (
        select jsonb_agg(seen.data order by seen.number) from (
          select did.number, did.data from public.crm_activities did
          where did.contact_id = taken.contact_id and did.type = taken.awaits and did.at >= taken.since
          order by did.number limit 50
        ) seen
      )
    end,
    'event', taken.event, 'facts', private.crm_workflow_facts(taken.contact_id)
  )), '[]') from taken
$$;

create function public.crm_workflow_graphs(versions uuid[]) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('id', one.id, 'graph', one.graph, 'settings', one.settings)), '[]')
  from public.crm_workflow_versions one where one.id = any (versions)
$$;

-- What a node brings about, once under its key. What is not there, or does not fit, raises 22023. For what others do, what
-- became of it if that is known at once.
create function private.crm_workflow_act(run public.crm_workflow_runs, effect jsonb, key text) returns text
language plpgsql volatile set search_path = '' as $$
declare
  done text;
begin
  case effect ->> 'do'
  when 'send_email' then
    perform private.crm_queue_mail(
      key, run.contact_id, (effect ->> 'template_version')::uuid, effect ->> 'class', coalesce(nullif(effect ->> 'topic', ''), '*'),
      null, run.id, jsonb_build_object('workflow', run.workflow_id)
    );
  when 'webhook' then
    perform private.crm_queue_webhook(key, (effect ->> 'webhook_id')::uuid, jsonb_build_object(
      'type', 'workflow', 'workflow', run.workflow_id, 'run', run.id, 'node', effect ->> 'node', 'contact', (
        select private.crm_recipient(person) from public.crm_contacts person where person.id = run.contact_id
      ), 'data', effect -> 'payload'
    ));
    select case when queued.state = 'skipped' then 'skipped' end into done from public.crm_webhook_out queued where queued.key = crm_workflow_act.key;
  when 'send_notification' then
    perform private.crm_queue_notification(key, run.contact_id, effect ->> 'title', effect ->> 'body');
  when 'update_contact' then
    perform private.crm_set_fields(run.contact_id, effect -> 'fields');
  when 'add_tag' then
    perform private.crm_set_tags(run.contact_id, array[effect ->> 'tag'], true);
  when 'remove_tag' then
    perform private.crm_set_tags(run.contact_id, array[effect ->> 'tag'], false);
  when 'add_score' then
    perform private.crm_add_score(run.contact_id, (effect ->> 'points')::integer, key);
  when 'add_to_segment', 'remove_from_segment' then
    if private.crm_segment_put((effect ->> 'segment_id')::uuid, run.contact_id, effect ->> 'do' = 'add_to_segment') is null then
      raise exception 'there is no static segment %', effect ->> 'segment_id' using errcode = '22023';
    end if;
  when 'create_task', 'create_note' then
    insert into public.crm_activities (contact_id, type, ref_type, ref_id, data, dedupe_key)
    values (
      run.contact_id, case effect ->> 'do' when 'create_task' then 'task' else 'note' end, 'workflow', run.workflow_id::text,
      jsonb_strip_nulls(jsonb_build_object(
        'text', effect ->> 'text', 'by', 'workflow', 'run', run.id,
        'due_at', clock_timestamp() + make_interval(secs => (effect ->> 'due_in_seconds')::integer)
      )), key
    )
    on conflict (dedupe_key) do nothing;
  end case;
  return done;
end
$$;

-- Where a run is now. A timer of the bus is set for what is due within a day; later ones are set when that has come.
create function private.crm_place_run(of_run uuid, place jsonb, done text) returns void
language plpgsql volatile set search_path = '' as $$
declare
  due constant timestamptz := (place ->> 'due_at')::timestamptz;
  timed constant boolean := coalesce(
    place ->> 'status' = 'waiting' and done is null and due < clock_timestamp() + interval '24 hours', false
  );
  over constant boolean := place ->> 'status' in ('completed', 'failed');
begin
  update public.crm_workflow_runs run set
    status = place ->> 'status', node = place ->> 'node', waits = place ->> 'waits', awaits = place ->> 'awaits',
    attempt = (place ->> 'attempt')::integer, outcome = place ->> 'outcome', error = place ->> 'error',
    entered_at = coalesce((place ->> 'entered_at')::timestamptz, clock_timestamp()),
    since = (place ->> 'since')::timestamptz,
    found = case when done is not null then jsonb_build_object('outcome', done) end,
    due_at = case when over then null when done is not null then clock_timestamp() else coalesce(due, clock_timestamp()) end,
    ended_at = case when over then clock_timestamp() end, armed = timed, claimed_until = null
  where run.id = of_run;
  if timed then
    perform private.crm_send('wf.sched.' || of_run, jsonb_build_object('run', of_run), jsonb_build_object(
      'Nats-Schedule', '@at ' || to_char(due at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'Nats-Schedule-Target', 'wf.due.' || of_run, 'Nats-Schedule-TTL', '72h'
    ));
  end if;
end
$$;

-- One walk; what became of it: stale, or the status that the run has now.
create function private.crm_commit_walk(walk jsonb) returns text
language plpgsql volatile set search_path = '' as $$
declare
  run public.crm_workflow_runs;
  step record;
  place jsonb := walk -> 'place';
  state text;
  done text;
  fault text;
begin
  select * into run from public.crm_workflow_runs one where one.id = (walk ->> 'run')::uuid for update;
  if not found or run.seq <> (walk ->> 'seq')::integer or run.status not in ('active', 'waiting') then
    return 'stale';
  end if;
  for step in
    select * from jsonb_to_recordset(walk -> 'steps') as one (
      node text, visit integer, kind text, state text, attempt integer, handle text, output jsonb, error text,
      effect jsonb, key text, failing jsonb
    )
  loop
    fault := step.error;
    state := step.state;
    done := null;
    if step.effect is not null then
      begin
        done := private.crm_workflow_act(run, step.effect, step.key);
      exception when data_exception or integrity_constraint_violation or raise_exception then
        fault := left(sqlerrm, 500);
        place := step.failing -> 'place';
        if place ->> 'status' = 'failed' then
          place := place || jsonb_build_object('error', fault);
        end if;
        state := step.failing ->> 'state';
        step.handle := step.failing ->> 'handle';
      end;
    end if;
    run.steps := run.steps + (coalesce((run.visits ->> step.node)::integer, 0) < step.visit)::integer;
    run.visits := run.visits || jsonb_build_object(step.node, step.visit);
    insert into public.crm_workflow_steps as known (
      run_id, node_id, visit, number, kind, state, attempt, handle, output, error, ended_at
    ) values (
      run.id, step.node, step.visit, run.steps, step.kind, state, step.attempt, step.handle, coalesce(step.output, '{}'), fault,
      case when state <> 'waiting' then clock_timestamp() end
    )
    on conflict (run_id, node_id, visit) do update set
      state = excluded.state, attempt = excluded.attempt, handle = excluded.handle, error = excluded.error,
      output = known.output || excluded.output, ended_at = excluded.ended_at;
    exit when fault is not null and step.effect is not null;
  end loop;
  update public.crm_workflow_runs set seq = run.seq + 1, steps = run.steps, visits = run.visits where id = run.id;
  perform private.crm_place_run(run.id, place, done);
  return place ->> 'status';
end
$$;

-- What was walked: [{run, seq, steps, place}], each as a whole or not at all; what became of each. A workflow whose runs
-- fail too often is paused.
create function public.crm_commit_walks(walks jsonb) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  walk jsonb;
  outcome text;
  outcomes jsonb := '[]';
  failed uuid[] := '{}';
  each record;
begin
  for walk in select one from jsonb_array_elements(walks) one order by one ->> 'contact' loop
    begin
      outcome := private.crm_commit_walk(walk);
    exception when data_exception or integrity_constraint_violation then
      outcome := 'failed';
      update public.crm_workflow_runs set
        status = 'failed', error = left(sqlerrm, 500), outcome = 'error', ended_at = clock_timestamp(), due_at = null,
        seq = seq + 1, claimed_until = null
      where id = (walk ->> 'run')::uuid and seq = (walk ->> 'seq')::integer and ended_at is null;
    end;
    if outcome = 'failed' then
      failed := failed || (walk ->> 'run')::uuid;
    end if;
    outcomes := outcomes || to_jsonb(outcome);
  end loop;
  if failed <> '{}' then
    for each in
      select run.workflow_id, workflow.name, least(min((version.settings ->> 'failure_percent')::integer), 100) as most
      from public.crm_workflow_runs run
      join public.crm_workflows workflow on workflow.id = run.workflow_id
      join public.crm_workflow_versions version on version.id = workflow.version_id
      where run.id = any (failed) group by run.workflow_id, workflow.name order by run.workflow_id
    loop
      if (
        select count(*) >= 20 and 100.0 * count(*) filter (where run.status = 'failed') > coalesce(each.most, 20) * count(*)
        from public.crm_workflow_runs run
        where run.workflow_id = each.workflow_id and run.ended_at > clock_timestamp() - interval '1 hour'
          and run.status in ('completed', 'failed')
      ) then
        perform private.crm_stop_workflow(each.workflow_id, 'workflow_failing', 'too many of its runs fail');
      end if;
    end loop;
  end if;
  return outcomes;
end
$$;

-- Set timers of the bus for what is due within a day now; of how many runs.
create function public.crm_arm_timers(at_most integer) returns integer
language plpgsql volatile security invoker set search_path = '' as $$
declare
  run record;
  many integer := 0;
begin
  for run in
    select one.id, one.due_at from public.crm_workflow_runs one
    where one.status = 'waiting' and not one.armed and one.due_at < clock_timestamp() + interval '24 hours'
      and one.due_at > clock_timestamp()
    order by one.due_at limit at_most for update skip locked
  loop
    perform private.crm_send('wf.sched.' || run.id, jsonb_build_object('run', run.id), jsonb_build_object(
      'Nats-Schedule', '@at ' || to_char(run.due_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'Nats-Schedule-Target', 'wf.due.' || run.id, 'Nats-Schedule-TTL', '72h'
    ));
    update public.crm_workflow_runs set armed = true where id = run.id;
    many := many + 1;
  end loop;
  return many;
end
$$;

-- How many seconds the run that is due longest waits, and how many are on the way.
create function public.crm_workflow_lag() returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'lag', greatest(coalesce(extract(epoch from clock_timestamp() - min(run.due_at)
      filter (where run.status in ('active', 'waiting') and run.due_at <= clock_timestamp())), 0), 0)::double precision,
    'live', count(*)
  )
  from public.crm_workflow_runs run join public.crm_workflows workflow on workflow.id = run.workflow_id
  where run.ended_at is null and workflow.status = 'active'
$$;

-- Triggers that a clock has set off.
create function public.crm_due_schedules() returns jsonb
language sql stable security invoker set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'workflow', one.workflow_id, 'node', one.node_id, 'version', workflow.version_id
  ) order by one.workflow_id, one.node_id), '[]')
  from public.crm_workflow_schedules one
  join public.crm_workflows workflow on workflow.id = one.workflow_id and workflow.status = 'active'
  where one.firing_at is not null or one.due_at <= clock_timestamp()
$$;

-- Let in the next contacts of the segment, as many as may begin in a minute; whether there are more. `next`: when the
-- trigger is set off again.
create function public.crm_fire_schedule(of_workflow uuid, node text, next timestamptz, at_most integer) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_workflow_schedules;
  version public.crm_workflow_versions;
  room integer;
  members uuid[];
  began uuid[];
begin
  select one.* into version from public.crm_workflow_versions one
  join public.crm_workflows workflow on workflow.version_id = one.id
  where workflow.id = of_workflow and workflow.status = 'active';
  select * into known from public.crm_workflow_schedules one
  where one.workflow_id = of_workflow and one.node_id = crm_fire_schedule.node for update;
  if version.id is null or known.workflow_id is null or (known.firing_at is null and coalesce(known.due_at > clock_timestamp(), true)) then
    return '{"began": 0, "more": false}';
  elsif known.firing_at is null then
    known.firing_at := known.due_at;
    update public.crm_workflow_schedules one set firing_at = known.firing_at, due_at = next, behind = null
    where one.workflow_id = of_workflow and one.node_id = known.node_id;
    known.behind := null;
  end if;
  room := least(at_most, coalesce((version.settings ->> 'runs_per_minute')::integer, 10000) - (
    select count(*) from public.crm_workflow_runs run
    where run.workflow_id = of_workflow and run.started_at > clock_timestamp() - interval '1 minute'
  ));
  if room <= 0 then
    return '{"began": 0, "more": false}';
  end if;
  select array_agg(page.contact_id order by page.contact_id) into members from (
    select member.contact_id from public.crm_segment_members member
    where member.segment_id = known.segment_id and member.member
      and (known.behind is null or member.contact_id > known.behind)
    order by member.contact_id limit room
  ) page;
  began := private.crm_enter_workflows(coalesce((
    select jsonb_agg(jsonb_build_object(
      'workflow', of_workflow, 'version', version.id, 'contact', each, 'node', known.node_id,
      'key', concat_ws(':', 'schedule', known.node_id, extract(epoch from known.firing_at)),
      'event', jsonb_build_object('type', 'schedule', 'at', known.firing_at)
    )) from unnest(members) each
  ), '[]'));
  update public.crm_workflow_schedules one set
    firing_at = case when coalesce(cardinality(members), 0) < room then null else known.firing_at end,
    behind = case when coalesce(cardinality(members), 0) < room then null else members[cardinality(members)] end
  where one.workflow_id = of_workflow and one.node_id = known.node_id;
  return jsonb_build_object('began', cardinality(began), 'more', coalesce(cardinality(members), 0) = room);
end
$$;

-- What administrators see of runs.

create function private.crm_run_told(run public.crm_workflow_runs) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'id', run.id, 'workflow_id', run.workflow_id, 'contact_id', run.contact_id, 'status', run.status, 'node', run.node,
    'waits', run.waits, 'steps', run.steps, 'due_at', run.due_at, 'outcome', run.outcome, 'error', run.error,
    'started_at', run.started_at, 'ended_at', run.ended_at, 'version', (
      select made.number from public.crm_workflow_versions made where made.id = run.version_id
    )
  )
$$;

-- The newest first; of a workflow, or of a contact. Null: there is no such thing.
create function public.crm_find_runs(
  of_workflow uuid, of_contact uuid, of_status text, at_most integer, skipped integer
) returns jsonb
language sql stable security invoker set search_path = '' as $$
  with wanted as (
    select * from public.crm_workflow_runs run
    where (of_workflow is null or run.workflow_id = of_workflow)
      and (of_contact is null or run.contact_id = private.crm_contact_of(of_contact))
      and (of_status is null or run.status = of_status)
  )
  select jsonb_build_object(
    'total', (select count(*) from wanted),
    'rows', coalesce((
      select jsonb_agg(private.crm_run_told(page::public.crm_workflow_runs)) from (
        select * from wanted order by started_at desc, id desc limit at_most offset skipped
      ) page
    ), '[]')
  )
  where (of_workflow is null or exists (select from public.crm_workflows one where one.id = of_workflow))
    and (of_contact is null or exists (
      select from public.crm_contacts one where one.id = private.crm_contact_of(of_contact) and one.deleted_at is null
    ))
$$;

create function public.crm_one_run(of_workflow uuid, of_run uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select private.crm_run_told(run) || jsonb_build_object('log', coalesce((
    select jsonb_agg(to_jsonb(step) - 'run_id' order by step.number, step.started_at)
    from public.crm_workflow_steps step where step.run_id = run.id
  ), '[]'))
  from public.crm_workflow_runs run where run.id = of_run and run.workflow_id = of_workflow
$$;

-- Pause a run, let it go on, or end it; what it came to wait for meanwhile is kept. Null: there is none.
create function public.crm_move_run(of_workflow uuid, of_run uuid, wanted text, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  run public.crm_workflow_runs;
begin
  select * into run from public.crm_workflow_runs one where one.id = of_run and one.workflow_id = of_workflow for update;
  if not found then
    return null;
  elsif run.ended_at is not null
    or (wanted = 'paused' and run.status = 'paused') or (wanted = 'active' and run.status <> 'paused')
  then
    return jsonb_build_object('moved', false, 'run', private.crm_run_told(run));
  end if;
  update public.crm_workflow_runs one set
    status = case wanted when 'active' then case when one.waits is null then 'active' else 'waiting' end else wanted end,
    outcome = case wanted when 'cancelled' then 'cancelled' end, seq = one.seq + (wanted = 'cancelled')::integer,
    ended_at = case wanted when 'cancelled' then clock_timestamp() end, armed = false, claimed_until = null
  where one.id = of_run returning * into run;
  perform private.crm_note(actor, 'run_' || wanted, jsonb_build_object('run', of_run, 'workflow', of_workflow));
  return jsonb_build_object('moved', true, 'run', private.crm_run_told(run));
end
$$;

-- Of each node and way out of it, how often; null: there is no such workflow.
create function public.crm_workflow_figures(of_workflow uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'runs', coalesce((
      select jsonb_object_agg(counted.status, counted.many) from (
        select run.status, count(*) as many from public.crm_workflow_runs run
        where run.workflow_id = of_workflow group by run.status
      ) counted
    ), '{}'),
    'nodes', coalesce((
      select jsonb_agg(to_jsonb(counted) order by counted.node_id) from (
        select step.node_id, count(*) as entered, count(*) filter (where step.state = 'waiting' and run.ended_at is null) as waiting,
          count(*) filter (where step.state in ('done', 'skipped')) as done,
          count(*) filter (where step.state = 'failed') as failed,
          (
            select jsonb_object_agg(branch.handle, branch.many) from (
              select other.handle, count(*) as many from public.crm_workflow_steps other
              join public.crm_workflow_runs its on its.id = other.run_id and its.workflow_id = of_workflow
              where other.node_id = step.node_id and other.handle is not null group by other.handle
            ) branch
          ) as branches
        from public.crm_workflow_steps step
        join public.crm_workflow_runs run on run.id = step.run_id and run.workflow_id = of_workflow
        group by step.node_id
      ) counted
    ), '[]')
  )
  from public.crm_workflows one where one.id = of_workflow
$$;

-- What a call from outside is checked with; null: nothing of it begins this workflow.
create function public.crm_workflow_hook(of_workflow uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'secret', workflow.hook_secret, 'version', workflow.version_id, 'node', trigger.told -> 'node', 'params', trigger.told -> 'params'
  )
  from public.crm_workflows workflow
  join public.crm_workflow_versions version on version.id = workflow.version_id,
    jsonb_array_elements(version.triggers) trigger (told)
  where workflow.id = of_workflow and workflow.status = 'active' and workflow.hook_secret is not null
    and trigger.told -> 'params' ->> 'event' = 'webhook'
  order by trigger.told ->> 'node' limit 1
$$;

create function public.crm_contact_by_email(address text) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object('id', one.id) from public.crm_contacts one where one.email_norm = lower(address) and one.deleted_at is null
$$;

select private.crm_services_only();
