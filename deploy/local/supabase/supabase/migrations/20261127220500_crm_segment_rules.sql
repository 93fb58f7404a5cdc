-- Segments: contacts that a rule picks (dynamic), or that somebody has put there (static).
--
-- A rule is a tree: {op: and | or | not, children: […]} or {field, cmp, value}. It is compiled once, when it is saved, to
-- a condition whose only parameter is the rule itself: a value is read out of $1 by its place in the tree, so nothing
-- that anybody wrote ever becomes part of a statement.

create table private.crm_segment_fields (
  name text primary key,
  type text not null check (type in ('text', 'number', 'time', 'boolean')),
  value text not null,
  told text not null
);
comment on table private.crm_segment_fields is
  'What rules may mention: its type, how its value is found, and under which name a change of it is told.';
alter table private.crm_segment_fields enable row level security;
grant all on private.crm_segment_fields to service_role;
insert into private.crm_segment_fields (name, type, value, told) values
  ('email', 'text', 'one.email', 'email'), ('phone', 'text', 'one.phone', 'phone'), ('name', 'text', 'one.name', 'name'),
  ('first_name', 'text', 'one.first_name', 'first_name'), ('last_name', 'text', 'one.last_name', 'last_name'),
  ('locale', 'text', 'one.locale', 'locale'), ('timezone', 'text', 'one.timezone', 'timezone'),
  ('source', 'text', 'one.source', 'source'), ('status', 'text', 'one.status', 'status'),
  ('score', 'number', 'one.score', 'score'), ('created_at', 'time', 'one.created_at', 'created_at'),
  ('updated_at', 'time', 'one.updated_at', '*'), ('last_seen_at', 'time', 'one.last_seen_at', 'last_seen_at'),
  ('is_user', 'boolean', '(one.user_id is not null)', 'user_id'),
  ('last_trade_at', 'time', 'facts.last_trade_at', 'fact.last_trade_at'),
  ('last_real_trade_at', 'time', 'facts.last_real_trade_at', 'fact.last_trade_at'),
  ('first_deposit_at', 'time', 'facts.first_deposit_at', 'activity.first_deposit'),
  ('trades', 'number', 'coalesce(facts.trades, 0)', 'fact.trades'),
  ('real_trades', 'number', 'coalesce(facts.real_trades, 0)', 'fact.trades'),
  ('losses_in_a_row', 'number', 'greatest(facts.demo_losses, facts.real_losses, 0)', 'fact.losses'),
  ('balance', 'number', 'facts.balance', 'fact.balance'), ('real_balance', 'number', 'facts.real_balance', 'fact.balance'),
  (
    'balance_band', 'text',
    '(case when coalesce(facts.real_balance, 0) <= 0 then ''none'' when facts.real_balance < 100 then ''low''
      when facts.real_balance < 1000 then ''medium'' else ''high'' end)', 'fact.balance'
  ),
  ('account_type', 'text', 'facts.account_type', 'fact.account_type'),
  ('bot_running', 'boolean', 'coalesce(facts.bot_running, false)', 'fact.bot_running');

create table public.crm_segments (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  description text not null default '',
  kind text not null check (kind in ('dynamic', 'static')),
  rules jsonb not null default '{}',
  compiled text,
  mentions text[] not null default '{}',
  refers uuid[] not null default '{}',
  active boolean not null default true,
  contact_count bigint not null default 0,
  built_at timestamptz,
  stale boolean not null default true,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((compiled is not null) = (kind = 'dynamic'))
);
comment on column public.crm_segments.mentions is 'Names under which a change is told that can let a contact enter or leave.';
comment on column public.crm_segments.stale is 'Its rules were changed since it was built.';
create unique index crm_segments_name on public.crm_segments (lower(name));
create index crm_segments_mentions on public.crm_segments using gin (mentions) where active;

create table public.crm_segment_members (
  segment_id uuid not null references public.crm_segments (id) on delete cascade,
  contact_id uuid not null references public.crm_contacts (id) on delete cascade,
  member boolean not null,
  version integer not null default 1,
  changed_at timestamptz not null default now(),
  primary key (segment_id, contact_id)
);
comment on column public.crm_segment_members.version is 'How often the contact has entered or left: an event of each is told once.';
create index crm_segment_members_contact on public.crm_segment_members (contact_id) where member;

do $$
declare
  made text;
begin
  foreach made in array array['crm_segments', 'crm_segment_members'] loop
    execute format('alter table public.%I enable row level security', made);
    execute format('revoke all on public.%I from anon, authenticated', made);
    execute format('grant all on public.%I to service_role', made);
  end loop;
end
$$;

