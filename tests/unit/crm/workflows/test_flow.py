"""What the canvas saves is kept as it is, but for what an older version wrote otherwise."""

from typing import Any

from hypothesis import given, settings

from services.crm.workflows.flow import normalised
from tests.unit.crm.workflows.drawings import chain, sound_flows, wild_flows


@given(sound_flows())
def test_nothing_of_what_is_saved_today_is_touched(drawn: dict[str, Any]) -> None:
    drawn["nodes"][0] |= {"width": 150, "height": 40, "parentId": "g", "whatever": [1e-7]}
    assert normalised(drawn) == drawn


@settings(max_examples=30)
@given(wild_flows())
def test_done_twice_is_done_once(drawn: dict[str, Any]) -> None:
    once = normalised(drawn)
    assert normalised(once) == once


def test_version_eleven_becomes_twelve() -> None:
    drawn = chain("delay")
    old = {"parentNode": "g", "positionAbsolute": {"x": 1, "y": 2}, "width": 150, "height": 40}
    drawn["nodes"][1] |= old
    renewed = normalised(drawn)["nodes"][1]
    assert renewed["parentId"] == "g"
    assert renewed["measured"] == {"width": 150, "height": 40}
    assert not renewed.keys() & old.keys()
