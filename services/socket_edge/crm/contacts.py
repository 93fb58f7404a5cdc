"""Contacts, their timeline, their tags, and the custom fields they may have."""

from libs.bus import Bus
from libs.contracts.crm import contacts as rpc
from libs.contracts.crm.common import Activity, Gone, Of, Tag
from libs.contracts.crm.privacy import ERASE_CONTACT
from libs.contracts.rpc import Nothing as Empty
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm.shape import (
    Done,
    Handlers,
    Listed,
    change,
    done,
    list_of,
    listed,
    of_by,
    picked,
    read,
    told,
)
from services.socket_edge.dispatch import Call
from services.socket_edge.requests import Nothing
from services.socket_edge.route import Rate


class OfTag(Of, frozen=True, kw_only=True):
    tag: Tag


_ONE = "contacts/{id}"
CONTACTS = read("contacts", "Contacts", rpc.ContactsQuery, Listed[rpc.Contact])
FILTER = change(
    "POST",
    "contacts/filter",
    "Contacts that a rule picks",
    Nothing,
    rpc.ContactsFilter,
    Listed[rpc.Contact],
    Rate.COSTLY,
)
CREATE = change("POST", "contacts", "Add a contact", Nothing, rpc.NewContact, Done[rpc.Contact])
UPSERT = change(
    "POST",
    "contacts/upsert",
    "Change the contact of this external id or address, or add it",
    Nothing,
    rpc.KnownContact,
    Done[rpc.Contact],
)
CONTACT = read(_ONE, "A contact, also by the id of one that was merged into it", Of, Data[rpc.Contact])
REPLACE = change("PUT", _ONE, "Say anew what is known of a contact", Of, rpc.ReplacedContact, Done[rpc.Contact])
CHANGE = change("PATCH", _ONE, "Change some of what is known of a contact", Of, rpc.ContactChange, Done[rpc.Contact])
ERASE = change("DELETE", _ONE, "Erase a contact: a tombstone and the hash of its address stay", Of, Nothing, Done[Gone])
TAG = change("PUT", f"{_ONE}/tags/{{tag}}", "Tag a contact", OfTag, Nothing, Done[rpc.Contact])
UNTAG = change("DELETE", f"{_ONE}/tags/{{tag}}", "Take a tag away", OfTag, Nothing, Done[rpc.Contact])
ACTIVITIES = read(f"{_ONE}/activities", "What happened, the newest first", rpc.ActivitiesQuery, Listed[Activity])
ADD_ACTIVITY = change(
    "POST", f"{_ONE}/activities", "Add a note, a call, a meeting or a task", Of, rpc.NewActivity, Done[Activity]
)
FIELDS = read("custom-fields", "Custom fields", Nothing, Listed[rpc.CustomField])
DEFINE_FIELD = change("POST", "custom-fields", "Define a custom field", Nothing, rpc.NewField, Done[rpc.CustomField])
_FIELD = "custom-fields/{key}"
CHANGE_FIELD = change("PUT", _FIELD, "Change a custom field", rpc.OfField, rpc.FieldDefinition, Done[rpc.CustomField])
DROP_FIELD = change(
    "DELETE", _FIELD, "Drop a custom field and all its values", rpc.OfField, Nothing, Done[rpc.FieldGone]
)


def handlers(bus: Bus) -> Handlers:
    async def fields(_call: Call[Nothing, Nothing]) -> Listed[rpc.CustomField]:
        return list_of(await bus.call(rpc.FIELDS, Empty()))

    def tagged(call: Call[OfTag, Nothing], added: bool) -> rpc.TagContact:
        return rpc.TagContact(by=call.user, id=call.query.id, tags=(call.query.tag,), added=added)

    def noted(call: Call[Of, rpc.NewActivity]) -> rpc.AddActivity:
        return rpc.AddActivity(by=call.user, id=call.query.id, activity=call.body)

    def defined(call: Call[Nothing, rpc.NewField]) -> rpc.DefineField:
        return rpc.DefineField(by=call.user, field=call.body)

    def redefined(call: Call[rpc.OfField, rpc.FieldDefinition]) -> rpc.ChangeField:
        return rpc.ChangeField(by=call.user, key=call.query.key, field=call.body)

    def dropped(call: Call[rpc.OfField, Nothing]) -> rpc.DropField:
        return rpc.DropField(by=call.user, key=call.query.key)

    return {
        CONTACTS: listed(bus, rpc.CONTACTS),
        FILTER: picked(bus, rpc.FILTER_CONTACTS),
        CONTACT: told(bus, rpc.CONTACT),
        **_written(bus),
        ERASE: done(bus, ERASE_CONTACT, of_by, "Contact erased"),
        TAG: done(bus, rpc.TAG_CONTACT, lambda call: tagged(call, True), "Contact tagged"),
        UNTAG: done(bus, rpc.TAG_CONTACT, lambda call: tagged(call, False), "Tag taken away"),
        ACTIVITIES: listed(bus, rpc.ACTIVITIES),
        ADD_ACTIVITY: done(bus, rpc.ADD_ACTIVITY, noted, "Activity added"),
        FIELDS: fields,
        DEFINE_FIELD: done(bus, rpc.DEFINE_FIELD, defined, "Custom field defined"),
        CHANGE_FIELD: done(bus, rpc.CHANGE_FIELD, redefined, "Custom field changed"),
        DROP_FIELD: done(bus, rpc.DROP_FIELD, dropped, "Custom field dropped"),
    }


def _written(bus: Bus) -> Handlers:
    def created(call: Call[Nothing, rpc.NewContact]) -> rpc.CreateContact:
        return rpc.CreateContact(by=call.user, contact=call.body)

    def kept(call: Call[Nothing, rpc.KnownContact]) -> rpc.UpsertContact:
        return rpc.UpsertContact(by=call.user, contact=call.body)

    def replaced(call: Call[Of, rpc.ReplacedContact]) -> rpc.ReplaceContact:
        return rpc.ReplaceContact(by=call.user, id=call.query.id, contact=call.body)

    def changed(call: Call[Of, rpc.ContactChange]) -> rpc.ChangeContact:
        return rpc.ChangeContact(by=call.user, id=call.query.id, change=call.body)

    return {
        CREATE: done(bus, rpc.CREATE_CONTACT, created, "Contact created"),
        UPSERT: done(bus, rpc.UPSERT_CONTACT, kept, "Contact kept"),
        REPLACE: done(bus, rpc.REPLACE_CONTACT, replaced, "Contact changed"),
        CHANGE: done(bus, rpc.CHANGE_CONTACT, changed, "Contact changed"),
    }
