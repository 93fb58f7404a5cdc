"""Who is logged in (quadcode-protocol §7)."""

from msgspec import Struct

from libs.quadcode.declarations import Call


class GetProfile(Struct, frozen=True):
    pass


class Profile(Struct, frozen=True):
    user_id: int
    """The value of routing filters."""
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None


class ProfileReply(Struct, frozen=True):
    result: Profile


GET_PROFILE = Call("core.get-profile", "1.0", GetProfile, ProfileReply)
