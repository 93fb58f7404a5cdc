import pytest

from services.paper_broker.orders import Order, OrderKind, OrderStatus
from services.paper_broker.portfolio import order_record
from services.paper_broker.positions import InstrumentType
from tests.unit.paper_broker.world import OTHER_USER, USER, Client, World


def stored(world: World, **changes: object) -> Order:
    fields: dict[str, object] = {
        "user_id": USER,
        "balance_id": world.balance().id,
        "instrument_type": InstrumentType.MARGIN_FOREX,
        "kind": OrderKind.DEFERRED,
        "status": OrderStatus.NEW,
    }
    with world.storage.transaction():
        return world.broker.orders.insert(Order(**(fields | changes)))  # type: ignore[arg-type]


def test_an_order_has_its_number_from_the_row_positions_have_theirs_from(world: World) -> None:
    first = stored(world)
    position = world.broker.options.buy(USER, world.order())
    assert first.id < position.external_id < stored(world).id
    assert world.broker.orders.find(USER, first.id) == first
    assert world.broker.orders.find(OTHER_USER, first.id) is None


@pytest.mark.parametrize("status", [OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED])
def test_an_order_that_is_finished_waits_no_longer(world: World, status: OrderStatus) -> None:
    order = stored(world)
    assert world.broker.orders.live(USER, world.balance().id) == [order]
    with world.storage.transaction():
        finished = world.broker.orders.finish(order, status)
    assert world.broker.orders.live(USER, world.balance().id) == []
    assert world.broker.orders.find(USER, order.id) == finished


def test_waiting_orders_are_listed_per_balance(world: World, client: Client) -> None:
    order = stored(world)
    body = {"user_balance_id": world.balance().id, "kind": "deferred"}
    assert client.call("portfolio.get-orders", "2.0", body)["msg"] == {
        "items": [
            {
                "id": f"order-{order.id}",
                "instrument_type": "marginal-forex",
                "kind": "deferred",
                "status": "new",
                "user_id": USER,
                "user_balance_id": world.balance().id,
                "raw_event": {"marginal_forex_order_changed1": {"id": order.id}},
            }
        ]
    }
    assert client.call("portfolio.get-orders", "2.0", body | {"user_balance_id": 99})["msg"] == {"items": []}
    other = world.client(OTHER_USER)
    assert other.call("portfolio.get-orders", "2.0", body)["msg"] == {"items": []}


@pytest.mark.parametrize(
    "instrument_type",
    ["digital-option", "marginal-forex", "marginal-cfd", "marginal-crypto"],
)
def test_every_kind_of_order_has_the_key_clients_require(world: World, instrument_type: str) -> None:
    order = stored(world, instrument_type=InstrumentType(instrument_type), status=OrderStatus.REJECTED)
    key = instrument_type.replace("-option", "-options").replace("-", "_") + "_order_changed1"
    record = order_record(order)
    assert record["raw_event"] == {key: {"id": order.id}}
    assert "position_id" not in record
