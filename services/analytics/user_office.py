"""What administrators do to users (api-contract §4.8): committed with its record, then told to everybody."""

from typing import Any

import structlog

from libs.bus import Bus, BusError
from libs.bus.rpc import Handler
from libs.bus.topology import PLATFORM
from libs.contracts import admin_rpc as rpc
from libs.contracts import keys, subjects
from libs.contracts.admin import Acted, ActOnUser, SetRole, SuspendUser
from libs.contracts.platform import BarredUser
from libs.contracts.rpc import Endpoint, ErrorCode, RpcError
from libs.contracts.users import UserActed, UserAction
from libs.store.auth import Auth
from libs.store.user_actions import Outcome, UserActions
from services.analytics.answering import answering
from services.analytics.logs import LogBook

log = structlog.get_logger()


class UserOffice:
    """Raises RpcError: NOT_FOUND; CONFLICT for what may not be done, or is not there to be undone.

    Asked again, what was done already is answered alike, and neither done nor recorded twice.
    """

    def __init__(self, bus: Bus, actions: UserActions, auth: Auth, log_book: LogBook) -> None:
        self._bus = bus
        self._actions = actions
        self._auth = auth
        self._log_book = log_book

    def handlers(self) -> dict[Endpoint[Any, Any], Handler[Any, Any]]:
        return answering(
            {
                rpc.SUSPEND_USER: self.suspend,
                rpc.ACTIVATE_USER: self.activate,
                rpc.SET_ROLE: self.set_role,
                rpc.RESET_PASSWORD: self.reset_password,
            }
        )

    async def suspend(self, request: SuspendUser) -> Acted:
        outcome = await self._actions.suspend(request.by, request.user, request.reason, _ip(request))
        _check(outcome, "You cannot suspend yourself", "Your role does not allow you to suspend this user")
        await self._bar(request.user)
        if outcome.outcome == "unchanged":
            return Acted(message="User is suspended already")
        await self._tell(request, UserAction.SUSPENDED, outcome.activity_id, reason=request.reason)
        return Acted(message="User suspended")

    async def activate(self, request: ActOnUser) -> Acted:
        outcome = await self._actions.activate(request.by, request.user, _ip(request))
        _check(outcome, "", "Your role does not allow you to activate users")
        if outcome.outcome == "unchanged":
            raise RpcError(ErrorCode.CONFLICT, "User is not suspended")
        await self._admit(request.user)
        await self._tell(request, UserAction.ACTIVATED, outcome.activity_id)
        return Acted(message="User activated")

    async def set_role(self, request: SetRole) -> Acted:
        outcome = await self._actions.set_role(request.by, request.user, request.role, _ip(request))
        _check(outcome, "You cannot change your own role", "Only a super_admin changes roles")
        if outcome.outcome == "done":
            await self._tell(request, UserAction.ROLE, outcome.activity_id, role=request.role)
        return Acted(message=f"Role is {request.role}" if request.role else "User is no administrator")

    async def reset_password(self, request: ActOnUser) -> Acted:
        """The Auth server sends an e-mail; what is in it is known to nobody here."""
        email = await self._actions.email(request.user)
        if email is None:
            raise RpcError(ErrorCode.NOT_FOUND, "User not found")
        if not email:
            raise RpcError(ErrorCode.CONFLICT, "User has no e-mail address")
        await self._auth.send_recovery(email)
        activity = await self._actions.note(request.by, request.user, UserAction.PASSWORD_RESET, {}, _ip(request))
        await self._tell(request, UserAction.PASSWORD_RESET, activity)
        return Acted(message="Recovery e-mail sent")

    async def _bar(self, user: str) -> None:
        """At once; `Barring` does it in a moment, if this fails."""
        try:
            await self._bus.bucket(PLATFORM).put(keys.barred(user), BarredUser(user=user, at=self._bus.clock.now()))
        except BusError as error:
            log.warning("user_not_barred_yet", user=user, error=str(error))

    async def _admit(self, user: str) -> None:
        try:
            await self._bus.bucket(PLATFORM).delete(keys.barred(user))
        except BusError as error:
            log.warning("user_not_admitted_yet", user=user, error=str(error))

    async def _tell(
        self, request: ActOnUser, action: UserAction, activity: int | None, reason: str = "", role: str | None = None
    ) -> None:
        """For those who watch: what counts is committed."""
        acted = UserActed(
            id=f"activity.{activity}", at=self._bus.clock.now(), user=request.user, by=request.by, action=action,
            reason=reason, role=role,
        )  # fmt: skip
        try:
            await self._bus.append(subjects.OPERATORS_USER, acted, id=acted.id)
        except BusError as error:
            log.warning("action_not_told", id=acted.id, error=str(error))
        await self._log_book.tell(acted.id)


def _ip(request: ActOnUser) -> str | None:
    return request.address or None


def _check(outcome: Outcome, on_self: str, outranked: str) -> None:
    match outcome.outcome:
        case "not_found":
            raise RpcError(ErrorCode.NOT_FOUND, "User not found")
        case "self":
            raise RpcError(ErrorCode.CONFLICT, on_self)
        case "outranked":
            raise RpcError(ErrorCode.CONFLICT, outranked)
