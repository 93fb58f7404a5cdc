import pytest
from pydantic import ValidationError

from services.paper_broker.features import FEATURES
from tests.unit.paper_broker.world import World


def disabled(world: World) -> set[str]:
    features = world.client().call("features.get-features", "2.0", {"category": "client-sdk-js"})["msg"]["features"]
    assert [feature["name"] for feature in features] == list(FEATURES)
    assert {feature["category"] for feature in features} == {"client-sdk-js"}
    return {feature["name"] for feature in features if feature["status"] == "disabled"}


def test_everything_is_on_offer(world: World) -> None:
    assert disabled(world) == set()


def test_anything_can_be_switched_off() -> None:
    world = World(paper_disabled_features="blitz-instrument, client-sdk")
    assert disabled(world) == {"blitz-instrument", "client-sdk"}


def test_what_cannot_be_switched_off_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="must be one of client-sdk"):
        World(paper_disabled_features="time-travel")
