import asyncio

import pytest

from libs.quadcode import AuthenticationFailed, Client, ConnectionState, NotConnected, QuadcodeError
from tests.integration.quadcode.conftest import MakeClient
from tests.integration.quadcode.scripted_broker import USER_ID, ScriptedBroker, event, refusal, reply, result


class Issued:
    """Session ids `sim-1`, `sim-2`, …; a new one whenever one was refused."""

    def __init__(self, problems: list[QuadcodeError] | None = None) -> None:
        self.refused: list[str | None] = []
        self._problems = problems or []
        self._number = 1

    async def session_id(self, refused: str | None) -> str:
        self.refused.append(refused)
        if self._problems:
            raise self._problems.pop(0)
        if refused is not None:
            self._number += 1
        return f"sim-{self._number}"


async def test_connects_in_the_order_of_the_protocol(client: Client, broker: ScriptedBroker) -> None:
    outer = [frame["name"] for frame in broker.received]
    assert outer == ["authenticate", "setOptions", "sendMessage", "sendMessage"]
    assert [frame["request_id"] for frame in broker.received] == ["1", "2", "3", "4"]
    assert broker.asked("authenticate") == [{"ssid": "sim-1", "protocol": 3, "session_id": "", "client_session_id": ""}]
    assert broker.asked("setOptions") == [{"sendResults": True}]
    assert broker.asked("features.get-features") == [{"category": "client-sdk-js"}]
    assert broker.asked("core.get-profile") == [{}]
    assert client.user_id == USER_ID


async def test_tells_the_server_the_platform_and_what_it_is(make_client: MakeClient, broker: ScriptedBroker) -> None:
    async with make_client(platform=77):
        assert broker.headers[0]["cookie"] == "platform=77"
        assert broker.headers[0]["user-agent"].startswith("quadcode-client-sdk-js/")


async def test_a_session_of_another_user_is_the_end(client: Client, broker: ScriptedBroker) -> None:
    """Nobody is told another's positions, however their sessions were mixed up."""
    broker.answers["core.get-profile"] = lambda _: [reply({"isSuccessful": True, "result": {"user_id": USER_ID + 1}})]
    await broker.drop()
    await broker.until(lambda: client.state is ConnectionState.AUTHENTICATION_FAILED)
    assert client.user_id == USER_ID
    with pytest.raises(AuthenticationFailed, match=f"of user {USER_ID + 1}"):
        await client.balances.all()


async def test_never_repeats_a_request_id(client: Client, broker: ScriptedBroker) -> None:
    await broker.drop()
    await broker.until(lambda: client.connections == 2)
    ids = [frame["request_id"] for frame in broker.received]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "no",
    [
        reply(False, name="authenticated"),
        reply(False, name="authenticated", request_id=None),
        refusal(4001, "unauthorized"),
        result(success=False),
    ],
    ids=["addressed", "unaddressed", "status", "result"],
)
async def test_a_refused_session_id_is_not_used_again(
    make_client: MakeClient, broker: ScriptedBroker, no: dict[str, object]
) -> None:
    broker.answers["authenticate"] = lambda msg: [reply(True)] if msg["ssid"] == "sim-2" else [no]
    issued = Issued()
    async with make_client(issued):
        assert [msg["ssid"] for msg in broker.asked("authenticate")] == ["sim-1", "sim-2"]
        assert issued.refused == [None, "sim-1"]


async def test_five_refusals_in_a_row_are_final(make_client: MakeClient, broker: ScriptedBroker) -> None:
    broker.answers["authenticate"] = lambda _: [reply(False, name="authenticated")]
    states: list[ConnectionState] = []
    client = make_client(Issued(), on_state=states.append)
    client.start()
    with pytest.raises(AuthenticationFailed):
        await client.wait_connected(10)
    assert len(broker.asked("authenticate")) == 5
    assert states == [ConnectionState.AUTHENTICATION_FAILED]
    with pytest.raises(AuthenticationFailed):
        await client.balances.all()


