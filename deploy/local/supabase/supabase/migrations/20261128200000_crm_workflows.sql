-- Workflows: what is drawn, and the versions that were published of it. What runs, runs as it was published.

create table public.crm_workflows (
  id uuid primary key default gen_random_uuid(),
  name text not null check (length(name) between 1 and 200),
  description text not null default '',
  status text not null default 'draft' check (status in ('draft', 'active', 'paused')),
  paused_because text not null default '',
  workflow_definition jsonb not null check (jsonb_typeof(workflow_definition) = 'object'),
  settings jsonb not null default '{}',
  trigger_type text not null default '',
  execution_count bigint not null default 0,
  version integer not null default 1,
  version_id uuid,
  activated_at timestamptz,
  hook_secret text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (status = 'draft' or version_id is not null)
);
comment on column public.crm_workflows.workflow_definition is 'As the canvas (React Flow) saved it; only the compiler reads it.';
comment on column public.crm_workflows.version is 'Counts saves.';
comment on column public.crm_workflows.version_id is 'The published one, of which new runs are.';
comment on column public.crm_workflows.activated_at is 'What happened before does not begin it.';
comment on column public.crm_workflows.hook_secret is 'What calls from outside that begin it are signed with.';
create index crm_workflows_created on public.crm_workflows (created_at desc, id desc);

create table public.crm_workflow_versions (
  id uuid primary key default gen_random_uuid(),
  workflow_id uuid not null references public.crm_workflows (id) on delete cascade,
  number integer not null check (number >= 1),
  workflow_definition jsonb not null,
  graph jsonb not null,
  triggers jsonb not null,
  settings jsonb not null,
  checksum text not null,
  published_by text not null,
  published_at timestamptz not null default now(),
  unique (workflow_id, number)
);
comment on table public.crm_workflow_versions is 'Never changed: a run keeps to the version that it began with.';
comment on column public.crm_workflow_versions.graph is 'What runs: compiled of the definition by services/crm/workflows.';
comment on column public.crm_workflow_versions.triggers is 'Of the graph: [{node, params}].';
alter table public.crm_workflows add foreign key (version_id) references public.crm_workflow_versions (id);

create table public.crm_workflow_uses (
  id uuid primary key default gen_random_uuid(),
  workflow_id uuid not null references public.crm_workflows (id) on delete cascade,
  segment_id uuid references public.crm_segments (id),
  template_id uuid references public.crm_email_templates (id),
  webhook_id uuid references public.crm_webhooks (id)
);
comment on table public.crm_workflow_uses is 'What published workflows refer to, and what can therefore not be dropped.';
create index crm_workflow_uses_workflow on public.crm_workflow_uses (workflow_id);
create index crm_workflow_uses_segment on public.crm_workflow_uses (segment_id) where segment_id is not null;
create index crm_workflow_uses_template on public.crm_workflow_uses (template_id) where template_id is not null;
create index crm_workflow_uses_webhook on public.crm_workflow_uses (webhook_id) where webhook_id is not null;

create table public.crm_workflow_schedules (
  workflow_id uuid not null references public.crm_workflows (id) on delete cascade,
  node_id text not null,
  segment_id uuid not null,
  due_at timestamptz,
  firing_at timestamptz,
  behind uuid,
  primary key (workflow_id, node_id)
);
comment on table public.crm_workflow_schedules is 'Of published workflows, the triggers that a clock sets off.';
comment on column public.crm_workflow_schedules.due_at is 'The next time; null: never again.';
comment on column public.crm_workflow_schedules.firing_at is 'For which time contacts are let in now, piece by piece, up to the one that is `behind`.';

