"""Whatever happens in whatever order: a balance is the sum of its ledger, and only options make and lose money."""

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from services.paper_broker.accounts import BalanceType
from services.paper_broker.catalogue import DURATIONS
from services.paper_broker.digital import PlaceDigitalOption
from services.paper_broker.digital_instruments import on_offer
from services.paper_broker.errors import Refused, Status
from services.paper_broker.hours import Place
from services.paper_broker.option_kinds import BINARY, TURBO, OptionKind, expirations
from services.paper_broker.options import OpenOption, outcome
from services.paper_broker.positions import CloseReason, InstrumentType
from services.paper_broker.selling import CannotSell
from tests.unit.paper_broker.world import EURUSD, USER, HandClock, World

STAKES = st.decimals(min_value=Decimal("0.5"), max_value=Decimal(6000), places=2)


class Books(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.database = str(Path(self.directory.name) / "broker.sqlite")
        self.clock = HandClock()
        self.world = World(self.clock, self.database, paper_real_balance=Decimal(50))
        self.expected = {type_: self.world.balance(type_).amount for type_ in BalanceType}
        self.seen = 0

    @rule(
        stake=STAKES,
        direction=st.sampled_from(["call", "put"]),
        duration=st.sampled_from(DURATIONS),
        type_=st.sampled_from(BalanceType),
    )
    def buy(self, stake: Decimal, direction: str, duration: int, type_: BalanceType) -> None:
        self._buy(type_, self.world.order(price=stake, direction=direction, expiration_size=duration))

    @rule(
        stake=STAKES,
        direction=st.sampled_from(["call", "put"]),
        kind=st.sampled_from([TURBO, BINARY]),
        number=st.integers(0, 4),
        type_=st.sampled_from(BalanceType),
    )
    def buy_until(self, stake: Decimal, direction: str, kind: OptionKind, number: int, type_: BalanceType) -> None:
        offered = expirations(kind, Place.ALWAYS, self.clock.second)
        in_time = [each for each in offered if each - kind.deadtime > self.clock.second + 1]
        order = self.world.order(
            option_type_id=kind.type_id,
            price=stake,
            direction=direction,
            expired=in_time[number % len(in_time)],
            expiration_size=None,
        )
        self._buy(type_, order)

    def _buy(self, type_: BalanceType, order: OpenOption) -> None:
        balance = self.world.balance(type_)
        possible = 1 <= order.price <= balance.amount
        try:
            position = self.world.broker.options.buy(USER, replace(order, user_balance_id=balance.id))
        except Refused:
            assert not possible
            return
        assert possible
        self._numbered(position.external_id)
        self.expected[type_] -= order.price

    @rule(stake=STAKES, number=st.integers(0, 6), side=st.integers(0, 23), type_=st.sampled_from(BalanceType))
    def buy_digital(self, stake: Decimal, number: int, side: int, type_: BalanceType) -> None:
        digital, now = self.world.broker.digital, self.clock.second + 1
        in_time = [each for each in on_offer(EURUSD, now) if each.begins < now < each.expiration - each.term.deadtime]
        instrument = in_time[number % len(in_time)]
        strike = digital.offers.strikes(instrument)[side // 2]
        balance = self.world.balance(type_)
        request = PlaceDigitalOption(
            amount=stake,
            asset_id=EURUSD,
            instrument_id=instrument.symbol("call" if side % 2 else "put", strike),
            instrument_index=instrument.number,
            user_balance_id=balance.id,
        )
        status: int = Status.OK
        try:
            order, position = digital.place(USER, request)
        except Refused as refused:
            status = refused.status
        if status != Status.OK:
            assert stake < 1 or status == Status.NOT_ON_OFFER
            return
        self._numbered(order.id)
        if position is None:
            assert stake > balance.amount
            return
        self._numbered(position.external_id)
        self.expected[type_] -= stake

    def _numbered(self, number: int) -> None:
        """Positions and orders of all kinds count together."""
        assert number > self.seen
        self.seen = number

    @precondition(lambda self: self.world.broker.positions.open(USER))
    @rule(chosen=st.sets(st.integers(0, 5), min_size=1, max_size=2))
    def sell(self, chosen: set[int]) -> None:
        positions = self.world.broker.positions.open(USER)
        ids = list({positions[index % len(positions)].external_id for index in sorted(chosen)})
        types = {self.world.balance(type_).id: type_ for type_ in BalanceType}
        try:
            sold = self.world.broker.selling.sell(USER, ids, tuple(InstrumentType))
        except CannotSell:
            assert self.world.broker.positions.open(USER) == positions
            return
        assert [position.external_id for position in sold] == ids
        for position in sold:
            assert position.closing is not None
            assert 0 <= position.closing.profit <= position.expected_profit
            self.expected[types[position.balance_id]] += position.closing.profit

    @rule(seconds=st.floats(0.05, 90) | st.floats(90, 2000))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def settle(self) -> None:
        types = {self.world.balance(type_).id: type_ for type_ in BalanceType}
        for position in self.world.broker.options.settle():
            assert position.closing is not None
            paid = {
                CloseReason.WIN: position.expected_profit,
                CloseReason.EQUAL: position.invest,
                CloseReason.LOOSE: Decimal(0),
            }
            result = outcome(position, position.closing.quote)
            assert position.closing.profit == paid[result]
            self.expected[types[position.balance_id]] += paid[result]
        assert all(each.expiration > self.clock.second for each in self.world.broker.positions.open(USER))

    @rule(amount=st.decimals(min_value=0, max_value=20000, places=2))
    def reset(self, amount: Decimal) -> None:
        self.world.broker.accounts.reset(self.world.balance(), amount)
        self.expected[BalanceType.DEMO] = amount

    @precondition(lambda self: self.seen > 0)
    @rule()
    def restart(self) -> None:
        before = self.world.broker.positions.all(USER)
        self.world.storage.close()
        self.world = World(self.clock, self.database, paper_real_balance=Decimal(50))
        assert self.world.broker.positions.all(USER) == before

    @invariant()
    def balances_are_what_they_must_be(self) -> None:
        for type_, expected in self.expected.items():
            balance = self.world.balance(type_)
            assert balance.amount == expected == self.world.broker.ledger.total(balance.id)
            assert balance.amount >= 0

    @invariant()
    def what_is_at_hand_is_what_is_stored(self) -> None:
        stored = [each for each in self.world.broker.positions.all(USER) if each.closing is None]
        assert sorted(self.world.broker.positions.open(USER), key=lambda each: each.external_id) == stored

    def teardown(self) -> None:
        self.world.storage.close()
        self.directory.cleanup()


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
