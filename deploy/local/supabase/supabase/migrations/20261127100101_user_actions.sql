-- What administrators do to users, each in one transaction with the record of it.

alter table public.user_activity_log add column ip text;
comment on column public.user_activity_log.actor_id is 'Who did it; null: the user, or nobody in particular.';

-- The role of somebody who may act now. Who may what is decided at the door; asked again here, under locks, so that two
-- who act on each other at the same time cannot both succeed, and the last super_admin cannot go.
create function private.acting_role(actor uuid) returns text
language sql volatile security definer set search_path = '' as $$
  select admin.role
  from public.admin_users admin join auth.users person on person.id = admin.user_id
  where admin.user_id = actor and admin.is_active and coalesce(person.banned_until <= now(), true)
$$;

-- Its entry in the log is one that nobody changes or deletes; in plpgsql, because a later migration says so.
create function private.note_action(actor uuid, target uuid, action text, details jsonb, ip text) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare
  made bigint;
begin
  insert into public.admin_logs (level, origin, message, metadata, audit) values (
    'info', 'api', 'User ' || replace(action, '_', ' '),
    details || jsonb_build_object('user', target, 'by', actor, 'action', action), true
  );
  insert into public.user_activity_log (user_id, actor_id, action, details, ip)
  values (target, actor, action, details, ip)
  returning id into made;
  return made;
end
$$;

create type private.outcome as (outcome text, activity_id bigint);
comment on type private.outcome is
  'done, with the id of its entry in user_activity_log; unchanged: it was so already; or why not.';

-- Serialises whatever changes who may act.
create function private.lock_administrators() returns void
language sql volatile security definer set search_path = '' as $$
  select pg_advisory_xact_lock(hashtext('private.lock_administrators'))
$$;

create function private.suspend_user(actor uuid, target uuid, reason text, ip text) returns private.outcome
language plpgsql volatile security definer set search_path = '' as $$
declare
  rank text;
  banned timestamptz;
begin
  perform private.lock_administrators();
  rank := private.acting_role(actor);
  select person.banned_until into banned from auth.users person where person.id = target for update;
  if not found then
    return row('not_found', null)::private.outcome;
  elsif actor = target then
    return row('self', null)::private.outcome;
  elsif coalesce(rank, '') not in ('admin', 'super_admin')
    or (rank = 'admin' and exists (
      select from public.admin_users admin
      where admin.user_id = target and admin.is_active and admin.role = 'super_admin'
    ))
  then
    return row('outranked', null)::private.outcome;
  elsif banned > now() then
    return row('unchanged', null)::private.outcome;
  end if;
  perform private.ban_user(target, now() + interval '100 years');
  return row('done', private.note_action(actor, target, 'suspended', jsonb_build_object('reason', reason), ip))::private.outcome;
end
$$;

create function private.activate_user(actor uuid, target uuid, ip text) returns private.outcome
language plpgsql volatile security definer set search_path = '' as $$
declare
  banned timestamptz;
begin
  perform private.lock_administrators();
  select person.banned_until into banned from auth.users person where person.id = target for update;
  if not found then
    return row('not_found', null)::private.outcome;
  elsif coalesce(private.acting_role(actor), '') not in ('admin', 'super_admin') then
    return row('outranked', null)::private.outcome;
  elsif coalesce(banned <= now(), true) then
    return row('unchanged', null)::private.outcome;
  end if;
  perform private.ban_user(target, null);
  return row('done', private.note_action(actor, target, 'activated', '{}', ip))::private.outcome;
end
$$;

create function private.set_role(actor uuid, target uuid, new_role text, ip text) returns private.outcome
language plpgsql volatile security definer set search_path = '' as $$
declare
  address text;
  old_role text;
begin
  perform private.lock_administrators();
  select coalesce(person.email, person.id::text) into address from auth.users person where person.id = target;
  select admin.role into old_role from public.admin_users admin where admin.user_id = target and admin.is_active;
  if address is null then
    return row('not_found', null)::private.outcome;
  elsif actor = target then
    return row('self', null)::private.outcome;
  elsif coalesce(private.acting_role(actor), '') <> 'super_admin' then
    return row('outranked', null)::private.outcome;
  elsif new_role is not distinct from old_role then
    return row('unchanged', null)::private.outcome;
  end if;
  if new_role is null then
    update public.admin_users set is_active = false where user_id = target;
  else
    update public.admin_users set role = new_role, is_active = true where user_id = target;
    if not found then
      insert into public.admin_users (user_id, email, role) values (target, address, new_role)
      on conflict (email) do update set user_id = target, role = new_role, is_active = true;
    end if;
  end if;
  return row('done', private.note_action(
    actor, target, 'role', jsonb_build_object('role', new_role, 'before', old_role), ip
  ))::private.outcome;
end
$$;

create function private.user_email(of_user uuid) returns table (email text)
language sql stable security definer set search_path = '' as $$
  select coalesce(person.email, '')::text from auth.users person where person.id = of_user
$$;

create function public.suspend_user(actor uuid, target uuid, reason text, ip text) returns setof private.outcome
language sql volatile security invoker set search_path = '' as $$
  select * from private.suspend_user(actor, target, reason, ip)
$$;
create function public.activate_user(actor uuid, target uuid, ip text) returns setof private.outcome
language sql volatile security invoker set search_path = '' as $$
  select * from private.activate_user(actor, target, ip)
$$;
create function public.set_role(actor uuid, target uuid, new_role text, ip text) returns setof private.outcome
language sql volatile security invoker set search_path = '' as $$
  select * from private.set_role(actor, target, new_role, ip)
$$;
create function public.user_email(of_user uuid) returns table (email text)
language sql stable security invoker set search_path = '' as $$ select * from private.user_email(of_user) $$;
create function public.note_action(actor uuid, target uuid, action text, details jsonb, ip text) returns bigint
language sql volatile security invoker set search_path = '' as $$
  select private.note_action(actor, target, action, details, ip)
$$;

do $$
declare
  made regprocedure;
begin
  for made in
    select oid from pg_catalog.pg_proc
    where proname in (
        'acting_role', 'note_action', 'lock_administrators', 'suspend_user', 'activate_user', 'set_role', 'user_email'
      )
      and pronamespace in ('public'::regnamespace, 'private'::regnamespace)
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', made);
    execute format('grant execute on function %s to service_role', made);
  end loop;
end
$$;
