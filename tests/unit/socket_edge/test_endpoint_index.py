"""Every endpoint that clients know is declared, for whom it is meant, and asked for in a test of the edge."""

import re
from pathlib import Path
from typing import Any

import pytest

from services.socket_edge import admin_routes, routes
from services.socket_edge.crm import exports as crm_exports
from services.socket_edge.crm import routes as crm_routes
from services.socket_edge.crm.stats import STATS as CRM_STATS
from services.socket_edge.route import Access, Route

INDEX = {
    Access.PUBLIC: "GET / /health /api/assets; POST /api/avalon/create-user",
    Access.USER: """
        POST /api/bot/connect /api/bot/disconnect /api/bot/reconnect /api/bot/account-type /api/bot/start-runtime
            /api/bot/stop-runtime /api/bot/start /api/bot/stop /api/sync-pending-positions /api/user/generate-ssid
            /api/user/validate-ssid /api/user/close-session /api/user/avalon-credentials
            /api/bot/sessions/{userId}/start /api/bot/sessions/{userId}/stop /api/bot/sessions/{userId}/pause
            /api/bot/sessions/{userId}/resume;
        GET /api/bot/balance /api/bot/runtime-status /api/bot/status /api/bot/connection-status /api/market-scanner
            /api/strategy-performance /api/scanner/top20 /api/scanner/asset/{activeId} /api/candles
            /api/user/session/{userId} /api/bot/sessions/{userId}/status""",
    Access.STAFF: """
        GET /api/admin/health /api/admin/metrics/realtime /api/admin/users /api/admin/users/{id}
            /api/admin/analytics/daily /api/admin/trades /api/admin/metrics/daily /api/admin/metrics/summary
            /api/admin/metrics/top-users /api/admin/logs /api/admin/alerts /api/admin/users/{id}/metrics
            /api/admin/users/{id}/trades /api/admin/users/{id}/activity /api/admin/analytics/strategy
            /api/admin/analytics/asset /api/admin/analytics/hourly /api/admin/analytics/users
            /api/admin/analytics/health /api/admin/analytics/comparison /api/admin/analytics/charts
            /api/admin/trades/stats /api/admin/trades/recent /api/admin/trades/{id} /api/admin/trades/{id}/context
            /api/admin/trades/{id}/timeline /api/admin/analytics/dashboard /api/admin/analytics/top-users-pnl
            /api/admin/analytics/revenue /api/admin/analytics/user-growth /api/admin/analytics/top-users-volume
            /api/admin/analytics/asset-performance /api/admin/users/{id}/sessions /api/admin/trades/asset-stats
            /api/admin/trades/daily-volume /api/admin/health/db-pool
            /api/admin/metrics/activity""",
    Access.SUPPORT: "POST /api/admin/users/{id}/reset-password",
    Access.ADMIN: """
        GET /api/crm/stats /api/crm/contacts /api/crm/workflows /api/crm/campaigns /api/crm/templates
            /api/crm/segments /api/crm/integrations /api/crm/integrations/{id} /api/debug/discover-assets
            /api/bot/sessions /api/bot/stats /api/admin/ssid/stats /api/admin/ssid/{userId}
            /api/admin/analytics/export /api/admin/trades/export;
        POST /api/crm/contacts /api/crm/integrations/{id}/configure /api/crm/integrations/{id}/test
            /api/scanner/aggregate /api/bot/sessions/stop-all /api/bot/sessions/cleanup
            /api/admin/ssid/{userId}/renew /api/admin/ssid/cleanup;
        PUT /api/admin/users/{id}/activate /api/admin/users/{id}/suspend""",
    Access.SUPER_ADMIN: "PUT /api/admin/users/{id}/role",
}
"""Of the clients' contract, by who may ask."""


def rows() -> list[tuple[str, str, Access]]:
    groups = [(access, group.split()) for access, groups in INDEX.items() for group in groups.split(";")]
    return [(method, path, access) for access, (method, *paths) in groups for path in paths]


def test_the_index_is_whole() -> None:
    """So many are counted in the contract (§7)."""
    assert len(set(rows())) == len(rows()) == 96


@pytest.mark.parametrize(("method", "path", "access"), rows())
def test_what_clients_know_is_declared(method: str, path: str, access: Access) -> None:
    declared = {(route.method, route.path): route.access for route in routes.ALL}
    assert declared.get((method, path)) is access


ASKED = "".join(
    file.read_text() for part in ("edge", "crm") for file in Path(f"tests/integration/{part}").glob("test_*.py")
)
BY_TABLE = {
    route.path
    for route in (*admin_routes.ALL, *crm_routes.ALL)
    if "/ssid/" not in route.path
    and route not in (CRM_STATS, crm_exports.FILE, crm_exports.PERSONAL_FILE, admin_routes.EXPORT_FILE)
}
"""test_authorisation.py asks for each of them, as it is without the service that answers."""
BY_VERB = {f"/api/bot/sessions/{{userId}}/{verb}" for verb in ("start", "stop", "pause", "resume", "status")}
"""test_sessions.py puts their paths together."""


@pytest.mark.parametrize("route", routes.ALL, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_has_a_contract_test(route: Route[Any, Any]) -> None:
    written = re.sub(r"\\\{\w+\\\}", r"[^/\"\\s]+", re.escape(route.path))
    assert route.path in BY_TABLE | BY_VERB or re.search(rf"{written}(?![\w/-])", ASKED), (
        "no test of the edge asks for it"
    )
