-- As before; but only what is asked for stands in the statement, so that it is looked up and not looked through.
create or replace function public.crm_find_runs(
  of_workflow uuid, of_contact uuid, of_status text, at_most integer, skipped integer
) returns jsonb
language plpgsql stable security invoker set search_path = '' as $$
declare
  person constant uuid := private.crm_contact_of(of_contact);
  wanted constant text := concat_ws(' and ', 'true',
    case when of_workflow is not null then 'run.workflow_id = $1' end,
    case when of_contact is not null then 'run.contact_id = $2' end,
    case when of_status is not null then 'run.status = $3' end
  );
  total bigint;
  page jsonb;
begin
  if (of_workflow is not null and not exists (select from public.crm_workflows one where one.id = of_workflow))
    or (of_contact is not null and not exists (
      select from public.crm_contacts one where one.id = person and one.deleted_at is null
    ))
  then
    return null;
  end if;
  execute 'select count(*) from public.crm_workflow_runs run where ' || wanted into total using of_workflow, person, of_status;
  execute format(
    'select coalesce(jsonb_agg(private.crm_run_told(listed)), ''[]'') from (
      select run as listed from public.crm_workflow_runs run where %s
      order by run.started_at desc, run.id desc limit $4 offset $5
    ) page', wanted
  ) into page using of_workflow, person, of_status, at_most, skipped;
  return jsonb_build_object('total', total, 'rows', page);
end
$$;

-- As before, in one pass over the steps, however many nodes there are.
create or replace function public.crm_workflow_figures(of_workflow uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  with ways as (
    select step.node_id, step.handle, count(*) as entered,
      count(*) filter (where step.state = 'waiting' and run.ended_at is null) as waiting,
      count(*) filter (where step.state in ('done', 'skipped')) as done,
      count(*) filter (where step.state = 'failed') as failed
    from public.crm_workflow_steps step
    join public.crm_workflow_runs run on run.id = step.run_id and run.workflow_id = of_workflow
    group by step.node_id, step.handle
  ), nodes as (
    select ways.node_id, sum(ways.entered)::bigint as entered, sum(ways.waiting)::bigint as waiting,
      sum(ways.done)::bigint as done, sum(ways.failed)::bigint as failed,
      jsonb_object_agg(ways.handle, ways.entered) filter (where ways.handle is not null) as branches
    from ways group by ways.node_id
  )
  select jsonb_build_object(
    'runs', coalesce((
      select jsonb_object_agg(counted.status, counted.many) from (
        select run.status, count(*) as many from public.crm_workflow_runs run
        where run.workflow_id = of_workflow group by run.status
      ) counted
    ), '{}'),
    'nodes', coalesce((select jsonb_agg(to_jsonb(nodes) order by nodes.node_id) from nodes), '[]')
  )
  from public.crm_workflows one where one.id = of_workflow
$$;

select private.crm_services_only();
