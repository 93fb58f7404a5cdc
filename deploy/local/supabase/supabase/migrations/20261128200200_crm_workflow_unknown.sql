-- Runs wait for mails; of one of which nobody knows whether it was sent, that is what became of it.
drop trigger crm_workflow_result on public.crm_mail_out;
create trigger crm_workflow_result after update of state on public.crm_mail_out for each row
  when (new.state in ('sent', 'failed', 'skipped', 'unknown') and old.state <> new.state and new.key like 'wf:%')
  execute function private.crm_workflow_result();
