-- A step says by what it was decided, as a digest: whether two runs went different ways because they were given different
-- things, or the same.
alter table public.crm_workflow_steps add column input_digest text;
comment on column public.crm_workflow_steps.input_digest is 'Of what its node is told and of what it decided by, at its last decision.';

-- As before; it is of personal data.
update private.crm_personal_data set erase =
  'with gone as (
     update public.crm_workflow_runs set event = ''{}'', found = null, error = null,
       status = case when ended_at is null then ''cancelled'' else status end,
       outcome = case when ended_at is null then ''erased'' else outcome end, ended_at = coalesce(ended_at, now())
     where contact_id = $1
     returning id
   ) update public.crm_workflow_steps set output = ''{}'', error = null, input_digest = null
     where run_id in (select id from gone)'
where table_name = 'crm_workflow_runs';

-- As before, with it.
create or replace function private.crm_commit_walk(walk jsonb) returns text
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
      effect jsonb, key text, failing jsonb, input_digest text
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
      run_id, node_id, visit, number, kind, state, attempt, handle, output, error, ended_at, input_digest
    ) values (
      run.id, step.node, step.visit, run.steps, step.kind, state, step.attempt, step.handle, coalesce(step.output, '{}'), fault,
      case when state <> 'waiting' then clock_timestamp() end, step.input_digest
    )
    on conflict (run_id, node_id, visit) do update set
      state = excluded.state, attempt = excluded.attempt, handle = excluded.handle, error = excluded.error,
      output = known.output || excluded.output, ended_at = excluded.ended_at,
      input_digest = coalesce(excluded.input_digest, known.input_digest);
    exit when fault is not null and step.effect is not null;
  end loop;
  update public.crm_workflow_runs set seq = run.seq + 1, steps = run.steps, visits = run.visits where id = run.id;
  perform private.crm_place_run(run.id, place, done);
  return place ->> 'status';
end
$$;

select private.crm_services_only();
