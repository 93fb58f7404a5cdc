-- Templates as administrators read and change them.

-- What uses a template: by kind, a statement in which $1 is its id that tells the names of those that do. Whoever adds
-- something that uses templates adds a row here.
create table private.crm_template_users (
  kind text primary key,
  named_by text not null
);
alter table private.crm_template_users enable row level security;
grant all on private.crm_template_users to service_role;
insert into private.crm_template_users (kind, named_by) values (
  'mail',
  'select count(*) || '' that wait to be sent'' from public.crm_mail_out queued
   join public.crm_email_template_versions version on version.id = queued.template_version_id
   where version.template_id = $1 and queued.state in (''queued'', ''sending'') having count(*) > 0'
);

-- As `kind name`, the first few.
create function private.crm_users_of_template(of_template uuid) returns text[]
language plpgsql stable set search_path = '' as $$
declare
  asked private.crm_template_users;
  named text[] := '{}';
  found_names text[];
begin
  for asked in select * from private.crm_template_users order by kind loop
    execute format('select coalesce(array_agg(name::text), ''{}'') from (select * from (%s) one (name) limit 5) few', asked.named_by)
    into found_names using of_template;
    named := named || array(select asked.kind || ' ' || each from unnest(found_names) each);
  end loop;
  return named[1:10];
end
$$;

create function private.crm_template_row(of_template uuid, whole boolean) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'id', template.id, 'name', template.name, 'category', template.category, 'created_at', template.created_at,
    'updated_at', template.updated_at, 'version_id', version.id, 'version', version.number,
    'subject', version.subject, 'ready', version.ready, 'variables', to_jsonb(version.variables)
  ) || case when whole then jsonb_build_object(
    'preheader', version.preheader, 'design', version.design, 'mjml', version.mjml, 'html', version.html,
    'text', version.text, 'policy', version.policy, 'problems', version.problems
  ) else '{}' end
  from public.crm_email_templates template
  join public.crm_email_template_versions version on version.id = template.version_id
  where template.id = of_template and template.deleted_at is null
$$;

create function public.crm_one_template(template uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$ select private.crm_template_row(template, true) $$;

create function public.crm_find_templates(search text, of_category text, at_most integer, skipped integer) returns jsonb
language sql stable security invoker set search_path = '' as $$
  with found as (
    select template.id, template.created_at from public.crm_email_templates template
    where template.deleted_at is null and template.version_id is not null
      and (of_category is null or template.category = of_category)
      and (search is null or strpos(lower(template.name), lower(search)) > 0)
  )
  select jsonb_build_object(
    'total', (select count(*) from found),
    'rows', coalesce((
      select jsonb_agg(private.crm_template_row(page.id, false) order by page.created_at desc, page.id desc)
      from (select * from found order by created_at desc, id desc limit at_most offset skipped) page
    ), '[]')
  )
$$;

-- Null: there is no such template.
create function public.crm_template_versions(template uuid) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select coalesce((
    select jsonb_agg(to_jsonb(newest) order by newest.number desc) from (
      select version.id, version.number, version.subject, version.ready, version.created_by, version.created_at
      from public.crm_email_template_versions version where version.template_id = one.id
      order by version.number desc limit 100
    ) newest
  ), '[]')
  from public.crm_email_templates one where one.id = crm_template_versions.template and one.deleted_at is null
$$;

-- A new template, or a new version of one, if what it says differs. `expected`: the version that the writer saw.
create function public.crm_save_template(template uuid, given jsonb, expected integer, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  known public.crm_email_templates;
  newest public.crm_email_template_versions;
  made uuid;
begin
  if template is null then
    insert into public.crm_email_templates (name, category) values (given ->> 'name', given ->> 'category')
    returning * into known;
  else
    select * into known from public.crm_email_templates one
    where one.id = template and one.deleted_at is null for update;
    if not found then
      return '{"outcome": "not_found"}';
    end if;
    select * into newest from public.crm_email_template_versions one where one.id = known.version_id;
    if newest.number is distinct from expected then
      return '{"outcome": "conflict"}';
    end if;
  end if;
  if newest.checksum is distinct from given ->> 'checksum' or newest.ready is distinct from (given ->> 'ready')::boolean then
    insert into public.crm_email_template_versions (
      template_id, number, subject, preheader, design, mjml, html, text, variables, policy, problems, ready, checksum,
      created_by
    ) values (
      known.id, coalesce(newest.number, 0) + 1, given ->> 'subject', given ->> 'preheader',
      nullif(given -> 'design', 'null'), given ->> 'mjml', given ->> 'html', given ->> 'text',
      array(select jsonb_array_elements_text(given -> 'variables')), given ->> 'policy', given -> 'problems',
      (given ->> 'ready')::boolean, given ->> 'checksum', actor
    ) returning id into made;
  end if;
  update public.crm_email_templates set
    name = given ->> 'name', category = given ->> 'category', version_id = coalesce(made, known.version_id),
    updated_at = now()
  where id = known.id;
  return jsonb_build_object('outcome', 'done', 'template', private.crm_template_row(known.id, true));
end
$$;

-- `used`: by what `users` tells.
create function public.crm_drop_template(template uuid, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  users text[];
begin
  perform from public.crm_email_templates one where one.id = template and one.deleted_at is null for update;
  if not found then
    return '{"outcome": "not_found"}';
  end if;
  users := private.crm_users_of_template(template);
  if cardinality(users) > 0 then
    return jsonb_build_object('outcome', 'used', 'users', to_jsonb(users));
  end if;
  update public.crm_email_templates set deleted_at = now(), updated_at = now() where id = template;
  perform private.crm_note(actor, 'template_dropped', jsonb_build_object('template', template));
  return '{"outcome": "done"}';
end
$$;

-- What may be said of a contact in what is sent to it; of a trading user, what it trades, too.
create or replace function private.crm_recipient(person public.crm_contacts) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'id', person.id, 'email', person.email, 'phone', person.phone, 'first_name', person.first_name,
    'last_name', person.last_name, 'name', person.name, 'locale', person.locale, 'timezone', person.timezone,
    'status', person.status, 'score', person.score, 'custom', person.custom_fields, 'trading', (
      select to_jsonb(facts) - 'contact_id' - 'updated_at' from public.crm_trading_facts facts
      where facts.contact_id = person.id
    )
  )
$$;

select private.crm_services_only();
