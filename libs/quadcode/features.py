"""What the platform offers (quadcode-protocol §6)."""

from collections.abc import Sequence

from msgspec import Struct

from libs.quadcode.declarations import Call, Channel

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


class GetFeatures(Struct, frozen=True):
    category: str = CATEGORY


class Feature(Struct, frozen=True):
    name: str
    status: str = ""
    """Only the exact word `disabled` means something."""


class FeatureList(Struct, frozen=True):
    features: tuple[Feature, ...]


GET_FEATURES = Call("features.get-features", "2.0", GetFeatures, FeatureList)


def available(features: Sequence[Feature], name: str) -> bool:
    """Everything is, unless it is listed as disabled."""
    return not any(feature.name == name and feature.status == "disabled" for feature in features)


class Features:
    """Answers are kept for the life of the client, as in the official one."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._known: dict[str, bool] = {}

    async def available(self, name: str) -> bool:
        """Whether the platform offers it. Raises NotConnected or RequestFailed."""
        if name not in self._known:
            reply = await self._channel.request(GET_FEATURES, GetFeatures())
            self._known[name] = available(reply.features, name)
        return self._known[name]
