-- Two tables that the contract names (api-contract §9.9) are ours by other names: subjects that are tried against each
-- other are a campaign's, and a journey is a contact's way through a workflow.
create view public.crm_ab_tests with (security_invoker = true) as
select campaign.id as campaign_id, (tried.place - 1)::integer as variant, tried.subject, campaign.test_share,
  campaign.winner_metric, campaign.winner is not distinct from (tried.place - 1)::integer as won,
  coalesce(done.sent, 0) as sent, coalesce(done.opened, 0) as opened, coalesce(done.clicked, 0) as clicked
from public.crm_campaigns campaign
cross join lateral unnest(campaign.subjects) with ordinality tried (subject, place)
left join lateral (
  select counted.sent, counted.opened, counted.clicked from private.crm_variants(campaign.id) counted
  where counted.variant = tried.place - 1
) done on true;
comment on view public.crm_ab_tests is 'Of campaigns with several subjects, each of them.';

create view public.crm_journeys with (security_invoker = true) as
select run.id, run.workflow_id, run.version_id, run.contact_id, run.status, run.outcome, run.node, run.entered_at, run.ended_at
from public.crm_workflow_runs run;
comment on view public.crm_journeys is 'Of contacts, their ways through workflows.';

revoke all on public.crm_ab_tests, public.crm_journeys from anon, authenticated;
grant select on public.crm_ab_tests, public.crm_journeys to service_role;
