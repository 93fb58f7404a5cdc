-- Two contacts that become one had a mail of the same campaign each: one of them goes, and if one has gone, no other does.
update private.crm_personal_data set merge =
  'update public.crm_mail_out mail set contact_id = $1,
     state = case when twice.id is null then mail.state else ''skipped'' end,
     error = case when twice.id is null then mail.error else ''merged'' end,
     claim = case when twice.id is null then mail.claim end
   from public.crm_mail_out same
   left join (
     select waiting.id from public.crm_mail_out waiting
     where waiting.contact_id in ($1, $2) and waiting.campaign_id is not null and waiting.handed_at is null
       and waiting.state in (''queued'', ''sending'') and exists (
         select from public.crm_mail_out other
         where other.contact_id in ($1, $2) and other.campaign_id = waiting.campaign_id and other.id <> waiting.id and (
           other.handed_at is not null or other.state in (''sent'', ''unknown'')
           or (other.state in (''queued'', ''sending'') and other.id < waiting.id)
         )
       )
   ) twice on twice.id = same.id
   where same.id = mail.id and mail.contact_id in ($1, $2) and (mail.contact_id = $2 or twice.id is not null)'
where table_name = 'crm_mail_out';
