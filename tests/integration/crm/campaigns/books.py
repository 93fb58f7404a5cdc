"""Campaigns in a database of their own, with a sender that is the test's."""

import json
from typing import Any

from libs.contracts.ids import new_id
from tests.integration.postgres_server import PostgresServer

DAY = 86400.0


class Books:
    def __init__(self, server: PostgresServer) -> None:
        self.server = server

    def ask(self, sql: str, **values: str) -> list[str]:
        return self.server.ask(sql, 60.0, **values)

    def told(self, sql: str, **values: str) -> Any:
        """What a function answers as JSON."""
        return json.loads(self.ask(sql, **values)[0])

    def template(self) -> str:
        """One that can be sent."""
        [made] = self.ask("insert into public.crm_email_templates (name) values ('T') returning id")
        self.version(made)
        return made

    def version(self, template: str, ready: bool = True) -> str:
        [made] = self.ask(
            """with made as (
              insert into public.crm_email_template_versions (template_id, number, html, ready, checksum)
              select :'template', count(*) + 1, case when :'ready' then 'x' end, :'ready', 'x'
              from public.crm_email_template_versions where template_id = :'template' returning id
            ), newest as (
              update public.crm_email_templates set version_id = made.id from made
              where crm_email_templates.id = :'template' returning version_id
            ) select version_id from newest""",
            template=template, ready=str(ready).lower(),
        )  # fmt: skip
        return made

    def contacts(self, many: int, consent: str = "subscribed", domain: str = "") -> list[str]:
        """New ones, each of a domain of its own unless one is said."""
        made = self.ask(
            """insert into public.crm_contacts (email)
            select gen_random_uuid() || '@' || coalesce(nullif(:'domain', ''), gen_random_uuid() || '.test')
            from generate_series(1, :'many'::integer) returning id""",
            many=str(many), domain=domain,
        )  # fmt: skip
        if consent:
            self.ask(
                """insert into public.crm_consents (contact_id, channel, topic, state, how)
                select each::uuid, 'email', '*', :'consent', 'test' from unnest(string_to_array(:'ids', ',')) each""",
                ids=",".join(made), consent=consent,
            )  # fmt: skip
        return made

    def segment(self, *contacts: str) -> str:
        """A static one."""
        [made] = self.ask(
            "insert into public.crm_segments (name, kind) values (:'name', 'static') returning id", name=new_id()
        )
        self.join(made, *contacts)
        return made

    def join(self, segment: str, *contacts: str) -> None:
        self.ask(
            "select public.crm_put_members(:'segment', string_to_array(:'ids', ',')::uuid[], true)",
            segment=segment, ids=",".join(contacts),
        )  # fmt: skip

    def campaign(self, segment: str, started: bool = True, **columns: Any) -> str:
        given = {
            "name": "News", "channel": "email", "template_id": self.template(), "segment_id": segment,
            "excluded_segments": [], "topic": "news", "subjects": [], "test_share": 100, "winner_metric": "clicked",
            "decide_after": 3600, "per_hour": None, "per_domain_hour": None, "warm_up": None,
            "conversion": None,
        } | columns  # fmt: skip
        answer = self.told("select public.crm_save_campaign(null, :'given', null, 'boss')", given=json.dumps(given))
        assert answer["outcome"] == "done", answer
        made = str(answer["campaign"]["id"])
        if started:
            assert self.move(made, "send")["outcome"] == "done"
        return made

    def move(self, campaign: str, verb: str) -> Any:
        return self.told(
            "select public.crm_move_campaign(:'id', :'verb', now(), 'UTC', 'boss')", id=campaign, verb=verb
        )

    def step(self, campaign: str, most: int = 1000) -> Any:
        """One that is tended, as a worker does."""
        sql = "select public.crm_tend_campaign(:'id', :'most'::integer, 3600)"
        return self.told(sql, id=campaign, most=str(most))

    def status(self, campaign: str) -> tuple[str, str]:
        """And why."""
        [row] = self.ask("select status, coalesce(why, '') from public.crm_campaigns where id = :'id'", id=campaign)
        status, _, why = row.partition("\t")
        return status, why

    def counts(self, campaign: str, *names: str) -> tuple[int, ...]:
        stats = self.told("select public.crm_campaign_stats(:'id')", id=campaign)
        return tuple(stats[name] for name in names)

    def later(self, campaign: str, seconds: float) -> None:
        """As if all of it had been so much earlier."""
        self.ask(
            """update public.crm_campaigns set started_at = started_at - make_interval(secs => :'seconds'),
              resumed_at = resumed_at - make_interval(secs => :'seconds'),
              tested_at = tested_at - make_interval(secs => :'seconds') where id = :'id';
            update public.crm_campaign_recipients set taken_at = taken_at - make_interval(secs => :'seconds')
            where campaign_id = :'id'""",
            id=campaign, seconds=str(seconds),
        )  # fmt: skip

    def send(self, most: int = 1000, outcome: str = "sent", **more: Any) -> list[dict[str, Any]]:
        """All that may be sent now; what it was."""
        sent: list[dict[str, Any]] = []
        while taken := self.take(most - len(sent)):
            self.finish(taken, outcome, **more)
            sent += taken
        return sent

    def take(self, most: int = 1000, lease: float = 60.0) -> list[dict[str, Any]]:
        if most <= 0:
            return []
        rows = self.ask(
            "select to_jsonb(taken) || jsonb_build_object('claim', :'claim') from"
            " public.crm_claim_mails(:'claim', :'most'::integer, :'lease'::double precision, 0, '{email}') taken",
            claim=new_id(), most=str(most), lease=str(lease),
        )  # fmt: skip
        return [json.loads(row) for row in rows]

    def hand_over(self, taken: list[dict[str, Any]], lease: float = 60.0) -> list[str]:
        """Ids of those that may go now."""
        sql = (
            "select jsonb_array_elements_text(public.crm_hand_over("
            ":'claim', '[]', string_to_array(:'ids', ',')::uuid[], :'lease'::double precision))"
        )
        ids = ",".join(mail["id"] for mail in taken)
        return self.ask(sql, claim=taken[0]["claim"], ids=ids, lease=str(lease))

    def finish(self, taken: list[dict[str, Any]], outcome: str, **more: Any) -> None:
        results = [{"id": mail["id"], "outcome": outcome, **more} for mail in taken]
        self.ask(
            "select public.crm_finish_mails(:'claim', :'results')",
            claim=taken[0]["claim"], results=json.dumps(results),
        )  # fmt: skip

    def mark(self, mails: list[dict[str, Any]], column: str) -> None:
        """As tracking does."""
        self.ask(
            f"update public.crm_mail_out set {column} = now() where id::text = any (string_to_array(:'ids', ','))",  # noqa: S608
            ids=",".join(mail["id"] for mail in mails),
        )
