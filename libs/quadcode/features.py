"""What the platform offers (quadcode-protocol §6)."""

from collections.abc import Sequence

from msgspec import Struct

from libs.quadcode.declarations import Call

CATEGORY = "client-sdk-js"
CLIENT = "client-sdk"
"""Gates every client of this protocol."""
BLITZ = "blitz-instrument"
TURBO = "turbo-instrument"
BINARY = "binary-instrument"


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
