-- As before; but whom a clock is letting in at this moment it goes on letting in, into the new version.
--
-- Publish what was compiled of version `expected`, if it does something else than what is published, and let it run.
-- `uses`: [{segment_id | template_id | webhook_id}]; `schedules`: [{node_id, segment_id, due_at}].
create or replace function public.crm_activate_workflow(
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
    delete from public.crm_workflow_schedules old where old.workflow_id = workflow and not exists (
      select from jsonb_to_recordset(schedules) as one (node_id text, segment_id uuid)
      where one.node_id = old.node_id and one.segment_id = old.segment_id
    );
    insert into public.crm_workflow_schedules as kept (workflow_id, node_id, segment_id, due_at)
    select workflow, one.node_id, one.segment_id, one.due_at
    from jsonb_to_recordset(schedules) as one (node_id text, segment_id uuid, due_at timestamptz)
    on conflict on constraint crm_workflow_schedules_pkey do update set due_at = case
      when known.status = 'active' and kept.due_at <= clock_timestamp() then kept.due_at else excluded.due_at end;
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

select private.crm_services_only();
