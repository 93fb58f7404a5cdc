"""Campaigns."""

from libs.bus import Bus
from libs.contracts.crm import campaigns as rpc
from libs.contracts.crm.common import ListQuery
from services.socket_edge.crm.shape import Handlers, Listed, listed, read

CAMPAIGNS = read("campaigns", "Campaigns", ListQuery, Listed[rpc.Campaign])


def handlers(bus: Bus) -> Handlers:
    return {CAMPAIGNS: listed(bus, rpc.CAMPAIGNS)}
