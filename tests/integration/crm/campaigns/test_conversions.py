"""Who did what a campaign is for."""

import json
from typing import Any

import pytest

from libs.contracts.ids import new_id
from tests.integration.crm.campaigns.books import Books

FORM = "01890a5d-ac96-774b-bcce-b302099a8057"
WEEK = {"event": "first_deposit", "within_days": 7}


def did(books: Books, contact: str, event: str, **data: Any) -> None:
    books.ask("select private.crm_emit(:'event', :'id', :'data')", event=event, id=contact, data=json.dumps(data))


def sent_to(books: Books, contacts: list[str], conversion: dict[str, Any] | None, **more: Any) -> str:
    """A campaign whose mails are handed over."""
    campaign = books.campaign(books.segment(*contacts), conversion=conversion, **more)
    books.step(campaign)
    for mail in books.take():
        books.hand_over([mail])
        books.finish([mail], "sent")
    return campaign


def converted(books: Books, campaign: str) -> int:
    [many] = books.counts(campaign, "converted")
    return many


def test_who_does_it_in_time_counts_once(books: Books) -> None:
    before, twice, late, other, silent, nobody = books.contacts(6)
    stranger = books.contacts(1)[0]
    did(books, before, "first_deposit")
    campaign = sent_to(books, [before, twice, late, other, silent, nobody], WEEK)
    for contact in (twice, twice, late, stranger):
        did(books, contact, "first_deposit")
    did(books, other, "bot_started", account_type="real")
    assert converted(books, campaign) == 2
    earlier = """update public.crm_mail_out set handed_at = handed_at - make_interval(days => :'days'),
      sent_at = sent_at - make_interval(days => :'days') where contact_id = :'id'"""
    books.ask(earlier, days="6", id=twice)
    books.ask(earlier, days="7", id=late)
    assert converted(books, campaign) == 1
    books.step(campaign)
    [told] = books.ask("select progress -> 'converted' from public.crm_campaigns where id = :'id'", id=campaign)
    assert told == "1", "operators see it, too"


def test_from_the_moment_its_mail_is_handed_over(books: Books) -> None:
    [contact, unsent] = books.contacts(2)
    campaign = books.campaign(books.segment(contact, unsent), conversion=WEEK)
    books.step(campaign)
    taken = books.take(1)
    books.hand_over(taken)
    did(books, taken[0]["contact_id"], "first_deposit")
    books.finish(taken, "sent")
    did(books, ({contact, unsent} - {taken[0]["contact_id"]}).pop(), "first_deposit")
    assert converted(books, campaign) == 1, "the other's mail still waits"


@pytest.mark.parametrize(
    ("wanted", "event", "right", "wrong"),
    [
        ({"tag": " VIP"}, "tag_added", {"tag": "vip"}, {"tag": "vi"}),
        ({"account_type": "real"}, "bot_started", {"account_type": "real"}, {"account_type": "demo"}),
        ({"form_id": FORM}, "form_submitted", {"form": FORM}, {"form": new_id()}),
        ({}, "form_submitted", {"form": FORM}, None),
    ],
)
def test_only_what_is_meant_counts(
    books: Books, wanted: dict[str, Any], event: str, right: dict[str, Any], wrong: dict[str, Any] | None
) -> None:
    books.ask(
        """insert into public.crm_forms (id, name, topic, consent_text, template_id)
        values (:'id', 'News', 'news', 'Yes', :'template') on conflict do nothing""",
        id=FORM, template=books.template(),
    )  # fmt: skip
    contacts = books.contacts(2)
    campaign = sent_to(books, contacts, {"event": event, "within_days": 7, **wanted})
    if wrong is not None:
        did(books, contacts[0], event, **wrong)
    did(books, contacts[1], event, **right)
    assert converted(books, campaign) == 1


