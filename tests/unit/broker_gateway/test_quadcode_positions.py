"""A Quadcode-platform broker's books in the port's words."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from libs.contracts.orders import OptionKind
from libs.quadcode.client import Client
from libs.quadcode.declarations import Call
from libs.quadcode.positions import (
    GET_POSITIONS,
    BinaryOptionsEvent,
    DigitalOptionsEvent,
    Position,
    PositionPage,
    Positions,
    RawEvent,
)
from services.broker_gateway.broker import BrokerPosition, Listener
from services.broker_gateway.quadcode import Credentials, QuadcodeConnection
from tests.unit.quadcode.hand_channel import USER_ID, HandChannel
from tests.unit.quadcode.virtual_time import clock, run

NUMBER = 77
_DETAILS = {
    "blitz-option": RawEvent(binary_options_option_changed1=BinaryOptionsEvent((NUMBER,), "call", 60)),
    "digital-option": RawEvent(digital_options_position_changed1=DigitalOptionsEvent((5,), "call", 60_000)),
}


def a_position(kind: str, status: str) -> Position:
    time = clock().now().timestamp() * 1000
    return Position(
        id=f"p-{kind}", external_id=NUMBER, user_id=USER_ID, user_balance_id=900004, active_id=76,
        instrument_type=kind, status=status, invest=Decimal(10), open_quote=1.1, open_time=time,
        close_time=time if status == "closed" else None, pnl=Decimal(0), raw_event=_DETAILS[kind],
    )  # fmt: skip


async def books(opened: list[Position], closed: list[Position]) -> list[BrokerPosition]:
    def answer(call: Call[Any, Any], _: Any) -> object:
        return PositionPage(tuple(opened if call is GET_POSITIONS else closed))

    channel = HandChannel(answer, seed=1)
    client = cast(Client, SimpleNamespace(positions=Positions(channel)))
    connection = QuadcodeConnection(lambda *_: client, cast(Credentials, None), cast(Listener, None), lambda _: None)
    asked = asyncio.create_task(connection.positions(datetime.fromtimestamp(0, UTC)))
    while not asked.done():
        channel.reply_to_one()
        await asyncio.sleep(0)
    return await asked


@pytest.mark.parametrize(("opened", "closed"), [("blitz-option", "digital-option"), ("digital-option", "blitz-option")])
def test_a_position_of_one_kind_does_not_hide_one_of_another_with_its_number(opened: str, closed: str) -> None:
    async def scene() -> None:
        found = await books([a_position(opened, "open")], [a_position(closed, "closed")])
        assert {known.key for known in found} == {(OptionKind.BLITZ, NUMBER), (OptionKind.DIGITAL, NUMBER)}

    run(scene())


def test_one_that_closes_between_the_lists_is_closed() -> None:
    async def scene() -> None:
        found = await books([a_position("blitz-option", "open")], [a_position("blitz-option", "closed")])
        assert [(known.key, known.settlement is not None) for known in found] == [((OptionKind.BLITZ, NUMBER), True)]

    run(scene())
