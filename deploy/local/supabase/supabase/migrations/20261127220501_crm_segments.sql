-- Who is in a segment: kept by what happens to contacts, and built anew from time to time.

-- Tell of those who entered a segment, or left it.
create function private.crm_tell_members(segment uuid, moved uuid[], versions integer[], entered boolean) returns void
language sql volatile set search_path = '' as $$
  with told as (
    insert into public.crm_activities (contact_id, type, ref_type, ref_id, data, dedupe_key)
    select each.contact, case when entered then 'segment_entered' else 'segment_left' end, 'segment', segment::text,
      jsonb_build_object('segment', segment, 'version', each.version),
      concat_ws('.', 'segment', segment, each.contact, each.version)
    from unnest(moved, versions) each (contact, version)
    on conflict (dedupe_key) do nothing
    returning id, contact_id, type, at, data
  )
  insert into public.crm_outbox (id, subject, payload)
  select told.id, 'crm.event.' || told.type, jsonb_build_object(
    'id', told.id, 'type', told.type, 'contact_id', told.contact_id, 'at', told.at, 'data', told.data
  ) from told
$$;

-- Let contacts enter (or leave) that are not in (or are); how many did. The first time a segment is built nobody is told.
create function private.crm_move_members(of_segment uuid, contacts uuid[], entering boolean, quiet boolean) returns bigint
language plpgsql volatile set search_path = '' as $$
declare
  moved uuid[];
  versions integer[];
begin
  if cardinality(contacts) = 0 then
    return 0;
  end if;
  if entering then
    with written as (
      insert into public.crm_segment_members as known (segment_id, contact_id, member)
      select of_segment, each, true from unnest(contacts) each
      on conflict (segment_id, contact_id) do update
        set member = true, version = known.version + 1, changed_at = now() where not known.member
      returning known.contact_id, known.version
    )
    select array_agg(contact_id), array_agg(version) into moved, versions from written;
  else
    with written as (
      update public.crm_segment_members known set member = false, version = known.version + 1, changed_at = now()
      where known.segment_id = of_segment and known.contact_id = any (contacts) and known.member
      returning known.contact_id, known.version
    )
    select array_agg(contact_id), array_agg(version) into moved, versions from written;
  end if;
  if moved is null then
    return 0;
  end if;
  if not quiet then
    perform private.crm_tell_members(of_segment, moved, versions, entering);
  end if;
  update public.crm_segments set contact_count = contact_count + cardinality(moved) * case when entering then 1 else -1 end
  where id = of_segment;
  return cardinality(moved);
end
$$;

-- Build a dynamic segment anew: one pass over all contacts, and only the differences are written.
create function private.crm_rebuild(of_segment uuid) returns bigint
language plpgsql volatile set search_path = '' as $$
declare
  known public.crm_segments;
  entering uuid[];
  leaving uuid[];
  changed bigint;
begin
  perform pg_advisory_xact_lock(hashtext('crm_segment.' || of_segment));
  select * into known from public.crm_segments one where one.id = of_segment and one.kind = 'dynamic';
  if not found then
    return 0;
  end if;
  execute format(
    'select coalesce(array_agg(picked.id) filter (where kept.contact_id is null), ''{}''),
      coalesce(array_agg(kept.contact_id) filter (where picked.id is null), ''{}'')
    from (%s) picked
    full join (
      select contact_id from public.crm_segment_members where segment_id = $2 and member
    ) kept on kept.contact_id = picked.id
    where picked.id is null or kept.contact_id is null', known.compiled
  ) into entering, leaving using known.rules, of_segment;
  changed := private.crm_move_members(of_segment, entering, true, known.built_at is null)
    + private.crm_move_members(of_segment, leaving, false, known.built_at is null);
  update public.crm_segments set built_at = now(), stale = false where id = of_segment;
  return changed;
end
$$;

create function public.crm_rebuild_segment(segment uuid) returns bigint
language sql volatile security invoker set search_path = '' set statement_timeout = '60s' as $$
  select private.crm_rebuild(segment)
$$;

-- Whether a contact now belongs to the segments that mention one of these names; * stands for all. What changed is told.
create function private.crm_recheck(contact uuid, names text[]) returns integer
language plpgsql volatile set search_path = '' as $$
declare
  known record;
  belongs boolean;
  changed integer := 0;
