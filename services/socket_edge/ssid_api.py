"""The broker's session ids, for administrators (api-contract §4.9): handed on to any gateway."""

from datetime import datetime, timedelta
from typing import Any

from libs.bus import Bus
from libs.contracts import ssid_rpc as rpc
from services.socket_edge import admin_routes as routes
from services.socket_edge.admin_answers import Data
from services.socket_edge.dispatch import Call, Handler
from services.socket_edge.requests import Nothing
from services.socket_edge.responses import Done
from services.socket_edge.route import Route
from services.socket_edge.ssid_answers import (
    NoSsid,
    OfBrokerUser,
    SsidKept,
    SsidLifetime,
    SsidsForgotten,
    SsidsQuery,
    SsidTotals,
)


class SsidApi:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def handlers(self) -> dict[Route[Any, Any], Handler]:
        return {
            routes.SSIDS: self.stats,
            routes.SSID: self.status,
            routes.RENEW_SSID: self.renew,
            routes.CLEAN_UP_SSIDS: self.clean_up,
        }

    async def stats(self, call: Call[SsidsQuery, Nothing]) -> Data[SsidTotals]:
        page = rpc.SsidPage(limit=call.query.limit, offset=call.query.offset)
        stats = await self._bus.call(rpc.SSID_STATS, page)
        totals = SsidTotals(
            total_cached=stats.total,
            active=stats.total - stats.expired,
            expired=stats.expired,
            system_ssid="active" if stats.system_active else "not initialized",
            active_ssids=[
                SsidLifetime(user_id=kept.broker_user_id, hours_until_expiry=self._hours(kept.expires_at))
                for kept in stats.page
                if not kept.expired
            ],
            expired_ssids=[kept.broker_user_id for kept in stats.page if kept.expired],
        )
        return Data(data=totals)

    async def status(self, call: Call[OfBrokerUser, Nothing]) -> Data[SsidKept] | Data[NoSsid]:
        status = await self._bus.call(rpc.SSID_STATUS, rpc.OfBrokerUser(broker_user_id=call.query.user_id))
        kept = status.kept
        if kept is None:
            return Data(data=NoSsid())
        return Data(
            data=SsidKept(
                expires_at=kept.expires_at,
                hours_until_expiry=self._hours(kept.expires_at),
                is_expired=kept.expired,
            )
        )

    async def renew(self, call: Call[OfBrokerUser, Nothing]) -> Done:
        await self._bus.call(rpc.RENEW_SSID, rpc.RenewSsid(broker_user_id=call.query.user_id, by=call.user))
        return Done(message="Session id renewed; an open session goes over to it between two orders")

    async def clean_up(self, call: Call[Nothing, Nothing]) -> SsidsForgotten:
        cleaned = (await self._bus.call(rpc.CLEAN_UP_SSIDS, rpc.CleanUpSsids(by=call.user))).cleaned
        return SsidsForgotten(message=f"{cleaned} expired session ids forgotten", cleaned=cleaned)

    def _hours(self, until: datetime) -> str:
        return f"{max(timedelta(0), until - self._bus.clock.now()) / timedelta(hours=1):.2f}"
