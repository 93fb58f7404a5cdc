import asyncio
from decimal import Decimal

import pytest

from libs.quadcode import Client, ConnectionLost, NotConnected, RequestRefused, RequestTimeout, UnexpectedReply
from libs.quadcode.actives import GET_ACTIVE, GetActive
from libs.quadcode.balances import Balance
from libs.quadcode.candles import GetCandles
from tests.integration.quadcode.conftest import MakeClient
from tests.integration.quadcode.scripted_broker import Frame, ScriptedBroker, event, refusal, reply, result

BALANCES = "balances.get-available-balances"
DEMO = {"id": 900004, "type": 4, "amount": 10000.25, "bonus_amount": 0, "currency": "USD", "user_id": 5150}


def noise(name: str, msg: object) -> Frame:
    return {"name": name, "msg": msg, "request_id": None}


@pytest.fixture(autouse=True)
def with_balances(broker: ScriptedBroker) -> None:
    broker.answers[BALANCES] = lambda _: [reply([DEMO])]


@pytest.mark.parametrize(
    "frames",
    [
        [reply([DEMO])],
        [result(), reply([DEMO])],
        [reply([DEMO], request_id=7_000_000), reply([DEMO])],
        [b"not json", reply([DEMO])],
        [event("unheard", "of", {"a": 1}), reply([DEMO])],
        [noise("heartbeat", 1), noise("front", "ws1"), noise("authenticated", True), reply([DEMO])],
        [reply([DEMO], unheard="of", session_id="x", microserviceName="balances")],
        [reply([DEMO], status=None)],
    ],
    ids=["plain", "result first", "number as id", "malformed", "event", "noise", "more fields", "no status"],
)  # fmt: skip
async def test_a_request_gets_its_answer(client: Client, broker: ScriptedBroker, frames: list[Frame | bytes]) -> None:
    broker.answers[BALANCES] = lambda _: frames
    assert await client.balances.all() == [
        Balance(id=900004, type=4, amount=Decimal("10000.25"), currency="USD", bonus_amount=Decimal(0))
    ]


async def test_answers_find_their_requests_in_any_order(client: Client, broker: ScriptedBroker) -> None:
    held: list[Frame] = []

    def answer(body: dict[str, int]) -> list[Frame | bytes]:
        request_id = broker.received[-1]["request_id"]
        held.insert(0, reply({"id": body["id"], "name": f"active {body['id']}"}, request_id=request_id))
        return list(held) if len(held) == 3 else []

    broker.answers["get-active"] = answer
    actives = await asyncio.gather(*(client.actives.get(number) for number in (1, 2, 3)))
    assert [active.id for active in actives] == [1, 2, 3]


async def test_a_refusal_carries_the_brokers_words(client: Client, broker: ScriptedBroker) -> None:
    broker.answers[BALANCES] = lambda _: [refusal(4100, "not now")]
    with pytest.raises(RequestRefused) as refused:
        await client.balances.all()
    assert (refused.value.status, refused.value.message) == (4100, "not now")


async def test_a_refusal_of_fields_names_them(client: Client, broker: ScriptedBroker) -> None:
    details = {"from": ["from must not be in the future"]}
    broker.answers["quotes-history.get-candles"] = lambda _: [reply(details, name="error", status=4220)]
    with pytest.raises(RequestRefused) as refused:
        await client.candles.history(GetCandles(active_id=76, size=60, from_=2**31))
    assert refused.value.message == 'from: ["from must not be in the future"]'
    assert refused.value.details == details


async def test_a_result_without_success_is_a_refusal(client: Client, broker: ScriptedBroker) -> None:
    broker.answers[BALANCES] = lambda _: [result(success=False, reason="no balances today")]
    with pytest.raises(RequestRefused, match="no balances today"):
        await client.balances.all()


async def test_a_request_that_is_not_answered_ends_in_time(make_client: MakeClient, broker: ScriptedBroker) -> None:
    broker.answers[BALANCES] = lambda _: [result()]
    async with make_client(timeout=0.3) as client:
        with pytest.raises(RequestTimeout):
            await client.balances.all()


