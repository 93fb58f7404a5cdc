-- Who may no longer come in: users that were banned or deleted, and sessions that were ended. Access tokens stay
-- valid until they expire, so whoever verifies them must ask.

create function private.barred_users(known uuid[]) returns setof uuid
language sql stable security definer set search_path = '' as $$
  select id from auth.users where banned_until > now()
  union
  select asked.id from unnest(known) as asked (id)
  where not exists (select 1 from auth.users u where u.id = asked.id)
$$;
comment on function private.barred_users is 'Everybody who is banned now, and of `known` those who are gone.';

create function private.ended_sessions(known uuid[]) returns setof uuid
language sql stable security definer set search_path = '' as $$
  select asked.id from unnest(known) as asked (id)
  where not exists (select 1 from auth.sessions s where s.id = asked.id)
$$;
comment on function private.ended_sessions is 'Of `known` those that were logged out, or whose user is gone.';

create function private.ban_user(target uuid, until timestamptz) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
begin
  update auth.users set banned_until = until where id = target;
  if not found then
    return false;
  end if;
  if until > now() then
    delete from auth.sessions where user_id = target;
  end if;
  return true;
end
$$;
comment on function private.ban_user is
  'Bans until then and ends all sessions; null lifts the ban. As the Auth server does it, in one transaction. False: no such user.';

create function public.barred_users(known uuid[]) returns setof uuid
language sql stable security invoker set search_path = '' as $$ select * from private.barred_users(known) $$;
create function public.ended_sessions(known uuid[]) returns setof uuid
language sql stable security invoker set search_path = '' as $$ select * from private.ended_sessions(known) $$;

create function public.ban_user(target uuid, until timestamptz) returns boolean
language sql volatile security invoker set search_path = '' as $$ select private.ban_user(target, until) $$;

revoke execute on function private.barred_users(uuid[]), private.ended_sessions(uuid[]),
  private.ban_user(uuid, timestamptz) from public, anon, authenticated;
revoke execute on function public.barred_users(uuid[]), public.ended_sessions(uuid[]),
  public.ban_user(uuid, timestamptz) from public, anon, authenticated;
grant execute on function private.barred_users(uuid[]), private.ended_sessions(uuid[]),
  private.ban_user(uuid, timestamptz) to service_role;
grant execute on function public.barred_users(uuid[]), public.ended_sessions(uuid[]),
  public.ban_user(uuid, timestamptz) to service_role;
