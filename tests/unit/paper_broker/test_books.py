"""Whatever happens in whatever order: a balance is the sum of its ledger, and only options make and lose money."""

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.paper_broker.accounts import BalanceType
from services.paper_broker.catalogue import DURATIONS
from services.paper_broker.errors import Refused
from services.paper_broker.positions import CloseReason
from tests.unit.paper_broker.world import USER, HandClock, World

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
        balance = self.world.balance(type_)
        order = self.world.order(price=stake, direction=direction, expiration_size=duration, user_balance_id=balance.id)
        possible = 1 <= stake <= balance.amount
        try:
            position = self.world.broker.options.buy(USER, order)
        except Refused:
            assert not possible
            return
        assert possible
        assert position.external_id > self.seen
        self.seen = position.external_id
        self.expected[type_] -= stake

    @rule(seconds=st.floats(0.05, 90))
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
            self.expected[types[position.balance_id]] += paid[position.closing.reason]
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
TestBooks.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
