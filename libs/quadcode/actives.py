"""What can be traded, in general (quadcode-protocol §9.1)."""

from decimal import Decimal

from msgspec import Struct

from libs.quadcode.declarations import Call, Channel


class GetActive(Struct, frozen=True):
    id: int


class Active(Struct, frozen=True):
    id: int
    name: str
    """The symbol; `front.<name>` is the key of its display name."""
    type: str = ""
    """The class of asset, in the broker's words."""
    description: str = ""
    image: str = ""
    is_otc: bool = False
    precision: int = 6
    """Decimals of a price."""
    pip_scale: int = 4
    """A pip is 10 to the power of minus this."""
    currency_left_side: str = ""
    currency_right_side: str = ""
    time_from: str | None = None
    """Time of day, HH:MM:SS."""
    time_to: str | None = None
    """Time of day, HH:MM:SS."""
    expiration_days: tuple[int, ...] | None = None
    spread_plus: float | None = None
    spread_minus: float | None = None
    min_qty: Decimal | None = None
    qty_step: Decimal | None = None
    type_qty: str | None = None
    """Unit of the quantities, e.g. `lots`."""


GET_ACTIVE = Call("get-active", "5.0", GetActive, Active)


class Actives:
    """Answers are kept for the life of the client, as in the official one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._known: dict[int, Active] = {}

    async def get(self, active_id: int) -> Active:
        """Raises NotConnected or RequestFailed."""
        active = self._known.get(active_id)
        if active is None:
            active = self._known[active_id] = await self._channel.request(GET_ACTIVE, GetActive(active_id))
        return active
