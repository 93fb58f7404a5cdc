"""Administrators' answers as the clients' types have them (api-contract §3.10–3.16, §4.7–4.9, §5): every name, what it
is, and whether it may be null. The types are written down here by hand, and compared with what the edge declares."""

from typing import Any

import pytest

from services.socket_edge import admin_routes
from services.socket_edge.openapi import document

S, N, B = "string", "number", "boolean"
SN, NN = "null|string", "null|number"

DASHBOARD = dict.fromkeys(
    (
        "total_users", "total_users_real", "total_users_demo_only", "active_users_today_real", "new_users_week_real",
        "churn_rate_percentage", "deposits_today_real", "withdrawals_today_real", "net_revenue_today_real",
        "avg_deposit_size", "trades_today_real", "volume_today_real", "platform_win_rate_real", "active_bots_real",
        "avg_engagement_score", "avg_session_duration_minutes", "dau_real", "mau_real", "demo_users",
        "conversion_rate_percent", "avg_days_to_convert",
    ),
    N,
)  # fmt: skip
REVENUE = {"date": S, "deposits_real": N, "withdrawals_real": N, "net_revenue_real": N}
GROWTH = {"date": S, "new_users": N, "new_users_real": N}
TOP_USER = {
    "user_id": S, "email": S, "full_name": S, "total_trades": N, "lifetime_pnl": N, "total_volume_traded": N,
    "win_rate_percentage": N,
}  # fmt: skip
ASSET = {"asset": S, "total_trades": N, "win_rate": N, "total_volume": N, "total_profit": N, "avg_profit": N}
USER_ITEM = {
    "user_id": S, "email": S, "phone": SN, "created_at": S, "last_sign_in_at": SN, "account_type": S,
    "total_trades": N, "total_pnl": N, "win_rate": N, "is_active": B, "bot_running": B,
}  # fmt: skip
USER = {
    "user_id": S, "email": S, "phone": SN, "created_at": S, "last_sign_in_at": SN, "account_type": S, "is_active": B,
    "bot_running_real": B, "bot_mode_real": SN, "balance_real": N, "bot_running_demo": B, "bot_mode_demo": SN,
    "balance_demo": N, "total_trades_real": N, "total_pnl_real": N, "win_rate_real": N, "total_volume_real": N,
    "total_trades_demo": N, "total_pnl_demo": N, "win_rate_demo": N, "first_trade_demo": SN, "first_trade_real": SN,
    "days_to_convert": NN, "last_trade_at": SN, "session_count": N, "last_session_at": SN,
}  # fmt: skip
USER_TRADE = {
    "trade_id": S, "account_type": S, "ativo": S, "valor": N, "pnl": N, "resultado": SN, "direcao": S,
    "data_abertura": S, "data_fechamento": SN, "duracao_segundos": N,
}  # fmt: skip
TRADE_ITEM = USER_TRADE | {"user_id": S, "user_email": S}
TRADE = TRADE_ITEM | {"bot_mode": SN, "balance_before": NN, "balance_after": NN}
SESSION = {
    "session_id": S, "created_at": S, "last_activity": S, "duration_minutes": N, "trades_in_session": N,
    "pnl_in_session": N,
}  # fmt: skip
ASSET_STATS = {
    "ativo": S, "total_trades": N, "win_count": N, "loss_count": N, "tie_count": N, "win_rate": N, "total_pnl": N,
    "total_volume": N, "avg_trade_value": N,
}  # fmt: skip
DAILY = {
    "date": S, "total_trades": N, "wins": N, "losses": N, "ties": N, "win_rate": N, "volume": N, "pnl": N,
    "active_users": N,
}  # fmt: skip
STRATEGY = {
    "strategy_id": S, "total_trades": N, "wins": N, "losses": N, "ties": N, "win_rate": N, "volume": N, "pnl": N,
    "avg_pnl": N,
}  # fmt: skip
HOURLY = {"hour": N, "total_trades": N, "wins": N, "losses": N, "win_rate": N, "pnl": N}
METRICS = {
    "user_id": S, "total_trades": N, "wins": N, "losses": N, "ties": N, "win_rate": N, "total_pnl": N,
    "total_volume": N, "avg_pnl": N, "best_trade": N, "worst_trade": N, "max_drawdown": N, "current_streak": N,
    "by_asset": list, "by_strategy": list,
}  # fmt: skip
ACTIVITY = {"id": N, "user_id": SN, "actor_id": SN, "action": S, "details": dict, "ip": SN, "created_at": S}
LOG = {"id": N, "level": S, "origin": S, "message": S, "metadata": dict, "created_at": S}
ALERT = {
    "id": N, "alert_type": S, "severity": S, "message": S, "is_read": B, "is_resolved": B, "timestamp": S,
}  # fmt: skip
POINTS = [{"date": S, "value": N}]
SIGNALS = {"totalTrades": N, "wins": N, "losses": N, "winRate": S, "period": S, "timestamp": S}
DONE = {"message": S}

