"""What contacts have agreed to, who is never written to, and what becomes of a person's data."""

from msgspec import structs

from libs.bus import Bus
from libs.contracts.crm import contacts, privacy
from libs.contracts.crm.common import Of
from libs.contracts.rpc import Nothing as Empty
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm.shape import Done, Handlers, Listed, change, done, list_of, listed, read, told
from services.socket_edge.dispatch import Call
from services.socket_edge.requests import Nothing
from services.socket_edge.route import Rate

CONSENTS = read("contacts/{id}/consents", "What a contact has agreed to", Of, Data[privacy.Consents])
GIVE_CONSENT = change(
    "POST", "contacts/{id}/consents", "Write down a contact's consent", Of, privacy.GivenConsent, Done[privacy.Consents]
)
MERGE = change(
    "POST", "contacts/{id}/merge", "Merge another contact into this one", Of, privacy.Merge, Done[contacts.Contact]
)
PERSONAL_DATA = change(
    "POST", "contacts/{id}/personal-data", "All that is known of a person (GDPR, article 15); who asks is recorded",
    Of, Nothing, Done[privacy.PersonalData], Rate.COSTLY,
)  # fmt: skip
DUPLICATES = read(
    "contact-duplicates", "Contacts that may be one person", privacy.DuplicatesQuery, Listed[privacy.Duplicates]
)
SUPPRESSIONS = read(
    "suppressions", "Addresses never written to, as hashes", privacy.SuppressionsQuery, Listed[privacy.Suppression]
)
SUPPRESS = change(
    "POST", "suppressions", "Never write to an address", Nothing, privacy.NewSuppression, Done[privacy.Suppression]
)
UNSUPPRESS = change(
    "DELETE", "suppressions/{channel}/{hash}", "Lift a suppression", privacy.OfSuppression, Nothing,
    Done[privacy.OfSuppression],
)  # fmt: skip
CAPS = read("frequency-caps", "How much marketing a contact gets at most", Nothing, Listed[privacy.FrequencyCap])
SET_CAP = change("PUT", "frequency-caps", "Set it", Nothing, privacy.FrequencyCap, Done[privacy.FrequencyCap])


def handlers(bus: Bus) -> Handlers:
    async def caps(_call: Call[Nothing, Nothing]) -> Listed[privacy.FrequencyCap]:
        return list_of(await bus.call(privacy.CAPS, Empty()))

    def given(call: Call[Of, privacy.GivenConsent]) -> privacy.GiveConsent:
        return privacy.GiveConsent(by=call.user, id=call.query.id, consent=call.body, address=call.address)

    def merged(call: Call[Of, privacy.Merge]) -> privacy.MergeContacts:
        return privacy.MergeContacts(by=call.user, id=call.query.id, other=call.body.other)

    def suppressed(call: Call[Nothing, privacy.NewSuppression]) -> privacy.Suppress:
        return privacy.Suppress(by=call.user, suppression=call.body)

    def lifted(call: Call[privacy.OfSuppression, Nothing]) -> privacy.Unsuppress:
        return privacy.Unsuppress(by=call.user, channel=call.query.channel, hash=call.query.hash)

    def capped(call: Call[Nothing, privacy.FrequencyCap]) -> privacy.SetCap:
        return privacy.SetCap(by=call.user, cap=call.body)

    async def personal(call: Call[Of, Nothing]) -> Done[privacy.PersonalData]:
        asked = privacy.TellPersonalData(by=call.user, id=call.query.id)
        page = await bus.call(privacy.PERSONAL_DATA, asked)
        tables = page.tables
        while page.next:
            page = await bus.call(privacy.PERSONAL_DATA, structs.replace(asked, after=page.next))
            for table, rows in page.tables.items():
                tables.setdefault(table, []).extend(rows)
        return Done(message="All that is known", data=privacy.PersonalData(tables=tables))

    return {
        CONSENTS: told(bus, privacy.CONSENTS),
        GIVE_CONSENT: done(bus, privacy.GIVE_CONSENT, given, "Consent written down"),
        MERGE: done(bus, privacy.MERGE_CONTACTS, merged, "Contacts merged"),
        PERSONAL_DATA: personal,
        DUPLICATES: listed(bus, privacy.DUPLICATES),
        SUPPRESSIONS: listed(bus, privacy.SUPPRESSIONS),
        SUPPRESS: done(bus, privacy.SUPPRESS, suppressed, "Address suppressed"),
        UNSUPPRESS: done(bus, privacy.UNSUPPRESS, lifted, "Suppression lifted"),
        CAPS: caps,
        SET_CAP: done(bus, privacy.SET_CAP, capped, "Cap set"),
    }
