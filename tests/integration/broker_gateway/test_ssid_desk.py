"""What administrators see of the broker's session ids, and what they order."""

import base64
import random
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest

from libs.bus.topology import SESSIONS
from libs.contracts import rpc as general
from libs.contracts.account import SessionState, SessionStatus
from libs.contracts.orders import OrderState
from libs.contracts.rpc import ErrorCode, OfUser, RpcError
from libs.contracts.ssid_rpc import (
    CLEAN_UP_SSIDS,
    RENEW_SSID,
    SSID_STATS,
    SSID_STATUS,
    CleanUpSsids,
    KeptSsid,
    OfBrokerUser,
    RenewSsid,
    SsidPage,
    SsidStats,
)
from services.broker_gateway.ssid import SessionIds
from services.broker_gateway.vault import SealedSession, Vault
from tests.integration.broker_gateway.rig import BROKER_USER, CLOCK, SYSTEM_USER, Rig, until
from tests.integration.broker_gateway.session_api import SessionApi
from tests.integration.broker_gateway.test_reconnect import ONE_KEY, trading
from tests.integration.broker_gateway.test_renewal import issued
from tests.integration.nats_server import eventually
from tests.messages import OTHER_USER, USER

pytestmark = pytest.mark.takes(45)


@pytest.fixture
async def links(rig: Rig) -> AsyncIterator[list[SessionState]]:
    """What becomes of the user's session."""
    states: list[SessionState] = []

    async def hear(_: str, status: SessionStatus) -> None:
        states.append(status.state)

    subscription = await rig.bus.subscribe(f"account.{USER}.session", SessionStatus, hear)
    yield states
    await subscription.stop()


async def stats(rig: Rig, limit: int = 200, offset: int = 0) -> SsidStats:
    return await rig.bus.call(SSID_STATS, SsidPage(limit=limit, offset=offset))


async def status(rig: Rig, broker_user: int) -> KeptSsid | None:
    return (await rig.bus.call(SSID_STATUS, OfBrokerUser(broker_user_id=str(broker_user)))).kept


async def renew(rig: Rig, broker_user: int = BROKER_USER) -> KeptSsid:
    return await rig.bus.call(RENEW_SSID, RenewSsid(broker_user_id=str(broker_user), by=OTHER_USER))


async def test_everybody_with_a_session_is_counted_and_listed_page_by_page(rig: Rig) -> None:
    await rig.start_gateway()
    await trading(rig)  # which takes the system's session, too
    told = await stats(rig)
    assert (told.total, told.expired, told.system_active) == (2, 0, True)
    assert {kept.broker_user_id for kept in told.page} == {str(BROKER_USER), str(SYSTEM_USER)}
    first, second = [await stats(rig, limit=1, offset=offset) for offset in (0, 1)]
    assert [*first.page, *second.page] == list(told.page)


async def test_one_expires_a_validity_after_it_was_issued(rig: Rig) -> None:
    await rig.start_gateway()
    await rig.connect()
    kept = await status(rig, BROKER_USER)
    assert kept is not None
    assert timedelta(hours=23.9) < kept.expires_at - CLOCK.now() <= timedelta(hours=24)
    assert not kept.expired
    assert await status(rig, 77) is None


async def test_whoever_renews_an_id_the_session_goes_over_to_it(rig: Rig, links: list[SessionState]) -> None:
    gateway = await rig.start_gateway(PREGAO_SESSION_KEYS=ONE_KEY)
    await trading(rig)
    order_id = await rig.intend()
    assert (await rig.submit(order_id)).state is OrderState.OPENED
    over = [SessionState.CONNECTED, SessionState.CONNECTING, SessionState.CONNECTED]
    await renew(rig)
    await eventually(lambda: links == over)
    async with aiohttp.ClientSession() as http:
        vault = Vault(rig.bus, [base64.b64decode(ONE_KEY)], 86400)
        another_gateways = SessionIds(
            rig.bus, http, rig.broker.session_url, rig.broker.api_token, vault, random.Random(1)
        )
        await another_gateways.renew(str(BROKER_USER))
    await eventually(lambda: links == over + over[1:])
    assert len(issued(gateway)) == 2
    assert [line["by"] for line in gateway.logged("session_id_renewal_ordered")] == [OTHER_USER]
    await rig.becomes(order_id, OrderState.CLOSED)
    assert set(rig.events.values()) == {1}
    assert len(await rig.broker_positions()) == 1


async def test_a_renewal_that_fails_changes_nothing(rig: Rig, api: SessionApi, links: list[SessionState]) -> None:
    await rig.start_gateway()
    await rig.connect()
    before = await status(rig, BROKER_USER)
    for answer, code in ((404, ErrorCode.BROKER_REFUSED), (503, ErrorCode.BROKER_UNREACHABLE)):
        api.refused, api.status = {BROKER_USER}, answer
        with pytest.raises(RpcError) as raised:
            await renew(rig)
        assert raised.value.code is code
    assert await status(rig, BROKER_USER) == before
    assert links[-1] is SessionState.CONNECTED


async def test_only_known_users_are_renewed(rig: Rig) -> None:
    gateway = await rig.start_gateway()
    with pytest.raises(RpcError) as raised:
        await renew(rig, 77)
    assert raised.value.code is ErrorCode.NOT_FOUND
    assert [line for line in gateway.logged("session_id_issued") if line["broker_user_id"] == "77"] == []
    assert (await renew(rig, SYSTEM_USER)).expires_at > CLOCK.now()
    await rig.connect()
    await rig.bus.call(general.DISCONNECT, OfUser(user=USER))
    assert (await renew(rig)).broker_user_id == str(BROKER_USER)


async def test_what_expired_is_forgotten_and_nothing_else(rig: Rig) -> None:
    await rig.start_gateway(PREGAO_SESSION_VALIDITY="2")
    await rig.bus.bucket(SESSIONS).put("77", SealedSession(nonce=b"", sealed=b""))

    async def expired() -> bool:
        return (kept := await status(rig, 77)) is not None and kept.expired

    await until(expired)
    await rig.connect()
    told = await stats(rig)
    assert told.expired == 1
    cleaned = await rig.bus.call(CLEAN_UP_SSIDS, CleanUpSsids(by=OTHER_USER))
    assert cleaned.cleaned == 1
    assert await status(rig, 77) is None
    assert await status(rig, BROKER_USER) is not None
    assert (await rig.bus.call(CLEAN_UP_SSIDS, CleanUpSsids(by=OTHER_USER))).cleaned == 0
