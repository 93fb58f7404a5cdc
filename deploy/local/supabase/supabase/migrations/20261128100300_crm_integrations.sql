-- Services that send, as administrators have set them up; and of webhooks what administrators do with deliveries.

create table public.crm_integrations (
  id text primary key check (id in ('smtp', 'sms', 'push', 'webhook')),
  sealed text not null,
  settings_set text[] not null,
  updated_by text not null,
  updated_at timestamptz not null default now()
);
comment on column public.crm_integrations.sealed is 'Its settings; only the CRM opens them.';
alter table public.crm_integrations enable row level security;
revoke all on public.crm_integrations from anon, authenticated;
grant all on public.crm_integrations to service_role;

create function public.crm_save_integration(
  of_id text, of_sealed text, names text[], actor text
) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  insert into public.crm_integrations as known (id, sealed, settings_set, updated_by)
  values (of_id, of_sealed, names, actor)
  on conflict (id) do update set
    sealed = excluded.sealed, settings_set = excluded.settings_set, updated_by = excluded.updated_by, updated_at = now();
  perform private.crm_note(actor, 'integration_configured', jsonb_build_object('integration', of_id, 'settings', names));
end
$$;

-- A post that failed, or was skipped, once more; under its id, by which its receiver knows it. False: there is none.
create function public.crm_replay_webhook(of_webhook uuid, of_post uuid) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
begin
  update public.crm_webhook_out set state = 'queued', attempts = 0, due_at = now(), error = null, claim = null
  where id = of_post and webhook_id = of_webhook and state in ('failed', 'skipped', 'sent');
  return found;
end
$$;

-- Whether somebody who tries a template may have a mail sent there: to an administrator's own, confirmed address.
create function private.crm_is_verified(address text) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (
    select from public.admin_users boss join auth.users person on person.id = boss.user_id
    where lower(person.email) = lower(btrim(address)) and person.email_confirmed_at is not null
  )
$$;
create function public.crm_verified_address(address text) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object('verified', private.crm_is_verified(address))
$$;

select private.crm_services_only();
