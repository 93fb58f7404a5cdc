-- A template that a published workflow sends is in use.
insert into private.crm_template_users (kind, named_by) values (
  'workflow',
  'select workflow.name from public.crm_workflow_uses used join public.crm_workflows workflow on workflow.id = used.workflow_id
   where used.template_id = $1 order by workflow.created_at'
);
