-- A score that is corrected crosses thresholds, too.
create or replace function private.crm_correct_score() returns trigger
language plpgsql set search_path = '' as $$
declare
  crossed integer;
begin
  if new.score = private.crm_score_of(new.id) then
    return null;
  end if;
  insert into public.crm_score_events (contact_id, source_event, delta)
  values (new.id, 'correction.' || gen_random_uuid(), new.score - private.crm_score_of(new.id));
  if tg_op = 'UPDATE' then
    select max(line.score) into crossed from public.crm_score_thresholds line
    where line.score > old.score and line.score <= new.score;
    perform private.crm_emit('score_changed', new.id, jsonb_strip_nulls(
      jsonb_build_object('score', new.score, 'before', old.score, 'threshold', crossed)
    ));
  end if;
  return null;
end
$$;

-- As before, in one answer with which of the conditions is the costly one.
alter function public.crm_costly_condition(jsonb) set schema private;
alter function private.crm_costly_condition(jsonb) reset statement_timeout;
drop function public.crm_preview_segment(jsonb);
create function public.crm_preview_segment(rules jsonb) returns jsonb
language plpgsql volatile security invoker set search_path = '' set statement_timeout = '2s' set work_mem = '64MB' as $$
declare
  statement text;
  many bigint;
  samples jsonb;
begin
  statement := private.crm_compiled(rules);
  execute format('select count(*) from (%s) picked', statement) into many using rules;
  execute format(
    'select coalesce(jsonb_agg(private.crm_told(sample)), ''[]'') from (
      select contact as sample from public.crm_contacts contact where contact.id in (%s)
      order by contact.created_at desc, contact.id desc limit 20
    ) newest', statement
  ) into samples using rules;
  return jsonb_build_object(
    'outcome', 'done', 'count', many, 'samples', samples, 'slowest', private.crm_costly_condition(rules)
  );
exception when invalid_parameter_value then
  return jsonb_build_object('outcome', 'invalid', 'message', sqlerrm, 'count', 0, 'samples', '[]'::jsonb);
end
$$;

-- A custom field that goes takes its values with it. `used`: what mentions it.
create or replace function public.crm_drop_custom_field(of_key text, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  named constant text := 'custom.' || of_key;
  used_by constant text := coalesce(
    (select 'Segment ' || one.name from public.crm_segments one where one.mentions @> array[named] limit 1),
    (select 'Form ' || one.name from public.crm_forms one where one.fields @> jsonb_build_array(jsonb_build_object('key', named)) limit 1),
    (
      select 'Workflow ' || one.name from public.crm_workflows one
      join public.crm_workflow_versions version on version.id = one.version_id
      where position(to_json(named)::text in version.graph::text) > 0 limit 1
    )
  );
begin
  if used_by is not null then
    return jsonb_build_object('outcome', 'used', 'by', used_by);
  end if;
  delete from public.crm_custom_fields where key = of_key;
  if not found then
    return '{"outcome": "not_found"}';
  end if;
  update public.crm_contacts set custom_fields = custom_fields - of_key, version = version + 1, updated_at = now()
  where custom_fields ? of_key;
  perform private.crm_note(actor, 'custom_field_dropped', jsonb_build_object('key', of_key));
  return '{"outcome": "done"}';
end
$$;

-- Files that nobody went on with for so many seconds go: there are people in them. Of how many imports.
create function public.crm_expire_imports(kept double precision) returns integer
language sql volatile security invoker set search_path = '' as $$
  with old as (
    update public.crm_imports set state = 'cancelled', error = 'nobody went on with it', updated_at = now()
    where state in ('uploading', 'checked') and updated_at < now() - make_interval(secs => kept)
    returning id
  ), gone as (
    delete from public.crm_import_pieces piece using old where piece.import_id = old.id
  )
  select count(*)::integer from old
$$;

-- Of two who are on their way through the same workflow and become one, one goes on; both, where everybody may enter again
-- and again.
update private.crm_personal_data set merge =
  'with twice as (
     update public.crm_workflow_runs gone
     set contact_id = $1, entry_key = concat_ws(''.'', ''merged'', gone.id),
       status = case when gone.ended_at is null then ''cancelled'' else gone.status end,
       outcome = case when gone.ended_at is null then ''merged'' else gone.outcome end,
       ended_at = coalesce(gone.ended_at, now())
     where gone.contact_id = $2 and exists (
       select from public.crm_workflow_runs kept join public.crm_workflow_versions version on version.id = kept.version_id
       where kept.workflow_id = gone.workflow_id and kept.contact_id = $1 and (
         kept.entry_key = gone.entry_key
         or (kept.ended_at is null and gone.ended_at is null and version.settings ->> ''re_entry'' <> ''always'')
       )
     )
     returning gone.id
   ) update public.crm_workflow_runs set contact_id = $1 where contact_id = $2 and id not in (select id from twice)'
where table_name = 'crm_workflow_runs';

select private.crm_services_only();
