-- Everything that is stored sealed, in one place, so that it can be sealed with a new key.
drop function public.crm_unsealed_hooks();
drop function public.crm_seal_hook(uuid, text, text);

-- `[{kind, id, sealed}]`.
create function public.crm_seals() returns jsonb
language sql stable security invoker set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('kind', every.kind, 'id', every.id, 'sealed', every.sealed)), '[]') from (
    select 'integration', one.id, one.sealed from public.crm_integrations one
    union all select 'webhook', one.id::text, one.secret from public.crm_webhooks one
    union all select 'previous', one.id::text, one.previous from public.crm_webhooks one where one.previous is not null
    union all select 'hook', one.id::text, one.hook_secret from public.crm_workflows one where one.hook_secret is not null
  ) every (kind, id, sealed)
$$;

-- The same, sealed otherwise. False: it is another one meanwhile.
create function public.crm_reseal(kind text, of_id text, before text, after text) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
begin
  case kind
    when 'integration' then
      update public.crm_integrations set sealed = after where id = of_id and sealed = before;
    when 'webhook' then
      update public.crm_webhooks set secret = after where id = of_id::uuid and secret = before;
    when 'previous' then
      update public.crm_webhooks set previous = after where id = of_id::uuid and previous = before;
    when 'hook' then
      update public.crm_workflows set hook_secret = after where id = of_id::uuid and hook_secret = before;
  end case;
  return found;
end
$$;

select private.crm_services_only();
