"""Workflows."""

from libs.bus import Bus
from libs.contracts.crm import workflows as rpc
from libs.contracts.crm.common import ListQuery
from services.socket_edge.crm.shape import Handlers, Listed, listed, read

WORKFLOWS = read("workflows", "Workflows", ListQuery, Listed[rpc.Workflow])


def handlers(bus: Bus) -> Handlers:
    return {WORKFLOWS: listed(bus, rpc.WORKFLOWS)}
