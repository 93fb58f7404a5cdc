-- All that is known of a person, page by page: it may be more than fits one message.

-- Rows of a table from the one behind the first `skipped`, no more than `most` bytes of them; the first one in any case, if
-- `first` says so. The order is that of what they say, since not every table has an id.
create function private.crm_personal_rows(
  of_table text, contact uuid, skipped integer, most integer, first boolean
) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  rows jsonb;
begin
  execute format(
    'select coalesce(jsonb_agg(sized.row order by sized.place), ''[]'') from (
      select listed.row, row_number() over placed as place, sum(octet_length(listed.row::text)) over placed as size
      from (
        select to_jsonb(owned) - ''email_norm'' as row from public.%I owned where %s
        order by to_jsonb(owned)::text collate "C" offset $2 limit 1000
      ) listed
      window placed as (order by listed.row::text collate "C")
    ) sized where sized.size <= $3 or (sized.place = 1 and $4)',
    of_table, case of_table
      when 'crm_contacts' then 'owned.id = $1'
      when 'crm_workflow_steps' then 'owned.run_id in (select run.id from public.crm_workflow_runs run where run.contact_id = $1)'
      else 'owned.contact_id = $1'
    end
  ) into rows using contact, skipped, most, first;
  return rows;
end
$$;

-- `from_table`, `skipped`: where it goes on (`next_table`, `next_skip` of the page before; null: that was all). Null: there
-- is no such contact. That it was asked for is written down with the first page.
drop function public.crm_export_contact(uuid, text);
create function public.crm_export_contact(contact uuid, actor text, from_table text, skipped integer, most integer) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known uuid;
  listed text;
  rows jsonb;
  left_over integer := most;
  behind integer := skipped;
  tables jsonb := '{}';
begin
  select one.id into known from public.crm_contacts one
  where one.id = private.crm_contact_of(contact) and one.deleted_at is null;
  if not found then
    return null;
  end if;
  if from_table is null then
    perform private.crm_note(actor, 'exported', jsonb_build_object('contact', known));
  end if;
  for listed in
    select owned.name from (
      select c.relname::text as name from pg_catalog.pg_class c
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'contact_id' and not a.attisdropped
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
      union all values ('crm_contacts'), ('crm_workflow_steps')
    ) owned
    where from_table is null or owned.name >= from_table collate "C" order by owned.name collate "C"
  loop
    loop
      rows := private.crm_personal_rows(listed, known, behind, left_over, left_over = most);
      tables := tables || jsonb_build_object(listed, coalesce(tables -> listed, '[]') || rows);
      left_over := left_over - octet_length(rows::text);
      exit when rows = '[]';
      behind := behind + jsonb_array_length(rows);
    end loop;
    if jsonb_array_length(private.crm_personal_rows(listed, known, behind, 0, true)) > 0 then
      return jsonb_build_object('tables', tables, 'next_table', listed, 'next_skip', behind);
    end if;
    behind := 0;
  end loop;
  return jsonb_build_object('tables', tables, 'next_table', null, 'next_skip', 0);
end
$$;

select private.crm_services_only();