create table public.crm_workflow_runs (
  id uuid primary key default gen_random_uuid(),
  workflow_id uuid not null references public.crm_workflows (id) on delete cascade,
  version_id uuid not null references public.crm_workflow_versions (id),
  contact_id uuid not null references public.crm_contacts (id) on delete cascade,
  entry_key text not null,
  status text not null default 'active'
    check (status in ('active', 'waiting', 'paused', 'completed', 'failed', 'cancelled')),
  node text not null,
  waits text check (waits in ('time', 'event', 'result', 'retry')),
  seq integer not null default 0,
  steps integer not null default 0,
  visits jsonb not null default '{}',
  attempt integer not null default 1,
  due_at timestamptz default now(),
  awaits text,
  since timestamptz,
  found jsonb,
  event jsonb not null default '{}',
  outcome text,
  error text,
  armed boolean not null default false,
  claimed_until timestamptz,
  started_at timestamptz not null default clock_timestamp(),
  entered_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  unique (workflow_id, contact_id, entry_key),
  check ((ended_at is not null) = (status in ('completed', 'failed', 'cancelled')))
);
comment on table public.crm_workflow_runs is 'A contact on its way through a published version.';
comment on column public.crm_workflow_runs.entry_key is 'Why it began: the same cause lets the same contact in once.';
comment on column public.crm_workflow_runs.node is 'Where it is.';
comment on column public.crm_workflow_runs.waits is 'For what, at its node; null: it has yet to be entered.';
comment on column public.crm_workflow_runs.seq is 'Counts what was committed of it: who walked from an older one does nothing.';
comment on column public.crm_workflow_runs.due_at is 'When it is to be looked at. Timers of the bus only remind of it; null: only something else wakes it.';
comment on column public.crm_workflow_runs.awaits is 'The type of event, or the key in a queue of what is sent, that it waits for.';
comment on column public.crm_workflow_runs.since is 'Events count that happened since then: what led here may be late.';
comment on column public.crm_workflow_runs.found is 'What came of that.';
comment on column public.crm_workflow_runs.armed is 'Whether a timer of the bus was set for due_at.';
create index crm_workflow_runs_due on public.crm_workflow_runs (due_at) where status in ('active', 'waiting') and due_at is not null;
create index crm_workflow_runs_unarmed on public.crm_workflow_runs (due_at) where status = 'waiting' and not armed;
create index crm_workflow_runs_event on public.crm_workflow_runs (contact_id, awaits) where waits = 'event' and ended_at is null;
create index crm_workflow_runs_result on public.crm_workflow_runs (awaits) where waits = 'result' and ended_at is null;
create index crm_workflow_runs_started on public.crm_workflow_runs (workflow_id, started_at desc, id desc);
create index crm_workflow_runs_ended on public.crm_workflow_runs (workflow_id, ended_at) where ended_at is not null;
create index crm_workflow_runs_live on public.crm_workflow_runs (workflow_id, contact_id) where ended_at is null;
create index crm_workflow_runs_contact on public.crm_workflow_runs (contact_id, started_at desc, id desc);
create index crm_workflow_runs_version on public.crm_workflow_runs (version_id);

create table public.crm_workflow_steps (
  run_id uuid not null references public.crm_workflow_runs (id) on delete cascade,
  node_id text not null,
  visit integer not null,
  number integer not null,
  kind text not null,
  state text not null check (state in ('waiting', 'done', 'skipped', 'failed')),
  attempt integer not null default 1,
  handle text,
  output jsonb not null default '{}',
  error text,
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  primary key (run_id, node_id, visit)
);
comment on table public.crm_workflow_steps is 'What was done at each visit of a node; its key is what the effect is done once under.';
comment on column public.crm_workflow_steps.handle is 'The way that was taken out of it.';

do $$
declare
  made text;
begin
  foreach made in array array[
    'crm_workflows', 'crm_workflow_versions', 'crm_workflow_uses', 'crm_workflow_schedules', 'crm_workflow_runs',
    'crm_workflow_steps'
  ] loop
    execute format('alter table public.%I enable row level security', made);
    execute format('revoke all on public.%I from anon, authenticated', made);
    execute format('grant all on public.%I to service_role', made);
  end loop;
end
$$;

