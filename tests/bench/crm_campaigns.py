"""A campaign from its start to the last mail in the queue, on a PostgreSQL server, as hosted ones are: its 100,000
recipients written down; and of another one 50,000 released, a thousand in a step as the service takes them, each asked
whether it may be written to, and all counted anew and told after each step, which is what a progress bar shows.
"""

import asyncio
import json
import time
from statistics import median

from libs.contracts.ids import new_id
from tests.bench.result import Result
from tests.integration.postgres_server import PostgresServer, Session, binaries, migrated

NAMES = ("crm.campaign_start_100k_s", "crm.campaign_50k_s", "crm.campaign_step_ms")

_CONTACTS, _RECIPIENTS, _STEP = 100_000, 50_000, 1_000

_GENERATE = """
set session_replication_role = replica;
insert into public.crm_contacts (email, name)
select n || '@' || n % 40 || '.bench.test', 'N ' || n from generate_series(1, :'many'::integer) n;
insert into public.crm_consents (contact_id, channel, topic, state, how)
select id, 'email', 'news', 'subscribed', 'bench' from public.crm_contacts;
insert into public.crm_segments (name, kind) values ('All', 'static'), ('Half', 'static');
insert into public.crm_segment_members (segment_id, contact_id, member)
select segment.id, contact.id, true from public.crm_segments segment, public.crm_contacts contact
where segment.name = 'All' or split_part(contact.email, '@', 1)::integer <= :'half'::integer;
insert into public.crm_email_templates (id, name) values (:'template', 'T');
insert into public.crm_email_template_versions (template_id, number, html, ready, checksum)
values (:'template', 1, 'x', true, 'x');
update public.crm_email_templates template set version_id = version.id
from public.crm_email_template_versions version where version.template_id = template.id;
set session_replication_role = default;
analyze;
"""


async def run() -> list[Result]:
    return await asyncio.to_thread(_campaigns)


def _campaigns() -> list[Result]:
    """None where PostgreSQL is not installed."""
    programs = binaries()
    if programs is None:
        return []
    with migrated(programs) as server, server.session() as session:
        template = new_id()
        server.ask(_GENERATE, timeout=600, many=str(_CONTACTS), half=str(_RECIPIENTS), template=template)
        started, _ = _start(server, session, "All", template)
        _, campaign = _start(server, session, "Half", template)
        steps = []
        while (step := _step(session, campaign))[1]:
            steps.append(step[0])
    return [
        Result("crm.campaign_start_100k_s", started, "s"),
        Result("crm.campaign_50k_s", sum(steps), "s"),
        Result("crm.campaign_step_ms", 1000 * median(steps), "ms"),
    ]


def _start(server: PostgresServer, session: Session, segment: str, template: str) -> tuple[float, str]:
    """Seconds, and the campaign."""
    [segment_id] = server.ask("select id from public.crm_segments where name = :'name'", name=segment)
    given = {
        "name": segment, "channel": "email", "template_id": template, "segment_id": segment_id, "topic": "news",
        "excluded_segments": [], "subjects": [], "test_share": 100, "winner_metric": "clicked", "decide_after": 0,
        "per_hour": None, "per_domain_hour": None, "warm_up": None,
    }  # fmt: skip
    [answer] = server.ask("select public.crm_save_campaign(null, :'given', null, 'bench')", given=json.dumps(given))
    campaign = json.loads(answer)["campaign"]["id"]
    began = time.monotonic()
    [outcome] = session.run(f"select public.crm_move_campaign('{campaign}', 'send', null, 'UTC', 'bench');")
    took = time.monotonic() - began
    if json.loads(outcome)["outcome"] != "done":
        raise RuntimeError(f"the campaign did not start: {outcome}")
    return took, campaign


def _step(session: Session, campaign: str) -> tuple[float, int]:
    """Seconds, and how many were released."""
    began = time.monotonic()
    [told] = session.run(f"select public.crm_tend_campaign('{campaign}', {_STEP}, 3600);")
    return time.monotonic() - began, int(json.loads(told)["released"])
