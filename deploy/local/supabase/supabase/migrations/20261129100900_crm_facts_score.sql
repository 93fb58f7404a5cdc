-- As before; but what a trader's trades change of its facts scores only where a rule names it.
--
-- `events`: [{id, type, contact_id, data}]; how many contacts have another score now.
create or replace function public.crm_score(events jsonb) returns integer
language plpgsql volatile security invoker set search_path = '' as $$
declare
  told record;
  rule public.crm_scoring_rules;
  scored uuid[] := '{}';
  changed integer := 0;
  contact uuid;
begin
  for told in
    select one.* from jsonb_to_recordset(events) as one (id uuid, type text, contact_id uuid, data jsonb)
    where exists (select from public.crm_scoring_rules known where known.active and known.event = one.type)
    order by one.contact_id
  loop
    contact := private.crm_contact_of(told.contact_id);
    perform from public.crm_contacts one where one.id = contact and one.deleted_at is null for update;
    if found then
      for rule in
        select * from public.crm_scoring_rules known
        where known.active and known.event = told.type and coalesce(told.data, '{}') @> known.filter
          and (known.filter <> '{}' or told.type <> 'contact_updated' or exists (
            select from jsonb_array_elements_text(told.data -> 'fields') field where field not like 'fact.%'
          ))
        order by known.id
      loop
        if private.crm_score_rule(rule, told.id, contact) then
          scored := scored || contact;
        end if;
      end loop;
    end if;
  end loop;
  for contact in select distinct each from unnest(scored) each order by 1 loop
    changed := changed + private.crm_settle_score(contact)::integer;
  end loop;
  return changed;
end
$$;

select private.crm_services_only();
