"""What the platform offers (quadcode-protocol §6)."""

from collections.abc import Sequence

from msgspec import Struct

from libs.quadcode.declarations import Call, Channel
from libs.quadcode.errors import FeatureDisabled

CATEGORY = "client-sdk-js"
CLIENT = "client-sdk"
"""Gates every client of this protocol."""
BLITZ = "blitz-instrument"
TURBO = "turbo-instrument"
BINARY = "binary-instrument"
DIGITAL = "digital-instrument"
MARGIN_FOREX = "margin-forex-instrument"
MARGIN_CFD = "margin-cfd-instrument"
MARGIN_CRYPTO = "margin-crypto-instrument"

_DISABLED = "disabled"


class GetFeatures(Struct, frozen=True):
    category: str = CATEGORY


class Feature(Struct, frozen=True):
    name: str
    status: str = ""
    """Only the exact word `disabled` means something."""


class FeatureList(Struct, frozen=True):
    features: tuple[Feature, ...]


GET_FEATURES = Call("features.get-features", "2.0", GetFeatures, FeatureList)


class Features:
    """What the broker said when the connection was made; each new connection reads it anew."""

    def __init__(self) -> None:
        self._disabled: frozenset[str] = frozenset()

    def learn(self, features: Sequence[Feature]) -> None:
        self._disabled = frozenset(feature.name for feature in features if feature.status == _DISABLED)

    def available(self, name: str) -> bool:
        """Everything is, unless it is listed as disabled."""
        return name not in self._disabled


def require(channel: Channel, name: str) -> None:
    """Raises FeatureDisabled. Whatever opens something asks here first; what is open can always be closed."""
    if not channel.available(name):
        raise FeatureDisabled(name)