begin
  for known in
    select segment.id, segment.compiled, segment.rules, segment.built_at, coalesce(mine.member, false) as member
    from public.crm_segments segment
    left join public.crm_segment_members mine on mine.segment_id = segment.id and mine.contact_id = contact
    where segment.kind = 'dynamic' and segment.active and (names @> '{*}' or segment.mentions && (names || '*'::text))
  loop
    perform pg_advisory_xact_lock_shared(hashtext('crm_segment.' || known.id));
    execute format('select exists (%s and one.id = $2)', known.compiled) into belongs using known.rules, contact;
    if belongs <> known.member then
      changed := changed + private.crm_move_members(known.id, array[contact], belongs, known.built_at is null);
    end if;
  end loop;
  return changed;
end
$$;

-- `checks`: [{contact, names}]; how many contacts entered or left something.
create function public.crm_recheck(checks jsonb) returns integer
language plpgsql volatile security invoker set search_path = '' as $$
declare
  given record;
  changed integer := 0;
begin
  for given in
    select one.contact, array_agg(distinct each) as names
    from jsonb_to_recordset(checks) as one (contact uuid, names text[]), unnest(one.names) each
    group by one.contact order by one.contact
  loop
    changed := changed + private.crm_recheck(given.contact, given.names);
  end loop;
  return changed;
end
$$;

-- Dynamic segments that are to be built: new ones, changed ones, and those of long ago; what others refer to, first.
create function public.crm_segments_due(older_than interval) returns setof uuid
language sql stable security invoker set search_path = '' as $$
  with recursive depth (id, level) as (
    select one.id, 0 from public.crm_segments one where one.refers = '{}'
    union
    select one.id, depth.level + 1 from public.crm_segments one join depth on depth.id = any (one.refers)
    where depth.level < 20
  )
  select one.id from public.crm_segments one
  left join (select id, max(level) as level from depth group by id) placed on placed.id = one.id
  where one.kind = 'dynamic' and one.active and (one.stale or one.built_at < now() - older_than)
  order by coalesce(placed.level, 0), one.built_at nulls first
$$;

create function private.crm_segment_told(segment public.crm_segments) returns jsonb
language sql stable set search_path = '' as $$
  select to_jsonb(segment) - array['compiled', 'mentions', 'refers', 'stale']
$$;

create function private.crm_segment_answer(outcome text, segment uuid default null, said text default null) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('outcome', outcome, 'message', said, 'segment', (
    select private.crm_segment_told(one) from public.crm_segments one where one.id = segment
  ))
$$;

create function private.crm_refers(rules jsonb) returns uuid[]
language sql stable set search_path = '' as $$
  select coalesce(array_agg(distinct each::uuid), '{}')
  from private.crm_leaves(rules) leaf, jsonb_array_elements_text(leaf -> 'value') each
  where leaf ->> 'field' = 'segments'
$$;

-- Make a segment (no id), or change one. `expected`: the version that the writer saw.
create function public.crm_save_segment(segment uuid, given jsonb, expected integer) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_segments;
  wanted jsonb := given;
  statement text;
  refers uuid[];
  saved uuid := coalesce(segment, gen_random_uuid());
begin
  if segment is not null then
    select * into known from public.crm_segments one where one.id = segment for update;
    if not found then
      return private.crm_segment_answer('not_found');
    elsif expected is not null and expected <> known.version then
      return private.crm_segment_answer('conflict', segment);
    end if;
    wanted := jsonb_build_object(
      'name', known.name, 'description', known.description, 'kind', known.kind, 'rules', known.rules, 'active', known.active
    ) || given;
    if wanted ->> 'kind' <> known.kind then
      return private.crm_segment_answer('invalid', null, '`kind` stays what it is');
    end if;
  end if;
  if wanted ->> 'kind' = 'static' then
    if coalesce(wanted -> 'rules', '{}') <> '{}' then
      return private.crm_segment_answer('invalid', null, '`rules` are for dynamic segments');
    end if;
    refers := '{}';
  else
    statement := private.crm_compiled(wanted -> 'rules');
    refers := private.crm_refers(wanted -> 'rules');
    if exists (select from unnest(refers) each where not exists (select from public.crm_segments one where one.id = each)) then
      return private.crm_segment_answer('invalid', null, '`rules` mention a segment that is not there');
    elsif exists (
      with recursive reached (id) as (
        select each from unnest(refers) each
        union
        select deeper from reached join public.crm_segments one on one.id = reached.id, unnest(one.refers) deeper
      )
      select from reached where reached.id = saved
    ) then
      return private.crm_segment_answer('invalid', null, '`rules` lead back to this segment');
    end if;
  end if;
  insert into public.crm_segments as one (id, name, description, kind, rules, compiled, mentions, refers, active, stale)
  values (
    saved, wanted ->> 'name', coalesce(wanted ->> 'description', ''), wanted ->> 'kind', coalesce(wanted -> 'rules', '{}'),
    statement, case when statement is null then '{}' else private.crm_mentions(wanted -> 'rules') end, refers,
    coalesce((wanted ->> 'active')::boolean, true), statement is not null
  )
  on conflict (id) do update set
    name = excluded.name, description = excluded.description, rules = excluded.rules, compiled = excluded.compiled,
    mentions = excluded.mentions, refers = excluded.refers, active = excluded.active, version = one.version + 1,
    stale = one.stale or one.rules <> excluded.rules, updated_at = now();
  return private.crm_segment_answer('done', saved);
