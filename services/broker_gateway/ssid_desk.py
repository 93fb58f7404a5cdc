"""Handlers of `rpc.gateway.*ssid*`: any gateway may answer them, from what all of them keep in the vault."""

from collections.abc import Callable
from datetime import timedelta

import structlog

from libs.bus import Bus, BusError
from libs.bus.rpc import Served
from libs.contracts import ssid_rpc as rpc
from libs.contracts.rpc import ErrorCode, RpcError
from services.broker_gateway.broker import AuthenticationRefused, BrokerUnavailable
from services.broker_gateway.ssid import SessionIds
from services.broker_gateway.vault import KeptSession, Vault

log = structlog.get_logger()


class SsidDesk:
    def __init__(
        self,
        bus: Bus,
        ids: SessionIds,
        vault: Vault,
        validity: float,
        system_user_id: str,
        users_of: Callable[[str], set[str]],
    ) -> None:
        """`validity`: seconds the broker accepts an id; `users_of(broker_user_id)`: who wants a session of it."""
        self._bus = bus
        self._ids = ids
        self._vault = vault
        self._validity = timedelta(seconds=validity)
        self._system_user_id = system_user_id
        self._users_of = users_of
        self._served: Served | None = None

    async def start(self) -> None:
        self._served = await self._bus.serve(
            "gateway-ssid",
            {
                rpc.SSID_STATS: self.stats,
                rpc.SSID_STATUS: self.status,
                rpc.RENEW_SSID: self.renew,
                rpc.CLEAN_UP_SSIDS: self.clean_up,
            },
        )

    async def stop(self) -> None:
        if self._served is not None:
            await self._served.stop()

    async def stats(self, request: rpc.SsidPage) -> rpc.SsidStats:
        told = [self._told(session) for session in await self._kept()]
        return rpc.SsidStats(
            total=len(told),
            expired=sum(session.expired for session in told),
            system_active=any(
                session.broker_user_id == self._system_user_id and not session.expired for session in told
            ),
            page=tuple(told[request.offset :][: request.limit]),
        )

    async def status(self, request: rpc.OfBrokerUser) -> rpc.SsidStatus:
        kept = await self._kept(request.broker_user_id)
        return rpc.SsidStatus(kept=self._told(kept[0]) if kept else None)

    async def renew(self, request: rpc.RenewSsid) -> rpc.KeptSsid:
        """Raises RpcError. The operator's API makes a session for any number, so only known ones are handed to it."""
        account = request.broker_user_id
        if not (account == self._system_user_id or self._users_of(account) or await self._kept(account)):
            raise RpcError(ErrorCode.NOT_FOUND, f"There is no session of broker user {account}")
        log.info("session_id_renewal_ordered", broker_user_id=account, by=request.by)
        try:
            issued_at = await self._ids.renew(account)
        except AuthenticationRefused as error:
            raise RpcError(ErrorCode.BROKER_REFUSED, str(error)) from error
        except BrokerUnavailable as error:
            raise RpcError(ErrorCode.BROKER_UNREACHABLE, str(error)) from error
        return rpc.KeptSsid(broker_user_id=account, expires_at=issued_at + self._validity, expired=False)

    async def clean_up(self, request: rpc.CleanUpSsids) -> rpc.SsidsCleaned:
        try:
            expired = [session for session in await self._kept() if self._told(session).expired]
            cleaned = sum([await self._vault.drop(session) for session in expired])
        except BusError as error:
            raise _not_readable(error) from error
        log.info("session_ids_cleaned_up", cleaned=cleaned, by=request.by)
        return rpc.SsidsCleaned(cleaned=cleaned)

    async def _kept(self, broker_user_id: str = "*") -> list[KeptSession]:
        try:
            return await self._vault.kept(broker_user_id)
        except BusError as error:
            raise _not_readable(error) from error

    def _told(self, session: KeptSession) -> rpc.KeptSsid:
        expires_at = session.stored_at + self._validity
        return rpc.KeptSsid(
            broker_user_id=session.broker_user_id,
            expires_at=expires_at,
            expired=expires_at <= self._bus.clock.now(),
        )


def _not_readable(error: BusError) -> RpcError:
    return RpcError(ErrorCode.UNAVAILABLE, f"the stored sessions cannot be read now: {error}")
