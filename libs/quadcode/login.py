"""The first exchanges on a new connection (quadcode-protocol §3.9)."""

import structlog

from libs.quadcode.errors import (
    AuthenticationFailed,
    ConnectionLost,
    FeatureDisabled,
    NotConnected,
    QuadcodeError,
    RequestFailed,
    RequestRefused,
    UnexpectedReply,
)
from libs.quadcode.features import CLIENT, GET_FEATURES, Features, GetFeatures
from libs.quadcode.link import Link
from libs.quadcode.profile import GET_PROFILE, GetProfile, Profile
from libs.quadcode.session_ids import SessionIds

log = structlog.get_logger()

REFUSALS = 5
"""Logins refused in a row until the client gives up for good (§3.11)."""


class LoginRefused(QuadcodeError):
    """The broker does not accept the session id."""


class Login:
    """Remembers refusals over connections."""

    def __init__(self, session_ids: SessionIds, features: Features) -> None:
        """`features` learns what the platform offers, at every login."""
        self._session_ids = session_ids
        self._features = features
        self.profile: Profile | None = None
        """Of the user, once somebody was logged in."""
        self._refused: str | None = None
        self._refusals = 0

    @property
    def hopeless(self) -> bool:
        return self._refusals >= REFUSALS

    def forgive(self) -> None:
        """Something else went wrong: refusals are no longer in a row."""
        self._refusals = 0

    async def session_id(self) -> str:
        return await self._session_ids.session_id(self._refused)

    async def perform(self, link: Link, session_id: str) -> None:
        """Raises LoginRefused, AuthenticationFailed, FeatureDisabled, NotConnected or RequestFailed."""
        await self._authenticate(link, session_id)
        options = await link.set_options()
        if not options.success:
            raise UnexpectedReply(f"setOptions did not succeed: {options.reason}")
        await self._check_platform(link)
        await self._check_user(link)

    async def _authenticate(self, link: Link, session_id: str) -> None:
        try:
            accepted = await link.authenticate(session_id)
        except RequestRefused as refusal:
            # The official client would try for ever (pitfall P4); a status says no just as well.
            log.warning("login_refused", status=refusal.status, message=refusal.message)
            accepted = False
        if not accepted:
            self._refused = session_id
            self._refusals += 1
            raise LoginRefused("the broker refuses the session id")
        self._refused, self._refusals = None, 0

    async def _check_platform(self, link: Link) -> None:
        """After an error what was known is still believed: nothing, in the beginning, as in the official client."""
        try:
            self._features.learn((await link.call(GET_FEATURES, GetFeatures())).features)
        except (ConnectionLost, NotConnected):
            raise
        except RequestFailed as error:
            log.info("features_unknown", problem=str(error))
        if not self._features.available(CLIENT):
            raise FeatureDisabled(CLIENT)

    async def _check_user(self, link: Link) -> None:
        """Always the same one: whoever listens would be told another's positions."""
        profile = (await link.call(GET_PROFILE, GetProfile())).result
        if self.profile is not None and profile.user_id != self.profile.user_id:
            raise AuthenticationFailed(f"the session id is of user {profile.user_id}, not of {self.profile.user_id}")
        self.profile = profile
