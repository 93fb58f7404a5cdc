from libs.contracts.orders import OrderState, RejectCode, TradeFailed
from services.bot_runtime.trades import record_of
from tests.messages import NOW, a_closing, an_opening, an_order


def test_an_opening_tells_the_position() -> None:
    event = an_opening()
    record = record_of(event)
    assert (record.state, record.order, record.position) == (OrderState.OPENED, event.order, event.position)


def test_a_closing_tells_the_whole_trade() -> None:
    event = a_closing()
    record = record_of(event)
    assert (record.state, record.order) == (OrderState.CLOSED, event.order)
    assert (record.position, record.settlement) == (event.position, event.settlement)


def test_a_failure_tells_its_state_and_why() -> None:
    for state in (OrderState.REJECTED, OrderState.UNKNOWN):
        event = TradeFailed(
            id="e", at=NOW, order=an_order(), state=state, code=RejectCode.REFUSED, reason="not enough money"
        )
        record = record_of(event)
        assert (record.state, record.code, record.reason) == (state, RejectCode.REFUSED, "not enough money")
