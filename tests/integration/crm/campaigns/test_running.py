"""Campaigns as they go: who gets them, how fast, what stops them, and that nobody gets one twice."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from libs.contracts.ids import new_id
from tests.integration.crm.campaigns.books import DAY, Books


def mails_of(books: Books, campaign: str) -> list[str]:
    """Whom they are for."""
    return books.ask("select contact_id from public.crm_mail_out where campaign_id = :'id' order by 1", id=campaign)


def test_who_is_in_the_segment_when_it_starts_gets_it(books: Books) -> None:
    willing, left_out, later = books.contacts(3), books.contacts(2), books.contacts(1)
    silent, gone = books.contacts(1, consent=""), books.contacts(1, consent="unsubscribed")
    segment, excluded = books.segment(*willing, *left_out, *silent, *gone), books.segment(*left_out)
    campaign = books.campaign(segment, excluded_segments=[excluded])
    books.join(segment, *later)
    [pinned] = books.ask(
        "select template_version_id, template_id from public.crm_campaigns where id = :'id'", id=campaign
    )
    version, _, template = pinned.partition("\t")
    books.version(template)
    assert books.step(campaign) == {"released": 5, "status": "sending", "idle": 0}
    assert books.step(campaign)["released"] == 0
    sent = books.send()
    assert sorted(mail["contact_id"] for mail in sent) == sorted(willing)
    assert {mail["template_version_id"] for mail in sent} == {version}
    assert {(mail["class"], mail["topic"]) for mail in sent} == {("marketing", "news")}
    assert books.step(campaign)["status"] == "sent"
    stats = books.told("select public.crm_campaign_stats(:'id')", id=campaign)
    assert (stats["recipients"], stats["sent"], stats["skipped"], stats["waiting"]) == (5, 3, 2, 0)
    assert stats["why"] == {"no_consent": 1, "unsubscribed": 1}


def test_a_rule_is_followed_to_the_moment_of_the_start(books: Books) -> None:
    contacts, excluded = books.contacts(4), books.contacts(1)
    rules = {"field": "first_name", "cmp": "eq", "value": new_id()}
    saved = books.told(
        "select public.crm_save_segment(null, :'given', null)",
        given=json.dumps({"name": new_id(), "kind": "dynamic", "rules": rules}),
    )
    campaign = books.campaign(saved["segment"]["id"], started=False, excluded_segments=[books.segment(*excluded)])
    name = "update public.crm_contacts set first_name = :'name' where id = any (string_to_array(:'ids', ',')::uuid[])"
    books.ask(name, name=rules["value"], ids=",".join((*contacts, *excluded)))  # nobody has looked since
    books.move(campaign, "send")
    books.step(campaign)
    assert mails_of(books, campaign) == sorted(contacts)


def test_whoever_leaves_between_the_queue_and_the_sender_gets_nothing(books: Books) -> None:
    contacts = books.contacts(2)
    campaign = books.campaign(books.segment(*contacts))
    books.step(campaign)
    books.ask("select public.crm_erase_contact(:'id', 'boss')", id=contacts[0])
    books.ask("select private.crm_record_consent(:'id', 'email', '*', 'unsubscribed', 'test')", id=contacts[1])
    assert books.send() == []
    assert books.step(campaign)["status"] == "sent"
    stats = books.told("select public.crm_campaign_stats(:'id')", id=campaign)
    assert (stats["sent"], stats["skipped"], stats["why"]) == (0, 2, {"deleted": 1, "unsubscribed": 1})


def test_who_is_erased_gets_not_even_what_a_sender_has_claimed(books: Books) -> None:
    contacts = books.contacts(2)
    campaign = books.campaign(books.segment(*contacts))
    books.step(campaign)
    taken = sorted(books.take(), key=lambda mail: contacts.index(mail["contact_id"]))
    books.ask("select public.crm_erase_contact(:'id', 'boss')", id=contacts[0])
    assert books.hand_over(taken) == [taken[1]["id"]]
    books.finish(taken[1:], "failed", error="550 5.1.1 <somebody@example.test> is not known")
    books.ask("select public.crm_erase_contact(:'id', 'boss')", id=contacts[1])
    rows = books.ask("select state, error from public.crm_mail_out order by state")
    assert rows == ["failed\t", "skipped\tdeleted"], "what a server said names addresses"


def test_before_it_starts_it_is_known_whom_it_reaches(books: Books) -> None:
    known, silent, gone, excluded = [
        books.contacts(1, consent)[0] for consent in ("subscribed", "", "unsubscribed", "")
    ]
    campaign = books.campaign(
        books.segment(known, silent, gone, excluded), started=False, excluded_segments=[books.segment(excluded)]
    )
    books.ask("update public.crm_contacts set first_name = 'Ada' where id = :'id'", id=known)
    books.ask("insert into public.crm_trading_facts (contact_id, real_balance) values (:'id', 5)", id=silent)
    books.ask("select private.crm_suppress('email', email, 'x') from public.crm_contacts where id = :'id'", id=gone)
    books.ask(
        """update public.crm_email_template_versions set variables = string_to_array(:'tags', ',')
        where template_id = (select template_id from public.crm_campaigns where id = :'id')""",
        tags="contact.first_name,custom.plan,trading.real_balance,user.real_balance,user.account_type,bot.running,"
        "links.unsubscribe",
        id=campaign,
    )
    assert books.told("select public.crm_campaign_preflight(:'id')", id=campaign) == {
        "recipients": 3, "reached": 1, "why": {"no_consent": 1, "suppressed": 1},
        "missing": {
            "contact.first_name": 2, "custom.plan": 3, "trading.real_balance": 2, "user.real_balance": 2,
            "user.account_type": 3, "bot.running": 2,
        },
    }  # fmt: skip
    assert books.move(campaign, "send")["campaign"]["stats"]["recipients"] == 3


def test_nobody_gets_more_than_the_cap(books: Books) -> None:
    segment = books.segment(*books.contacts(1))
    for _ in range(3):
        books.step(books.campaign(segment))
        books.send()
    last = books.campaign(segment)
    books.step(last)
    assert books.told("select public.crm_campaign_stats(:'id')", id=last)["why"] == {"frequency_cap": 1}


def test_workers_at_the_same_time_take_everybody_once(books: Books) -> None:
    contacts = books.contacts(120, domain="one.test")
    campaign = books.campaign(books.segment(*contacts))
    with ThreadPoolExecutor(6) as workers:
        released = sum(step["released"] for step in workers.map(lambda _: books.step(campaign, 11), range(18)))
    assert released == 120
    assert mails_of(books, campaign) == sorted(contacts)


def test_of_contacts_that_become_one_only_one_is_written_to(books: Books) -> None:
    kept, gone, other = books.contacts(3)
    campaign = books.campaign(books.segment(kept, gone, other))
    books.step(campaign, most=1)
    [first] = mails_of(books, campaign)
    rest = [each for each in (kept, gone, other) if each != first]
    books.ask("select public.crm_merge_contacts(:'one', :'two', 'boss')", one=rest[0], two=first)
    books.step(campaign)
    assert mails_of(books, campaign) == sorted(rest)


@pytest.mark.parametrize("sent", [None, "kept", "gone"])
def test_of_contacts_that_become_one_one_mail_goes(books: Books, sent: str | None) -> None:
    kept, gone, other = books.contacts(3)
    campaign = books.campaign(books.segment(kept, gone, other))
    books.step(campaign)
    if sent:
        later = "update public.crm_mail_out set due_at = 'infinity' where contact_id <> :'first'"
        books.ask(later, first={"kept": kept, "gone": gone}[sent])
        assert len(books.send()) == 1
        books.ask("update public.crm_mail_out set due_at = now() where state = 'queued'")
    books.ask("select public.crm_merge_contacts(:'one', :'two', 'boss')", one=kept, two=gone)
    books.ask("update public.crm_mail_pace set wakes_at = now()")
    books.send()
    assert books.ask("select contact_id from public.crm_mail_out where state = 'sent' order by 1") == sorted(
        [kept, other]
    )
    assert books.ask("select state, error from public.crm_mail_out where state <> 'sent'") == ["skipped\tmerged"]
    books.step(campaign)
    assert books.counts(campaign, "recipients", "sent", "skipped") == (2, 2, 1)


def test_it_goes_no_faster_than_it_may(books: Books) -> None:
    segment = books.segment(*books.contacts(10, domain="slow.test"))
    campaign = books.campaign(segment, per_hour=4, per_domain_hour=60)
    assert [books.step(campaign)["released"] for _ in range(2)] == [4, 0]
    books.later(campaign, 3601)
    assert books.step(campaign)["released"] == 4
    assert books.ask("select distinct spacing from public.crm_mail_out where campaign_id = :'id'", id=campaign) == [
        "60"
    ]
    assert len(books.send()) == 1, "the domain is left alone for a minute"


def test_the_first_days_are_small(books: Books) -> None:
    campaign = books.campaign(books.segment(*books.contacts(15)), warm_up={"first_day": 2, "growth": 2.5})
    days = []
    for _ in range(4):
        days.append([books.step(campaign)["released"], books.step(campaign)["released"]])
        books.send()
        books.later(campaign, DAY)
    assert days == [[2, 0], [5, 0], [8, 0], [0, 0]]
    assert books.status(campaign) == ("sent", "")


def test_what_is_paused_waits_and_what_is_cancelled_never_goes(books: Books) -> None:
    campaign = books.campaign(books.segment(*books.contacts(6)))
    books.step(campaign, most=4)
    taken = books.take(1)
    assert books.move(campaign, "pause")["campaign"]["status"] == "paused"
    books.finish(taken, "retry", after=0)  # the sender could not: it comes back
    assert books.take() == []
    assert books.step(campaign) == {"released": 0, "status": "paused", "idle": 0}
    assert books.move(campaign, "pause")["outcome"] == "conflict"
    books.move(campaign, "resume")
    assert len(books.send(2)) == 2
    taken = books.take(1)
    assert books.move(campaign, "cancel")["campaign"]["status"] == "cancelled"
    books.finish(taken, "retry", after=0)
    assert books.take() == []
    assert books.step(campaign)["released"] == 0
    assert books.counts(campaign, "recipients", "sent", "skipped", "waiting", "queued") == (6, 2, 4, 0, 0)
    for verb in ("send", "schedule", "resume", "pause", "cancel"):
        assert books.move(campaign, verb)["outcome"] == "conflict", verb


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_what_a_sender_has_claimed_is_called_back(books: Books, verb: str) -> None:
    campaign = books.campaign(books.segment(*books.contacts(4)))
    books.step(campaign)
    going, others = (taken := books.take(4))[:1], taken[1:]
    assert books.hand_over(going) == [going[0]["id"]]
    books.move(campaign, verb)
    assert books.hand_over(others) == [], "its sender lives"
    books.ask("update public.crm_mail_out set due_at = '-infinity' where state = 'sending' and handed_at is null")
    assert books.take() == [], "its sender has died"
    books.finish(going, "sent")
    assert books.counts(campaign, "sent", "queued", "skipped") == ((1, 3, 0) if verb == "pause" else (1, 0, 3))
    if verb == "pause":
        books.move(campaign, "resume")
        assert {mail["id"] for mail in books.send()} == {mail["id"] for mail in others}


@pytest.mark.parametrize(("verb", "wanted"), [("pause", "queued"), ("cancel", "skipped")])
def test_what_a_sender_has_in_its_hands_at_that_moment_does_not_go_either(books: Books, verb: str, wanted: str) -> None:
    campaign = books.campaign(books.segment(*books.contacts(1)))
    books.step(campaign)
    taken = books.take()
    with books.server.session() as other:
        other.run("begin; select from public.crm_mail_out for update;")
        books.move(campaign, verb)  # which waits for nobody
        other.run("commit;")
    assert books.hand_over(taken) == []
    assert books.ask("select public.crm_campaigns_due(0)") == [campaign]
    books.step(campaign)
    assert books.ask("select state from public.crm_mail_out where claim is null") == [wanted]


def test_the_better_subject_goes_to_the_others(books: Books) -> None:
    contacts = books.contacts(200)
    campaign = books.campaign(books.segment(*contacts), subjects=["One", "Two"], test_share=40)
    books.step(campaign)
    tried = books.send()
    assert 50 < len(tried) < 110
    assert books.step(campaign)["released"] == 0, "the others wait"
    by_subject = Counter(mail["subject"] for mail in tried)
    assert set(by_subject) == {"One", "Two"}
    assert min(by_subject.values()) > 15
    two = [mail for mail in tried if mail["subject"] == "Two"]
    books.mark(two[:3], "clicked_at")
    books.mark([mail for mail in tried if mail["subject"] == "One"], "opened_at")  # but nobody clicked
    books.later(campaign, 3601)
    books.step(campaign)
    rest = books.send()
    assert {mail["subject"] for mail in rest} == {"Two"}
    assert sorted(mail["contact_id"] for mail in (*tried, *rest)) == sorted(contacts)
    assert books.step(campaign)["status"] == "sent"
    variants = books.told("select public.crm_campaign_stats(:'id')", id=campaign)["variants"]
    assert [(one["subject"], one["sent"], one["clicked"]) for one in variants] == [
        ("One", by_subject["One"], 0), ("Two", 200 - by_subject["One"], 3),
    ]  # fmt: skip


def test_who_gets_which_subject_does_not_change(books: Books) -> None:
    contacts = books.contacts(30)
    campaign = books.campaign(books.segment(*contacts), subjects=["One", "Two", "Three"])
    books.step(campaign)
    sent = {mail["contact_id"]: mail["subject"] for mail in books.send()}
    variants = books.ask(
        "select contact_id, variant from public.crm_campaign_recipients where campaign_id = :'id'", id=campaign
    )
    assert {line.split("\t")[0]: ("One", "Two", "Three")[int(line.split("\t")[1])] for line in variants} == sent


def test_somebody_may_say_which_subject_is_better(books: Books) -> None:
    campaign = books.campaign(
        books.segment(*books.contacts(40)), subjects=["One", "Two"], test_share=30, winner_metric="manual"
    )
    books.step(campaign)
    books.send()
    books.later(campaign, 30 * DAY)
    assert books.step(campaign)["released"] == 0
    choose = "select public.crm_choose_subject(:'id', :'place'::integer, 'boss')"
    assert books.told(choose, id=campaign, place="2")["outcome"] == "invalid"
    assert books.told(choose, id=campaign, place="0")["campaign"]["winner"] == 0
    assert books.told(choose, id=campaign, place="1")["outcome"] == "conflict"
    books.step(campaign)
    assert {mail["subject"] for mail in books.send()} == {"One"}


def test_what_does_harm_stops_by_itself(books: Books) -> None:
    campaign = books.campaign(books.segment(*books.contacts(100)))
    books.step(campaign, most=60)
    books.send(4, "failed", bounced=True, error="550")
    books.send(56)
    books.step(campaign)
    assert books.status(campaign) == ("paused", "bounces")
    assert books.counts(campaign, "sent", "bounced", "waiting") == (56, 4, 40)
    books.move(campaign, "resume")  # somebody has looked: what was before does not count any more
    books.step(campaign)
    assert books.status(campaign) == ("sending", "")
    books.mark(books.send(40)[:2], "complained_at")
    books.step(campaign)
    assert books.status(campaign) == ("paused", "complaints")


@pytest.mark.parametrize(("late", "wanted"), [(10, ("sent", "")), (4000, ("failed", "missed"))])
def test_it_starts_at_its_time_or_not_at_all(books: Books, late: int, wanted: tuple[str, str]) -> None:
    campaign = books.campaign(books.segment(), started=False)
    books.move(campaign, "schedule")
    due = "select public.crm_campaigns_due(0)"
    move = "update public.crm_campaigns set scheduled_at = now() - make_interval(secs => :'late') where id = :'id'"
    books.ask(move, id=campaign, late="-60")
    assert books.ask(due) == []
    assert books.step(campaign)["status"] == "scheduled"
    books.ask(move, id=campaign, late=str(late))
    assert books.ask(due) == [campaign]
    books.step(campaign)
    assert books.status(campaign) == wanted


def test_what_it_needs_is_there_or_it_does_not_start(books: Books) -> None:
    segment, excluded = books.segment(*books.contacts(1)), books.segment()
    campaign = books.campaign(segment, started=False, excluded_segments=[excluded])
    drop = "select public.crm_drop_segment(:'id', 'boss') ->> 'outcome'"
    assert [books.ask(drop, id=each) for each in (segment, excluded)] == [["used"], ["used"]]
    [template] = books.ask("select template_id from public.crm_campaigns where id = :'id'", id=campaign)
    books.version(template, ready=False)
    assert books.move(campaign, "send")["message"].startswith("`template_id`")
    books.ask(
        "update public.crm_campaigns set status = 'scheduled', scheduled_at = now() where id = :'id'", id=campaign
    )
    books.step(campaign)
    assert books.status(campaign) == ("failed", "template")
    assert mails_of(books, campaign) == []


def test_what_is_news_is_told_once(books: Books) -> None:
    campaign = books.campaign(books.segment(*books.contacts(2)))
    books.ask("delete from public.crm_outbox")
    for _ in range(3):
        books.step(campaign)
    books.send()
    books.step(campaign)
    told = books.ask("select payload from public.crm_outbox where subject = 'operators.campaign' order by number")
    news = [json.loads(each) for each in told]
    assert [(one["status"], one["queued"], one["sent"]) for one in news] == [
        ("sending", 2, 0), ("sending", 0, 2), ("sent", 0, 2),
    ]  # fmt: skip


def test_a_campaign_that_stands_still_is_noticed(books: Books) -> None:
    campaign = books.campaign(books.segment(*books.contacts(1)))
    books.step(campaign)
    books.later(campaign, 900)
    books.ask(
        "update public.crm_mail_out set due_at = now() - interval '1 minute' where campaign_id = :'id'", id=campaign
    )
    assert books.step(campaign)["idle"] > 890
    assert books.move(campaign, "pause")["outcome"] == "done"
    assert books.step(campaign)["idle"] == 0, "nobody waits for it"


def test_hostile_words_stay_words(books: Books) -> None:
    name = f"'); drop table crm_campaigns; -- {new_id()}"
    campaign = books.campaign(books.segment(*books.contacts(1)), name=name, subjects=["{{links.x}}'", "%s"])
    books.step(campaign)
    [mail] = books.send()
    assert mail["data"] == {"campaign": {"name": name}}
    assert mail["subject"] in ("{{links.x}}'", "%s")


def test_what_was_tried_is_told_by_the_name_of_the_contract(books: Books) -> None:
    campaign = books.campaign(books.segment(*books.contacts(40)), subjects=["One", "Two"], test_share=50)
    books.step(campaign)
    sent = len([mail for mail in books.send() if mail["subject"] == "Two"])
    books.ask("select public.crm_choose_subject(:'id', 1, 'boss')", id=campaign)
    columns = "variant, subject, test_share, won, sent, clicked, converted"
    told = f"select {columns} from public.crm_ab_tests where campaign_id = :'id' order by 1"  # noqa: S608
    assert books.ask(told, id=campaign)[1] == f"1\tTwo\t50\tt\t{sent}\t0\t0"
    assert books.ask("select count(*) from public.crm_journeys") == ["0"]
