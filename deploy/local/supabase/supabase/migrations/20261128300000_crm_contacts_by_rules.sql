-- Lists of contacts take a rule as segments have it. What was compiled of one reads its values out of $1, so that the
-- rule is the first parameter here.

drop function public.crm_find_contacts(text, text, text, integer, uuid, text, boolean, integer, integer, text, uuid);

-- One page. `behind` is the last row of the page before, as its value of `sort_by` and its id. Only names of the list
-- below, and what the compiler makes of the rule, come into the statement; what is looked for are its parameters. Hosted
-- databases stop it after two seconds.
create function public.crm_find_contacts(
  rules jsonb, search text, of_status text, of_tag text, least_score integer, of_segment uuid, sort_by text, ascending boolean,
  at_most integer, skipped integer, behind_value text, behind_id uuid
) returns jsonb
language plpgsql stable security invoker set search_path = '' set statement_timeout = '2s' as $$
declare
  sorted record;
  conditions text := 'one.deleted_at is null';
  page jsonb;
  total bigint;
begin
  select * into strict sorted from (values
    ('created_at', 'timestamptz'), ('email', 'text'), ('name', 'text'), ('score', 'integer')
  ) known (name, type) where known.name = sort_by;
  conditions := concat_ws(' and ', conditions,
    case when rules is not null then 'one.id in (' || private.crm_compiled(rules) || ')' end,
    case when search is not null then
      '(position(lower($10) in one.email_norm) > 0 or position(lower($10) in lower(one.name)) > 0
        or position($10 in one.phone) > 0)' end,
    case when of_status is not null then 'one.status = $2' end,
    case when of_tag is not null then
      'exists (select from public.crm_contact_tags owned where owned.contact_id = one.id and owned.tag = lower($3))' end,
    case when least_score is not null then 'one.score >= $4' end,
    case when of_segment is not null then
      'exists (select from public.crm_segment_members member where member.contact_id = one.id and member.segment_id = $5
        and member.member)'
    end
  );
  execute 'select count(*) from public.crm_contacts one where ' || conditions
    into total using rules, of_status, of_tag, least_score, of_segment, at_most, skipped, behind_value, behind_id, search;
  execute format(
    'select coalesce(jsonb_agg(private.crm_told(listed)), ''[]'') from (
      select one as listed
      from public.crm_contacts one where %3$s %4$s
      order by %1$s %2$s, one.id %2$s limit $6 offset $7
    ) page',
    case sorted.type when 'text' then format('coalesce(one.%I, '''') collate "C"', sorted.name)
      else format('one.%I', sorted.name) end,
    case when ascending then 'asc' else 'desc' end,
    conditions,
    case when behind_id is not null then format(
      'and (%s, one.id) %s ($8::%s, $9)',
      case sorted.type when 'text' then format('coalesce(one.%I, '''') collate "C"', sorted.name)
        else format('one.%I', sorted.name) end,
      case when ascending then '>' else '<' end, sorted.type
    ) end
  ) into page
  using rules, of_status, of_tag, least_score, of_segment, at_most, skipped, behind_value, behind_id, search;
  return jsonb_build_object('outcome', 'done', 'total', total, 'rows', page);
exception when invalid_parameter_value then
  return jsonb_build_object('outcome', 'invalid', 'message', sqlerrm, 'total', 0, 'rows', '[]'::jsonb);
end
$$;

select private.crm_services_only();
