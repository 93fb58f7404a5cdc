-- As before; but who writes a rule in another shape is told the right one, and which of its names is wrong.
create or replace function private.crm_compile(rule jsonb, place text[] default '{}', depth integer default 1) returns text
language plpgsql stable set search_path = '' as $$
declare
  op constant text := rule ->> 'op';
  unknown text;
  parts text[];
begin
  if jsonb_typeof(rule) is distinct from 'object' or not rule ?| array['op', 'field'] then
    perform private.crm_fault(place, 'must be {"op": "and" | "or" | "not", "children": […]} or {"field", "cmp", "value"}');
  end if;
  select min(name) into unknown from jsonb_object_keys(rule) name
  where name <> all (case when rule ? 'op' then '{op, children}'::text[] else '{field, cmp, value}' end);
  if unknown is not null then
    perform private.crm_fault(
      place || case when unknown ~ '^\w{1,40}$' then array[unknown] else '{}' end,
      case when rule ? 'op' then 'is nothing that a group has: it has op and children'
        else 'is nothing that a condition has: it has field, cmp and value' end
    );
  elsif not rule ? 'op' then
    if not rule ? 'cmp' then
      perform private.crm_fault(place || 'cmp'::text, 'is missing');
    end if;
    return private.crm_compile_leaf(rule, place);
  elsif depth > 5 then
    perform private.crm_fault(place, 'is nested deeper than 5 levels');
  elsif op is null or op not in ('and', 'or', 'not') then
    perform private.crm_fault(place || 'op'::text, 'must be and, or or not');
  elsif jsonb_typeof(rule -> 'children') is distinct from 'array'
    or jsonb_array_length(rule -> 'children') not between 1 and 50
    or (op = 'not' and jsonb_array_length(rule -> 'children') <> 1)
  then
    perform private.crm_fault(
      place || 'children'::text, case op when 'not' then 'must be one' else 'must be a list of 1 to 50 rules' end
    );
  end if;
  select array_agg(
    private.crm_compile(child.rule, place || array['children', (child.number - 1)::text], depth + 1) order by child.number
  ) into parts
  from jsonb_array_elements(rule -> 'children') with ordinality child (rule, number);
  return case op when 'not' then format('(not %s)', parts[1]) else format('(%s)', array_to_string(parts, format(' %s ', op))) end;
end
$$;

-- Who a rule picks, by what it says alone: for each of its conditions what the database expects it to cost.
create function public.crm_costly_condition(rules jsonb) returns jsonb
language plpgsql volatile security invoker set search_path = '' set statement_timeout = '2s' as $$
declare
  leaf record;
  plan jsonb;
  found_one jsonb;
begin
  perform private.crm_compiled(rules);
  for leaf in
    with recursive node (rule, place) as (
      select rules, '{}'::text[]
      union all
      select child.rule, node.place || array['children', (child.number - 1)::text]
      from node, jsonb_array_elements(case when node.rule ? 'op' then node.rule -> 'children' else '[]' end)
        with ordinality child (rule, number)
    )
    select rule, place from node where not rule ? 'op'
  loop
    execute 'explain (format json) select one.id from public.crm_contacts one
      left join public.crm_trading_facts facts on facts.contact_id = one.id
      where one.deleted_at is null and ' || private.crm_compile_leaf(leaf.rule, leaf.place) into plan using rules;
    plan := plan -> 0 -> 'Plan';
    if found_one is null or (plan ->> 'Total Cost')::numeric > (found_one ->> 'cost')::numeric then
      found_one := jsonb_build_object(
        'path', array_to_string('{rules}'::text[] || leaf.place, '.'), 'field', leaf.rule ->> 'field',
        'cost', plan -> 'Total Cost', 'expected', plan -> 'Plan Rows'
      );
    end if;
  end loop;
  return found_one;
end
$$;

select private.crm_services_only();
