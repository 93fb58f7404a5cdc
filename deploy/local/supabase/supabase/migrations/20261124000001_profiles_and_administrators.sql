-- People: profiles (made at sign-up), administrators, and who did what.

create schema if not exists private;
comment on schema private is 'Not exposed by the API: trigger and policy functions.';
grant usage on schema private to authenticated, service_role;

create function private.touch() returns trigger
language plpgsql security invoker set search_path = '' as $$
begin
  new.updated_at = now();
  return new;
end
$$;

-- What a user may change is said by column grants, and once more here: a server that grants whole tables to
-- `authenticated`, as the local one does at its start, must not let an administrator promote themselves.
create function private.only_columns() returns trigger
language plpgsql security invoker set search_path = '' as $$
declare
  forbidden text;
begin
  select after.key into forbidden
  from jsonb_each(to_jsonb(new)) after join jsonb_each(to_jsonb(old)) before using (key)
  where after.value is distinct from before.value and after.key <> all (tg_argv)
  limit 1;
  if forbidden is not null then
    raise insufficient_privilege using message = format('permission denied for column %s', forbidden);
  end if;
  return new;
end
$$;

create table public.profiles (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null unique references auth.users (id) on delete cascade,
  full_name text,
  email text,
  phone text,
  avatar_url text,
  broker_name text,
  broker_user_id text unique check (broker_user_id ~ '^[1-9][0-9]{0,17}$'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column public.profiles.broker_user_id is
  'Unique, and without leading zeros: two users must never drive one account at the broker.';

alter table public.profiles enable row level security;
revoke all on public.profiles from anon, authenticated;
grant select on public.profiles to authenticated;
grant update (full_name, broker_user_id, avatar_url, phone) on public.profiles to authenticated;
grant all on public.profiles to service_role;
create policy profiles_select_own on public.profiles for select to authenticated
  using ((select auth.uid()) = user_id);
create policy profiles_update_own on public.profiles for update to authenticated
  using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create trigger profiles_columns before update on public.profiles
  for each row when (current_user in ('anon', 'authenticated'))
  execute function private.only_columns('full_name', 'broker_user_id', 'avatar_url', 'phone');
create trigger profiles_touch before update on public.profiles
  for each row execute function private.touch();

-- The broker id a new user brings is theirs only if it is well formed and nobody else has it; sign-up never fails for it.
create function private.profile_of_new_user() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  wanted text := new.raw_user_meta_data ->> 'avalon_user_id';
begin
  if wanted !~ '^[1-9][0-9]{0,17}$' or exists (select 1 from public.profiles where broker_user_id = wanted) then
    wanted := null;
  end if;
  insert into public.profiles (user_id, email, full_name, broker_user_id)
  values (new.id, new.email, new.raw_user_meta_data ->> 'full_name', wanted)
  on conflict (user_id) do nothing;
  return new;
exception when unique_violation then
  -- Somebody took the id between the look and the insert.
  insert into public.profiles (user_id, email, full_name)
  values (new.id, new.email, new.raw_user_meta_data ->> 'full_name')
  on conflict (user_id) do nothing;
  return new;
end
$$;
create trigger on_auth_user_created after insert on auth.users
  for each row execute function private.profile_of_new_user();

-- A project may have users before it has this table.
insert into public.profiles (user_id, email, full_name)
select id, email, raw_user_meta_data ->> 'full_name' from auth.users;

create table public.admin_users (
  id uuid primary key default gen_random_uuid(),
  user_id uuid unique references auth.users (id) on delete cascade,
  email text not null unique,
  full_name text,
  role text not null check (role in ('super_admin', 'admin', 'support', 'analyst')),
  is_active boolean not null default true,
  avatar_url text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_login_at timestamptz
);
alter table public.admin_users enable row level security;
revoke all on public.admin_users from anon, authenticated;
grant select on public.admin_users to authenticated;
grant update (last_login_at) on public.admin_users to authenticated;
grant all on public.admin_users to service_role;
create policy admin_users_select_own on public.admin_users for select to authenticated
  using ((select auth.uid()) = user_id);
create policy admin_users_update_own on public.admin_users for update to authenticated
  using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create trigger admin_users_columns before update on public.admin_users
  for each row when (current_user in ('anon', 'authenticated'))
  execute function private.only_columns('last_login_at');
create trigger admin_users_touch before update on public.admin_users
  for each row execute function private.touch();

-- Answers only for the caller's own address, so that it tells nobody who else is an administrator; an address that
-- belongs to a known user is not enough for another one who registers it.
create function private.own_admin_row(user_email text) returns setof public.admin_users
language sql stable security definer set search_path = '' as $$
  select *
  from public.admin_users
  where is_active
    and lower(email) = lower(user_email)
    and lower(email) = lower(coalesce((select auth.jwt()) ->> 'email', ''))
    and (user_id is null or user_id = (select auth.uid()))
$$;
revoke execute on function private.own_admin_row(text) from public, anon;
grant execute on function private.own_admin_row(text) to authenticated, service_role;

create function public.check_admin_email(user_email text) returns setof public.admin_users
language sql stable security invoker set search_path = '' as $$
  select * from private.own_admin_row(user_email)
$$;
revoke execute on function public.check_admin_email(text) from public, anon;
grant execute on function public.check_admin_email(text) to authenticated, service_role;

create table public.user_sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  created_at timestamptz not null default now(),
  last_activity timestamptz not null default now()
);
create index user_sessions_user on public.user_sessions (user_id, last_activity desc);
alter table public.user_sessions enable row level security;

create table public.user_activity_log (
  id bigint generated always as identity primary key,
  user_id uuid references auth.users (id) on delete set null,
  actor_id uuid references auth.users (id) on delete set null,
  action text not null,
  details jsonb not null default '{}',
  created_at timestamptz not null default now()
);
create index user_activity_log_user on public.user_activity_log (user_id, created_at desc);
create index user_activity_log_actor on public.user_activity_log (actor_id, created_at desc);
alter table public.user_activity_log enable row level security;

revoke all on public.user_sessions, public.user_activity_log from anon, authenticated;
grant all on public.user_sessions, public.user_activity_log to service_role;
