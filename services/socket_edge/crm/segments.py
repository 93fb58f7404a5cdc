"""Segments of contacts."""

from libs.bus import Bus
from libs.contracts.crm import segments as rpc
from libs.contracts.crm.common import ListQuery
from services.socket_edge.crm.shape import Handlers, Listed, listed, read

SEGMENTS = read("segments", "Segments of contacts", ListQuery, Listed[rpc.Segment])


def handlers(bus: Bus) -> Handlers:
    return {SEGMENTS: listed(bus, rpc.SEGMENTS)}
