from collections.abc import Sequence
from typing import Any

import pytest

from libs.quadcode import Client, RequestRefused
from libs.quadcode.features import BLITZ
from libs.quadcode.offer_book import OfferChange
from libs.quadcode.options import OptionType
from tests.integration.quadcode.scripted_broker import ScriptedBroker, refusal, reply

DATA = "binary-options.get-initialization-data"
SOON = 0.02


def blitz(active_id: int, commission: float = 18) -> dict[str, Any]:
    return {
        "id": active_id, "ticker": f"A{active_id}", "is_suspended": False, "schedule": [[1789948800, 1790035200]],
        "option": {"expiration_times": [5], "profit": {"commission": commission}},
    }  # fmt: skip


def timed(active_id: int, commission: float = 14) -> dict[str, Any]:
    return blitz(active_id, commission) | {"deadtime": 5}


def offer(
    broker: ScriptedBroker, *actives: dict[str, Any], turbo: Sequence[dict[str, Any]] = (), binary: Sequence[Any] = ()
) -> None:
    data = {"blitz": {"actives": actives}, "turbo": {"actives": turbo}, "binary": {"actives": binary}}
    broker.answers[DATA] = lambda _: [reply(data)]


class Told:
    def __init__(self) -> None:
        self.changes: list[Sequence[OfferChange]] = []

    def __call__(self, changes: Sequence[OfferChange]) -> None:
        self.changes.append(changes)

    @property
    def words(self) -> list[list[tuple[OptionType, float | None, float | None]]]:
        """Commissions before and after."""
        return [
            [(change.kind, _commission(change.before), _commission(change.after)) for change in changes]
            for changes in self.changes
        ]


def _commission(active: Any) -> float | None:
    return None if active is None else active.option.profit.commission


async def test_what_is_on_offer_is_there_by_kind_and_active(client: Client, broker: ScriptedBroker) -> None:
    offer(broker, blitz(76), turbo=[timed(76), timed(77)], binary=[timed(78)])
    told = Told()
    async with client.offer_book(told) as book:
        assert (set(book.blitz), set(book.turbo), set(book.binary)) == ({76}, {76, 77}, {78})
        assert book.turbo[77].deadtime == 5
        assert book.read_at is not None
    assert told.changes == []


async def test_what_a_reading_changes_is_told_at_once_and_only_then(client: Client, broker: ScriptedBroker) -> None:
    offer(broker, blitz(1), blitz(2), turbo=[timed(1, 14)])
    told = Told()
    async with client.offer_book(told, every=SOON) as book:
        await broker.until(lambda: len(broker.asked(DATA)) >= 3)
        assert told.changes == []
        offer(broker, blitz(1, 20), blitz(3, 30), turbo=[timed(1, 15)])
        await broker.until(lambda: told.changes)
        assert told.words == [
            [
                (OptionType.BLITZ, 18, 20),
                (OptionType.BLITZ, 18, None),
                (OptionType.BLITZ, None, 30),
                (OptionType.TURBO, 14, 15),
            ]
        ]
        assert (set(book.blitz), book.turbo[1].option.profit.percent) == ({1, 3}, 85)


async def test_readings_that_fail_are_repeated_and_lose_nothing(client: Client, broker: ScriptedBroker) -> None:
    offer(broker, blitz(1))
    told = Told()
    async with client.offer_book(told, every=SOON) as book:
        broker.answers[DATA] = lambda _: [refusal(5000, "away")]
        await broker.until(lambda: book.failures)
        assert set(book.blitz) == {1}
        offer(broker, blitz(2))
        await broker.until(lambda: told.changes)
        assert (book.failures, set(book.blitz)) == (0, {2})


async def test_a_new_connection_is_a_reason_to_read(client: Client, broker: ScriptedBroker) -> None:
    offer(broker, blitz(1))
    told = Told()
    async with client.offer_book(told):
        offer(broker, blitz(1, 25))
        await broker.drop()
        await broker.until(lambda: told.changes)
    assert told.words == [[(OptionType.BLITZ, 18, 25)]]


async def test_a_kind_that_is_switched_off_offers_nothing(client: Client, broker: ScriptedBroker) -> None:
    offer(broker, blitz(1), turbo=[timed(1)])
    told = Told()
    async with client.offer_book(told) as book:
        broker.answers["features.get-features"] = lambda _: [
            reply({"features": [{"name": BLITZ, "status": "disabled"}]})
        ]
        await broker.drop()
        await broker.until(lambda: told.changes)
        assert (dict(book.blitz), set(book.turbo)) == ({}, {1})
    assert told.words == [[(OptionType.BLITZ, 18, None)]]


async def test_a_listener_that_fails_does_not_end_the_readings(client: Client, broker: ScriptedBroker) -> None:
    offer(broker, blitz(1))

    def fail(_: Sequence[OfferChange]) -> None:
        raise ValueError("broken")

    async with client.offer_book(fail, every=SOON) as book:
        offer(broker, blitz(2))
        await broker.until(lambda: set(book.blitz) == {2})
        offer(broker, blitz(3))
        await broker.until(lambda: set(book.blitz) == {3})


async def test_nothing_is_read_after_the_end(client: Client, broker: ScriptedBroker) -> None:
    offer(broker, blitz(1))
    async with client.offer_book(Told(), every=SOON):
        await broker.until(lambda: len(broker.asked(DATA)) >= 2)
    before = len(broker.asked(DATA))
    await broker.drop()
    await broker.until(lambda: client.connections == 2)
    broker.answers["balances.get-available-balances"] = lambda _: [reply([])]
    await client.balances.all()
    assert len(broker.asked(DATA)) == before


async def test_a_first_reading_that_fails_is_an_error(client: Client, broker: ScriptedBroker) -> None:
    broker.answers[DATA] = lambda _: [refusal(5000, "away")]
    with pytest.raises(RequestRefused):
        await client.offer_book(Told()).__aenter__()
