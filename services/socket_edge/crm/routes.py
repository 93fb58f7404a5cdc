"""Every route of the CRM."""

from typing import Any

from libs.bus import Bus
from services.socket_edge.crm import (
    campaigns,
    contacts,
    exports,
    forms,
    hooks,
    imports,
    integrations,
    mail_pages,
    privacy,
    scoring,
    segments,
    stats,
    templates,
    webhooks,
    workflow_runs,
    workflows,
)
from services.socket_edge.crm.shape import Handlers
from services.socket_edge.export_links import ExportLinks
from services.socket_edge.plain import Plain
from services.socket_edge.route import Route

_PARTS = (
    stats, contacts, imports, privacy, segments, scoring, forms, workflows, workflow_runs, campaigns, templates,
    integrations, webhooks,
)  # fmt: skip

ALL: tuple[Route[Any, Any], ...] = tuple(
    value for part in (*_PARTS, exports) for value in vars(part).values() if isinstance(value, Route)
)

PLAIN: tuple[Plain, ...] = tuple(
    value for part in (hooks, mail_pages) for value in vars(part).values() if isinstance(value, Plain)
)


def handlers(bus: Bus, links: ExportLinks) -> Handlers:
    found = {route: handler for part in _PARTS for route, handler in part.handlers(bus).items()}
    return found | exports.handlers(bus, links)
