"""`GET /api/crm/stats` counts what is in the database."""

import asyncio

import pytest

from libs.bus import Bus
from libs.contracts.account import AccountType
from libs.contracts.crm.stats import CRM_STATS
from libs.contracts.ids import new_id
from libs.contracts.rpc import ErrorCode, Nothing, RpcError
from libs.store.trades import Trades
from tests.integration.crm.stack import CrmStack
from tests.integration.edge.shapes import TIME
from tests.integration.numbers import number
from tests.integration.service_process import StartService
from tests.integration.supabase_server import SupabaseServer
from tests.messages import a_closing, a_position, an_order

NAMES = (
    "activeSegments", "runningWorkflows", "activeCampaigns", "totalContacts", "totalLeads", "totalProspects",
    "totalCustomers", "totalInactive", "totalChurned", "totalTemplates", "emailsSent30d",
)  # fmt: skip


@pytest.mark.asyncio(loop_scope="session")
async def test_people_are_counted_as_they_sign_up_and_trade(own_crm: CrmStack) -> None:
    person, _ = [await own_crm.supabase.sign_up() for _ in range(2)]
    order = an_order(order_id=new_id(), user=person.user, account_type=AccountType.REAL)
    await Trades(own_crm.database).record([a_closing(order=order, position=a_position(position_id=number()))])
    await own_crm.contact(status="churned")
    async with asyncio.timeout(15):
        while (data := (await own_crm.ask("GET", "stats"))["data"])["totalContacts"] < 4 or not data["totalCustomers"]:
            await asyncio.sleep(0.1)
    zeros = dict.fromkeys(NAMES, 0)
    counted = {"totalContacts": 4, "totalLeads": 2, "totalCustomers": 1, "totalChurned": 1}  # the boss is a lead, too
    assert data == {**zeros, **counted, "timestamp": TIME}


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
