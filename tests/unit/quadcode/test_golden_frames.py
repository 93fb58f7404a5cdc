"""The samples of quadcode-protocol are read, and say what the protocol says that they say."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import pytest

from libs.quadcode.actives import GET_ACTIVE
from libs.quadcode.balances import BALANCE_CHANGED, GET_BALANCES
from libs.quadcode.candles import CANDLE_GENERATED, GET_CANDLES
from libs.quadcode.declarations import Call, Topic
from libs.quadcode.digital import GET_INSTRUMENTS, GET_UNDERLYINGS, PRICES_GENERATED
from libs.quadcode.features import GET_FEATURES, MARGIN_CFD, Features
from libs.quadcode.frames import decode_envelope
from libs.quadcode.option_actives import GET_INITIALIZATION_DATA
from libs.quadcode.options import OPEN_OPTION
from libs.quadcode.orders import ORDER_CHANGED, OrderStatus
from libs.quadcode.position_book import POSITIONS_STATE
from libs.quadcode.positions import GET_POSITIONS, PositionStatus
from libs.quadcode.profile import GET_PROFILE
from libs.quadcode.quotes import QUOTE_GENERATED, Phase

R = TypeVar("R")
E = TypeVar("E")


def answer(call: Call[Any, R], msg: str) -> R:
    """As it comes out of a whole frame."""
    frame = decode_envelope(b'{"request_id":"17","name":"any","status":2000,"msg":%s}' % msg.encode())
    assert frame.request_id == "17"
    return msgspec.json.decode(frame.msg, type=call.reply)


def event(topic: Topic[E], msg: str) -> E:
    header = f'{{"name":"{topic.event}","microserviceName":"{topic.service}","msg":'
    frame = decode_envelope(f"{header}{msg}}}".encode())
    assert (frame.service, frame.name, frame.request_id) == (topic.service, topic.event, None)
    return msgspec.json.decode(frame.msg, type=topic.type_)


def test_features() -> None:
    listed = answer(
        GET_FEATURES,
        '{"features":[{"id":11,"name":"client-sdk","category":"client-sdk-js","version":"1.0","status":"enabled",'
        '"params":{}},{"id":12,"name":"margin-cfd-instrument","category":"client-sdk-js","version":"1.0",'
        '"status":"disabled","params":null}]}',
    ).features
    features = Features()
    features.learn(listed)
    assert [features.available(name) for name in ("client-sdk", MARGIN_CFD)] == [True, False]


def test_profile() -> None:
    profile = answer(
        GET_PROFILE,
        '{"isSuccessful":true,"result":{"user_id":5150,"first_name":"Ada","last_name":"Trader","email":"a@sim.invalid"}}',
    ).result
    assert (profile.user_id, profile.first_name) == (5150, "Ada")


def test_balances() -> None:
    balances = answer(
        GET_BALANCES,
        '[{"id":900001,"type":1,"amount":0,"bonus_amount":0,"currency":"USD","user_id":5150,"is_marginal":false},'
        '{"id":900004,"type":4,"amount":10000,"bonus_amount":0,"currency":"USD","user_id":5150,"is_marginal":false}]',
    )
    assert [(balance.id, balance.amount) for balance in balances] == [(900001, Decimal(0)), (900004, Decimal(10000))]
    changed = event(
        BALANCE_CHANGED,
        '{"user_id":5150,"current_balance":{"id":900004,"type":4,"amount":9990,"bonus_amount":0,"currency":"USD"}}',
    )
    assert changed.current_balance.amount == Decimal(9990)


def test_active() -> None:
    active = answer(
        GET_ACTIVE,
        '{"id":76,"name":"EURUSD-OTC","description":"d","image":"/forex/eurusd-otc.png","is_otc":true,'
        '"time_from":"00:00:00","time_to":"23:59:59","precision":6,"pip_scale":4,"spread_plus":0,"spread_minus":0,'
        '"expiration_days":[1,2,3,4,5,6,7],"currency_left_side":"EUR","currency_right_side":"USD","type":"forex",'
        '"min_qty":1,"qty_step":1,"type_qty":"lots"}',
    )
    assert (active.name, active.is_otc, active.precision, active.pip_scale) == ("EURUSD-OTC", True, 6, 4)
    assert (active.time_to, active.expiration_days) == ("23:59:59", (1, 2, 3, 4, 5, 6, 7))
    assert (active.min_qty, active.qty_step, active.type_qty) == (Decimal(1), Decimal(1), "lots")


@pytest.mark.parametrize("null", ["time_from", "spread_plus", "expiration_days", "min_qty", "type_qty"])
def test_what_nobody_needs_may_be_null(null: str) -> None:
    assert answer(GET_ACTIVE, f'{{"id":76,"name":"EURUSD-OTC","{null}":null}}').name == "EURUSD-OTC"


def test_quotes_and_candles() -> None:
    quote = event(
        QUOTE_GENERATED,
        '{"active_id":76,"time":1790000000123,"bid":1.08411,"ask":1.08413,"value":1.08412,"phase":"T"}',
    )
    assert (quote.time, quote.value, quote.phase) == (1790000000123, 1.08412, Phase.TRADING)
    closed, running = answer(
        GET_CANDLES,
        '{"candles":[{"id":29833401,"from":1790003400,"to":1790003460,"open":1.08401,"close":1.08417,"min":1.08398,'
        '"max":1.0842,"volume":0},{"id":29833402,"from":1790003460,"to":1790003520,"open":1.08417,"close":1.08411,'
        '"min":1.08409,"max":1.08419,"volume":0,"at":1790003487000000000}]}',
    ).candles
    assert (closed.at, running.at, running.id - closed.id) == (None, 1790003487000000000, 1)
    live = event(
        CANDLE_GENERATED,
        '{"active_id":76,"size":60,"id":29833402,"from":1790003460,"to":1790003520,"at":1790003488000000000,'
        '"open":1.08417,"close":1.08412,"min":1.08409,"max":1.08419,"ask":1.08413,"bid":1.08411,"volume":0,"phase":"T"}',
    )
    assert (live.start, live.end, live.closed) == (1790003460, 1790003520, False)


def test_offers_and_purchases() -> None:
    schedule = '"is_suspended":false,"schedule":[[1789948800,1790035200]]'
    active = f'"id":76,"name":"front.EURUSD-OTC","ticker":"EURUSD-OTC",{schedule}'
    timed = f'{active},"is_buyback":true,"deadtime":30,"buyback_deadtime":60'
    offers = answer(
        GET_INITIALIZATION_DATA,
        f'{{"binary":{{"actives":{{"76":{{{timed},"option":{{"count":4,"expiration_times":[900],"profit":{{"commission":15}},'
        '"special":{"1790380800":{"title":"front.End of week","enabled":true}}}}}},'
        f'"turbo":{{"actives":{{"76":{{{timed},"option":{{"count":5,"expiration_times":[60],"profit":{{"commission":14}}}}}}}}}},'
        f'"blitz":{{"actives":{{"76":{{{active},"option":{{"expiration_times":[5,10],"profit":{{"commission":18}}}}}}}}}}}}',
    )
    percents = [offer.all()[0].option.profit.percent for offer in (offers.binary, offers.turbo, offers.blitz)]
    assert percents == [85, 86, 82]
    option = answer(
        OPEN_OPTION,
        '{"id":77120031,"act":76,"direction":"put","exp":1790003510,"price":25,"profit_income":82,"time_rate":1790003500,'
        '"type":"blitz","value":1.08415}',
    )
    assert (option.id, option.expires_at) == (77120031, datetime.fromtimestamp(1790003510, UTC))


def test_digital_options() -> None:
    [underlying] = answer(
        GET_UNDERLYINGS,
        '{"type":"digital-option","underlying":[{"active_id":76,"is_suspended":false,"name":"EURUSD-OTC",'
        '"schedule":[{"open":1789948800,"close":1790035200}]}]}',
    ).underlying
    assert underlying.tradable(datetime.fromtimestamp(1789948800, UTC))
    [instrument] = answer(
        GET_INSTRUMENTS,
        '{"instruments":[{"index":4711001,"asset_id":76,"instrument_type":"digital-option","period":60,'
        '"expiration":1790003580,"deadtime":10,"data":[{"direction":"call","strike":"SPT","symbol":"do76CSPT"}]}]}',
    ).instruments
    assert (instrument.index, instrument.data[0].symbol) == (4711001, "do76CSPT")
    prices = event(
        PRICES_GENERATED,
        '{"instrument_index":4711001,"asset_id":76,"digital_option_trading_group_id":"g-1","quote_time":1790003520123,'
        '"prices":[{"strike":"SPT","call":{"symbol":"C","ask":54.6,"bid":47.1},"put":{"symbol":"P","ask":54.9,"bid":46.8}}]}',
    )
    assert prices.quote_time == 1790003520123
    assert [side.profit_percent for side in (prices.prices[0].call, prices.prices[0].put)] == [83, 82]


def test_positions_and_orders() -> None:
    [position] = answer(
        GET_POSITIONS,
        '{"limit":30,"total":1,"positions":[{"id":"c0ffee-01","external_id":77120031,"user_id":5150,'
        '"user_balance_id":900004,"active_id":76,"instrument_type":"blitz-option","source":"binary-options",'
        '"status":"open","invest":25,"open_quote":1.08415,"open_time":1790003500120,"quote_timestamp":1790003500000,'
        '"expected_profit":45.5,"pnl":0,"raw_event":{"binary_options_option_changed1":{"order_ids":[77120031],'
        '"direction":"put","expiration_time":1790003510}}}]}',
    ).positions
    assert (position.status, position.expected_profit) == (PositionStatus.OPEN, Decimal("45.5"))
    assert position.order_ids == (77120031,)
    assert (position.source, position.quote_timestamp) == ("binary-options", 1790003500000)
    [state] = event(
        POSITIONS_STATE,
        '{"user_id":5150,"subscription_id":1,"expires_in":300,"positions":[{"id":"c0ffee-01",'
        '"instrument_type":"blitz-option","current_price":1.08409,"quote_timestamp":1790003503000,"sell_profit":0,'
        '"margin":0,"pnl":4.1,"pnl_net":4.1,"open_price":1.08415,"expected_profit":45.5,"currency_conversion":1}]}',
    ).positions
    assert (state.id, state.pnl, state.sell_profit) == ("c0ffee-01", Decimal("4.1"), Decimal(0))
    order = event(
        ORDER_CHANGED,
        '{"id":"ord-5","instrument_type":"digital-option","kind":"instant","position_id":"c0ffee-02","status":"filled",'
        '"user_id":5150,"user_balance_id":900004,"raw_event":{"digital_options_order_changed1":{"id":88001}}}',
    )
    assert (order.number, order.status) == (88001, OrderStatus.FILLED)
