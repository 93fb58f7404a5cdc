import pytest

from services.paper_broker.control import Control
from services.paper_broker.errors import Refused
from services.paper_broker.faults import FreezeMarket, SuspendActive
from services.paper_broker.http_api import Tokens
from services.paper_broker.positions import CloseReason
from services.paper_broker.ticker import Ticker
from tests.unit.paper_broker.world import APPLE, EURUSD, USER, World


@pytest.fixture
def control(world: World) -> Control:
    return Control(world.broker, Tokens("a-token-of-tests"))


def test_in_a_frozen_market_nothing_is_won_or_lost(world: World, control: Control) -> None:
    everything = [active.id for active in world.broker.catalogue]
    assert control.inject(FreezeMarket()) == {"suspended": [], "frozen": everything}
    before = world.balance().amount
    world.broker.options.buy(USER, world.order())
    world.clock.advance(7)
    Ticker(world.broker).tick(world.broker.now() // 1000 * 1000)
    (position,) = world.broker.positions.all(USER)
    assert position.closing is not None
    assert position.closing.reason is CloseReason.EQUAL
    assert world.balance().amount == before
    control.restore()
    assert not any(world.broker.market.frozen(active) for active in world.broker.catalogue)


def test_only_what_was_suspended_here_is_resumed(world: World, control: Control) -> None:
    world.broker.catalogue.suspend(APPLE, True)
    assert control.inject(SuspendActive(active=APPLE)) == {"suspended": [], "frozen": []}
    assert control.inject(SuspendActive(active=EURUSD)) == {"suspended": [EURUSD], "frozen": []}
    control.restore()
    assert [active.id for active in world.broker.catalogue if active.suspended] == [APPLE]


@pytest.mark.parametrize("fault", [SuspendActive(active=9), FreezeMarket(active=9)])
def test_an_unknown_active_is_named(control: Control, fault: SuspendActive | FreezeMarket) -> None:
    with pytest.raises(Refused) as refused:
        control.inject(fault)
    assert refused.value.details == {"active": "unknown active"}