def test_who_enters_a_segment_counts(books: Books) -> None:
    contacts, goal, other = books.contacts(2), books.segment(), books.segment()
    wanted = {"event": "segment_entered", "within_days": 1, "segment_id": goal}
    campaign = sent_to(books, contacts, wanted)
    books.join(goal, contacts[0])
    books.join(other, contacts[1])
    assert converted(books, campaign) == 1
    draft = books.campaign(books.segment(), started=False, conversion=wanted)
    books.ask("select public.crm_drop_segment(:'id', 'boss')", id=goal)
    assert converted(books, campaign) == 1
    change = "select public.crm_save_campaign(:'id', :'given', null, 'boss')"
    assert books.told(change, id=draft, given='{"name": "Anew"}')["outcome"] == "done"
    refused = books.told(change, id=draft, given=json.dumps({"conversion": wanted}))
    assert refused["message"].startswith("`conversion.segment_id`")


def test_who_is_merged_is_one_and_who_is_erased_goes_on_counting(books: Books) -> None:
    kept, gone, erased, unmoved = books.contacts(4)
    campaign = sent_to(books, [kept, gone, erased, unmoved], {"event": "tag_added", "within_days": 7, "tag": "vip"})
    for contact in (kept, gone, erased):
        did(books, contact, "tag_added", tag="vip")
    assert converted(books, campaign) == 3
    books.ask("select public.crm_merge_contacts(:'one', :'two', 'boss')", one=kept, two=gone)
    assert converted(books, campaign) == 2
    for contact in (erased, unmoved):
        books.ask("select public.crm_erase_contact(:'id', 'boss')", id=contact)
    said = "select count(*) from public.crm_activities where contact_id = :'id' and data <> '{}'"
    assert books.ask(said, id=erased) == ["0"]
    assert converted(books, campaign) == 2


def test_one_who_did_it_under_another_name_counts(books: Books) -> None:
    kept, gone = books.contacts(2)
    campaign = sent_to(books, [kept], WEEK)
    did(books, gone, "first_deposit")
    assert converted(books, campaign) == 0
    books.ask("select public.crm_merge_contacts(:'one', :'two', 'boss')", one=kept, two=gone)
    assert converted(books, campaign) == 1


def test_each_subject_has_its_own(books: Books) -> None:
    contacts = books.contacts(20)
    campaign, other = [sent_to(books, contacts, WEEK, subjects=["One", "Two"]) for _ in range(2)]
    of_two = books.ask(
        "select contact_id from public.crm_campaign_recipients where campaign_id = :'id' and variant = 1", id=campaign
    )
    for contact in of_two:
        did(books, contact, "first_deposit")
    variants = books.told("select public.crm_campaign_stats(:'id')", id=campaign)["variants"]
    assert [one["converted"] for one in variants] == [0, len(of_two)]
    assert converted(books, other) == len(of_two), "who had the mails of both did it after both"
    seen = "select converted from public.crm_ab_tests where campaign_id = :'id' order by variant"
    assert books.ask(seen, id=campaign) == ["0", str(len(of_two))]


def test_a_mail_of_which_nobody_knows_does_not_count(books: Books) -> None:
    campaign = books.campaign(books.segment(*books.contacts(1)), conversion=WEEK)
    books.step(campaign)
    taken = books.take()
    books.hand_over(taken)
    books.finish(taken, "unknown")
    did(books, taken[0]["contact_id"], "first_deposit")
    assert books.counts(campaign, "unknown", "converted") == (1, 0)


def test_without_a_goal_nothing_is_looked_for(books: Books) -> None:
    contacts = books.contacts(1)
    campaign = sent_to(books, contacts, None)
    did(books, contacts[0], "first_deposit")
    assert converted(books, campaign) == 0


def test_activities_are_found_by_their_index(books: Books) -> None:
    campaign = sent_to(books, books.contacts(1), WEEK)
    plan = books.ask(
        "begin; set local enable_seqscan = off; explain select * from private.crm_conversions"
        " where campaign_id = :'id'; commit",
        id=campaign,
    )
    assert any("crm_activities_type" in line and "Scan using" in line for line in plan), plan
