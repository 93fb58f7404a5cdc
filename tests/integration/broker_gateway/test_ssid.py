"""Session ids: asked for once, kept until they are old or refused, renewed in time, and never told to anybody else."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from libs.bus import Bus, Consumer, Delivery
from libs.bus.topology import ALERTS, SESSIONS
from libs.contracts.alerts import Alert
from services.broker_gateway.broker import AuthenticationRefused, BrokerUnavailable
from services.broker_gateway.ssid import SessionIds
from services.broker_gateway.vault import SealedSession, Vault
from tests.integration.nats_server import eventually

KEY, OTHER_KEY = bytes(range(32)), bytes(32)
DAY = 86400.0


class ManualClock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Api:
    """The session API: answers as told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answer: Callable[[int], tuple[int, str]] = lambda n: (200, f'{{"ssid": "ssid-{n}", "userId": 5}}')
        self.gate = asyncio.Event()
        self.gate.set()

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.match_info["user"], request.headers.get("Authorization", "")))
        number = len(self.asked)
        await self.gate.wait()
        status, text = self.answer(number)
        return web.Response(status=status, text=text)


Make = Callable[..., SessionIds]


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def clock(bus: Bus) -> ManualClock:
    bus.clock = ManualClock()
    return bus.clock


@pytest.fixture
async def make(api: Api, bus: Bus) -> AsyncIterator[Make]:
    """`make(keys, validity)`: as another process has them."""
    app = web.Application()
    app.router.add_post("/sessions/{user}", api.handle)
    server = TestServer(app)
    await server.start_server()
    url = str(server.make_url("/sessions"))
    async with aiohttp.ClientSession() as http:

        def make(keys: tuple[bytes, ...] = (KEY,), validity: float = DAY) -> SessionIds:
            return SessionIds(bus, http, url, "api-token", Vault(bus, keys, validity), random.Random(1), validity)

        yield make
    await server.close()


@pytest.fixture
def ids(clock: ManualClock, make: Make) -> SessionIds:
    return make()


async def test_an_id_is_asked_for_with_our_token_and_kept(ids: SessionIds, api: Api) -> None:
    assert await ids.get("5150") == "ssid-1"
    assert await ids.get("5150") == "ssid-1"
    assert api.asked == [("5150", "Bearer api-token")]


async def test_callers_at_the_same_time_share_one_request(ids: SessionIds, api: Api) -> None:
    api.gate.clear()
    callers = [asyncio.create_task(ids.get("5150")) for _ in range(20)]
    async with asyncio.timeout(5):
        while not api.asked:
            await asyncio.sleep(0)
    api.gate.set()
    assert set(await asyncio.gather(*callers)) == {"ssid-1"}
    assert len(api.asked) == 1


async def test_a_caller_who_gives_up_does_not_take_the_others_answer(ids: SessionIds, api: Api) -> None:
    api.gate.clear()
    impatient, patient = asyncio.create_task(ids.get("5150")), asyncio.create_task(ids.get("5150"))
    async with asyncio.timeout(5):
        while not api.asked:
            await asyncio.sleep(0)
    impatient.cancel()
    api.gate.set()
    assert await patient == "ssid-1"


async def test_users_do_not_share_ids(ids: SessionIds) -> None:
    assert await ids.get("1") != await ids.get("2")


async def test_an_id_is_renewed_before_the_broker_forgets_it(ids: SessionIds, clock: ManualClock) -> None:
    await ids.get("5150")
    clock.seconds += 22 * 3600 - 1
    assert await ids.get("5150") == "ssid-1"
    clock.seconds += 3601
    assert await ids.get("5150") == "ssid-2"


async def test_an_id_the_broker_refused_is_asked_for_anew(ids: SessionIds) -> None:
    refused = await ids.get("5150")
    ids.forget("5150", refused)
    assert await ids.get("5150") == "ssid-2"
    ids.forget("5150", refused)
    assert await ids.get("5150") == "ssid-2", "an older refusal does not throw away a newer id"


