-- A webhook that a workflow uses stays; a secret that is changed is good for a while beside the new one; and what is
-- posted of a person is that person's data: told with the rest of it, and erased with it.

alter table public.crm_webhooks add column previous text;
alter table public.crm_webhooks add column previous_until timestamptz;
comment on column public.crm_webhooks.previous is 'The secret before this one, sealed: posts are signed with it, too, until `previous_until`.';

alter table public.crm_webhook_out add column contact_id uuid references public.crm_contacts (id) on delete cascade;
comment on column public.crm_webhook_out.contact_id is 'Whom the payload speaks of.';
create index crm_webhook_out_contact on public.crm_webhook_out (contact_id) where contact_id is not null;
create index crm_webhook_out_created on public.crm_webhook_out (created_at);

-- The contact that a payload speaks of; null: of nobody that is there.
create function private.crm_payload_contact(payload jsonb) returns uuid
language sql stable set search_path = '' as $$
  select known.id from public.crm_contacts known
  where known.id = private.crm_contact_of(case
    when payload -> 'contact' ->> 'id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then (payload -> 'contact' ->> 'id')::uuid
  end)
$$;

update public.crm_webhook_out posted set contact_id = private.crm_payload_contact(posted.payload)
where posted.payload ? 'contact';

insert into private.crm_personal_data (table_name, erase, merge) values (
  'crm_webhook_out',
  'update public.crm_webhook_out set payload = ''{}'',
     state = case when state in (''queued'', ''sending'') then ''skipped'' else state end,
     error = case when state in (''queued'', ''sending'') then ''deleted'' else error end
   where contact_id = $1',
  'update public.crm_webhook_out set contact_id = $1 where contact_id = $2'
) on conflict do nothing;

-- Queue a post to a webhook of `crm_webhooks`; its id. Skipped at once if there is none, or it is disabled.
create or replace function private.crm_queue_webhook(key text, url_ref uuid, payload jsonb) returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  active constant boolean := coalesce((
    select hook.state = 'active' from public.crm_webhooks hook where hook.id = url_ref
  ), false);
  made uuid;
begin
  insert into public.crm_webhook_out (key, webhook_id, payload, contact_id, state, error)
  values (
    crm_queue_webhook.key, (select hook.id from public.crm_webhooks hook where hook.id = url_ref),
    crm_queue_webhook.payload, private.crm_payload_contact(crm_queue_webhook.payload),
    case when active then 'queued' else 'skipped' end, case when not active then 'disabled' end
  )
  on conflict on constraint crm_webhook_out_key_key do nothing
  returning id into made;
  return coalesce(made, (
    select queued.id from public.crm_webhook_out queued where queued.key = crm_queue_webhook.key
  ));
end
$$;

-- As before, with both secrets; `previous` is null when it is no longer good.
drop function public.crm_claim_webhooks(uuid, integer, double precision);
create function public.crm_claim_webhooks(claim uuid, at_most integer, lease double precision)
returns table (id uuid, webhook_id uuid, url text, secret text, previous text, payload jsonb, attempts integer)
language plpgsql volatile security invoker set search_path = '' as $$
begin
  update public.crm_webhook_out waiting set state = 'skipped', error = 'disabled', claim = null
  where waiting.state in ('queued', 'sending') and waiting.due_at <= now() and not exists (
    select from public.crm_webhooks hook where hook.id = waiting.webhook_id and hook.state = 'active'
  );
  return query
    with taken as (
      update public.crm_webhook_out one
      set state = 'sending', claim = crm_claim_webhooks.claim, attempts = one.attempts + 1,
        due_at = now() + make_interval(secs => lease)
      where one.id in (
        select waiting.id from public.crm_webhook_out waiting
        where waiting.state in ('queued', 'sending') and waiting.due_at <= now()
        order by waiting.due_at
        limit at_most
        for update skip locked
      )
      returning one.id, one.webhook_id, one.payload, one.attempts
    )
    select taken.id, taken.webhook_id, hook.url, hook.secret, case when hook.previous_until > now() then hook.previous end,
      taken.payload, taken.attempts
    from taken join public.crm_webhooks hook on hook.id = taken.webhook_id;
end
$$;

-- Sign with another secret; the one before is good for `kept` seconds more. False: there is no such webhook.
create function public.crm_renew_webhook(of_webhook uuid, sealed text, kept double precision, actor text) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
begin
  update public.crm_webhooks set
    previous = secret, previous_until = now() + make_interval(secs => kept), secret = sealed
  where id = of_webhook;
  if not found then
    return false;
  end if;
  perform private.crm_note(actor, 'webhook_secret_renewed', jsonb_build_object('webhook', of_webhook));
  return true;
end
$$;

-- `used`: by the workflows that `users` names, the first few.
create function public.crm_drop_webhook(of_webhook uuid, actor text) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  users text[];
begin
  perform from public.crm_webhooks one where one.id = of_webhook for update;
  if not found then
    return '{"outcome": "not_found"}';
  end if;
  users := array(
    select distinct 'workflow ' || workflow.name from public.crm_workflow_uses used
    join public.crm_workflows workflow on workflow.id = used.workflow_id
    where used.webhook_id = of_webhook order by 1 limit 5
  );
  if cardinality(users) > 0 then
    return jsonb_build_object('outcome', 'used', 'users', to_jsonb(users));
  end if;
  delete from public.crm_webhooks where id = of_webhook;
  perform private.crm_note(actor, 'webhook_dropped', jsonb_build_object('webhook', of_webhook));
  return '{"outcome": "done"}';
end
$$;

-- Forget posts that came to their end so many seconds ago.
create function public.crm_prune_posts(kept double precision) returns void
language sql volatile security invoker set search_path = '' as $$
  delete from public.crm_webhook_out old
  where old.created_at < now() - make_interval(secs => kept) and old.state in ('sent', 'failed', 'skipped')
$$;

-- Workflows' secrets for calls from outside are sealed as well: those that are not yet, for the CRM to seal when it starts.
comment on column public.crm_workflows.hook_secret is
  'What calls from outside that begin it are signed with, sealed (`v1.…`); `whsec_…`: of before, not sealed yet.';
create function public.crm_unsealed_hooks() returns jsonb
language sql stable security invoker set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('id', one.id, 'secret', one.hook_secret)), '[]')
  from public.crm_workflows one where one.hook_secret like 'whsec\_%'
$$;

-- False: it is another one meanwhile.
create function public.crm_seal_hook(of_workflow uuid, plain text, sealed text) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
begin
  update public.crm_workflows set hook_secret = sealed where id = of_workflow and hook_secret = plain;
  return found;
end
$$;

select private.crm_services_only();