TYPES: dict[str, Any] = {
    "GET health": {
        "status": S, "timestamp": S, "version": S, "uptime": N, "services": dict, "memory": dict,
        "data": {"status": S, "timestamp": S, "version": S},
    },
    "GET metrics/realtime": {"data": {
        "totalUsers": N, "activeBots": N, "recentTrades": N, "winRate": S, "winRateValue": N, "timestamp": S,
    }},
    "GET metrics/daily": {"data": SIGNALS},
    "GET metrics/summary": {"data": SIGNALS},
    "GET metrics/top-users": {"data": [TOP_USER]},
    "GET logs": {"logs": [LOG], "data": [LOG], "total": N},
    "GET alerts": {"alerts": [ALERT], "data": [ALERT], "total": N},
    "PUT alerts/{id}/read": DONE,
    "PUT alerts/{id}/resolve": DONE,
    "GET analytics/dashboard": {"data": DASHBOARD},
    "GET analytics/revenue": {"data": [REVENUE]},
    "GET analytics/user-growth": {"data": [GROWTH]},
    "GET analytics/top-users-pnl": {"data": [TOP_USER]},
    "GET analytics/top-users-volume": {"data": [TOP_USER]},
    "GET analytics/top-users/pnl": {"data": [TOP_USER]},
    "GET analytics/top-users/volume": {"data": [TOP_USER]},
    "GET analytics/users": {"data": [TOP_USER]},
    "GET analytics/asset-performance": {"data": [ASSET]},
    "GET analytics/asset": {"data": [ASSET]},
    "GET analytics/daily": {"data": [DAILY], "filters": dict},
    "GET analytics/strategy": {"data": [STRATEGY]},
    "GET analytics/hourly": {"data": [HOURLY]},
    "GET analytics/health": {"data": {
        "status": S, "services": dict, "uptime": N, "activeBots": N, "errors24h": N, "avgLatencyMs": N, "queueDepth": N,
    }},
    "GET analytics/comparison": {"data": {"trend": S, "change_percent": N}},
    "GET analytics/charts": {"data": {"pnl": POINTS, "volume": POINTS, "trades": POINTS, "winRate": POINTS}},
    "GET users": {"data": [USER_ITEM], "filters": dict, "pagination": {
        "total": N, "limit": N, "offset": N, "page": N, "hasMore": B,
    }},
    "GET users/{id}": {"data": USER},
    "GET users/{id}/metrics": {"data": METRICS},
    "GET users/{id}/trades": {"data": [USER_TRADE]},
    "GET users/{id}/sessions": {"data": [SESSION]},
    "GET users/{id}/activity": {"data": [ACTIVITY]},
    "PUT users/{id}/activate": DONE,
    "PUT users/{id}/suspend": DONE,
    "PUT users/{id}/role": DONE,
    "POST users/{id}/reset-password": DONE,
    "GET trades": {"data": [TRADE_ITEM], "filters": dict, "pagination": {"total": N, "hasMore": B}},
    "GET trades/recent": {"data": [TRADE_ITEM]},
    "GET trades/stats": {"data": {
        "win": N, "loss": N, "tie": N, "total": N, "win_rate": N, "total_pnl": N, "total_volume": N, "avg_pnl": N,
    }},
    "GET trades/asset-stats": {"data": [ASSET_STATS]},
    "GET trades/daily-volume": {"data": [{"date": S, "volume": N, "pnl": N, "trades": N}]},
    "GET trades/{id}": {"data": TRADE},
    "GET trades/{id}/context": {"data": {
        "trade": TRADE, "market": {"candles": list}, "strategy": {"id": S, "signal": {"direction": S}},
        "user": {"user_id": S, "email": S},
    }},
    "GET trades/{id}/timeline": {"data": [{"at": S, "type": S, "data": dict}]},
    "GET ssid/stats": {"data": {
        "totalCached": N, "active": N, "expired": N, "systemSSID": S,
        "activeSSIDs": [{"userId": S, "hoursUntilExpiry": S}], "expiredSSIDs": [S],
    }},
    "POST ssid/{userId}/renew": DONE,
    "POST ssid/cleanup": {"message": S, "cleaned": N},
}  # fmt: skip
"""Of answers: besides `success`, by route."""

