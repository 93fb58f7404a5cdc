"""Routes of the CRM (api-contract §3.17, §3.18, §4.10), for administrators."""

from typing import Any, TypeVar

from msgspec import Struct

from libs.contracts import crm
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm_answers import Configured, Created, Listed, SettingsBody, TestAnswer
from services.socket_edge.requests import Nothing
from services.socket_edge.responses import CrmStatsAnswer
from services.socket_edge.route import Access, Rate, Route

Q = TypeVar("Q", bound=Struct)
B = TypeVar("B", bound=Struct)


def _list(path: str, summary: str, query: type[Q], answer: Any) -> Route[Q, Nothing]:
    return Route("GET", f"/api/crm/{path}", summary, query, Nothing, (answer,), Access.ADMIN)


def _do(path: str, summary: str, query: type[Q], body: type[B], answer: Any, rate: Rate = Rate.WRITE) -> Route[Q, B]:
    return Route("POST", f"/api/crm/{path}", summary, query, body, (answer,), Access.ADMIN, rate)


STATS = _list("stats", "Contacts in numbers", Nothing, CrmStatsAnswer)
CONTACTS = _list("contacts", "Contacts", crm.ContactsQuery, Listed[crm.Contact])
CREATE_CONTACT = _do("contacts", "Add a contact", Nothing, crm.NewContact, Created)
SEGMENTS = _list("segments", "Segments of contacts", crm.ListQuery, Listed[crm.Segment])
WORKFLOWS = _list("workflows", "Workflows", crm.ListQuery, Listed[crm.Workflow])
CAMPAIGNS = _list("campaigns", "Campaigns", crm.ListQuery, Listed[crm.Campaign])
TEMPLATES = _list("templates", "Templates", crm.ListQuery, Listed[crm.Template])
INTEGRATIONS = _list("integrations", "Services that send", Nothing, Data[tuple[crm.Integration, ...]])
INTEGRATION = _list("integrations/{id}", "A service that sends", crm.OfIntegration, Data[crm.Integration])
CONFIGURE = _do("integrations/{id}/configure", "Set it up", crm.OfIntegration, SettingsBody, Configured)
TEST = _do("integrations/{id}/test", "Try it", crm.OfIntegration, Nothing, TestAnswer, Rate.COSTLY)

ALL: tuple[Route[Any, Any], ...] = tuple(value for value in list(globals().values()) if isinstance(value, Route))
