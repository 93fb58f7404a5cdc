"""What the broker has switched off is refused before anything is sent (quadcode-protocol §6)."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from libs.quadcode import Client, FeatureDisabled
from libs.quadcode.digital import DigitalInstrument, Strike
from libs.quadcode.features import BINARY, BLITZ, DIGITAL, MARGIN_CFD, MARGIN_CRYPTO, MARGIN_FOREX, TURBO
from libs.quadcode.margin import Margin, MarginOrder, Side
from libs.quadcode.margin_instruments import MarginInstrument, Window
from libs.quadcode.options import OpenOption, OptionDirection, OptionType
from tests.integration.quadcode.conftest import MakeClient
from tests.integration.quadcode.scripted_broker import ScriptedBroker, refusal, reply

INSTRUMENT = DigitalInstrument(index=4711, asset_id=76, period=60, expiration=1790003580, deadtime=10)
STRIKE = Strike(OptionDirection.CALL, "SPT", "do76")
ORDER = MarginOrder(
    instrument=MarginInstrument(
        id="mf-1", active_id=301, default_leverage=Decimal(50), min_qty=Decimal("0.01"), qty_step=Decimal("0.01"),
        tradable=Window(1789948800, 1790035200),
    ),
    side=Side.BUY,
    quantity=Decimal(1),
    leverage=Decimal(50),
    balance_id=900004,
)  # fmt: skip


def switch_off(broker: ScriptedBroker, *names: str) -> None:
    features = [{"id": 1, "name": name, "status": "disabled", "params": None} for name in names]
    broker.answers["features.get-features"] = lambda _: [reply({"features": features})]


def purchase(kind: OptionType) -> OpenOption:
    if kind is OptionType.BLITZ:
        return OpenOption.blitz(
            active_id=76, direction=OptionDirection.PUT, duration=10, price=Decimal(25), balance_id=1, profit_percent=82
        )
    return OpenOption.timed(
        kind=kind, active_id=76, direction=OptionDirection.PUT, expires_at=1790003580, price=Decimal(25), balance_id=1,
        profit_percent=82,
    )  # fmt: skip


def buying(kind: OptionType) -> Callable[[Client], Awaitable[object]]:
    return lambda client: client.options.open(purchase(kind))


def ordering(name: str) -> Callable[[Client], Awaitable[object]]:
    def order(client: Client) -> Awaitable[object]:
        margin: Margin = getattr(client, name)
        return margin.market(ORDER)

    return order


GATED: list[tuple[str, Callable[[Client], Awaitable[object]]]] = [
    (BLITZ, buying(OptionType.BLITZ)),
    (TURBO, buying(OptionType.TURBO)),
    (BINARY, buying(OptionType.BINARY)),
    (DIGITAL, lambda client: client.digital.underlyings()),
    (DIGITAL, lambda client: client.digital.watch_underlyings(lambda _: None)),
    (DIGITAL, lambda client: client.digital.instruments(76)),
    (DIGITAL, lambda client: client.digital.watch_instruments(76, lambda _: None)),
    (DIGITAL, lambda client: client.digital.watch_prices(INSTRUMENT, lambda _: None)),
    (DIGITAL, lambda client: client.digital.place(INSTRUMENT, STRIKE, Decimal(25), 1)),
    (MARGIN_FOREX, ordering("margin_forex")),
    (MARGIN_CFD, ordering("margin_cfd")),
    (MARGIN_CRYPTO, ordering("margin_crypto")),
    (MARGIN_CFD, lambda client: client.margin_cfd.stop(ORDER, Decimal(1))),
    (MARGIN_CFD, lambda client: client.margin_cfd.limit(ORDER, Decimal(1))),
    (MARGIN_CFD, lambda client: client.margin_cfd.underlyings()),
    (MARGIN_CFD, lambda client: client.margin_cfd.watch_underlyings(lambda _: None)),
    (MARGIN_CFD, lambda client: client.margin_cfd.instruments(301)),
]


@pytest.mark.parametrize(("feature", "call"), GATED)
async def test_what_is_switched_off_is_refused_by_name_and_not_sent(
    make_client: MakeClient, broker: ScriptedBroker, feature: str, call: Callable[[Client], Awaitable[object]]
) -> None:
    switch_off(broker, feature)
    async with make_client() as client:
        assert not client.available(feature)
        before = len(broker.received)
        with pytest.raises(FeatureDisabled, match=feature) as refused:
            await call(client)
        assert refused.value.feature == feature
        assert len(broker.received) == before


async def test_one_kind_switched_off_leaves_the_others(make_client: MakeClient, broker: ScriptedBroker) -> None:
    switch_off(broker, BLITZ)
    broker.answers["digital-option-instruments.get-underlying-list"] = lambda _: [reply({"underlying": []})]
    async with make_client() as client:
        assert await client.digital.underlyings() == ()
        assert client.available(TURBO)


async def test_what_is_open_can_be_closed_though_it_is_switched_off(
    make_client: MakeClient, broker: ScriptedBroker
) -> None:
    switch_off(broker, TURBO, DIGITAL, MARGIN_CFD)
    async with make_client() as client:
        await client.options.sell([1])
        await client.digital.close(2)
        await client.margin_cfd.close(3)
        await client.margin_cfd.cancel(4)
    assert broker.asked("binary-options.sell-options") == [{"options_ids": [1]}]
    assert broker.asked("digital-options.close-position") == [{"position_id": 2}]
    assert broker.asked("marginal-cfd.close-position") == [{"position_id": 3}]
    assert broker.asked("marginal-cfd.cancel-pending-order") == [{"order_id": 4}]


async def test_each_connection_reads_anew_what_is_switched_off(client: Client, broker: ScriptedBroker) -> None:
    assert client.available(BLITZ)
    switch_off(broker, BLITZ)
    await broker.drop()
    await broker.until(lambda: client.connections == 2)
    assert not client.available(BLITZ)
    switch_off(broker)
    await broker.drop()
    await broker.until(lambda: client.connections == 3)
    assert client.available(BLITZ)


async def test_what_was_switched_off_stays_so_when_it_cannot_be_read(
    make_client: MakeClient, broker: ScriptedBroker
) -> None:
    switch_off(broker, BLITZ)
    async with make_client() as client:
        broker.answers["features.get-features"] = lambda _: [refusal(5000, "away")]
        await broker.drop()
        await broker.until(lambda: client.connections == 2)
        assert not client.available(BLITZ)
