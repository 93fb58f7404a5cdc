-- What was done to whom is written once: nobody changes or deletes it, the services no more than anybody else.
create function private.keep_activity() returns trigger
language plpgsql set search_path = '' as $$
declare
  people constant text[] := array['user_id', 'actor_id'];
begin
  if tg_op = 'UPDATE' then
    -- Of a user who is deleted only the name goes.
    if to_jsonb(new) - people = to_jsonb(old) - people
      and coalesce(new.user_id, old.user_id) is not distinct from old.user_id
      and coalesce(new.actor_id, old.actor_id) is not distinct from old.actor_id then
      return new;
    end if;
  end if;
  raise exception 'user_activity_log is only ever added to' using errcode = '23001';
end
$$;
revoke execute on function private.keep_activity() from public, anon;

create trigger kept before update or delete on public.user_activity_log
  for each row execute function private.keep_activity();
create trigger kept_whole before truncate on public.user_activity_log
  for each statement execute function private.keep_activity();
revoke update, delete, truncate on public.user_activity_log from service_role;
