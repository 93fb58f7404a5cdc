"""Acceptance cases of the port `Market`: the catalogue and the candles."""

import asyncio
from datetime import timedelta

import pytest

from libs.contracts.market import CANDLE_SIZES, Candle, Feed
from services.broker_gateway.broker import BrokerUnavailable
from tests.integration.broker_port.venue import CLOCK, MarketVenue
from tests.integration.nats_server import eventually


def complete(candle: Candle) -> bool:
    return int(candle.at.timestamp()) == candle.end


class MarketCases:
    async def test_m01(self, venue: MarketVenue) -> None:
        """The catalogue names every active once, in order of ids, with its exact ticker."""
        actives = await venue.market.actives()
        ids = [active.id for active in actives]
        assert ids == sorted(set(ids))
        assert len({active.ticker for active in actives}) == len(actives)
        assert all(active.ticker == active.ticker.strip() and active.category for active in actives)

    async def test_m02(self, venue: MarketVenue) -> None:
        """A suspended active is told as suspended."""
        await venue.suspend(venue.feed.active_id)
        (active,) = [active for active in await venue.market.actives() if active.id == venue.feed.active_id]
        assert all(offering.suspended for offering in active.options)

    @pytest.mark.parametrize("size", CANDLE_SIZES)
    async def test_m03(self, venue: MarketVenue, size: int) -> None:
        """The newest candles of every size: ascending, with no id left out, up to the running one."""
        candles = await venue.market.candles(Feed(venue.feed.active_id, size), count=50)
        assert 49 <= len(candles) <= 51
        first = candles[0].id
        assert [candle.id for candle in candles] == list(range(first, first + len(candles)))
        assert all(candle.end - candle.start == size or size >= 604800 for candle in candles)
        assert all(candle.low <= min(candle.open, candle.close) for candle in candles)
        assert all(max(candle.open, candle.close) <= candle.high for candle in candles)

    async def test_m04(self, venue: MarketVenue) -> None:
        """A range of ids is answered whole, both ends included, and the same every time."""
        newest = (await venue.market.candles(venue.feed, count=2))[0].id
        asked = (newest - 20, newest - 10)
        candles = await venue.market.candles(venue.feed, ids=asked)
        assert [candle.id for candle in candles] == list(range(asked[0], asked[1] + 1))
        assert await venue.market.candles(venue.feed, ids=asked) == candles
        assert all(complete(candle) for candle in candles)

    async def test_m05(self, venue: MarketVenue) -> None:
        """History of an active that does not exist is an error, not an empty list."""
        with pytest.raises(BrokerUnavailable):
            await venue.market.candles(Feed(999_999, 60), count=10)

    async def test_m06(self, venue: MarketVenue) -> None:
        """A feed tells the running candle; ids never go back, and each closes with a last update at its end."""
        told = await self._heard(venue, closed=3)
        assert [candle.id for candle in told] == sorted(candle.id for candle in told)
        ends = [candle.id for candle in told if complete(candle)]
        assert ends == list(range(ends[0], ends[0] + len(ends)))

    async def test_m07(self, venue: MarketVenue) -> None:
        """A candle that closed live is the same in the history."""
        closed = [candle for candle in await self._heard(venue, closed=2) if complete(candle)]
        past = await venue.market.candles(venue.feed, ids=(closed[0].id, closed[-1].id))
        told = {candle.id: (candle.open, candle.high, candle.low, candle.close) for candle in closed}
        assert {candle.id: (candle.open, candle.high, candle.low, candle.close) for candle in past} == told

    async def test_m08(self, venue: MarketVenue) -> None:
        """A feed that was given up tells nothing more, and can be had again."""
        told: list[Candle] = []
        await venue.market.subscribe(venue.feed, told.append)
        await eventually(lambda: told, timeout=10)
        await venue.market.unsubscribe(venue.feed)
        count = len(told)
        again = await self._heard(venue, closed=1)
        assert len(told) == count
        assert again

    async def test_m09(self, venue: MarketVenue) -> None:
        """After a lost link every feed goes on by itself."""
        told: list[Candle] = []
        await venue.market.subscribe(venue.feed, told.append)
        await eventually(lambda: told, timeout=10)
        await venue.drop()
        at = told[-1].at
        await eventually(lambda: told[-1].at > at + timedelta(seconds=1), timeout=20)

    async def test_m10(self, venue: MarketVenue) -> None:
        """What cannot be read now is an error within seconds."""
        await venue.cut()
        with pytest.raises(BrokerUnavailable):
            await venue.market.actives()
        with pytest.raises(BrokerUnavailable):
            await venue.market.candles(venue.feed, count=10)

    async def test_m11(self, venue: MarketVenue) -> None:
        """The broker's time is known."""
        assert abs(venue.market.now() - CLOCK.now()) < timedelta(seconds=2)

    async def test_m12(self, venue: MarketVenue) -> None:
        """After the catalogue was read, an active that is suspended is told of at once."""
        await venue.market.actives()
        changed = asyncio.create_task(venue.market.offers_changed())
        await venue.suspend(venue.feed.active_id)
        async with asyncio.timeout(20):
            await changed

    @staticmethod
    async def _heard(venue: MarketVenue, closed: int) -> list[Candle]:
        """Everything a feed tells until so many candles have closed."""
        told: list[Candle] = []
        await venue.market.subscribe(venue.feed, told.append)
        await eventually(lambda: sum(map(complete, told)) >= closed, timeout=20)
        await venue.market.unsubscribe(venue.feed)
        return list(told)