ELSEWHERE = {
    "GET health/db-pool", "GET analytics/figures", "GET analytics/export", "POST analytics/export",
    "GET trades/export", "POST trades/export", "GET exports/{id}", "GET exports/{id}/file", "GET ssid/{userId}",
}  # fmt: skip
"""Files, what the clients have no types of, and what other tests compare to the letter."""

_KINDS = {bool: B, str: S, int: N, float: N, type(None): "null"}
_DOCUMENT = document(admin_routes.ALL, "0")


def operation(name: str) -> dict[str, Any]:
    method, path = name.split()
    made: dict[str, Any] = _DOCUMENT["paths"][f"/api/admin/{path}"][method.lower()]
    return made


def followed(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = _DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def kind(schema: dict[str, Any]) -> str:
    schema = followed(schema)
    if "anyOf" in schema or "oneOf" in schema:
        parts = {part for each in schema.get("anyOf", schema.get("oneOf", ())) for part in kind(each).split("|")}
        return "|".join(sorted(parts))
    if "enum" in schema:
        return "|".join(sorted({_KINDS[type(each)] for each in schema["enum"]}))
    return {"integer": N}.get(schema["type"], str(schema["type"]))


def differences(wanted: Any, schema: dict[str, Any], place: str) -> list[str]:
    schema = followed(schema)
    if isinstance(wanted, str):
        return [] if kind(schema) == wanted else [f"{place}: {kind(schema)} and not {wanted}"]
    if wanted in (list, dict) or isinstance(wanted, list):
        word = "object" if wanted is dict else "array"
        if kind(schema) != word:
            return [f"{place}: {kind(schema)} and not {word}"]
        return differences(wanted[0], schema["items"], f"{place}[]") if isinstance(wanted, list) else []
    if kind(schema) != "object":
        return [f"{place}: {kind(schema)} and not object"]
    found = []
    for name, each in wanted.items():
        if name not in schema["properties"]:
            found.append(f"{place}.{name}: is not there")
        elif name not in schema["required"] and "default" not in schema["properties"][name] and name != "filters":
            found.append(f"{place}.{name}: may be left out")
        else:
            found += differences(each, schema["properties"][name], f"{place}.{name}")
    return found


@pytest.mark.parametrize("name", TYPES)
def test_an_answer_is_of_the_clients_type(name: str) -> None:
    schema = operation(name)["responses"]["200"]["content"]["application/json"]["schema"]
    assert differences({"success": B, **TYPES[name]}, schema, name) == []


def test_no_route_of_administrators_is_left_out() -> None:
    declared = {f"{route.method} {route.path.removeprefix('/api/admin/')}" for route in admin_routes.ALL}
    assert declared == set(TYPES) | ELSEWHERE