exception
  when unique_violation then
    return private.crm_segment_answer('taken');
  when invalid_parameter_value then
    return private.crm_segment_answer('invalid', null, sqlerrm);
end
$$;

create function public.crm_drop_segment(segment uuid, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  user_ text;
begin
  select other.name into user_ from public.crm_segments other where segment = any (other.refers) limit 1;
  if user_ is not null then
    return private.crm_segment_answer('used', segment, format('Segment %s mentions it', user_));
  end if;
  delete from public.crm_segments one where one.id = segment;
  if not found then
    return private.crm_segment_answer('not_found');
  end if;
  perform private.crm_note(actor, 'segment_dropped', jsonb_build_object('segment', segment));
  return private.crm_segment_answer('done');
exception
  when foreign_key_violation then
    return private.crm_segment_answer('used', segment, 'Something else uses it');
end
$$;

create function public.crm_find_segments(search text, at_most integer, skipped integer) returns jsonb
language sql stable security invoker set search_path = '' as $$
  with wanted as (
    select * from public.crm_segments one where search is null or position(lower(search) in lower(one.name)) > 0
  )
  select jsonb_build_object(
    'total', (select count(*) from wanted),
    'rows', coalesce((
      select jsonb_agg(private.crm_segment_told(page::public.crm_segments)) from (
        select * from wanted order by lower(name), id limit at_most offset skipped
      ) page
    ), '[]')
  )
$$;

create function public.crm_one_segment(segment uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select private.crm_segment_told(one) from public.crm_segments one where one.id = segment
$$;

-- How many contacts a rule picks now, and the newest 20 of them. Hosted databases stop it after two seconds.
create function public.crm_preview_segment(rules jsonb) returns jsonb
language plpgsql stable security invoker set search_path = '' set statement_timeout = '2s' as $$
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
  return jsonb_build_object('outcome', 'done', 'count', many, 'samples', samples);
exception when invalid_parameter_value then
  return jsonb_build_object('outcome', 'invalid', 'message', sqlerrm, 'count', 0, 'samples', '[]'::jsonb);
end
$$;

create function public.crm_rule_fields() returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_agg(jsonb_build_object('name', name, 'type', type) order by name) from private.crm_segment_fields
$$;

-- Put a contact into a static segment, or take it out; whether that changed anything. Null: there is no such segment, or
-- no such contact.
create function private.crm_segment_put(segment uuid, contact uuid, member boolean) returns boolean
language plpgsql volatile set search_path = '' as $$
begin
  if not exists (select from public.crm_segments one where one.id = segment and one.kind = 'static')
    or not exists (select from public.crm_contacts one where one.id = contact and one.deleted_at is null)
  then
    return null;
  end if;
  return private.crm_move_members(segment, array[contact], member, false) > 0;
end
$$;

-- Many at once; who does not exist is left out. How many entered or left.
create function public.crm_put_members(segment uuid, contacts uuid[], entering boolean) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  kind text;
begin
  select one.kind into kind from public.crm_segments one where one.id = segment for share;
  if not found then
    return private.crm_segment_answer('not_found');
  elsif kind <> 'static' then
    return private.crm_segment_answer('conflict', segment, 'Its rules say who is in it');
  end if;
  perform private.crm_move_members(segment, array(
    select one.id from public.crm_contacts one
    where one.id in (select private.crm_contact_of(each) from unnest(contacts) each) and one.deleted_at is null
  ), entering, false);
  return private.crm_segment_answer('done', segment);
end
$$;

create function private.crm_segments_of(contact uuid) returns uuid[]
language sql stable set search_path = '' as $$
  select coalesce(array_agg(mine.segment_id), '{}') from public.crm_segment_members mine
  where mine.contact_id = contact and mine.member
$$;

select private.crm_services_only();