@pytest.mark.parametrize("name", ["ssid", "session_id", "token"])
async def test_each_name_the_api_has_used_is_understood(ids: SessionIds, api: Api, name: str) -> None:
    api.answer = lambda _: (200, f'{{"{name}": "abc"}}')
    assert await ids.get("5150") == "abc"


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_refusal_of_the_user_is_final(ids: SessionIds, api: Api, status: int) -> None:
    api.answer = lambda _: (status, "no")
    with pytest.raises(AuthenticationRefused, match=str(status)):
        await ids.get("5150")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (500, "oops"),
        (503, ""),
        (429, ""),
        (401, "our token"),
        (403, "our token"),
        (200, "not json"),
        (200, "{}"),
        (200, '{"ssid": 5}'),
    ],
)
async def test_anything_else_can_be_tried_again(ids: SessionIds, api: Api, status: int, text: str) -> None:
    api.answer = lambda _: (status, text)
    with pytest.raises(BrokerUnavailable):
        await ids.get("5150")
    api.answer = lambda _: (200, '{"ssid": "later"}')
    assert await ids.get("5150") == "later"


async def test_an_error_never_repeats_what_the_api_said(ids: SessionIds, api: Api) -> None:
    api.answer = lambda _: (500, "ssid-secret-canary")
    with pytest.raises(BrokerUnavailable) as raised:
        await ids.get("5150")
    assert "canary" not in str(raised.value)


async def test_another_process_goes_on_with_the_same_id(ids: SessionIds, make: Make, api: Api) -> None:
    assert await ids.get("5150") == await make().get("5150") == "ssid-1"
    assert len(api.asked) == 1


async def test_what_is_kept_grows_old_all_the_same(ids: SessionIds, make: Make, clock: ManualClock) -> None:
    await ids.get("5150")
    clock.seconds += 23 * 3600
    assert await make().get("5150") == "ssid-2"


async def test_what_the_broker_refused_is_not_taken_from_where_it_is_kept(ids: SessionIds, make: Make) -> None:
    ids.forget("5150", await ids.get("5150"))
    assert await ids.get("5150") == "ssid-2"
    assert await make().get("5150") == "ssid-2"


async def test_the_bus_never_holds_an_id_in_clear(ids: SessionIds, bus: Bus) -> None:
    ssid = await ids.get("5150")
    entry = await bus.bucket(SESSIONS).get("5150", SealedSession)
    assert entry is not None
    assert ssid.encode() not in entry.value.sealed


async def test_keys_are_rotated_by_adding_the_new_one_in_front(ids: SessionIds, make: Make, api: Api) -> None:
    await ids.get("5150")
    assert await make(keys=(OTHER_KEY, KEY)).get("5150") == "ssid-1"
    assert await make(keys=(OTHER_KEY,)).get("5150") == "ssid-2", "what no key opens is asked for anew"
    assert len(api.asked) == 2


async def test_one_users_entry_is_no_good_for_another(ids: SessionIds, make: Make, bus: Bus) -> None:
    await ids.get("1")
    entry = await bus.bucket(SESSIONS).get("1", SealedSession)
    assert entry is not None
    await bus.bucket(SESSIONS).put("2", entry.value)
    assert await make().get("2") == "ssid-2"


async def test_an_id_in_use_is_renewed_in_time_and_whoever_uses_it_is_told(make: Make) -> None:
    ids = make(validity=1.0)
    told: list[str] = []
    first = await ids.get("5150")
    ids.use("5150", renewed := lambda: told.append("renewed"))
    await eventually(lambda: len(told) == 2)
    assert await ids.get("5150") != first
    ids.leave("5150", renewed)
    await eventually(lambda: "renew:5150" not in {task.get_name() for task in asyncio.all_tasks()})


async def test_an_id_that_is_too_old_for_the_caller_is_replaced_for_everybody(
    ids: SessionIds, clock: ManualClock
) -> None:
    await ids.get("5150")
    clock.seconds += 1
    since = clock.now()
    assert await ids.get("5150", since) == "ssid-2"
    assert await ids.get("5150", since) == await ids.get("5150") == "ssid-2"


async def test_what_another_process_was_given_is_new_enough(ids: SessionIds, make: Make, clock: ManualClock) -> None:
    other = make()
    await ids.get("5150")
    clock.seconds += 1
    since = await other.renew("5150")
    assert since == clock.now()
    assert await ids.get("5150", since) == "ssid-2"


