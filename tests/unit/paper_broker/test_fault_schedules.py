"""The platform's own side of 500 fault schedules: whatever is told or lost, the books are right."""

from collections import Counter
from decimal import Decimal

from services.paper_broker.accounts import BalanceType
from services.paper_broker.control import Control
from services.paper_broker.http_api import Tokens
from services.paper_broker.ticker import Ticker
from tests.chaos.schedules import FITTING, Moment, Step, schedule
from tests.unit.paper_broker.world import EURUSD, USER, Client, World

SEEDS = 500


def test_a_seed_always_means_the_same() -> None:
    assert [schedule(seed, USER) for seed in range(50)] == [schedule(seed, USER) for seed in range(50)]


def test_every_fault_that_fits_a_moment_is_drawn() -> None:
    drawn: Counter[tuple[Moment, type]] = Counter()
    for seed in range(SEEDS):
        steps = schedule(seed, USER)
        assert steps == sorted(steps, key=lambda step: step.moment)
        drawn.update((step.moment, type(step.fault)) for step in steps)
    for moment, fitting in FITTING.items():
        kinds = {kind for at, kind in drawn if at is moment}
        assert len(kinds) >= len(fitting) - 2, moment  # replies to look-ups are two of orders' kinds again


async def test_the_books_are_right_under_every_schedule(world: World) -> None:
    driver = Driver(world)
    for seed in range(SEEDS):
        driver.run(USER + seed, schedule(seed, USER + seed))
    assert driver.booked > SEEDS / 2
    assert driver.refused > SEEDS / 50


class Driver:
    """Buys one option of 5 s for each schedule, and looks into the books afterwards."""

    def __init__(self, world: World) -> None:
        self.booked = 0
        self.refused = 0
        self._world = world
        self._control = Control(world.broker, Tokens("a-token-of-tests"))
        self._ticker = Ticker(world.broker)

    def run(self, user: int, steps: list[Step]) -> None:
        client = self._world.client(user)
        before = self._world.balance(BalanceType.DEMO, user).amount
        self._inject(steps, Moment.BEFORE_ORDER)
        self._inject(steps, Moment.IN_FLIGHT)
        replies = self._buy(client, user)
        self._inject(steps, Moment.POSITION_OPEN)
        self._world.clock.advance(4)
        self._inject(steps, Moment.AT_SETTLEMENT)
        self._world.clock.advance(3)
        self._ticker.tick(self._world.broker.now() // 1000 * 1000)
        self._control.restore(EURUSD)
        self._agree(user, before, replies)

    def _inject(self, steps: list[Step], moment: Moment) -> None:
        for step in steps:
            if step.moment is moment:
                self._control.inject(step.fault)

    def _buy(self, client: Client, user: int) -> list[str]:
        """Names of the replies: one at most."""
        order = {
            "active_id": EURUSD, "direction": "call", "expiration_size": 5, "option_type_id": 12, "price": 10,
            "user_balance_id": self._world.balance(BalanceType.DEMO, user).id,
        }  # fmt: skip
        request_id = client.send("sendMessage", {"name": "binary-options.open-option", "version": "2.0", "body": order})
        return [each["name"] for each in client.received() if each.get("request_id") == request_id]

    def _agree(self, user: int, before: Decimal, replies: list[str]) -> None:
        broker = self._world.broker
        positions = broker.positions.all(user)
        assert len(positions) <= 1
        assert replies in ([], ["error"] if not positions else ["option"])
        self.booked += len(positions)
        self.refused += not positions
        assert all(position.closing is not None for position in positions)
        made = sum(each.closing.profit - each.invest for each in positions if each.closing is not None)
        for balance in broker.accounts.balances(user):
            assert balance.amount == broker.ledger.total(balance.id)
            assert balance.amount == sum(entry.change for entry in broker.ledger.entries(balance.id))
        assert self._world.balance(BalanceType.DEMO, user).amount == before + made
