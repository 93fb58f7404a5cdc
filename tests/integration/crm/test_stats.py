"""`rpc.crm.stats` counts what is in the database."""

import pytest

from libs.bus import Bus
from libs.contracts.account import AccountType
from libs.contracts.clock import SystemClock
from libs.contracts.ids import new_id
from libs.contracts.rpc import CRM_STATS, ErrorCode, Nothing, RpcError
from libs.store import Database
from libs.store.trades import Trades
from tests.integration.numbers import number
from tests.integration.service_process import StartService
from tests.integration.supabase_server import SupabaseServer
from tests.messages import a_closing, a_position, an_order


async def test_people_are_counted_as_they_sign_up_and_trade(
    bus: Bus, start_service: StartService, own_supabase_server: SupabaseServer
) -> None:
    await start_service("crm", "crm", **own_supabase_server.environment)
    before = SystemClock().now()
    nobody = await bus.call(CRM_STATS, Nothing())
    assert (nobody.contacts, nobody.leads, nobody.customers) == (0, 0, 0)
    assert nobody.at >= before

    person, _ = [await own_supabase_server.sign_up() for _ in range(2)]
    order = an_order(order_id=new_id(), user=person.user, account_type=AccountType.REAL)
    async with await Database.connect(own_supabase_server.url, own_supabase_server.secret_key) as database:
        await Trades(database).record([a_closing(order=order, position=a_position(position_id=number()))])
    stats = await bus.call(CRM_STATS, Nothing())
    assert (stats.contacts, stats.leads, stats.customers) == (2, 1, 1)


async def test_without_its_database_it_says_so(
    bus: Bus, start_service: StartService, own_supabase_server: SupabaseServer
) -> None:
    crm = await start_service("crm", "crm", **own_supabase_server.environment)
    own_supabase_server.stop()
    with pytest.raises(RpcError) as refused:
        await bus.call(CRM_STATS, Nothing())
    assert refused.value.code is ErrorCode.UNAVAILABLE
    assert await crm.failing() == ["database"]
    own_supabase_server.start()
    assert (await bus.call(CRM_STATS, Nothing())).contacts == 0
    assert await crm.failing() == []
    assert await crm.terminate() == 0