async def test_refusals_that_are_not_in_a_row_are_not_final(make_client: MakeClient, broker: ScriptedBroker) -> None:
    answers = [False, False, False, False, False, True]
    broker.answers["authenticate"] = lambda _: [reply(answers.pop(0), name="authenticated")]

    class AwayOnce(Issued):
        async def session_id(self, refused: str | None) -> str:
            if len(self.refused) == 3:
                self.refused.append("away")
                raise NotConnected("session API away")
            return await super().session_id(refused)

    client = make_client(AwayOnce())
    client.start()
    await client.wait_connected(20)
    assert answers == []


async def test_a_fixed_session_id_that_is_refused_is_final(make_client: MakeClient, broker: ScriptedBroker) -> None:
    broker.answers["authenticate"] = lambda _: [reply(False, name="authenticated")]
    with pytest.raises(AuthenticationFailed):
        await make_client().__aenter__()
    assert len(broker.asked("authenticate")) == 1


async def test_no_session_id_now_is_tried_again(make_client: MakeClient, broker: ScriptedBroker) -> None:
    async with make_client(Issued([NotConnected("session API away")])) as client:
        assert client.state is ConnectionState.CONNECTED


async def test_a_socket_closed_during_login_is_tried_again(make_client: MakeClient, broker: ScriptedBroker) -> None:
    """The official client hangs for ever (protocol, pitfall P3)."""
    client = make_client()

    def close(_: object) -> list[dict[str, object] | bytes]:
        broker.answers["authenticate"] = lambda _: [reply(True)]
        for connection in broker.connections:
            connection.transport.abort()
        return []

    broker.answers["authenticate"] = close
    client.start()
    await client.wait_connected(5)
    assert len(broker.headers) == 2


async def test_a_login_that_is_never_answered_is_tried_again(make_client: MakeClient, broker: ScriptedBroker) -> None:
    answers: list[list[dict[str, object] | bytes]] = [[], [reply(True)]]
    broker.answers["authenticate"] = lambda _: answers.pop(0)
    client = make_client(timeout=0.3)
    client.start()
    await client.wait_connected(5)
    assert len(broker.headers) == 2


async def test_a_platform_without_clients_is_not_connected_to(make_client: MakeClient, broker: ScriptedBroker) -> None:
    broker.answers["features.get-features"] = lambda _: [
        reply({"features": [{"name": "client-sdk", "status": "disabled"}]})
    ]
    client = make_client()
    client.start()
    with pytest.raises(NotConnected, match="switched off client-sdk"):
        await client.wait_connected(0.5)


async def test_an_error_about_features_does_not_matter(make_client: MakeClient, broker: ScriptedBroker) -> None:
    broker.answers["features.get-features"] = lambda _: [refusal(5000, "away")]
    async with make_client() as client:
        assert client.state is ConnectionState.CONNECTED


async def test_nobody_there_is_told_as_not_connected(make_client: MakeClient, broker: ScriptedBroker) -> None:
    await broker.stop()
    with pytest.raises(NotConnected, match="cannot connect"):
        await make_client(timeout=0.5).__aenter__()


async def test_connects_as_soon_as_the_broker_is_there(make_client: MakeClient, broker: ScriptedBroker) -> None:
    await broker.stop()
    client = make_client()
    client.start()
    await asyncio.sleep(0)
    await broker.start()
    await client.wait_connected(5)


async def test_silence_of_the_broker_ends_the_connection(make_client: MakeClient, broker: ScriptedBroker) -> None:
    client = make_client(silence=0.3)
    client.start()
    await client.wait_connected(5)
    await broker.until(lambda: client.connections == 2)
    assert "silent" in str(client.failure)


async def test_the_time_keeps_a_connection_alive(make_client: MakeClient, broker: ScriptedBroker) -> None:
    client = make_client(silence=0.6)
    client.start()
    await client.wait_connected(5)
    for number in range(12):
        await broker.push({"name": "timeSync", "msg": 1_790_000_000_000 + number * 100})
        await asyncio.sleep(0.1)
    assert client.connections == 1
    assert abs(client.clock.now().timestamp() - 1_790_000_001.2) < 0.3


async def test_time_inside_an_event_is_not_the_time(client: Client, broker: ScriptedBroker) -> None:
    await broker.push(event("quotes", "timeSync", 1_000), {"name": "timeSync", "msg": 1_790_000_000_456})
    await broker.until(lambda: client.clock.now().year == 2026 and client.clock.now().timestamp() < 1_790_000_010)
