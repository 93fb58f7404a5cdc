"""Segments of contacts."""

from libs.bus import Bus
from libs.contracts.crm import segments as rpc
from libs.contracts.crm.common import Gone, ListQuery, Of
from libs.contracts.crm.contacts import Contact
from libs.contracts.rpc import Nothing as Empty
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm.shape import Done, Handlers, Listed, change, done, list_of, listed, of_by, read, told
from services.socket_edge.dispatch import Call
from services.socket_edge.requests import Nothing
from services.socket_edge.route import Rate

_ONE = "segments/{id}"
_MEMBERS = f"{_ONE}/contacts"
SEGMENTS = read("segments", "Segments of contacts", ListQuery, Listed[rpc.Segment])
CREATE = change("POST", "segments", "Make a segment", Nothing, rpc.NewSegment, Done[rpc.Segment])
PREVIEW = change(
    "POST", "segments/preview", "Who a rule picks, without a segment", Nothing, rpc.PreviewRules, Data[rpc.Preview],
    Rate.COSTLY,
)  # fmt: skip
FIELDS = read("segments/fields", "What rules may mention", Nothing, Listed[rpc.RuleField])
SEGMENT = read(_ONE, "A segment", Of, Data[rpc.Segment])
REPLACE = change("PUT", _ONE, "Change a segment", Of, rpc.SegmentChange, Done[rpc.Segment])
CHANGE = change("PATCH", _ONE, "Change a segment", Of, rpc.SegmentChange, Done[rpc.Segment])
DROP = change("DELETE", _ONE, "Drop a segment that nothing uses", Of, Nothing, Done[Gone])
MEMBERS = read(_MEMBERS, "Contacts in a segment", rpc.MembersQuery, Listed[Contact])
PUT = change("POST", _MEMBERS, "Put contacts into a static segment", Of, rpc.Members, Done[rpc.Segment])
TAKE = change("DELETE", _MEMBERS, "Take contacts out of a static segment", Of, rpc.Members, Done[rpc.Segment])


def handlers(bus: Bus) -> Handlers:
    async def fields(_call: Call[Nothing, Nothing]) -> Listed[rpc.RuleField]:
        return list_of(await bus.call(rpc.RULE_FIELDS, Empty()))

    async def preview(call: Call[Nothing, rpc.PreviewRules]) -> Data[rpc.Preview]:
        return Data(data=await bus.call(rpc.PREVIEW, call.body))

    def created(call: Call[Nothing, rpc.NewSegment]) -> rpc.CreateSegment:
        return rpc.CreateSegment(by=call.user, segment=call.body)

    def changed(call: Call[Of, rpc.SegmentChange]) -> rpc.ChangeSegment:
        return rpc.ChangeSegment(by=call.user, id=call.query.id, change=call.body)

    def put(call: Call[Of, rpc.Members], entering: bool) -> rpc.PutMembers:
        return rpc.PutMembers(by=call.user, id=call.query.id, contacts=call.body.contacts, entering=entering)

    return {
        SEGMENTS: listed(bus, rpc.SEGMENTS),
        CREATE: done(bus, rpc.CREATE_SEGMENT, created, "Segment created"),
        PREVIEW: preview,
        FIELDS: fields,
        SEGMENT: told(bus, rpc.SEGMENT),
        REPLACE: done(bus, rpc.CHANGE_SEGMENT, changed, "Segment changed"),
        CHANGE: done(bus, rpc.CHANGE_SEGMENT, changed, "Segment changed"),
        DROP: done(bus, rpc.DROP_SEGMENT, of_by, "Segment dropped"),
        MEMBERS: listed(bus, rpc.MEMBERS),
        PUT: done(bus, rpc.PUT_MEMBERS, lambda call: put(call, True), "Contacts put into the segment"),
        TAKE: done(bus, rpc.PUT_MEMBERS, lambda call: put(call, False), "Contacts taken out of the segment"),
    }
