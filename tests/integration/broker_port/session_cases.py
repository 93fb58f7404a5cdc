"""Acceptance cases of the port `Connection`: one user's session, and what it tells."""

from decimal import Decimal

import pytest

from libs.contracts.account import AccountType
from libs.contracts.orders import OptionKind
from services.broker_gateway.broker import AuthenticationRefused, BrokerUnavailable
from tests.integration.broker_port.order_cases import SELLABLE, bought
from tests.integration.broker_port.venue import SessionVenue, Witness
from tests.integration.nats_server import eventually


class SessionCases:
    async def test_s01(self, venue: SessionVenue) -> None:
        """Balances have been told when it is open, of both types, each with its currency."""
        witness = Witness()
        connection = venue.connection(venue.account, witness)
        await connection.open()
        try:
            told = {(balance.id, balance.type) for balance in witness.balances[-1]}
            assert told == {(venue.demo, AccountType.DEMO), (venue.real, AccountType.REAL)}
            assert all(len(balance.currency) == 3 and balance.amount > 0 for balance in witness.balances[-1])
        finally:
            await connection.close()

    async def test_s02(self, venue: SessionVenue) -> None:
        """A user whom the broker refuses is told apart from a broker that is away."""
        await venue.refuse_log_ins()
        with pytest.raises(AuthenticationRefused):
            await venue.connection(venue.account, Witness()).open()

    async def test_s03(self, venue: SessionVenue) -> None:
        """A broker that is away is unavailable, within seconds."""
        await venue.cut()
        with pytest.raises(BrokerUnavailable):
            await venue.connection(venue.account, Witness()).open()

    async def test_s04(self, venue: SessionVenue, witness: Witness) -> None:
        """A purchase changes the balance by its stake, and nothing else."""
        before = {balance.id: balance.amount for balance in witness.balances[-1]}
        await bought(venue, stake=Decimal("12.34"))
        expected = before | {venue.demo: before[venue.demo] - Decimal("12.34")}
        await eventually(lambda: {balance.id: balance.amount for balance in witness.balances[-1]} == expected)

    async def test_s05(self, venue: SessionVenue, witness: Witness) -> None:
        """A position is told when it opens and when it has a result, and the money of it is there."""
        start = {balance.id: balance.amount for balance in witness.balances[-1]}
        position = await bought(venue)
        known = await witness.closed(position.position_id)
        assert known.settlement is not None
        assert witness.of(position.position_id)[0].settlement is None
        expected = start[venue.demo] + known.settlement.profit
        await eventually(lambda: {b.id: b.amount for b in witness.balances[-1]}[venue.demo] == expected)

    @pytest.mark.parametrize("kind", SELLABLE)
    async def test_s06(self, venue: SessionVenue, witness: Witness, kind: OptionKind) -> None:
        """A sale is told as the position's result."""
        position = await bought(venue, kind)
        await venue.broker.sell(kind, position.position_id)
        known = await witness.closed(position.position_id)
        assert known.settlement is not None
        assert known.settlement.sold

    async def test_s07(self, venue: SessionVenue, witness: Witness) -> None:
        """A lost link is told, and so is its return, after which results are told as before."""
        await venue.drop()
        await eventually(lambda: witness.links[-2:] == [False, True], timeout=20)
        position = await bought(venue)
        assert (await witness.closed(position.position_id)).settlement is not None

    async def test_s08(self, venue: SessionVenue, witness: Witness) -> None:
        """Results that came while the link was lost are in the books."""
        position = await bought(venue)
        await venue.drop()
        await eventually(lambda: witness.links[-1:] == [True], timeout=20)
        books = await venue.broker.positions(position.opened_at)
        assert [known.position.position_id for known in books] == [position.position_id]

    async def test_s09(self, venue: SessionVenue, witness: Witness) -> None:
        """A session that is refused for good is told once, and tells nothing more."""
        await venue.refuse_log_ins()
        await venue.drop()
        await eventually(lambda: witness.refusals > 0, timeout=30)
        assert witness.refusals == 1

    async def test_s10(self, venue: SessionVenue) -> None:
        """After it was closed, it tells nothing."""
        quiet = Witness()
        connection = venue.connection(venue.account, quiet)
        await connection.open()
        await connection.close()
        told = (len(quiet.links), len(quiet.balances), len(quiet.positions))
        await bought(venue)
        assert (len(quiet.links), len(quiet.balances), len(quiet.positions)) == told

    async def test_s11(self, venue: SessionVenue) -> None:
        """Nobody is told of another user's money or positions."""
        other = Witness()
        connection = venue.connection(str(int(venue.account) + 1), other)
        await connection.open()
        try:
            before = len(other.balances)
            position = await bought(venue)
            assert await connection.positions(position.opened_at) == []
            assert other.positions == []
            assert len(other.balances) == before
            assert {balance.id for balance in other.balances[-1]}.isdisjoint({venue.demo, venue.real})
        finally:
            await connection.close()