insert into private.crm_personal_data (table_name, erase, merge) values (
  'crm_segment_members',
  'with gone as (delete from public.crm_segment_members where contact_id = $1 returning segment_id, member)
   update public.crm_segments known set contact_count = known.contact_count - 1
   from gone where gone.segment_id = known.id and gone.member',
  'with gone as (delete from public.crm_segment_members where contact_id = $2 returning segment_id, member, version),
   new as (
     insert into public.crm_segment_members as known (segment_id, contact_id, member, version)
     select gone.segment_id, $1, gone.member, gone.version from gone
     where gone.member and exists (select from public.crm_segments own where own.id = gone.segment_id and own.kind = ''static'')
     on conflict (segment_id, contact_id) do update set member = true where not known.member
     returning segment_id
   )
   update public.crm_segments known set contact_count = known.contact_count - 1
   from gone where gone.segment_id = known.id and gone.member
     and not exists (select from new where new.segment_id = known.id)'
);

create function private.crm_is_time(given text) returns boolean
language plpgsql immutable set search_path = '' as $$
begin
  return given ~ '^\d{4}-\d{2}-\d{2}' and length(given) <= 40 and given::timestamptz is not null;
exception when datetime_field_overflow or invalid_datetime_format or invalid_parameter_value then
  return false;
end
$$;

create function private.crm_fault(place text[], said text) returns void
language plpgsql immutable set search_path = '' as $$
begin
  raise exception '`%` %', array_to_string('{rules}'::text[] || place, '.'), said using errcode = '22023';
end
$$;

-- Whether a value is one of that type, where it stands.
create function private.crm_check_value(type text, value jsonb, place text[]) returns void
language plpgsql immutable set search_path = '' as $$
declare
  kind constant text := coalesce(jsonb_typeof(value), 'null');
