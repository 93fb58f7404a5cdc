from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from libs.contracts.bots import Activity, BotConfig, BotState, BotStatus, DesiredBot
from libs.contracts.orders import Order, OrderRecord, OrderState, TradeResult
from services.bot_runtime import labels
from services.bot_runtime.status import says_the_same, status_of
from tests.messages import NOW, USER, an_order

DESIRED = DesiredBot(user=USER, at=NOW, run="run-2", number=2, running=True, config=BotConfig(amount=Decimal(5)))
LATER = NOW + timedelta(minutes=1)


def a_status(last: BotStatus | None = None, label: str = labels.ANALYZING, order: Order | None = None) -> BotStatus:
    return status_of(DESIRED, last, LATER, BotState.RUNNING, Activity.ANALYZING, label, order)


def test_a_run_started_when_it_was_asked_for() -> None:
    assert a_status().started_at == NOW


def test_the_start_is_kept_while_the_run_goes_on() -> None:
    earlier = replace(a_status(), started_at=NOW - timedelta(hours=1))
    assert a_status(earlier).started_at == earlier.started_at
    assert a_status(replace(earlier, run="run-1")).started_at == NOW


def test_it_carries_the_run_and_the_order_it_is_about() -> None:
    order = an_order()
    status = a_status(order=order)
    assert (status.user, status.run, status.number, status.config) == (USER, "run-2", 2, DESIRED.config)
    assert (status.order_id, status.active_id, status.ticker) == (order.order_id, order.active_id, order.ticker)
    assert a_status().ticker is None


def test_only_a_change_is_worth_telling() -> None:
    status = a_status()
    assert says_the_same(status, a_status(status))
    assert not says_the_same(None, status)
    assert not says_the_same(status, a_status(label="else"))
    assert not says_the_same(status, a_status(order=an_order()))
    assert not says_the_same(replace(status, run="run-1"), status)
    assert not says_the_same(replace(status, state=BotState.STOPPING), status)


def test_labels_are_the_public_ones() -> None:
    assert labels.closed(TradeResult.WIN) == "Position closed - ✅ WIN"
    assert labels.closed(TradeResult.LOSS) == "Position closed - ❌ LOSS"
    assert labels.closed(TradeResult.TIE) == "Position closed - ⚪ TIE"
    assert labels.opening("EURUSD-OTC") == "Opening position on EURUSD-OTC..."
    assert labels.stopped("user") == labels.stopped("") == "Bot Stopped"
    assert labels.stopped("Daily Goal reached: R$ 104.50") == "Bot stopped - Daily Goal reached: R$ 104.50"


def test_a_rejection_is_told_in_the_words_of_whoever_refused() -> None:
    record = OrderRecord(order=an_order(), state=OrderState.REJECTED, updated_at=NOW, code="REFUSED", reason="no money")
    assert labels.rejected(record) == "Order rejected - no money"
    assert labels.rejected(replace(record, reason="")) == "Order rejected - REFUSED"
