-- All sending to contacts can be stopped at once, whatever it is of: what waits goes on waiting.
create table public.crm_sending_state (
  only_one boolean primary key default true check (only_one),
  stopped_at timestamptz,
  stopped_by text not null default '',
  why text not null default ''
);
comment on column public.crm_sending_state.stopped_at is 'Null: it goes on.';
insert into public.crm_sending_state default values;
alter table public.crm_sending_state enable row level security;
revoke all on public.crm_sending_state from anon, authenticated;
grant all on public.crm_sending_state to service_role;

create function public.crm_sending() returns jsonb
language sql stable security invoker set search_path = '' as $$
  select to_jsonb(known) - 'only_one' || public.crm_mail_figures() from public.crm_sending_state known
$$;

-- Null: all goes on. Who stops what is stopped changes nothing.
create function public.crm_stop_sending(stop boolean, because text, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
begin
  update public.crm_sending_state set
    stopped_at = case when stop then now() end, stopped_by = case when stop then actor else '' end,
    why = case when stop then because else '' end
  where (stopped_at is not null) <> stop;
  if found then
    perform private.crm_note(actor, case when stop then 'sending_stopped' else 'sending_started' end, jsonb_build_object('why', because));
  end if;
  return public.crm_sending();
end
$$;

select private.crm_services_only();
