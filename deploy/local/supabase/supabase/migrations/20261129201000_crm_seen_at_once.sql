-- As before; who looks before it was told that the mail was sent, a moment after it was handed over, is a machine as well.
create or replace function public.crm_record_seen(events jsonb) returns integer
language plpgsql volatile security invoker set search_path = '' as $$
declare
  seen record;
  mail public.crm_mail_out;
  told integer := 0;
  by_machine boolean;
begin
  for seen in
    select * from jsonb_to_recordset(events) as one (id uuid, mail uuid, kind text, number integer, machine boolean, at timestamptz)
    order by mail, at
  loop
    select * into mail from public.crm_mail_out known where known.id = seen.mail for update;
    continue when not found;
    by_machine := seen.machine or coalesce(seen.at < coalesce(mail.sent_at, mail.handed_at) + interval '1 second', false);
    if by_machine then
      update public.crm_mail_out set
        machine_opened_at = case seen.kind when 'open' then coalesce(machine_opened_at, seen.at) else machine_opened_at end,
        machine_clicked_at = case seen.kind when 'click' then coalesce(machine_clicked_at, seen.at) else machine_clicked_at end
      where id = mail.id;
      continue;
    end if;
    update public.crm_mail_out set
      opened_at = coalesce(opened_at, seen.at),
      clicked_at = case seen.kind when 'click' then coalesce(clicked_at, seen.at) else clicked_at end
    where id = mail.id;
    told := told + private.crm_emit(
      'mail_opened', mail.contact_id, private.crm_mail_facts(mail), 'mail_opened:' || mail.id
    )::integer;
    if seen.kind = 'click' then
      told := told + private.crm_emit(
        'mail_clicked', mail.contact_id, private.crm_mail_facts(mail) || jsonb_build_object('link', seen.number),
        'mail_clicked:' || mail.id || ':' || seen.number
      )::integer;
    end if;
  end loop;
  return told;
end
$$;

select private.crm_services_only();