begin
  if type = 'text' and (kind <> 'string' or length(value #>> '{}') > 200) then
    perform private.crm_fault(place, 'must be a text of at most 200 characters');
  elsif type = 'number' and (kind <> 'number' or abs((value #>> '{}')::numeric) > 1e15) then
    perform private.crm_fault(place, 'must be a number');
  elsif type = 'boolean' and kind <> 'boolean' then
    perform private.crm_fault(place, 'must be true or false');
  elsif type = 'time' and (kind <> 'string' or not private.crm_is_time(value #>> '{}')) then
    perform private.crm_fault(place, 'must be a time such as 2026-11-27T12:00:00Z');
  elsif type = 'days' and (kind <> 'number' or (value #>> '{}') !~ '^[0-9]{1,4}$' or (value #>> '{}')::integer < 1) then
    perform private.crm_fault(place, 'must be a number of days from 1 to 9999');
  elsif type = 'uuid' and (kind <> 'string' or (value #>> '{}') !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$') then
    perform private.crm_fault(place, 'must be the id of a segment');
  end if;
end
$$;

create function private.crm_check_values(type text, given jsonb, place text[], most integer) returns void
language plpgsql immutable set search_path = '' as $$
begin
  if jsonb_typeof(given) is distinct from 'array' or jsonb_array_length(given) not between 1 and most then
    perform private.crm_fault(place, format('must be a list of 1 to %s values', most));
  end if;
  perform private.crm_check_value(type, one.value, place || (one.number - 1)::text)
  from jsonb_array_elements(given) with ordinality one (value, number);
end
$$;

-- A condition on a plain value. `kept` is its expression, `given` that of the rule's value, as text.
create function private.crm_compare(
  kept text, type text, cmp text, value jsonb, given text, list text, place text[]
) returns text
language plpgsql immutable set search_path = '' as $$
declare
  own constant text := case type when 'text' then format('lower(%s)', kept) else kept end;
  cast_ constant text := case type when 'number' then '::numeric' when 'time' then '::timestamptz' when 'boolean' then '::boolean' else '' end;
  meant constant text := case type when 'text' then format('lower(%s)', given) else given || cast_ end;
  sign constant text := case cmp
    when 'eq' then '=' when 'gt' then '>' when 'gte' then '>=' when 'lt' then '<' when 'lte' then '<=' end;
begin
  if cmp in ('empty', 'not_empty') then
    return format('(coalesce(%s, '''') %s '''')', kept || '::text', case cmp when 'empty' then '=' else '<>' end);
  elsif cmp in ('within_days', 'older_than_days') and type = 'time' then
    perform private.crm_check_value('days', value, place || 'value'::text);
    return format('coalesce(%s %s now() - make_interval(days => (%s)::integer), false)',
      kept, case cmp when 'within_days' then '>' else '<=' end, given);
  elsif cmp in ('in', 'not_in') and type in ('text', 'number') then
    perform private.crm_check_values(type, value, place || 'value'::text, 200);
    return format('%s(coalesce(%s = any (array(select %s from jsonb_array_elements_text(%s) each)), false))',
      case cmp when 'in' then '' else 'not ' end, own,
      case type when 'text' then 'lower(each)' else 'each::numeric' end, list);
  elsif cmp = 'between' and type in ('number', 'time') then
    perform private.crm_check_values(type, value, place || 'value'::text, 2);
    if jsonb_array_length(value) <> 2 then
      perform private.crm_fault(place || 'value'::text, 'must be two values');
    end if;
    return format('coalesce(%s between (%s ->> 0)%s and (%s ->> 1)%s, false)', kept, list, cast_, list, cast_);
  end if;
  perform private.crm_check_value(type, value, place || 'value'::text);
  if cmp in ('eq', 'ne') then
    return format('(%s %s %s)', own, case cmp when 'eq' then 'is not distinct from' else 'is distinct from' end, meant);
  elsif sign is not null and type in ('number', 'time') then
    return format('coalesce(%s %s %s, false)', own, sign, meant);
  elsif type = 'text' and cmp = 'contains' then
    return format('coalesce(position(%s in %s) > 0, false)', meant, own);
  elsif type = 'text' and cmp = 'not_contains' then
    return format('coalesce(position(%s in %s) = 0, true)', meant, own);
  elsif type = 'text' and cmp = 'starts_with' then
    return format('coalesce(starts_with(%s, %s), false)', own, meant);
  elsif type = 'text' and cmp = 'ends_with' then
    return format('coalesce(right(%s, length(%s)) = %s, false)', own, meant, meant);
  end if;
  perform private.crm_fault(place || 'cmp'::text, format('cannot be used with a %s', type));
end
$$;

-- What a leaf says, as a condition on contact `one` and its trading `facts`. Never null.
create function private.crm_compile_leaf(rule jsonb, place text[]) returns text
language plpgsql stable set search_path = '' as $$
declare
  field constant text := coalesce(rule ->> 'field', '');
  cmp constant text := coalesce(rule ->> 'cmp', '');
  at constant text := array_to_string(place, ',');
  given constant text := format('($1 #>> %L)', format('{%s}', array_to_string(place || 'value'::text, ',')));
  list constant text := format('($1 #> %L)', format('{%s}', array_to_string(place || 'value'::text, ',')));
  named constant text := format('($1 #>> %L)', format('{%s}', array_to_string(place || 'field'::text, ',')));
  known private.crm_segment_fields;
  custom public.crm_custom_fields;
  negated constant text := case when cmp in ('not_in', 'not_contains', 'empty', 'not_within_days') then 'not ' else '' end;
begin
  if rule - array['field', 'cmp', 'value'] <> '{}' then
    perform private.crm_fault(place, 'may have field, cmp and value, and nothing else');
  end if;
  select * into known from private.crm_segment_fields one where one.name = field;
  if found then
    return private.crm_compare(known.value, known.type, cmp, rule -> 'value', given, list, place);
  elsif field ~ '^custom\.[a-z][a-z0-9_]{0,39}$' then
    select * into custom from public.crm_custom_fields one where one.key = substr(field, 8);
    if found then
      return private.crm_compare(
        format('((one.custom_fields ->> substr(%s, 8))%s)', named,
          case custom.type when 'number' then '::numeric' when 'boolean' then '::boolean' when 'date' then '::date::timestamp at time zone ''UTC''' else '' end),
        case custom.type when 'select' then 'text' when 'date' then 'time' else custom.type end,
        cmp, rule -> 'value', given, list, place
      );
    end if;
  elsif field = 'tags' and cmp in ('contains', 'not_contains', 'in', 'not_in', 'empty', 'not_empty') then
    if cmp like '%contains' then
      perform private.crm_check_value('text', rule -> 'value', place || 'value'::text);
    elsif cmp like '%in' then
      perform private.crm_check_values('text', rule -> 'value', place || 'value'::text, 200);
    end if;
    return format('%sexists (select from public.crm_contact_tags owned where owned.contact_id = one.id%s)', negated,
      case when cmp like '%contains' then format(' and owned.tag = lower(btrim(%s))', given)
        when cmp like '%in' then
          format(' and owned.tag = any (array(select lower(btrim(each)) from jsonb_array_elements_text(%s) each))', list)
        else '' end);
  elsif field = 'segments' and cmp in ('in', 'not_in') then
    perform private.crm_check_values('uuid', rule -> 'value', place || 'value'::text, 20);
    return format('%sexists (select from public.crm_segment_members other where other.contact_id = one.id and other.member
      and other.segment_id = any (array(select each::uuid from jsonb_array_elements_text(%s) each)))', negated, list);
  elsif field ~ '^consent\.(email|sms|push|webhook|notification)(\.[a-z0-9][a-z0-9_.-]{0,59})?$' and cmp in ('eq', 'ne') then
    if not coalesce(rule ->> 'value', '') in ('subscribed', 'pending', 'unsubscribed', 'none') then
      perform private.crm_fault(place || 'value'::text, 'must be subscribed, pending, unsubscribed or none');
    end if;
    return format('(coalesce(private.crm_consent(one.id, split_part(%1$s, ''.'', 2),
      coalesce(nullif(substr(%1$s, 10 + length(split_part(%1$s, ''.'', 2))), ''''), ''*'')), ''none'') %2$s %3$s)',
      named, case cmp when 'eq' then '=' else '<>' end, given);
  elsif field ~ '^activity\.[a-z][a-z_]{0,39}$' and cmp in ('within_days', 'not_within_days', 'empty', 'not_empty') then
    if cmp like '%within_days' then
      perform private.crm_check_value('days', rule -> 'value', place || 'value'::text);
    end if;
    return format('%sexists (select from public.crm_activities did where did.contact_id = one.id
      and did.type = substr(%s, 10)%s)', negated, named,
      case when cmp like '%within_days' then format(' and did.at > now() - make_interval(days => (%s)::integer)', given)
        else '' end);
  end if;
  if field in ('tags', 'segments') or field ~ '^(consent|activity)\.' then
    perform private.crm_fault(place || 'cmp'::text, format('cannot be used with %s', field));
  end if;
  perform private.crm_fault(place || 'field'::text, 'is nothing that rules can mention');
end
$$;

create function private.crm_compile(rule jsonb, place text[] default '{}', depth integer default 1) returns text
language plpgsql stable set search_path = '' as $$
declare
  op constant text := rule ->> 'op';
  parts text[];
begin
  if jsonb_typeof(rule) is distinct from 'object' then
    perform private.crm_fault(place, 'must be an object');
  elsif not rule ? 'op' then
    return private.crm_compile_leaf(rule, place);
  elsif depth > 5 then
    perform private.crm_fault(place, 'is nested deeper than 5 levels');
  elsif op is null or op not in ('and', 'or', 'not') then
    perform private.crm_fault(place || 'op'::text, 'must be and, or or not');
  elsif rule - array['op', 'children'] <> '{}' then
    perform private.crm_fault(place, 'may have op and children, and nothing else');
  elsif jsonb_typeof(rule -> 'children') is distinct from 'array'
    or jsonb_array_length(rule -> 'children') not between 1 and 50
    or (op = 'not' and jsonb_array_length(rule -> 'children') <> 1)
  then
    perform private.crm_fault(place || 'children'::text, case op when 'not' then 'must be one' else 'must be a list of 1 to 50' end);
  end if;
  select array_agg(
    private.crm_compile(child.rule, place || array['children', (child.number - 1)::text], depth + 1) order by child.number
  ) into parts
  from jsonb_array_elements(rule -> 'children') with ordinality child (rule, number);
  return case op when 'not' then format('(not %s)', parts[1]) else format('(%s)', array_to_string(parts, format(' %s ', op))) end;
end
$$;

create function private.crm_leaves(rules jsonb) returns setof jsonb
language sql immutable set search_path = '' as $$
  with recursive node (rule) as (
    select rules
    union all
    select child from node, jsonb_array_elements(case jsonb_typeof(node.rule -> 'children')
      when 'array' then node.rule -> 'children' else '[]' end) child
  )
  select rule from node where not rule ? 'op'
$$;

-- The statement that finds who a rule picks; $1 is the rule. Raises 22023, naming what is wrong with it.
create function private.crm_compiled(rules jsonb) returns text
language plpgsql stable set search_path = '' as $$
begin
  if pg_column_size(rules) > 65536 then
    perform private.crm_fault('{}', 'is too large');
  end if;
  declare
    condition constant text := private.crm_compile(rules);
  begin
    if (select count(*) from private.crm_leaves(rules)) > 50 then
      perform private.crm_fault('{}', 'has more than 50 conditions');
    end if;
    return 'select one.id from public.crm_contacts one
      left join public.crm_trading_facts facts on facts.contact_id = one.id
      where one.deleted_at is null and ' || condition;
  end;
end
$$;

create function private.crm_mentions(rules jsonb) returns text[]
language sql stable set search_path = '' as $$
  select coalesce(array_agg(distinct told), '{}') from (
    select coalesce(known.told, case
      when leaf ->> 'field' ~ '^consent\.' then 'consent' else leaf ->> 'field' end) as told
    from private.crm_leaves(rules) leaf
    left join private.crm_segment_fields known on known.name = leaf ->> 'field'
    where leaf ->> 'field' <> 'segments'
    union all
    select 'segment.' || each
    from private.crm_leaves(rules) leaf, jsonb_array_elements_text(leaf -> 'value') each
    where leaf ->> 'field' = 'segments'
  ) mentioned
$$;

select private.crm_services_only();
