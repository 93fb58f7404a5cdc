"""The CRM in numbers."""

from typing import Any

from libs.bus import Bus
from libs.contracts.crm.stats import CRM_STATS
from libs.contracts.rpc import Nothing as Empty
from services.socket_edge import responses
from services.socket_edge.crm.shape import Handlers, read
from services.socket_edge.dispatch import Call
from services.socket_edge.requests import Nothing

STATS = read("stats", "The CRM in numbers", Nothing, responses.CrmStatsAnswer)


def handlers(bus: Bus) -> Handlers:
    async def stats(_call: Call[Any, Any]) -> responses.CrmStatsAnswer:
        stats = await bus.call(CRM_STATS, Empty())
        counts = responses.CrmCounts(
            total_contacts=stats.contacts,
            total_leads=stats.leads,
            total_prospects=stats.prospects,
            total_customers=stats.customers,
            total_inactive=stats.inactive,
            total_churned=stats.churned,
            active_segments=stats.segments,
            running_workflows=stats.workflows,
            active_campaigns=stats.campaigns,
            total_templates=stats.templates,
            emails_sent_30d=stats.mails,
            timestamp=stats.at,
        )
        return responses.CrmStatsAnswer(data=counts)

    return {STATS: stats}
