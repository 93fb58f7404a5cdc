"""Templates."""

from libs.bus import Bus
from libs.contracts.crm import templates as rpc
from libs.contracts.crm.common import ListQuery
from services.socket_edge.crm.shape import Handlers, Listed, listed, read

TEMPLATES = read("templates", "Templates", ListQuery, Listed[rpc.Template])


def handlers(bus: Bus) -> Handlers:
    return {TEMPLATES: listed(bus, rpc.TEMPLATES)}