async def test_renewals_at_the_same_time_are_one_and_whoever_uses_the_id_is_told_once(
    ids: SessionIds, api: Api
) -> None:
    told: list[str] = []
    await ids.get("5150")
    ids.use("5150", renewed := lambda: told.append("renewed"))
    await asyncio.gather(*(ids.renew("5150") for _ in range(5)))
    assert (await ids.get("5150"), len(api.asked), told) == ("ssid-2", 2, ["renewed"])
    ids.leave("5150", renewed)


async def test_a_renewal_that_fails_leaves_the_id_in_use(ids: SessionIds, api: Api) -> None:
    told: list[str] = []
    await ids.get("5150")
    ids.use("5150", renewed := lambda: told.append("renewed"))
    for status, error in ((404, AuthenticationRefused), (500, BrokerUnavailable)):
        api.answer = lambda _, status=status: (status, "no")  # type: ignore[misc]
        with pytest.raises(error):
            await ids.renew("5150")
    assert (await ids.get("5150"), told) == ("ssid-1", [])
    ids.leave("5150", renewed)


async def test_what_another_process_renews_is_taken_over_once(ids: SessionIds, make: Make, api: Api) -> None:
    told: list[str] = []
    await ids.follow()
    await ids.get("5150")
    ids.use("5150", renewed := lambda: told.append("renewed"))
    await make().renew("5150")
    await eventually(lambda: told)
    assert await ids.get("5150") == "ssid-2"
    await ids.renew("5150")
    await make().renew("5150")
    await eventually(lambda: len(told) == 3)
    assert (await ids.get("5150"), len(api.asked)) == ("ssid-4", 4)
    ids.leave("5150", renewed)


async def test_nobody_elses_and_nothing_refused_is_taken_over(ids: SessionIds, make: Make, bus: Bus) -> None:
    told: list[str] = []
    await ids.follow()
    refused = await ids.get("5150")
    entry = await bus.bucket(SESSIONS).get("5150", SealedSession)
    assert entry is not None
    ids.use("5150", renewed := lambda: told.append("renewed"))
    ids.forget("5150", refused)
    assert await ids.get("5150") == "ssid-2"
    await bus.bucket(SESSIONS).put("5150", entry.value)
    await make(keys=(OTHER_KEY,)).renew("5150")
    await make().renew("1")
    await make().renew("5150")
    await eventually(lambda: told)
    assert (await ids.get("5150"), told) == ("ssid-5", ["renewed"])
    ids.leave("5150", renewed)


async def test_an_operator_is_told_when_there_is_no_other_for_a_refused_id(make: Make, api: Api, bus: Bus) -> None:
    told: list[Alert] = []

    async def hear(batch: list[Delivery]) -> None:
        told.extend(delivery.decode(Alert) for delivery in batch)

    consumption = await bus.consume(Consumer(ALERTS.name, "operator"), hear)
    ids = make()
    refused = await ids.get("5150")
    ids.use("5150", renewed := lambda: None)
    ids.forget("5150", refused)
    api.answer = lambda _: (500, "oops")
    for _ in range(4):
        with pytest.raises(BrokerUnavailable):
            await ids.get("5150")
    await eventually(lambda: told)
    ids.leave("5150", renewed)
    await consumption.stop()
    assert [(alert.kind, alert.details) for alert in told] == [("session_not_renewed", {"broker_user_id": "5150"})]


async def test_what_cannot_be_renewed_is_tried_again_and_an_operator_is_told(make: Make, api: Api, bus: Bus) -> None:
    alerts: list[Alert] = []

    async def hear(batch: list[Delivery]) -> None:
        alerts.extend(delivery.decode(Alert) for delivery in batch)

    consumption = await bus.consume(Consumer(ALERTS.name, "operator"), hear)
    ids = make(validity=1.0)
    told: list[str] = []
    await ids.get("5150")
    api.answer = lambda _: (500, "oops")
    ids.use("5150", renewed := lambda: told.append("renewed"))
    await eventually(lambda: alerts)
    assert (alerts[0].kind, alerts[0].details) == ("session_not_renewed", {"broker_user_id": "5150"})
    api.answer = lambda n: (200, f'{{"ssid": "ssid-{n}"}}')
    await eventually(lambda: told)
    ids.leave("5150", renewed)
    await consumption.stop()
