-- As before; but of one webhook at most ten posts are under way at once, so that one that answers slowly, or not at all,
-- keeps no other.
create index crm_webhook_out_under_way on public.crm_webhook_out (webhook_id, due_at) where state in ('queued', 'sending');

create or replace function public.crm_claim_webhooks(claim uuid, at_most integer, lease double precision)
returns table (id uuid, webhook_id uuid, url text, secret text, previous text, payload jsonb, attempts integer)
language plpgsql volatile security invoker set search_path = '' as $$
begin
  update public.crm_webhook_out waiting set state = 'skipped', error = 'disabled', claim = null
  where waiting.state in ('queued', 'sending') and waiting.due_at <= now() and not exists (
    select from public.crm_webhooks hook where hook.id = waiting.webhook_id and hook.state = 'active'
  );
  return query
    with turns as (
      select turn.id, turn.due_at from public.crm_webhooks hook, lateral (
        select waiting.id, waiting.due_at from public.crm_webhook_out waiting
        where waiting.webhook_id = hook.id and waiting.state in ('queued', 'sending') and waiting.due_at <= now()
        order by waiting.due_at
        limit greatest(0, 10 - (
          select count(*) from public.crm_webhook_out busy
          where busy.webhook_id = hook.id and busy.state = 'sending' and busy.due_at > now()
        ))
      ) turn
      where hook.state = 'active'
    ), taken as (
      update public.crm_webhook_out one
      set state = 'sending', claim = crm_claim_webhooks.claim, attempts = one.attempts + 1,
        due_at = now() + make_interval(secs => lease)
      where one.id in (
        select waiting.id from public.crm_webhook_out waiting
        where waiting.id in (select turns.id from turns order by turns.due_at limit at_most)
          and waiting.state in ('queued', 'sending') and waiting.due_at <= now()
        for update skip locked
      )
      returning one.id, one.webhook_id, one.payload, one.attempts
    )
    select taken.id, taken.webhook_id, hook.url, hook.secret, case when hook.previous_until > now() then hook.previous end,
      taken.payload, taken.attempts
    from taken join public.crm_webhooks hook on hook.id = taken.webhook_id;
end
$$;

select private.crm_services_only();
