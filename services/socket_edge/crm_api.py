"""The CRM's routes: handed on to crm, and put into the clients' envelopes."""

from typing import Any

from libs.bus import Bus
from libs.contracts import crm
from libs.contracts import crm_rpc as rpc
from libs.contracts.admin import Rows
from libs.contracts.rpc import CRM_STATS, Endpoint, Nothing
from services.socket_edge import crm_routes as routes
from services.socket_edge import responses
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm_answers import Configured, Created, Listed, SettingsBody, TestAnswer
from services.socket_edge.dispatch import Call, Handler
from services.socket_edge.route import Route

_LISTS: dict[Route[Any, Any], Endpoint[Any, Rows[Any]]] = {
    routes.CONTACTS: rpc.CONTACTS,
    routes.SEGMENTS: rpc.SEGMENTS,
    routes.WORKFLOWS: rpc.WORKFLOWS,
    routes.CAMPAIGNS: rpc.CAMPAIGNS,
    routes.TEMPLATES: rpc.TEMPLATES,
}


class CrmApi:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def handlers(self) -> dict[Route[Any, Any], Handler]:
        return {
            **{route: self._list(endpoint) for route, endpoint in _LISTS.items()},
            routes.STATS: self.stats,
            routes.CREATE_CONTACT: self.create_contact,
            routes.INTEGRATIONS: self.integrations,
            routes.INTEGRATION: self.integration,
            routes.CONFIGURE: self.configure,
            routes.TEST: self.test,
        }

    async def stats(self, _call: Call[Any, Any]) -> responses.CrmStatsAnswer:
        stats = await self._bus.call(CRM_STATS, Nothing())
        counts = responses.CrmCounts(
            total_contacts=stats.contacts,
            total_leads=stats.leads,
            total_customers=stats.customers,
            timestamp=stats.at,
        )
        return responses.CrmStatsAnswer(data=counts)

    async def create_contact(self, call: Call[Any, crm.NewContact]) -> Created:
        request = crm.CreateContact(by=call.user, contact=call.body)
        return Created(message="Contact created", data=await self._bus.call(rpc.CREATE_CONTACT, request))

    async def integrations(self, _call: Call[Any, Any]) -> Data[Any]:
        return Data(data=(await self._bus.call(rpc.INTEGRATIONS, Nothing())).rows)

    async def integration(self, call: Call[crm.OfIntegration, Any]) -> Data[Any]:
        return Data(data=await self._bus.call(rpc.INTEGRATION, call.query))

    async def configure(self, call: Call[crm.OfIntegration, SettingsBody]) -> Configured:
        request = crm.Configure(by=call.user, id=call.query.id, settings=call.body.settings)
        return Configured(message="Integration configured", data=await self._bus.call(rpc.CONFIGURE, request))

    async def test(self, call: Call[crm.OfIntegration, Any]) -> TestAnswer:
        tested = await self._bus.call(rpc.TEST, call.query)
        return TestAnswer(message=tested.message, connection_status="connected" if tested.connected else "failed")

    def _list(self, endpoint: Endpoint[Any, Rows[Any]]) -> Handler:
        async def handler(call: Call[Any, Any]) -> Listed[Any]:
            rows = await self._bus.call(endpoint, call.query)
            return Listed(data=rows.rows, total=rows.total, limit=call.query.limit, offset=call.query.offset)

        return handler