async def test_an_answer_that_comes_too_late_is_dropped(client: Client, broker: ScriptedBroker) -> None:
    broker.answers["get-active"] = lambda _: []
    with pytest.raises(RequestTimeout):
        await client.request(GET_ACTIVE, GetActive(1), timeout=0.1)
    late = broker.received[-1]["request_id"]
    await broker.push({"request_id": late, "name": "active", "msg": {"id": 1, "name": "late"}})
    assert (await client.balances.all())[0].id == 900004
    assert client.malformed == 0


async def test_an_answer_of_another_shape_is_not_taken_for_one(client: Client, broker: ScriptedBroker) -> None:
    broker.answers[BALANCES] = lambda _: [reply([{"id": "one"}])]
    with pytest.raises(UnexpectedReply, match="get-available-balances"):
        await client.balances.all()


async def test_a_lost_connection_ends_what_was_waiting(client: Client, broker: ScriptedBroker) -> None:
    broker.answers[BALANCES] = lambda _: []
    waiting = asyncio.create_task(client.balances.all())
    await broker.until(lambda: broker.asked(BALANCES))
    await broker.drop()
    with pytest.raises(ConnectionLost):
        await waiting
    await client.wait_connected(5)
    assert client.connections == 2


async def test_nothing_is_sent_without_a_connection(make_client: MakeClient, broker: ScriptedBroker) -> None:
    client = make_client()
    with pytest.raises(NotConnected):
        await client.balances.all()
    with pytest.raises(NotConnected):
        client.user_id  # noqa: B018 - raises


async def test_malformed_frames_are_counted_and_survived(client: Client, broker: ScriptedBroker) -> None:
    before = client.malformed
    await client.quotes.watch(76, lambda _: None)
    await broker.push(
        b"", b"{", b"[]", b'"text"', b"\xf0\x9f", {"name": "timeSync", "msg": "noon"},
        b'{"name":"\xff","msg":1}',
        b'{"name":"x","msg":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"name":"quote-generated","microserviceName":"quotes","msg":{"active_id":76,"phase":"\xff"}}',
    )  # fmt: skip
    assert (await client.balances.all())[0].id == 900004
    assert client.malformed == before + 9
    assert client.connections == 1


@pytest.mark.parametrize(("status", "error"), [(2000, UnexpectedReply), (5000, RequestRefused)])
async def test_an_answer_that_is_no_text_costs_only_its_request(
    client: Client, broker: ScriptedBroker, status: int, error: type[Exception]
) -> None:
    broker.answers["get-currency"] = lambda _: [b'{"request_id":"5","status":%d,"msg":"\xff"}' % status]
    with pytest.raises(error):
        await client.currencies.get("BRL")
    assert (await client.balances.all())[0].id == 900004
    assert client.connections == 1


async def test_resetting_the_demo_balance_sends_money_as_a_number(client: Client, broker: ScriptedBroker) -> None:
    await client.balances.reset_demo(900004, Decimal("500.50"))
    assert broker.asked("internal-billing.reset-training-balance") == [{"user_balance_id": 900004, "amount": 500.5}]


async def test_what_is_not_set_is_not_sent(client: Client, broker: ScriptedBroker) -> None:
    broker.answers["quotes-history.get-candles"] = lambda _: [reply({"candles": []})]
    await client.candles.history(GetCandles(active_id=76, size=60, from_=1_790_000_000, count=3))
    assert broker.asked("quotes-history.get-candles") == [
        {"active_id": 76, "size": 60, "from": 1_790_000_000, "count": 3}
    ]


async def test_an_active_is_asked_for_once(client: Client, broker: ScriptedBroker) -> None:
    broker.answers["get-active"] = lambda body: [reply({"id": body["id"], "name": "EURUSD-OTC", "type": "forex"})]
    assert await client.actives.get(76) == await client.actives.get(76)
    assert len(broker.asked("get-active")) == 1


async def test_closing_waits_for_what_was_asked(client: Client, broker: ScriptedBroker) -> None:
    broker.answers[BALANCES] = lambda _: []
    waiting = asyncio.create_task(client.balances.all())
    await broker.until(lambda: broker.asked(BALANCES))
    closing = asyncio.create_task(client.close())
    await broker.push({"request_id": broker.received[-1]["request_id"], "name": "balances", "msg": [DEMO]})
    assert (await waiting)[0].id == 900004
    await closing
    with pytest.raises(NotConnected):
        await client.balances.all()
