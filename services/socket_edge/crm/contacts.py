"""Contacts."""

from typing import Any

from libs.bus import Bus
from libs.contracts.crm import contacts as rpc
from services.socket_edge.crm.shape import Done, Handlers, Listed, change, listed, read
from services.socket_edge.dispatch import Call
from services.socket_edge.requests import Nothing

CONTACTS = read("contacts", "Contacts", rpc.ContactsQuery, Listed[rpc.Contact])
CREATE = change("POST", "contacts", "Add a contact", Nothing, rpc.NewContact, Done[rpc.Contact])


def handlers(bus: Bus) -> Handlers:
    async def create(call: Call[Any, rpc.NewContact]) -> Done[rpc.Contact]:
        request = rpc.CreateContact(by=call.user, contact=call.body)
        return Done(message="Contact created", data=await bus.call(rpc.CREATE_CONTACT, request))

    return {CONTACTS: listed(bus, rpc.CONTACTS), CREATE: create}