-- Who is erased is on the way no longer; what the event said goes, counts stay. Of two who are merged and came for the
-- same reason, one goes on.
insert into private.crm_personal_data (table_name, erase, merge) values (
  'crm_workflow_runs',
  'update public.crm_workflow_runs set event = ''{}'', found = null,
     status = case when ended_at is null then ''cancelled'' else status end,
     outcome = case when ended_at is null then ''erased'' else outcome end, ended_at = coalesce(ended_at, now())
   where contact_id = $1',
  'with twice as (
     update public.crm_workflow_runs gone
     set contact_id = $1, entry_key = concat_ws(''.'', ''merged'', gone.id),
       status = case when gone.ended_at is null then ''cancelled'' else gone.status end,
       outcome = case when gone.ended_at is null then ''merged'' else gone.outcome end,
       ended_at = coalesce(gone.ended_at, now())
     where gone.contact_id = $2 and exists (
       select from public.crm_workflow_runs kept
       where kept.workflow_id = gone.workflow_id and kept.contact_id = $1 and kept.entry_key = gone.entry_key
     )
     returning gone.id
   ) update public.crm_workflow_runs set contact_id = $1 where contact_id = $2 and id not in (select id from twice)'
) on conflict do nothing;

create trigger kept before update on public.crm_workflow_versions for each row execute function private.crm_keep();

create function private.crm_workflow_told(workflow public.crm_workflows, whole boolean) returns jsonb
language sql stable set search_path = '' as $$
  select to_jsonb(workflow) - array['hook_secret', 'version_id', 'activated_at']
    - case when whole then '{}'::text[] else array['workflow_definition', 'settings'] end
    || jsonb_build_object('published', (
      select made.number from public.crm_workflow_versions made where made.id = workflow.version_id
    ))
$$;

create function private.crm_workflow_answer(outcome text, workflow uuid default null, said text default null) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('outcome', outcome, 'message', said, 'workflow', (
    select private.crm_workflow_told(one, true) from public.crm_workflows one where one.id = workflow
  ))
$$;

create function public.crm_find_workflows(search text, at_most integer, skipped integer) returns jsonb
language sql stable security invoker set search_path = '' as $$
  with wanted as (
    select * from public.crm_workflows one where search is null or position(lower(search) in lower(one.name)) > 0
  )
  select jsonb_build_object(
    'total', (select count(*) from wanted),
    'rows', coalesce((
      select jsonb_agg(private.crm_workflow_told(page::public.crm_workflows, false)) from (
        select * from wanted order by created_at desc, id desc limit at_most offset skipped
      ) page
    ), '[]')
  )
$$;

create function public.crm_one_workflow(workflow uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select private.crm_workflow_told(one, true) from public.crm_workflows one where one.id = workflow
$$;

-- Make a workflow (no id), or change what is given of one. `expected`: the version that the writer saw.
create function public.crm_save_workflow(workflow uuid, given jsonb, expected integer) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_workflows;
  wanted public.crm_workflows;
  made uuid := gen_random_uuid();
begin
  if workflow is null then
    insert into public.crm_workflows (id, name, description, workflow_definition, settings, trigger_type)
    values (
      made, given ->> 'name', given ->> 'description', given -> 'workflow_definition', given -> 'settings',
      given ->> 'trigger_type'
    );
    return private.crm_workflow_answer('done', made);
  end if;
  select * into known from public.crm_workflows one where one.id = workflow for update;
  if not found then
    return private.crm_workflow_answer('not_found');
  elsif expected <> known.version then
    return private.crm_workflow_answer('conflict', workflow, 'It was changed meanwhile: it is of version ' || known.version);
  end if;
  wanted := jsonb_populate_record(known, given);
  update public.crm_workflows one set
    name = wanted.name, description = wanted.description, workflow_definition = wanted.workflow_definition,
    settings = wanted.settings, trigger_type = wanted.trigger_type, version = known.version + 1, updated_at = now()
  where one.id = workflow;
  return private.crm_workflow_answer('done', workflow);
end
$$;

-- Refused while somebody is on the way.
create function public.crm_drop_workflow(workflow uuid, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  gone jsonb := private.crm_workflow_answer('done', workflow);
begin
  perform from public.crm_workflows one where one.id = workflow for update;
  if not found then
    return private.crm_workflow_answer('not_found');
  elsif exists (select from public.crm_workflow_runs run where run.workflow_id = workflow and run.ended_at is null) then
    return private.crm_workflow_answer('conflict', workflow, 'Contacts are on their way through it: cancel it first');
  end if;
  update public.crm_workflows set version_id = null, status = 'draft' where id = workflow;
  delete from public.crm_workflow_runs where workflow_id = workflow;
  delete from public.crm_workflows where id = workflow;
  perform private.crm_note(actor, 'workflow_dropped', jsonb_build_object('workflow', workflow));
  return gone;
end
$$;

create function public.crm_workflow_versions_of(workflow uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select coalesce((
    select jsonb_agg(to_jsonb(made) - array['graph', 'triggers', 'workflow_id', 'workflow_definition'] order by made.number desc)
    from public.crm_workflow_versions made where made.workflow_id = one.id
  ), '[]') from public.crm_workflows one where one.id = workflow
$$;

create function public.crm_workflow_version(workflow uuid, of_number integer) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select to_jsonb(made) - array['graph', 'triggers', 'workflow_id']
  from public.crm_workflow_versions made where made.workflow_id = workflow and made.number = of_number
$$;

-- Of which new runs are.
create function public.crm_published_workflow(workflow uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object('id', made.id, 'triggers', made.triggers)
  from public.crm_workflows one join public.crm_workflow_versions made on made.id = one.version_id
  where one.id = workflow
$$;

-- What flows may refer to.
create function public.crm_workflow_known() returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'templates', coalesce((
      select jsonb_object_agg(template.id, template.version_id) from public.crm_email_templates template
      join public.crm_email_template_versions version on version.id = template.version_id and version.ready
      where template.deleted_at is null
    ), '{}'),
    'segments', coalesce((select jsonb_object_agg(id, kind) from public.crm_segments), '{}'),
    'webhooks', coalesce((select jsonb_agg(id) from public.crm_webhooks where state = 'active'), '[]'),
    'custom_fields', coalesce((select jsonb_agg(key) from public.crm_custom_fields), '[]')
  )
$$;

-- Publish what was compiled of version `expected`, if it does something else than what is published, and let it run.
-- `uses`: [{segment_id | template_id | webhook_id}]; `schedules`: [{node_id, segment_id, due_at}].
create function public.crm_activate_workflow(
  workflow uuid, expected integer, graph jsonb, checksum text, uses jsonb, schedules jsonb, actor text
) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_workflows;
  current public.crm_workflow_versions;
  made uuid;
begin
  select * into known from public.crm_workflows one where one.id = workflow for update;
  if not found then
    return private.crm_workflow_answer('not_found');
  elsif expected <> known.version then
    return private.crm_workflow_answer('conflict', workflow, 'It was changed meanwhile: it is of version ' || known.version);
  end if;
  select * into current from public.crm_workflow_versions one where one.id = known.version_id;
  made := current.id;
  if current.checksum is distinct from crm_activate_workflow.checksum then
    insert into public.crm_workflow_versions (
      workflow_id, number, workflow_definition, graph, triggers, settings, checksum, published_by
    )
    select workflow, coalesce(max(one.number), 0) + 1, known.workflow_definition, crm_activate_workflow.graph, (
        select coalesce(jsonb_agg(jsonb_build_object('node', node.key, 'params', node.value -> 'params') order by node.key), '[]')
        from jsonb_each(crm_activate_workflow.graph -> 'nodes') node where node.value ->> 'kind' = 'trigger'
      ), known.settings, crm_activate_workflow.checksum, actor
    from public.crm_workflow_versions one where one.workflow_id = workflow
    returning id into made;
    delete from public.crm_workflow_uses where workflow_id = workflow;
    insert into public.crm_workflow_uses (workflow_id, segment_id, template_id, webhook_id)
    select workflow, one.segment_id, one.template_id, one.webhook_id
    from jsonb_to_recordset(uses) as one (segment_id uuid, template_id uuid, webhook_id uuid);
  end if;
  if made is distinct from current.id or known.status <> 'active' then
    delete from public.crm_workflow_schedules where workflow_id = workflow;
    insert into public.crm_workflow_schedules (workflow_id, node_id, segment_id, due_at)
    select workflow, one.node_id, one.segment_id, one.due_at
    from jsonb_to_recordset(schedules) as one (node_id text, segment_id uuid, due_at timestamptz);
    update public.crm_workflows one set
      version_id = made, status = 'active', paused_because = '', updated_at = now(),
      activated_at = case when known.status = 'active' then known.activated_at else clock_timestamp() end
    where one.id = workflow;
    perform private.crm_note(actor, 'workflow_activated', jsonb_build_object('workflow', workflow, 'version', made));
  end if;
  return private.crm_workflow_answer('done', workflow);
exception when foreign_key_violation then
  return private.crm_workflow_answer('conflict', workflow, 'Something that it refers to was dropped meanwhile');
end
$$;

create function public.crm_pause_workflow(workflow uuid, why text, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_workflows;
begin
  select * into known from public.crm_workflows one where one.id = workflow for update;
  if not found then
    return private.crm_workflow_answer('not_found');
  elsif known.status = 'draft' then
    return private.crm_workflow_answer('conflict', workflow, 'It was never activated');
  end if;
  if known.status = 'active' then
    update public.crm_workflows set status = 'paused', paused_because = why, updated_at = now() where id = workflow;
    perform private.crm_note(actor, 'workflow_paused', jsonb_build_object('workflow', workflow, 'why', why));
  end if;
  return private.crm_workflow_answer('done', workflow);
end
$$;

-- As it was published last. What happened while it was paused does not begin it; times that its clock has passed are left
-- out (`schedules`: [{node_id, due_at}]).
create function public.crm_resume_workflow(workflow uuid, schedules jsonb, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_workflows;
begin
  select * into known from public.crm_workflows one where one.id = workflow for update;
  if not found then
    return private.crm_workflow_answer('not_found');
  elsif known.status = 'draft' then
    return private.crm_workflow_answer('conflict', workflow, 'It was never activated');
  end if;
  if known.status = 'paused' then
    update public.crm_workflow_schedules one set due_at = given.due_at
    from jsonb_to_recordset(schedules) as given (node_id text, due_at timestamptz)
    where one.workflow_id = workflow and one.node_id = given.node_id and one.firing_at is null;
    update public.crm_workflows set status = 'active', paused_because = '', updated_at = now(), activated_at = clock_timestamp()
    where id = workflow;
    perform private.crm_note(actor, 'workflow_resumed', jsonb_build_object('workflow', workflow));
  end if;
  return private.crm_workflow_answer('done', workflow);
end
$$;

-- Pause it, and end everybody's way through it.
create function public.crm_cancel_workflow(workflow uuid, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  told constant jsonb := public.crm_pause_workflow(workflow, '', actor);
begin
  if told ->> 'outcome' = 'done' then
    update public.crm_workflow_schedules set firing_at = null, behind = null where workflow_id = workflow;
    update public.crm_workflow_runs set status = 'cancelled', outcome = 'workflow', ended_at = clock_timestamp(), due_at = null
    where workflow_id = workflow and ended_at is null;
    perform private.crm_note(actor, 'workflow_cancelled', jsonb_build_object('workflow', workflow));
  end if;
  return told;
end
$$;

-- False: there is none.
create function public.crm_renew_hook_secret(workflow uuid, secret text, actor text) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
begin
  update public.crm_workflows set hook_secret = secret where id = workflow;
  if not found then
    return false;
  end if;
  perform private.crm_note(actor, 'hook_secret_renewed', jsonb_build_object('workflow', workflow));
  return true;
end
$$;

select private.crm_services_only();
